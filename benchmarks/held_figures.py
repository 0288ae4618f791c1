"""From the exchanges of a run of held requests to its figures; pure."""

import math
from collections.abc import Sequence

import attrs

from benchmarks import figures
from benchmarks.exchanges import (
    MemorySample,
    Order,
    Outcome,
    all_held,
    faults,
    kib_per_held,
    lateness_from_sent,
    lateness_from_syn,
    lost_calls,
)
from benchmarks.figures import Figure, percentile, quantity
from benchmarks.patterns import BURST, EVEN, TURNOVER

_WINDOW_SECONDS = 2.0


@attrs.frozen
class Lateness:
    """By how many milliseconds the right answers exceeded the wait."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Lateness":
        """Sum up many answers."""
        p50, p99, highest = (percentile(seconds, share) * 1000 for share in (0.5, 0.99, 1.0))
        return cls(p50=p50, p99=p99, max=highest)


@attrs.frozen(kw_only=True)
class HeldRun:
    """What one server did with one pattern of arrivals."""

    server: str
    pattern: str
    held: int
    wait: float
    sent: int
    failed: int
    faults: dict[str, int]
    lost_calls: int
    """Calls that Twilio's limit of 15 s would have cost, failed ones included."""
    kib: float
    """Memory beyond idle for each held request; in turnover: once all are held."""
    kib_at_end: float
    """The same when the last requests arrive; only in turnover."""
    from_sent: Lateness
    from_syn: Lateness
    driver_ms: float
    """The driver's longest turn: no lateness is overstated by more."""


def summary(
    order: Order,
    outcome: Outcome,
    samples: Sequence[MemorySample],
    *,
    server: str,
    pattern: str,
    held: int,
    idle_kib: int,
) -> HeldRun:
    """The figures of one run."""
    exchanges = outcome.exchanges
    last_due = outcome.begin + order.due(order.count)
    windows = [all_held(exchanges)]
    if pattern == TURNOVER:
        full = outcome.begin + order.wait
        windows = [(full, full + _WINDOW_SECONDS), (last_due - _WINDOW_SECONDS, last_due)]
    kib = [
        kib_per_held(samples, exchanges, idle_kib=idle_kib, between=window) for window in windows
    ]
    wrong = faults(exchanges)
    return HeldRun(
        server=server,
        pattern=pattern,
        held=held,
        wait=order.wait,
        sent=len(exchanges),
        failed=sum(wrong.values()),
        faults=wrong,
        lost_calls=lost_calls(exchanges),
        kib=kib[0],
        kib_at_end=kib[1] if pattern == TURNOVER else math.nan,
        from_sent=Lateness.of(lateness_from_sent(exchanges, order.wait)),
        from_syn=Lateness.of(lateness_from_syn(exchanges, order.wait)),
        driver_ms=outcome.longest_turn * 1000,
    )


def conclusions(runs: Sequence[HeldRun], subject: str) -> list[Figure]:
    """The figures of one server that have a target."""
    mine = [run for run in runs if run.server == subject]
    found = [figure for run in mine for figure in _run_figures(run)]
    even = sorted((run for run in mine if run.pattern == EVEN), key=lambda run: run.held)
    if len(even) > 1:
        few, many = even[0], even[-1]
        name = f"{subject}, memory per held, {many.held:,} / {few.held:,}"
        found.append(Figure(name, [figures.ratio(many.kib, few.kib)], figures.MEMORY_LINEAR))
    return found


def _run_figures(run: HeldRun) -> list[Figure]:
    where = f"{run.server}, {run.held:,} held, {run.pattern}"
    failed = Figure(f"{where}: failed", [run.failed], figures.NONE_FAILED)
    p99 = f"{where}: overshoot p99"
    if run.pattern == EVEN:
        return [
            Figure(f"{where}: memory per held", [run.kib], figures.MEMORY_PER_HELD),
            Figure(p99, [run.from_sent.p99], figures.OVERSHOOT_EVEN),
            failed,
        ]
    if run.pattern == BURST:
        sent, syn = figures.OVERSHOOT_BURST_FROM_SENT, figures.OVERSHOOT_BURST_FROM_SYN
        return [
            Figure(f"{p99} from sending", [run.from_sent.p99], sent),
            Figure(f"{p99} from first SYN", [run.from_syn.p99], syn),
            failed,
        ]
    growth = figures.ratio(run.kib_at_end, run.kib)
    return [
        Figure(p99, [run.from_sent.p99], figures.OVERSHOOT_TURNOVER),
        Figure(f"{where}: memory, end / begin", [growth], figures.MEMORY_LEVEL),
        failed,
    ]


def report(runs: Sequence[HeldRun]) -> str:
    """All runs as a table, with what went wrong below it."""
    headings = (
        "held / pattern / server",
        "wait s",
        "KiB/held",
        "at end",
        "late ms p50",
        "p99",
        "max",
        "from SYN p99",
        "max",
        "sent",
        "failed",
        "lost at 15 s",
        "driver ms",
    )
    notes = [
        f"{_name(run)}: {count:,} x {fault}" for run in runs for fault, count in run.faults.items()
    ]
    return "\n".join([figures.table(headings, [_row(run) for run in runs]), *notes])


def _name(run: HeldRun) -> str:
    return f"{run.held:,} {run.pattern} {run.server}"


def _row(run: HeldRun) -> list[str]:
    sent, syn = run.from_sent, run.from_syn
    numbers = [run.wait, run.kib, run.kib_at_end, sent.p50, sent.p99, sent.max, syn.p99, syn.max]
    numbers += [run.sent, run.failed, run.lost_calls, run.driver_ms]
    return [_name(run), *map(quantity, numbers)]
