"""Measures what the monitor's checks cost, and whether they delay the calls that are held."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import attrs

from benchmarks import figures
from benchmarks.exchanges import Order, faults, lateness_from_sent
from benchmarks.figures import Figure, quantity, spread, spread_text
from benchmarks.held import drive, warm_up
from benchmarks.held_figures import Lateness
from benchmarks.processes import cpu_seconds, running
from benchmarks.servers import (
    ROOT,
    SQLITE,
    Server,
    clean_environment,
    free_port,
    serving,
    wait_until,
)
from benchmarks.steps import Part, Section, Step

CHECKS = 500
INTERVAL = 10.0

ALONE = "without checks"
WATCHING = f"with {CHECKS} checks"
VARIANTS = (ALONE, WATCHING)

_HELD = 2_000
_PER_SECOND = 200.0  # so that they are answered while each check runs once
_WAIT = 8.0
_ALL_HAVE_RUN = INTERVAL + 2.0  # the first runs are spread over the interval


@attrs.frozen(kw_only=True)
class MonitorRound:
    """What one variant did in one round."""

    variant: str
    late: Lateness
    failed: int
    cpu_share: float
    """Of one core, in per cent, while no call is held."""
    checks_up: int


def part(rounds: int, *, idle_seconds: float, grace: float) -> Part:
    """Both variants once per round, in turn, each time fresh and empty."""
    took = _WAIT + _HELD / _PER_SECOND + idle_seconds
    steps = [
        Step(
            f"monitor: round {number} of {rounds}, {variant}",
            took + (_ALL_HAVE_RUN if variant == WATCHING else 0.0),
            partial(_measure, variant, idle_seconds=idle_seconds, grace=grace),
        )
        for number in range(1, rounds + 1)
        for variant in VARIANTS
    ]
    return Part("monitor", steps, conclude)


def _measure(variant: str, *, idle_seconds: float, grace: float) -> MonitorRound:
    with _target() as port:
        settings = settings_for(port) if variant == WATCHING else ""
        with serving(SQLITE, wait=_WAIT, settings=settings) as server:
            return _round(variant, server, idle_seconds=idle_seconds, grace=grace)


def conclude(rounds: Sequence[MonitorRound]) -> Section:
    """The table and the figures."""
    return Section("Checks beside held requests", report(rounds), conclusions(rounds), rounds)


def settings_for(port: int) -> str:
    """The settings' file with so many checks of the server at a port."""
    return "".join(
        f'[[check]]\nname = "check-{number}"\nurl = "http://127.0.0.1:{port}/{number}"\n'
        f"interval = {INTERVAL}\n"
        for number in range(CHECKS)
    )


def _round(variant: str, server: Server, *, idle_seconds: float, grace: float) -> MonitorRound:
    order = Order(
        port=server.port,
        first_number=1,
        count=_HELD,
        per_second=_PER_SECOND,
        wait=_WAIT,
        grace=grace,
    )
    ready = time.monotonic() + (_ALL_HAVE_RUN if variant == WATCHING else 0.0)
    drive(warm_up(order), server.pids)
    time.sleep(max(0.0, ready - time.monotonic()))
    before = cpu_seconds(server.pids)
    time.sleep(idle_seconds)
    used = cpu_seconds(server.pids) - before
    outcome, _ = drive(order, server.pids)
    return MonitorRound(
        variant=variant,
        late=Lateness.of(lateness_from_sent(outcome.exchanges, _WAIT)),
        failed=sum(faults(outcome.exchanges).values()),
        cpu_share=100 * used / idle_seconds,
        checks_up=_checks_up(server.port),
    )


def _checks_up(port: int) -> int:
    """How many checks have found their target well, as the server's metrics say."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    return sum(line.startswith("boomerang_check_up{") and line.endswith(" 1.0") for line in lines)


@contextmanager
def _target() -> Iterator[int]:
    """The port of a server that answers all checks."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as path:
        log = Path(path) / "target.log"
        command = [sys.executable, "-m", "benchmarks.target", str(port)]
        environment = clean_environment(os.environ)
        with running(command, folder=ROOT, output=log, environment=environment) as process:
            wait_until(lambda: _answers(port), process, name="the checks' target", log=log)
            yield port


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def conclusions(rounds: Sequence[MonitorRound]) -> list[Figure]:
    """The figures that have a target."""
    watching = _of(rounds, WATCHING)
    beyond = [after.late.p99 - before.late.p99 for before, after in _pairs(rounds)]
    where = f"{_HELD:,} held, {WATCHING}"
    return [
        Figure(
            f"{where}: overshoot p99",
            [each.late.p99 for each in watching],
            figures.OVERSHOOT_EVEN,
        ),
        Figure(
            f"{where}: overshoot p99 beyond that {ALONE}",
            beyond,
            figures.OVERSHOOT_OF_CHECKS,
        ),
        Figure(f"{WATCHING}: CPU", _cost(rounds), figures.CPU_OF_CHECKS),
        Figure(
            f"{where}: failed", figures.total([each.failed for each in rounds]), figures.NONE_FAILED
        ),
        Figure(
            f"{WATCHING}: checks that did not run, or not well",
            figures.total([CHECKS - each.checks_up for each in watching]),
            figures.ALL_RAN,
        ),
    ]


def report(rounds: Sequence[MonitorRound]) -> str:
    """Both variants as a table; each cell the median of the rounds and its range."""
    rows = []
    for variant in VARIANTS:
        mine = _of(rounds, variant)
        rows.append(
            (
                variant,
                *(
                    spread_text(spread([getattr(each.late, name) for each in mine]))
                    for name in ("p50", "p99", "max")
                ),
                spread_text(spread([each.cpu_share for each in mine])),
                quantity(sum(each.failed for each in mine)),
            )
        )
    headings = ("server", "late ms p50", "p99", "max", "idle CPU % of a core", "failed")
    ratios = ", ".join(
        f"{name} x {spread_text(spread(_ratios(rounds, name)))}" for name in ("p50", "p99")
    )
    cost = spread_text(spread(_cost(rounds)))
    return (
        f"{figures.table(headings, rows)}\n"
        f"with / without: {ratios}; the checks take {cost} % of a core"
    )


def _ratios(rounds: Sequence[MonitorRound], name: str) -> list[float]:
    return figures.paired_ratios(
        dict(enumerate(getattr(after.late, name) for _, after in _pairs(rounds))),
        dict(enumerate(getattr(before.late, name) for before, _ in _pairs(rounds))),
    )


def _cost(rounds: Sequence[MonitorRound]) -> list[float]:
    """What the checks take of a core, in per cent, round by round."""
    return [after.cpu_share - before.cpu_share for before, after in _pairs(rounds)]


def _pairs(rounds: Sequence[MonitorRound]) -> list[tuple[MonitorRound, MonitorRound]]:
    """Each round without checks and with them."""
    return list(zip(_of(rounds, ALONE), _of(rounds, WATCHING), strict=True))


def _of(rounds: Sequence[MonitorRound], variant: str) -> list[MonitorRound]:
    return [each for each in rounds if each.variant == variant]
