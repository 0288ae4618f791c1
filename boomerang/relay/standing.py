"""How the relay stands: is its store there, and do deliveries keep up?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from boomerang.relay.record import RelayRecord
from boomerang.stores.queue import Stats

BEHIND_AFTER: Final = 300.0
"""Seconds that a callback may wait before deliveries count as falling behind."""

FULL_FOR: Final = 60.0
"""Seconds for which a callback that found no room is still news, if no other has come since."""


class Standing:
    """What is known of the queue and its store; instants are seconds since the epoch."""

    def __init__(self, record: RelayRecord, *, wall_clock: Callable[[], float]) -> None:
        self._record = record
        self._wall_clock = wall_clock
        self._away_since: float | None = None
        self._full_since: float | None = None
        self._refused_at = 0.0
        self.stats: Stats | None = None

    def store_failed(self, reason: str) -> None:
        """Logged once, until the store is back."""
        if self._away_since is None:
            self._away_since = self._wall_clock()
            self._record.store_away(reason)

    def store_answered(self) -> None:
        since, self._away_since = self._away_since, None
        if since is not None:
            self._record.store_back(seconds=self._wall_clock() - since)

    def refused(self, reason: str) -> None:
        """A callback found no room. Logged once, until one finds some."""
        self._refused_at = self._wall_clock()
        if not self._is_full():
            self._full_since = self._refused_at
            self._record.full(reason)

    def accepted(self) -> None:
        """A callback found room."""
        if self._full_since is not None:
            self._full_since = None
            self._record.has_room()

    def _is_full(self) -> bool:
        recently = self._wall_clock() - self._refused_at < FULL_FOR
        return self._full_since is not None and recently

    @property
    def oldest(self) -> float:
        """Age of the oldest callback that waits, in seconds; 0 if none does."""
        if self.stats is None or self.stats.oldest is None:
            return 0.0
        return max(0.0, self._wall_clock() - self.stats.oldest)

    def troubles(self) -> list[tuple[str, float]]:
        """What is not well, and since when."""
        troubles = []
        if self._away_since is not None:
            troubles.append(("relay store", self._away_since))
        if self._full_since is not None and self._is_full():
            troubles.append(("relay queue", self._full_since))
        if self.oldest > BEHIND_AFTER:
            troubles.append(("relay", self._wall_clock() - self.oldest + BEHIND_AFTER))
        return troubles

    def described(self) -> dict[str, int]:
        """For ``/health``."""
        stats = self.stats
        return {
            "waiting": stats.waiting if stats else 0,
            "dead": stats.dead if stats else 0,
            "oldest_seconds": round(self.oldest),
        }
