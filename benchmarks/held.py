"""Measures requests that are being held, by different patterns of arrival, on each server."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs

from benchmarks import cores, floor, traffic
from benchmarks.exchanges import MemorySample, Order, Outcome
from benchmarks.held_figures import HeldRun, conclude, summary
from benchmarks.patterns import BURST, EVEN, TURNOVER, order_for
from benchmarks.processes import cpu_seconds, open_files, resident_kib, running
from benchmarks.servers import FLOOR, PEER, SQLITE, clean_environment, serving
from benchmarks.steps import Part, Step

_SAMPLE_SECONDS = 0.2
_SECONDS_TO_REPORT = 20.0
_WARM_UP_COUNT = 100
_WARM_UP_NUMBER = 900_000_000
_TO_START_SECONDS = 4.0
_ROUNDS_OF_MOST = 2
_ROUNDS_OF_PEER = 2


class DriverError(Exception):
    """The load driver ended without an outcome; the message holds what it printed."""


@attrs.frozen(kw_only=True)
class HeldPlan:
    """Which runs of held requests to make.

    Requests arrive evenly for each of ``counts``, in the other patterns for the largest of them.
    ``most`` are held for the sake of memory. The peer is there for comparison in the first two of
    the ``rounds``, the floor in the first.
    """

    rounds: int
    counts: Sequence[int]
    most: int | None
    turnover_seconds: float
    grace: float


def part(plan: HeldPlan) -> Part:
    """Each round in turn, and in it the servers in turn."""
    return Part("held", list(_steps(plan)), partial(conclude, subject=SQLITE, most=plan.most))


def _steps(plan: HeldPlan) -> Iterator[Step]:
    largest = max(plan.counts)
    for number in range(1, plan.rounds + 1):
        # Those between the smallest and the largest are for the curves, not for a figure.
        counts = plan.counts if number == 1 else sorted({min(plan.counts), largest})
        runs = [(EVEN, count) for count in counts]
        runs += [(BURST, largest), (TURNOVER, largest)]
        if plan.most and plan.most > largest and number <= _ROUNDS_OF_MOST:
            runs.append((EVEN, plan.most))
        for pattern, held in runs:
            order = order_for(
                pattern, held, turnover_seconds=plan.turnover_seconds, grace=plan.grace
            )
            for name in _servers(number, pattern, held, most=plan.most):
                yield Step(
                    f"held: round {number} of {plan.rounds}, {held:,} {pattern}, {name}",
                    order.due(order.count) + order.wait + _TO_START_SECONDS,
                    partial(run_once, number, name, pattern, held, order),
                )


def _servers(number: int, pattern: str, held: int, *, most: int | None) -> Sequence[str]:
    if number > _ROUNDS_OF_PEER or held == most:
        return (SQLITE,)
    if number > 1 or pattern == TURNOVER or not floor.compiler():
        return (PEER, SQLITE)
    return (PEER, SQLITE, FLOOR)


def run_once(
    number: int,
    name: str,
    pattern: str,
    held: int,
    template: Order,
    *,
    count_files: bool = False,
) -> HeldRun:
    """One run on a server of its own. Counting its descriptors takes time of the driver's core."""
    with serving(name, wait=template.wait) as server:
        order = attrs.evolve(template, port=server.port)
        if name != FLOOR:
            drive(warm_up(order), server.pids)
        idle = _sample(server.pids, count_files)
        used = cpu_seconds(server.pids)
        outcome, samples = drive(order, server.pids, count_files=count_files)
        used = cpu_seconds(server.pids) - used
    return summary(
        order,
        outcome,
        samples,
        round=number,
        server=name,
        pattern=pattern,
        held=held,
        idle=idle,
        cpu_seconds=used,
    )


def warm_up(order: Order) -> Order:
    """Requests that are not held, so that idle memory includes what the first of them loads."""
    return attrs.evolve(
        order,
        first_number=_WARM_UP_NUMBER,
        count=_WARM_UP_COUNT,
        per_second=0.0,
        wait=0.0,
        path=traffic.WARM_UP,
    )


def drive(
    order: Order, pids: Sequence[int], *, count_files: bool = False
) -> tuple[Outcome, list[MemorySample]]:
    """Let the driver carry out the order, and read the server's memory all the while."""
    samples = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as path:
        folder = Path(path)
        order_path, outcome_path = folder / "order.json", folder / "outcome.json"
        printed = folder / "driver.log"
        order_path.write_text(order.to_json())
        deadline = time.monotonic() + order.longest_seconds + _SECONDS_TO_REPORT
        with (
            cores.only_on(cores.cores().drivers),
            running(
                [sys.executable, "-m", "benchmarks.driver", str(order_path), str(outcome_path)],
                folder=folder,
                output=printed,
                environment=clean_environment(os.environ),
            ) as driver,
        ):
            while driver.poll() is None and time.monotonic() < deadline:
                samples.append(_sample(pids, count_files))
                time.sleep(_SAMPLE_SECONDS)
        if not outcome_path.exists():
            raise DriverError(f"the load driver failed:\n{printed.read_text()}")
        return Outcome.from_json(outcome_path.read_text()), samples


def _sample(pids: Sequence[int], count_files: bool) -> MemorySample:
    files = open_files(pids) if count_files else 0
    return MemorySample(time.monotonic(), resident_kib(pids), files)
