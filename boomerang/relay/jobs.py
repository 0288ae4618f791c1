"""Runs what is to be done at the relay's store again and again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.relay.standing import Standing
from boomerang.stores.interfaces import StoreUnavailable

PATIENCE: Final = 30.0
"""Seconds that a job may take."""

Job = Callable[[], Coroutine[Deferred[Any], Any, None]]


class Jobs(Service):
    """Runs each job at its interval (seconds); one that fails is run again the next time.

    What goes wrong says that the store is away; whether it has answered, a job itself knows.
    """

    _log = Logger(namespace="boomerang.relay")

    def __init__(
        self, jobs: Sequence[tuple[Job, float]], *, standing: Standing, clock: IReactorTime
    ) -> None:
        self._jobs = jobs
        self._standing = standing
        self._clock = clock
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
