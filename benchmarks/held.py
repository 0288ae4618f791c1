"""Measures requests that are being held, by different patterns of arrival, on each server."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from benchmarks import floor
from benchmarks.exchanges import MemorySample, Order, Outcome
from benchmarks.held_figures import HeldRun, summary
from benchmarks.patterns import EVEN, PATTERNS, order_for
from benchmarks.processes import resident_kib, running
from benchmarks.servers import FLOOR, PEER, SQLITE, clean_environment, serving

VARIANTS = (PEER, SQLITE, FLOOR)
_SAMPLE_SECONDS = 0.2
_SECONDS_TO_REPORT = 20.0
_WARM_UP_COUNT = 20
_WARM_UP_NUMBER = 900_000_000


class DriverError(Exception):
    """The load driver ended without an outcome; the message holds what it printed."""


def measure(
    counts: Sequence[int],
    *,
    turnover_seconds: float,
    grace: float,
    progress: Callable[[str], None],
) -> Iterator[HeldRun]:
    """Even arrivals of every count, then the other patterns of the largest, on every server."""
    for held in counts:
        for pattern in PATTERNS if held == max(counts) else (EVEN,):
            order = order_for(pattern, held, turnover_seconds=turnover_seconds, grace=grace)
            for name in VARIANTS:
                if name == FLOOR and not floor.compiler():
                    continue
                progress(f"held: {held:,}, {pattern}, {name}")
                yield _run(name, pattern, held, order)


def _run(name: str, pattern: str, held: int, template: Order) -> HeldRun:
    with serving(name, wait=template.wait) as server:
        order = attrs.evolve(template, port=server.port)
        # So that idle memory includes what is loaded by the first request, and stays.
        warm_up = attrs.evolve(
            order, first_number=_WARM_UP_NUMBER, count=_WARM_UP_COUNT, per_second=0.0
        )
        drive(warm_up, server.pids)
        idle_kib = resident_kib(server.pids)
        outcome, samples = drive(order, server.pids)
    return summary(
        order, outcome, samples, server=name, pattern=pattern, held=held, idle_kib=idle_kib
    )


def drive(order: Order, pids: Sequence[int]) -> tuple[Outcome, list[MemorySample]]:
    """Let the driver carry out the order, and read the server's memory all the while."""
    samples = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as path:
        folder = Path(path)
        order_path, outcome_path = folder / "order.json", folder / "outcome.json"
        printed = folder / "driver.log"
        order_path.write_text(order.to_json())
        deadline = time.monotonic() + order.longest_seconds + _SECONDS_TO_REPORT
        with running(
            [sys.executable, "-m", "benchmarks.driver", str(order_path), str(outcome_path)],
            folder=folder,
            output=printed,
            environment=clean_environment(os.environ),
        ) as driver:
            while driver.poll() is None and time.monotonic() < deadline:
                samples.append(MemorySample(time.monotonic(), resident_kib(pids)))
                time.sleep(_SAMPLE_SECONDS)
        if not outcome_path.exists():
            raise DriverError(f"the load driver failed:\n{printed.read_text()}")
        return Outcome.from_json(outcome_path.read_text()), samples
