"""How fast held requests are let go."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from boomerang.retry.spread import overdue, pace


@pytest.mark.parametrize(
    ("limits", "rate", "expected"),
    [
        ([], 5.0, 5.0),
        ([114.0], 5.0, 5.0),
        ([110.0] * 40, 5.0, 5.0),
        ([110.0] * 100, 5.0, 10.0),
        ([110.0] * 5000, 100.0, 500.0),
        ([101.0] * 20 + [200.0] * 20, 5.0, 20.0),
        ([200.0] * 20 + [101.0] * 20, 5.0, 40.0),
        ([100.0, 99.0], 5.0, 5.0),
    ],
)
def test_pace(limits: Sequence[float], rate: float, expected: float) -> None:
    """They go at the app's rate, or as fast as all can be gone by their limits, if that is more."""
    assert pace(limits, now=100.0, rate=rate) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [([], 0), ([102.0], 0), ([101.0], 1), ([101.0, 102.0], 1), ([102.0, 103.0, 99.0, 104.0], 3)],
)
def test_overdue(limits: Sequence[float], expected: int) -> None:
    """Whoever has reached its limit goes, and with it those that came before."""
    assert overdue(limits, until=101.0) == expected
