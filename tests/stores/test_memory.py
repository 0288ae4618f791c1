"""The store in memory stays small; the contract suite has the rest."""

from __future__ import annotations

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from boomerang.stores.interfaces import Claim, Failure
from boomerang.stores.memory import MemoryStore


def failure(number: int, *, call: bool = True, window: float = 900.0) -> Failure:
    return Failure(
        identity=f"identity {number}",
        call=f"call {number}" if call else None,
        wait=0.0,
        window=window,
        call_window=window,
        attempts=1,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_size(clock: Clock) -> None:
    """However many calls fail, no more marks are kept than allowed."""
    store = MemoryStore(clock, most=100)
    for number in range(1000):
        store.claim_now(failure(number))
        assert len(store) <= 100
    assert len(store) == 100


def test_oldest_go_first(clock: Clock) -> None:
    """Where there are too many, the oldest are forgotten, and the newest known."""
    store = MemoryStore(clock, most=100)
    for number in range(200):
        store.claim_now(failure(number))
    assert [store.claim_now(failure(number)).attempt for number in (199, 160, 0)] == [2, 2, 1]


def test_smallest(clock: Clock) -> None:
    """Even a store that may keep nothing answers."""
    store = MemoryStore(clock, most=0)
    for number in (1, 2, 2):
        assert store.claim_now(failure(number)) == Claim(attempt=1, hold=0.0, round=1)
    assert len(store) == 0


def test_expired_marks_vanish(clock: Clock) -> None:
    """Expired marks are taken out by later claims, faster than those come in."""
    store = MemoryStore(clock)
    for number in range(500):
        store.claim_now(failure(number))
    assert len(store) == 1000
    clock.advance(901)
    for number in range(1000, 1300):
        store.claim_now(failure(number))
    assert len(store) == 600


def test_marks_in_use_stay(clock: Clock) -> None:
    """What is not expired is not taken out."""
    store = MemoryStore(clock)
    store.claim_now(failure(1))
    clock.advance(899)
    store.claim_now(failure(2))
    assert store.claim_now(failure(1)).attempt == 2


def test_known_failures_take_no_more_room(clock: Clock) -> None:
    """A failure that is counted again takes the place it had."""
    store = MemoryStore(clock)
    for _ in range(10):
        store.claim_now(failure(1))
        store.claim_now(failure(2, call=False))
    assert len(store) == 3


def test_renewed_marks(clock: Clock) -> None:
    """A mark that expired and was made anew is as good as a new one."""
    store = MemoryStore(clock)
    store.claim_now(failure(1))
    store.claim_now(failure(2))
    clock.advance(901)
    assert store.claim_now(failure(2)).attempt == 1
    store.claim_now(failure(3))
    assert store.claim_now(failure(2)).attempt == 2


def test_url_that_fails_all_the_time(clock: Clock) -> None:
    """A mark that is made anew whenever it expires does not keep those of others alive."""
    store = MemoryStore(clock)
    url = failure(0, call=False)
    for number in range(1, 5000):
        store.claim_now(url)
        store.claim_now(failure(number))
        clock.advance(1)
    assert len(store) < 2 * 900 + 10


def test_renewed_marks_are_the_youngest(clock: Clock) -> None:
    """Where there are too many, a mark that was made anew is not among the oldest."""
    store = MemoryStore(clock, most=6)
    store.claim_now(failure(1, window=10.0))
    store.claim_now(failure(2))
    clock.advance(11)
    for number in (1, 3, 4):
        store.claim_now(failure(number))
    assert [store.claim_now(failure(number)).attempt for number in (4, 3, 1)] == [2, 2, 2]


def test_not_counted(clock: Clock) -> None:
    """What is not counted leaves no mark."""
    store = MemoryStore(clock)
    first = evolve(failure(1, call=False), only_again=True)
    assert store.claim_now(first) == Claim(attempt=0, hold=0.0, round=0)
    assert len(store) == 0
