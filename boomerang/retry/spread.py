"""How fast held requests are let go, so that an app that has just come back survives it. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def pace(limits: Sequence[float], *, now: float, rate: float) -> float:
    """How many requests should go in a second.

    ``limits`` are the instants at which each has to go at the latest, in the order of their
    coming; ``rate`` is what the app is thought to take. A queue that is too long to be gone in
    time at that rate moves faster from the beginning, instead of bursting at the end.
    """
    needed = (place / (limit - now) for place, limit in enumerate(limits, start=1) if limit > now)
    return max(rate, max(needed, default=0.0))


def overdue(limits: Sequence[float], *, until: float) -> int:
    """How many have to go before ``until``, counted with those that came before them."""
    return max((place for place, limit in enumerate(limits, start=1) if limit <= until), default=0)
