"""What is done at intervals, and how the relay stands."""

from __future__ import annotations

from typing import Any

import pytest

from boomerang.relay.jobs import Jobs
from boomerang.relay.standing import BEHIND_AFTER
from boomerang.relay.upkeep import LOOK_EVERY, SWEEP_EVERY, Upkeep
from tests.relay.callbacks import a_callback
from tests.relay.delivering import BAD, GONE, Bench


class Kept(Bench):
    """A courier with its upkeep."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.renewed = 0
        queue: Any = self.queue
        upkeep = Upkeep(
            queue,
            retention=1000,
            most_bytes=10_000_000,
            counts=self.counts,
            record=self.record,
            standing=self.standing,
        )
        self.jobs = Jobs(
            [(self._renew, 3), (upkeep.look, LOOK_EVERY), (upkeep.sweep, SWEEP_EVERY)],
            standing=self.standing,
            clock=self.clock,
        )
        self.jobs.startService()

    async def _renew(self) -> None:
        self.renewed += 1
        await self.courier.renew()

    def gauge(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"boomerang_relay_{name}")


def test_leases() -> None:
    """What takes long is kept by renewing its lease."""
    bench = Kept()
    bench.start(a_callback(1))
    bench.wait(60)
    assert bench.app.keys == [a_callback(1).key]
    assert bench.renewed == 21
    assert list(bench.app.waiting) == [a_callback(1).key]


def test_gauges() -> None:
    """The metrics say how the queue stands."""
    bench = Kept(waits=(1000,), give_up_after=10_000)
    bench.app.always = lambda queued: GONE if queued.number == 1 else BAD
    bench.start(a_callback(1), a_callback(2), a_callback(3))
    bench.wait(LOOK_EVERY)
    assert (bench.gauge("waiting"), bench.gauge("dead_letters")) == (2, 1)
    assert bench.gauge("oldest_seconds") == pytest.approx(5, abs=1)
    assert bench.gauge("bytes")
    assert bench.standing.described() == {"waiting": 2, "dead": 1, "oldest_seconds": 5}


def test_behind() -> None:
    """Deliveries fall behind when one has waited for long; not before, and not when it is gone."""
    bench = Kept(waits=(10,), give_up_after=10_000)
    bench.app.always = lambda _: BAD
    bench.start(a_callback(1))
    bench.wait(BEHIND_AFTER - 10)
    assert bench.standing.troubles() == []
    bench.wait(15)
    ((part, since),) = bench.standing.troubles()
    assert part == "relay"
    assert since == pytest.approx(1000 + BEHIND_AFTER)
    bench.queue.queue.drop([1])
    bench.wait(LOOK_EVERY)
    assert bench.standing.troubles() == []


def test_sweep() -> None:
    """Dead letters are forgotten after their time, and that is told."""
    bench = Kept()
    bench.app.always = lambda _: GONE
    bench.start(*[a_callback(n) for n in range(5)])
    bench.wait(990)
    assert len(bench.held()) == 5
    bench.wait(10 + SWEEP_EVERY)
    assert bench.held() == []


def test_store_away() -> None:
    """A store that is away stops no job for good."""
    bench = Kept()
    bench.start()
    bench.queue.there = False
    bench.wait(20)
    assert [part for part, _ in bench.standing.troubles()] == ["relay store"]
    bench.queue.there = True
    bench.wait(20)
    assert bench.standing.troubles() == []
    assert bench.standing.stats is not None


def test_stop() -> None:
    """Stopped, it leaves no timer behind."""
    bench = Kept()
    bench.jobs.stopService()
    assert bench.clock.getDelayedCalls() == []
