"""When a dead worker is started again, and who stands in for it."""

from __future__ import annotations

import pytest

from boomerang.workers.restarts import Past, seats


@pytest.mark.parametrize(
    ("lives", "pause", "is_loop"),
    [
        ((), 0.0, False),
        ((0.5,), 0.1, False),
        ((59.9,), 0.1, False),
        ((3600.0,), 0.1, False),
        ((1.0, 1.0), 0.2, False),
        ((1.0, 1.0, 1.0), 0.4, True),
        ((1.0,) * 8, 12.8, True),
        ((1.0,) * 9, 25.6, True),
        ((1.0,) * 10, 30.0, True),
        ((1.0,) * 5000, 30.0, True),
        ((1.0,) * 10 + (60.0,), 0.1, False),
        ((3600.0, 3600.0, 3600.0), 0.1, False),
        ((3600.0, 1.0), 0.2, False),
    ],
)
def test_pause(lives: tuple[float, ...], pause: float, is_loop: bool) -> None:
    """Each short life doubles the pause, up to half a minute; a long one makes all good."""
    past = Past()
    for lived in lives:
        past = past.and_then(lived)
    assert past.pause == pytest.approx(pause)
    assert past.is_loop is is_loop


@pytest.mark.parametrize(
    ("ready", "of", "expected"),
    [
        ((), 3, {}),
        ((0, 1, 2), 3, {0: (0,), 1: (1,), 2: (2,)}),
        ((2, 0, 1), 3, {0: (0,), 1: (1,), 2: (2,)}),
        ((1, 2), 3, {1: (0, 1), 2: (2,)}),
        ((0, 2), 3, {0: (0,), 2: (1, 2)}),
        ((0, 1), 3, {0: (0, 2), 1: (1,)}),
        ((1,), 3, {1: (0, 1, 2)}),
        ((0, 3), 5, {0: (0, 4), 3: (1, 2, 3)}),
    ],
)
def test_seats(ready: tuple[int, ...], of: int, expected: dict[int, tuple[int, ...]]) -> None:
    """Every socket is accepted from by exactly one worker, as long as there is one."""
    assert seats(ready, of=of) == expected
