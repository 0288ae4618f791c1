"""CPU per request against the rate of requests: wait 0, each over a connection of its own."""

from collections.abc import Sequence
from functools import partial

import attrs

from benchmarks import figures
from benchmarks.exchanges import Order, faults
from benchmarks.figures import quantity, spread, spread_text
from benchmarks.held import drive, warm_up
from benchmarks.processes import cpu_seconds
from benchmarks.servers import PEER, REDIS, SQLITE, serving
from benchmarks.steps import Part, Section, Step

VARIANTS = (PEER, REDIS, SQLITE)
_TO_START_SECONDS = 3.0
_TO_DRIVE_SECONDS = 1.5
_GRACE = 5.0


@attrs.frozen(kw_only=True)
class RatePoint:
    """What one server took at one rate (requests a second)."""

    server: str
    per_second: float
    microseconds: float
    """CPU time of the server's processes per request."""
    failed: int


def part(rounds: int, rates: Sequence[float], seconds: float) -> Part:
    """Each server at each rate, from the slowest."""
    took = len(rates) * (seconds + _TO_DRIVE_SECONDS) + _TO_START_SECONDS
    steps = [
        Step(
            f"rate: round {number} of {rounds}, {name}",
            took,
            partial(_points, name, rates, seconds),
        )
        for number in range(1, rounds + 1)
        for name in VARIANTS
    ]
    return Part("rate", steps, conclude)


def _points(name: str, rates: Sequence[float], seconds: float) -> list[RatePoint]:
    found, first = [], 1
    with serving(name, wait=0) as server:
        for rate in rates:
            order = Order(
                port=server.port,
                first_number=first,
                count=round(rate * seconds),
                per_second=rate,
                wait=0.0,
                grace=_GRACE,
            )
            if first == 1:
                drive(warm_up(order), server.pids)
            before = cpu_seconds(server.pids)
            outcome, _ = drive(order, server.pids)
            used = cpu_seconds(server.pids) - before
            first += order.count
            failed = sum(faults(outcome.exchanges).values())
            found.append(
                RatePoint(
                    server=name,
                    per_second=rate,
                    microseconds=used / order.count * 1e6,
                    failed=failed,
                )
            )
    return found


def conclude(rounds: Sequence[Sequence[RatePoint]]) -> Section:
    """The table."""
    points = [point for each in rounds for point in each]
    return Section("CPU against the rate of requests", report(points), [], points)


def report(points: Sequence[RatePoint]) -> str:
    """CPU per request (median of the rounds and range) for each rate and server."""
    rows = []
    for rate in dict.fromkeys(point.per_second for point in points):
        here = [point for point in points if point.per_second == rate]
        cells = [
            spread_text(spread(point.microseconds for point in here if point.server == name))
            for name in VARIANTS
        ]
        rows.append((quantity(rate), *cells, quantity(sum(point.failed for point in here))))
    headings = ("requests/s, each a connection", *(f"{name}, CPU us" for name in VARIANTS))
    return figures.table((*headings, "failed"), rows)
