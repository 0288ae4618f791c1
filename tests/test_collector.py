"""When garbage is looked for."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from weakref import ref

import pytest
from twisted.internet.task import Clock

from boomerang.collector import (
    EVERY,
    LATEST_AFTER,
    PER_HELD,
    QUIET_AFTER,
    TOO_MUCH,
    WORTH_IT,
    Collector,
    is_time,
)
from tests.fakes.garbage import Noted


@pytest.mark.parametrize(
    ("since", "new", "held", "expected"),
    [
        (0.0, 0, 0, False),
        (QUIET_AFTER, 0, 0, False),
        (QUIET_AFTER, WORTH_IT - 1, 0, False),
        (QUIET_AFTER, WORTH_IT, 0, True),
        (QUIET_AFTER - 1, 10 * WORTH_IT, 0, False),
        (QUIET_AFTER, 10 * WORTH_IT, 1, False),
        (LATEST_AFTER - 1, 10 * WORTH_IT, 10_000, False),
        (LATEST_AFTER, WORTH_IT, 10_000, True),
        (LATEST_AFTER, WORTH_IT - 1, 1, False),
        (1.0, TOO_MUCH - 1, 0, False),
        (1.0, TOO_MUCH, 0, True),
        (1.0, TOO_MUCH + PER_HELD - 1, 1, False),
        (1.0, TOO_MUCH + PER_HELD * 10_000, 10_000, True),
    ],
)
def test_is_time(since: float, new: int, held: int, expected: bool) -> None:
    """When nobody waits, or when it cannot wait: it is late, or there is too much of it. Where
    nothing has happened, never."""
    assert is_time(since, new=new, held=held) is expected


class TestCollector:
    """`Collector` on a clock that stands still."""

    def setup_method(self) -> None:
        self.clock = Clock()
        self.held = 0
        self.garbage = Noted()
        self.collector = Collector(self.clock, held=lambda: self.held, garbage=self.garbage)

    def pass_seconds(self, seconds: float, *, made: int) -> list[str]:
        """What is done meanwhile, with so many new objects."""
        self.garbage.made = made
        self.garbage.done.clear()
        self.clock.pump([EVERY] * round(seconds / EVERY))
        return self.garbage.done

    def test_start_and_stop(self) -> None:
        """All that is there at the start is kept; in the end Python has its own way again."""
        self.collector.start()
        assert self.garbage.done == ["disable", "collect", "freeze"]
        self.collector.stop()
        assert self.garbage.done[3:] == ["enable"]
        assert self.pass_seconds(QUIET_AFTER, made=WORTH_IT) == []
        assert not self.clock.getDelayedCalls()

    def test_never_started(self) -> None:
        """What was never started has nothing to stop."""
        self.collector.stop()
        assert self.garbage.done == []

    def test_quiet(self) -> None:
        """When nobody waits it collects, and not again at once."""
        self.collector.start()
        assert self.pass_seconds(QUIET_AFTER, made=WORTH_IT) == ["collect"]
        assert self.pass_seconds(QUIET_AFTER - EVERY, made=WORTH_IT) == []
        assert self.pass_seconds(EVERY, made=WORTH_IT) == ["collect"]

    def test_callers_wait(self) -> None:
        """While requests are held nothing is collected for minutes."""
        self.collector.start()
        self.held = 10
        assert self.pass_seconds(LATEST_AFTER - EVERY, made=WORTH_IT) == []
        assert self.pass_seconds(EVERY, made=WORTH_IT) == ["collect"]


@pytest.fixture
def _usual_collector() -> Iterator[None]:
    """Puts the collector back to work."""
    frozen = gc.get_freeze_count()
    yield
    gc.enable()
    if not frozen:
        gc.unfreeze()


@pytest.mark.usefixtures("_usual_collector")
def test_real_collector() -> None:
    """A circle that nothing leads to stays until it is time, and is gone then."""
    clock = Clock()
    collector = Collector(clock, held=lambda: 1)
    collector.start()
    assert not gc.isenabled()
    circle = Circle()
    seen = ref(circle)
    many = [[] for _ in range(WORTH_IT)]  # type: list[list[object]]
    del circle
    clock.pump([EVERY] * round(LATEST_AFTER / EVERY - 1))
    assert seen() is not None
    clock.advance(EVERY)
    assert seen() is None
    assert len(many) == WORTH_IT
    collector.stop()
    assert gc.isenabled()


class Circle:
    """What leads to itself."""

    def __init__(self) -> None:
        self.itself = self
