"""When a worker that died is started again, and who accepts its connections meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from attrs import frozen

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0
"""Seconds from a death to the next start: twice as long after each death that follows soon."""

STEADY: Final = 60.0
"""Seconds after which a worker's life counts as a good one, whatever it died of."""

A_LOOP: Final = 3
"""Short lives in a row that make a crash loop."""


@frozen
class Past:
    """The short lives of a worker, one after the other, up to now."""

    short_lives: int = 0

    def and_then(self, lived: float) -> Past:
        """The past of a worker that has died after some seconds."""
        return Past(1 if lived >= STEADY else self.short_lives + 1)

    @property
    def pause(self) -> float:
        """Seconds until the next start."""
        doublings = min(self.short_lives - 1, 20)
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2**doublings) if self.short_lives else 0.0

    @property
    def is_loop(self) -> bool:
        return self.short_lives >= A_LOOP


def seats(ready: Collection[int], *, of: int) -> Mapping[int, tuple[int, ...]]:
    """Whose connections each worker that is ready accepts: its own, and those of who is away.

    The next one that is ready stands in for a worker; each has a listening socket of its own.
    """
    found: dict[int, list[int]] = {number: [] for number in sorted(ready)}
    for seat in range(of if ready else 0):
        after = ((seat + step) % of for step in range(of))
        found[next(number for number in after if number in ready)].append(seat)
    return {number: tuple(taken) for number, taken in found.items()}
