"""Values that are made for every request."""

from __future__ import annotations

from attrs import asdict, evolve

from boomerang.values import quick_frozen


@quick_frozen
class Point:
    """A value with a default."""

    x: int
    y: int = 0


def test_equal() -> None:
    """Two with the same fields are the same value, also as keys."""
    assert Point(1, 2) == Point(x=1, y=2)
    assert Point(1) != Point(2)
    assert {Point(1): "found"}[Point(1, 0)] == "found"


def test_made_of_another() -> None:
    """What attrs does with values, it does with these."""
    assert evolve(Point(1, 2), y=3) == Point(1, 3)
    assert asdict(Point(1, 2)) == {"x": 1, "y": 2}


def test_mypy_refuses_to_set() -> None:
    """mypy, which complains of a comment that ignores nothing, sees that this may not be done."""
    point = Point(1)
    point.x = 2  # type: ignore[misc]
    assert point.x == 2
