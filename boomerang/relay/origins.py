"""How many deliveries each origin gets: a dead one is probed, a slow one blocks no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import define

FAILURES: Final = 3
"""Failures in a row that speak of the whole origin, after which it counts as down."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds between probes of an origin that is down."""


@define
class _Origin:
    under_way: int = 0
    failures: int = 0
    paused_until: float = 0.0

    @property
    def is_down(self) -> bool:
        return self.failures >= FAILURES


class Origins:
    """Counts the deliveries under way, and knows which origins are down.

    Instants are seconds of any one clock. An origin that is up and has nothing under way takes no
    memory.
    """

    def __init__(self, per_origin: int) -> None:
        self._per_origin = per_origin
        self._known: dict[str, _Origin] = {}

    def rooms(self, now: float) -> Mapping[str, int]:
        """How many deliveries may begin at each origin; one that is not there may have all."""
        return {name: self._room(origin, now) for name, origin in self._known.items()}

    def is_down(self, name: str) -> bool:
        return name in self._known and self._known[name].is_down

    def down(self) -> int:
        """How many are down."""
        return sum(origin.is_down for origin in self._known.values())

    def began(self, name: str) -> None:
        self._known.setdefault(name, _Origin()).under_way += 1

    def left(self, name: str) -> None:
        """A delivery ended in a way that tells nothing."""
        self._known[name].under_way -= 1
        self._forget(name)

    def answered(self, name: str) -> bool:
        """It took a delivery, or refused it in words of its own; true if it had been down."""
        origin = self._known[name]
        was_down = origin.is_down
        origin.failures, origin.paused_until = 0, 0.0
        self.left(name)
        return was_down

    def failed(self, name: str, *, now: float, asked: float | None, jitter: float) -> bool:
        """It could take nothing; true if it counts as down from now on.

        ``asked`` is its Retry-After, ``jitter`` is from 0 to 1. What fails during a pause was under
        way before, and says nothing new.
        """
        origin = self._known[name]
        was_down = origin.is_down
        if now >= origin.paused_until:
            origin.failures += 1
            if origin.is_down:
                doubled = FIRST_PAUSE * 2.0 ** min(origin.failures - FAILURES, 10)
                pause = min(max(doubled, asked or 0.0), LONGEST_PAUSE)
                origin.paused_until = now + pause * (1 + 0.1 * jitter)
        self.left(name)
        return origin.is_down and not was_down

    def _room(self, origin: _Origin, now: float) -> int:
        if origin.is_down:
            return int(now >= origin.paused_until and not origin.under_way)
        return max(0, self._per_origin - origin.under_way)

    def _forget(self, name: str) -> None:
        origin = self._known[name]
        if not origin.under_way and not origin.failures:
            del self._known[name]
