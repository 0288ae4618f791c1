"""Notes in the queue what became of an attempt: delivered, put off, or given up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import frozen

from boomerang.relay.callback import Queued
from boomerang.relay.insisting import Insistence
from boomerang.relay.record import RelayRecord
from boomerang.relay.schedule import Outcome, Schedule, Verdict
from boomerang.stores.queue import QueueStore


@frozen(eq=False)
class Settling:
    """Ends the lease that a ``holder`` has on a callback, and tells of it.

    ``wall_clock`` gives seconds since the epoch, ``random`` numbers from 0 to 1.
    """

    queue: QueueStore
    holder: str
    insistence: Insistence
    schedule: Schedule
    record: RelayRecord
    wall_clock: Callable[[], float]
    random: Callable[[], float]

    async def settle(self, queued: Queued, outcome: Outcome) -> float | None:
        """Note what became of it. Gives the seconds until the next attempt, if there is one."""
        if outcome.verdict is Verdict.DELIVERED:
            await self._delivered(queued)
        elif outcome.verdict is Verdict.NEVER:
            await self.bury(queued, outcome.last)
        else:
            return await self._put_off(queued, outcome)
        return None

    async def bury(self, queued: Queued, last: str) -> None:
        """Make a dead letter of it; ``last`` says why, in words for people."""
        ask = partial(self.queue.bury, self.holder, queued.number, last=last)
        if await self.insistence.until_answered(ask):
            self.record.dead(queued, last=last)

    def is_overdue(self, queued: Queued) -> bool:
        """Whether its time is over, though it was not tried. That of a replayed one begins anew."""
        began = queued.callback.received_at
        if not queued.attempts:
            began = max(began, queued.due_at)
        return self.schedule.is_overdue(received_at=began, now=self.wall_clock())

    async def _delivered(self, queued: Queued) -> None:
        seconds = self.wall_clock() - queued.callback.received_at
        ask = partial(self.queue.delivered, self.holder, queued.number)
        await self.insistence.until_answered(ask)
        self.record.delivered(queued, seconds=seconds)

    async def _put_off(self, queued: Queued, outcome: Outcome) -> float | None:
        now = self.wall_clock()
        due = self.schedule.next_due(
            attempts=queued.attempts + 1,
            received_at=queued.callback.received_at,
            now=now,
            after=outcome.after,
            jitter=self.random(),
        )
        if due is None:
            await self.bury(queued, f"given up; the last time: {outcome.last}")
            return None
        pause = due - now
        put_off = partial(self.queue.put_off, self.holder, queued.number)
        ask = partial(put_off, pause=pause, last=outcome.last)
        if await self.insistence.until_answered(ask):
            self.record.put_off(queued, last=outcome.last, pause=pause)
        return pause
