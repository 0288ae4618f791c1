"""What the relay does at intervals: renew leases, look how the queue stands, sweep dead letters."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.relay.counts import RelayCounts
from boomerang.relay.record import RelayRecord
from boomerang.relay.standing import Standing
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.queue import QueueStore

LOOK_EVERY: Final = 5.0
SWEEP_EVERY: Final = 60.0

PATIENCE: Final = 30.0
"""Seconds that a job may take."""

Job = Callable[[], Coroutine[Deferred[Any], Any, None]]


class Upkeep(Service):
    """Runs the jobs; one that fails is run again the next time. ``renew`` is the courier's."""

    _log = Logger(namespace="boomerang.relay")

    def __init__(
        self,
        queue: QueueStore,
        *,
        renew: Job,
        renew_every: float,
        retention: float,
        most_bytes: int,
        counts: RelayCounts,
        record: RelayRecord,
        standing: Standing,
        clock: IReactorTime,
    ) -> None:
        self._queue = queue
        self._retention = retention
        self._most_bytes = most_bytes
        self._counts = counts
        self._record = record
        self._standing = standing
        self._clock = clock
        self._jobs = ((renew, renew_every), (self.look, LOOK_EVERY), (self.sweep, SWEEP_EVERY))
        self._loops: list[LoopingCall] = []
        self._under_way: set[Deferred[None]] = set()

    def startService(self) -> None:
        super().startService()
        for job, interval in self._jobs:
            loop = LoopingCall(self._run, job)
            loop.clock = self._clock
            loop.start(interval)
            self._loops.append(loop)

    def stopService(self) -> None:
        super().stopService()
        for loop in self._loops:
            loop.stop()
        self._loops.clear()
        for job in tuple(self._under_way):
            job.cancel()

    async def look(self) -> None:
        """Find out how the queue stands."""
        self._standing.stats = stats = await self._queue.stats()
        self._counts.stands(stats, oldest=self._standing.oldest)

    async def sweep(self) -> None:
        """Forget dead letters that are too old, or too many."""
        while True:
            gone = await self._queue.sweep(retention=self._retention, most_bytes=self._most_bytes)
            age, size = gone.get("age", 0), gone.get("size", 0)
            if not age and not size:
                return
            self._record.swept(age=age, size=size)

    def _run(self, job: Job) -> Deferred[None]:
        running = Deferred.fromCoroutine(job())
        running.addTimeout(PATIENCE, self._clock)
        self._under_way.add(running)

        def over(outcome: Failure | None) -> None:
            self._under_way.discard(running)
            if outcome is None:
                return
            if isinstance(outcome.value, StoreUnavailable):
                self._standing.store_failed(outcome.value.brief)
            elif outcome.check(TimeoutError):
                self._standing.store_failed(f"no answer within {PATIENCE:g} s")
            elif not outcome.check(CancelledError):
                self._log.failure("upkeep of the relay failed", outcome)

        return running.addBoth(over)
