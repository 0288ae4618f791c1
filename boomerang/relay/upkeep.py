"""What the relay does at intervals: look how the queue stands, sweep dead letters."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from boomerang.relay.counts import RelayCounts
from boomerang.relay.record import RelayRecord
from boomerang.relay.standing import Standing
from boomerang.stores.queue import QueueStore

LOOK_EVERY: Final = 5.0
SWEEP_EVERY: Final = 60.0


@frozen(eq=False)
class Upkeep:
    """Jobs (`boomerang.relay.jobs`) of the process that delivers. All raise `StoreUnavailable`."""

    queue: QueueStore
    retention: float
    most_bytes: int
    counts: RelayCounts
    record: RelayRecord
    standing: Standing

    async def look(self) -> None:
        """Find out how the queue stands."""
        self.standing.stats = stats = await self.queue.stats()
        self.counts.stands(stats, oldest=self.standing.oldest)

    async def sweep(self) -> None:
        """Forget dead letters that are too old, or too many."""
        while True:
            gone = await self.queue.sweep(retention=self.retention, most_bytes=self.most_bytes)
            age, size = gone.get("age", 0), gone.get("size", 0)
            if not age and not size:
                return
            self.record.swept(age=age, size=size)
