"""How many deliveries each origin gets."""

from __future__ import annotations

from boomerang.relay.origins import FAILURES, LONGEST_PAUSE, Origins

A, B = "a.example.com:443", "b.example.com:443"


def down(origins: Origins, *, now: float = 0.0) -> float:
    """Lets A fail until it counts as down; the pause begins now."""
    for _ in range(FAILURES):
        origins.began(A)
        origins.failed(A, now=now, asked=None, jitter=0)
    return now


def test_room() -> None:
    """Each origin has its own room; one with nothing under way is not even known."""
    origins = Origins(3)
    for _ in range(2):
        origins.began(A)
    assert origins.rooms(0) == {A: 1}
    origins.left(A)
    origins.left(A)
    assert origins.rooms(0) == {}


def test_down() -> None:
    """After some failures in a row it is down: nothing, then one probe at a time."""
    origins = Origins(3)
    origins.began(A)
    assert not origins.failed(A, now=0, asked=None, jitter=0)
    assert origins.rooms(0) == {A: 3}
    origins.began(A)
    assert not origins.failed(A, now=0, asked=None, jitter=0)
    origins.began(A)
    assert origins.failed(A, now=0, asked=None, jitter=0)
    assert (origins.is_down(A), origins.is_down(B), origins.down()) == (True, False, 1)
    assert origins.rooms(0.9) == {A: 0}
    assert origins.rooms(1.0) == {A: 1}
    origins.began(A)
    assert origins.rooms(1.0) == {A: 0}


def test_doubled() -> None:
    """Each probe that fails doubles the pause, up to a minute."""
    origins, now, pauses = Origins(3), down(Origins(1)), []
    down(origins)
    for _ in range(9):
        before = now
        while not origins.rooms(now)[A]:
            now += 0.5
        pauses.append(now - before)
        origins.began(A)
        assert not origins.failed(A, now=now, asked=None, jitter=0)
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_failures_during_a_pause() -> None:
    """What was under way when the pause began does not make it longer."""
    origins = Origins(10)
    for _ in range(10):
        origins.began(A)
    for _ in range(10):
        origins.failed(A, now=0, asked=None, jitter=0)
    assert origins.rooms(1.0) == {A: 1}


def test_up_again() -> None:
    """One answer, and it has its whole room again."""
    origins = Origins(3)
    down(origins)
    origins.began(A)
    assert origins.answered(A)
    assert origins.rooms(0) == {}
    origins.began(A)
    assert not origins.answered(A)


def test_a_failure_between() -> None:
    """An answer between failures makes them none in a row."""
    origins = Origins(3)
    for _ in range(10):
        for _ in range(FAILURES - 1):
            origins.began(A)
            assert not origins.failed(A, now=0, asked=None, jitter=0)
        origins.began(A)
        origins.answered(A)
    assert origins.down() == 0


def test_asked_to_wait() -> None:
    """An origin that is down and names a time is left in peace for it, up to a minute."""
    origins = Origins(3)
    for number in range(FAILURES):
        origins.began(A)
        assert origins.failed(A, now=0, asked=20, jitter=0) == (number == FAILURES - 1)
    assert (origins.rooms(19), origins.rooms(20)) == ({A: 0}, {A: 1})
    origins.began(A)
    origins.failed(A, now=20, asked=3600, jitter=0)
    assert (origins.rooms(79), origins.rooms(80)) == ({A: 0}, {A: 1})


def test_jitter() -> None:
    """Probes of several instances drift apart."""
    origins = Origins(3)
    for _ in range(FAILURES):
        origins.began(A)
        origins.failed(A, now=0, asked=None, jitter=1)
    assert (origins.rooms(1.0), origins.rooms(1.1)) == ({A: 0}, {A: 1})
