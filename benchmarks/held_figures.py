"""From the exchanges of a run of held requests to its figures; pure."""

import math
from collections.abc import Callable, Mapping, Sequence

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
from benchmarks.figures import Figure, percentile, quantity, spread, spread_text
from benchmarks.patterns import BURST, EVEN, TURNOVER
from benchmarks.servers import PEER
from benchmarks.steps import Section

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

    round: int
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
    microseconds: float
    """CPU time of the server's processes per request, each over a connection of its own."""
    files: float
    """Descriptors beyond idle for each held request, at the most; 0 if not counted."""


def summary(
    order: Order,
    outcome: Outcome,
    samples: Sequence[MemorySample],
    *,
    round: int,
    server: str,
    pattern: str,
    held: int,
    idle: MemorySample,
    cpu_seconds: float,
) -> HeldRun:
    """The figures of one run."""
    exchanges = outcome.exchanges
    last_due = outcome.begin + order.due(order.count)
    windows = [all_held(exchanges)]
    if pattern == TURNOVER:
        full = outcome.begin + order.wait
        windows = [(full, full + _WINDOW_SECONDS), (last_due - _WINDOW_SECONDS, last_due)]
    kib = [
        kib_per_held(samples, exchanges, idle_kib=idle.kib, between=window) for window in windows
    ]
    wrong = faults(exchanges)
    most_files = max((sample.files for sample in samples), default=0) - idle.files
    return HeldRun(
        round=round,
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
        microseconds=cpu_seconds / len(exchanges) * 1e6,
        files=most_files / held,
    )


def conclude(runs: Sequence[HeldRun], *, subject: str, most: int | None) -> Section:
    """The table and the figures; ``most`` are held for the sake of memory alone."""
    found = conclusions(runs, subject, most=most)
    return Section("Held requests", report(runs), found, runs)


def conclusions(runs: Sequence[HeldRun], subject: str, *, most: int | None = None) -> list[Figure]:
    """The figures of one server, each round's; and its ratios to the peer where both were seen."""
    found: list[Figure] = []
    for (held, pattern), group in _groups(runs).items():
        mine = [run for run in group if run.server == subject]
        if mine:
            where = f"{held:,} held, {pattern}"
            found += _RULES[pattern](where, mine, held == most)
            found.append(Figure(f"{where}: failed", [_failed(mine)], figures.NONE_FAILED))
            peers = [run for run in group if run.server == PEER]
            found += _against_peer(where, mine, peers, late=pattern == EVEN)
    return found + _linear([run for run in runs if (run.server, run.pattern) == (subject, EVEN)])


def _even(where: str, mine: Sequence[HeldRun], for_memory: bool) -> list[Figure]:
    target = figures.LATENESS_MS_SHOWN if for_memory else figures.OVERSHOOT_EVEN
    return [
        Figure(f"{where}: memory per held", [run.kib for run in mine], figures.MEMORY_PER_HELD),
        Figure(f"{where}: overshoot p99", _late(mine), target),
    ]


def _burst(where: str, mine: Sequence[HeldRun], _: bool) -> list[Figure]:
    syn = [run.from_syn.p99 for run in mine]
    p99 = f"{where}: overshoot p99"
    return [
        Figure(f"{p99} from sending", _late(mine), figures.OVERSHOOT_BURST_FROM_SENT),
        Figure(f"{p99} from first SYN", syn, figures.OVERSHOOT_BURST_FROM_SYN),
    ]


def _turnover(where: str, mine: Sequence[HeldRun], _: bool) -> list[Figure]:
    growth = [figures.ratio(run.kib_at_end, run.kib) for run in mine]
    return [
        Figure(f"{where}: overshoot p99", _late(mine), figures.OVERSHOOT_TURNOVER),
        Figure(f"{where}: memory, end / begin", growth, figures.MEMORY_LEVEL),
    ]


_RULES = {EVEN: _even, BURST: _burst, TURNOVER: _turnover}


def _against_peer(
    where: str, mine: Sequence[HeldRun], peers: Sequence[HeldRun], *, late: bool
) -> list[Figure]:
    """Ratios within the rounds that have both.

    In a burst and in turnover the peer is at the end of what it can do. How late it is then has no
    ratio that a second run would find again: requests that it loses do not count, and how long its
    queue gets hangs on the machine's speed in that minute (0.5 to 6.9 s were seen). The table has
    its milliseconds.
    """
    found = []
    if late:
        ratios = figures.paired_ratios(_by_round(mine, _p99), _by_round(peers, _p99))
        name = f"{where}: overshoot p99, boomerang / peer"
        found.append(Figure(name, ratios, figures.LATENESS_SHOWN))
    ratios = figures.paired_ratios(_by_round(mine, _kib), _by_round(peers, _kib))
    found.append(Figure(f"{where}: memory per held, boomerang / peer", ratios, figures.SHOWN))
    return [each for each in found if all(map(math.isfinite, each.values)) and each.values]


def _linear(even: Sequence[HeldRun]) -> list[Figure]:
    """Memory per held request: the most against the fewest."""
    counts = sorted({run.held for run in even})
    if len(counts) < 2:
        return []
    few, many = (
        _by_round([run for run in even if run.held == count], _kib)
        for count in (counts[0], counts[-1])
    )
    name = f"memory per held, {counts[-1]:,} / {counts[0]:,}"
    return [Figure(name, figures.paired_ratios(many, few), figures.MEMORY_LINEAR)]


def _late(runs: Sequence[HeldRun]) -> list[float]:
    return [_p99(run) for run in runs]


def _p99(run: HeldRun) -> float:
    return run.from_sent.p99


def _kib(run: HeldRun) -> float:
    return run.kib


def _by_round(runs: Sequence[HeldRun], of: Callable[[HeldRun], float]) -> dict[int, float]:
    return {run.round: of(run) for run in runs}


def _failed(runs: Sequence[HeldRun]) -> int:
    return sum(run.failed for run in runs)


def _groups(runs: Sequence[HeldRun]) -> dict[tuple[int, str], list[HeldRun]]:
    found: dict[tuple[int, str], list[HeldRun]] = {}
    for run in runs:
        found.setdefault((run.held, run.pattern), []).append(run)
    return found


_COLUMNS: Mapping[str, Callable[[HeldRun], float]] = {
    "KiB/held": _kib,
    "at end": lambda run: run.kib_at_end,
    "late ms p50": lambda run: run.from_sent.p50,
    "p99": _p99,
    "max": lambda run: run.from_sent.max,
    "from SYN p99": lambda run: run.from_syn.p99,
    "CPU us": lambda run: run.microseconds,
    "failed": lambda run: run.failed,
    "lost at 15 s": lambda run: run.lost_calls,
    "driver ms": lambda run: run.driver_ms,
}


def report(runs: Sequence[HeldRun]) -> str:
    """All runs as a table, medians with the range of the rounds; what went wrong below it."""
    rows = []
    for group in _groups(runs).values():
        for server in dict.fromkeys(run.server for run in group):
            mine = [run for run in group if run.server == server]
            cells = [spread_text(spread(map(of, mine))) for of in _COLUMNS.values()]
            rows.append([_name(mine[0]), quantity(mine[0].wait), *cells])
    notes = [
        f"{_name(run)}: {count:,} x {fault}" for run in runs for fault, count in run.faults.items()
    ]
    headings = ("held / pattern / server", "wait s", *_COLUMNS)
    return "\n\n".join([figures.table(headings, rows), *notes])


def _name(run: HeldRun) -> str:
    return f"{run.held:,} {run.pattern} {run.server}"
