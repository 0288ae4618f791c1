"""Connections on which nothing happens."""

from __future__ import annotations

from attrs import define
from twisted.internet.task import Clock

from boomerang.web.resting import SPARED, Resters


@define(eq=False)
class Rester:
    """Notes when it was closed."""

    clock: Clock
    closed_at: float | None = None

    def close(self) -> None:
        assert self.closed_at is None
        self.closed_at = self.clock.seconds()


def test_each_after_its_own_time() -> None:
    """Each is closed when it has rested for so long, to the second, however many there are."""
    clock = Clock()
    resters = Resters(clock, 95)
    ones = []
    for _ in range(20):
        ones.append(Rester(clock))
        resters.add(ones[-1])
        clock.pump([1] * 10)
    clock.pump([1] * 100)
    assert [one.closed_at for one in ones] == [10 * number + 95 for number in range(20)]
    assert clock.getDelayedCalls() == []


def test_who_moves_rests_anew() -> None:
    """The time begins again with each `add`, and ends with `discard`."""
    clock = Clock()
    resters = Resters(clock, 95)
    still, moving, gone = (Rester(clock) for _ in range(3))
    for one in (still, moving, gone):
        resters.add(one)
    clock.advance(50)
    resters.add(moving)
    resters.discard(gone)
    resters.discard(gone)
    clock.pump([1] * 200)
    assert (still.closed_at, moving.closed_at, gone.closed_at) == (95, 145, None)


def test_one_timer() -> None:
    """There is one timer for all, and none when nobody is left and it was said so."""
    clock = Clock()
    resters = Resters(clock, 95)
    ones = [Rester(clock) for _ in range(3)]
    for one in ones:
        resters.add(one)
    assert len(clock.getDelayedCalls()) == 1
    for one in ones:
        resters.stop_if_empty()
        assert len(clock.getDelayedCalls()) == 1
        resters.discard(one)
    resters.stop_if_empty()
    assert clock.getDelayedCalls() == []


def test_room_is_made() -> None:
    """Those who have rested for longest go first."""
    clock = Clock()
    resters = Resters(clock, 95)
    ones = [Rester(clock) for _ in range(5)]
    for one in ones:
        resters.add(one)
        clock.advance(1)
    resters.add(ones[0])
    resters.close_oldest(2)
    assert [one.closed_at for one in ones] == [None, 5, 5, None, None]
    assert resters.since(ones[1]) < 0
    assert resters.since(ones[0]) == 5
    resters.close_oldest(99)  # spares those who have come just now
    assert [one.closed_at for one in ones] == [None, 5, 5, 5, 5]
    clock.advance(SPARED)
    resters.close_oldest(99)
    assert ones[0].closed_at == 5 + SPARED
    clock.pump([1] * 100)
