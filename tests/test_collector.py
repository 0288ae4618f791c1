"""When garbage is looked for."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from boomerang.collector import EVERY, LITTLE, MUCH, PER_HELD, Collector, is_time_for_all
from tests.fakes.garbage import Noted


@pytest.mark.parametrize(
    ("more", "held", "expected"),
    [
        (0, 0, False),
        (LITTLE - 1, 0, False),
        (LITTLE, 0, True),
        (LITTLE, 1, False),
        (MUCH, 1, False),
        (MUCH + PER_HELD, 1, True),
        (PER_HELD * 10_000, 10_000, False),
        (PER_HELD * 10_000 + MUCH, 10_000, True),
        (PER_HELD * 10_000, 0, True),
    ],
)
def test_is_time_for_all(more: int, held: int, expected: bool) -> None:
    """Garbage may pile up while callers wait, within bounds, and is gone soon after the last."""
    assert is_time_for_all(more, held=held) is expected


class TestCollector:
    """`Collector` on a clock that stands still."""

    def setup_method(self) -> None:
        self.clock = Clock()
        self.held = 0
        self.garbage = Noted()
        self.collector = Collector(self.clock, held=lambda: self.held, garbage=self.garbage)

    def steps(self, number: int, *, made: int) -> list[object]:
        """What is done in so many steps, in each of which so many objects have come up."""
        self.garbage.made = made
        self.garbage.done.clear()
        for _ in range(number):
            self.clock.advance(EVERY)
        return self.garbage.done

    def test_start_and_stop(self) -> None:
        """All that is there at the start is kept; in the end Python has its own way again."""
        self.collector.start()
        assert self.garbage.done == [2, "freeze", "disable"]
        self.collector.stop()
        assert self.garbage.done[3:] == ["enable"]
        assert self.steps(3, made=MUCH) == []
        assert not self.clock.getDelayedCalls()

    def test_never_started(self) -> None:
        """What was never started has nothing to stop."""
        self.collector.stop()
        assert self.garbage.done == []

    def test_small_steps(self) -> None:
        """While requests are held, each step looks at what is new only."""
        self.collector.start()
        self.held = 10
        assert self.steps(5, made=100) == [0, 0, 0, 0, 0]

    def test_all_in_the_end(self) -> None:
        """What came up is added up, and looked through once when nobody is held any more."""
        self.collector.start()
        self.held = 1000
        assert self.steps(4, made=LITTLE // 2) == [0, 0, 0, 0]
        self.held = 0
        assert self.steps(3, made=0) == [2, 0, 0]


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
    """A circle that nothing leads to is gone after a step; Python itself does not look for it."""
    clock = Clock()
    collector = Collector(clock, held=lambda: 1)
    before = gc.get_freeze_count()
    collector.start()
    assert gc.get_freeze_count() > before
    assert not gc.isenabled()
    circle: list[object] = []
    circle.append(circle)
    number = id(circle)
    del circle
    assert any(id(each) == number for each in gc.get_objects(generation=0))
    clock.advance(EVERY)
    assert not any(id(each) == number and isinstance(each, list) for each in gc.get_objects(2))
    collector.stop()
    assert gc.isenabled()
