"""Connections on which nothing happens."""

from __future__ import annotations

from attrs import define
from twisted.internet.task import Clock

from boomerang.web.quiet import LONGEST_SILENCE
from boomerang.web.resting import Resters


@define(eq=False)
class Rester:
    """Notes when it was closed."""

    clock: Clock
    closed_at: float | None = None
    transport: object = None
    is_new: bool = True

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
    clock.advance(LONGEST_SILENCE / 2)
    assert resters.make_room(2) == 2
    assert [one.closed_at for one in ones] == [None, 5.5, 5.5, None, None]
    assert resters.since(ones[1]) < 0
    assert resters.since(ones[0]) == 5
    assert resters.make_room(99) == 2  # spares those who have come just now
    assert [one.closed_at for one in ones] == [None, 5.5, 5.5, 5.5, 5.5]
    assert resters.make_room(99) == 0
    clock.advance(LONGEST_SILENCE)
    assert resters.make_room(99) == 1
    assert ones[0].closed_at == 6.5
    clock.pump([1] * 100)


def test_who_has_asked_before() -> None:
    """Connections that are kept between requests go when there are no others."""
    clock = Clock()
    resters = Resters(clock, 95)
    kept, new = [Rester(clock, is_new=False) for _ in range(3)], [Rester(clock) for _ in range(3)]
    for one in (*kept, *new):
        resters.add(one)
    clock.advance(10)
    assert resters.make_room(2) == 2
    assert resters.make_room(2) == 1
    assert [one.closed_at for one in (*kept, *new)] == [None] * 3 + [10] * 3
    clock.advance(1)
    assert resters.make_room(2) == 2
    assert [one.closed_at for one in kept] == [11, 11, None]
    clock.pump([1] * 100)
