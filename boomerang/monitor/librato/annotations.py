"""Tells Librato of starts and outages, in their order, for as long as it takes (within reason)."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.monitor.librato.annotator import Annotator
from boomerang.monitor.librato.errors import Refused, TryLater
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Result
from boomerang.settings.checks import Check

ATTEMPTS: Final = 10
"""For one annotation, within about twenty minutes."""

FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 300.0

MOST_WAITING: Final = 200

LAST_WORDS: Final = 2.0
"""Seconds that the end of the process waits for."""


@frozen(eq=False)
class _Errand:
    """An annotation to be made; ``what`` names it in the log."""

    what: str
    do: Callable[[], Awaitable[None]]


class LibratoAnnotations(Service):
    """A `Reporter` of outages; the measurements are `LibratoReporter`'s.

    One annotation is made after the other. Where Librato cannot take it now, it is tried again
    with longer and longer pauses while the others wait; where it refuses, it is given up.
    """

    _log = Logger(namespace="boomerang.monitor.librato")

    def __init__(
        self, annotator: Annotator, *, clock: IReactorTime, wall_clock: Callable[[], float]
    ) -> None:
        self._annotator = annotator
        self._clock = clock
        self._wall_clock = wall_clock
        self._errands: deque[_Errand] = deque()
        self._at_work = False
        self._working: Deferred[None] | None = None
        self._pause: Deferred[None] | None = None
        self._stopping = False
        self._in_trouble = False

    def checked(self, check: Check, result: Result, *, affected: bool) -> None:
        """A run is no event."""

    def began(self, outage: Outage) -> None:
        self._add(f"{outage.check}'s outage", partial(self._annotator.begin, outage))

    def ended(self, outage: Outage) -> None:
        self._add(f"the end of {outage.check}'s outage", partial(self._annotator.end, outage))

    def startService(self) -> None:
        super().startService()
        self._stopping = False
        self._add("what was left undone", self._look_what_was_left)
        self._add("the start", partial(self._annotator.start, self._wall_clock()))

    def stopService(self) -> Deferred[None]:
        """Try what waits once more; fires within two seconds."""
        super().stopService()
        self._stopping = True
        if self._pause is not None:
            self._pause.cancel()
        working = self._working or succeed(None)
        return working.addTimeout(LAST_WORDS, self._clock).addBoth(self._stopped)

    def _add(self, what: str, do: Callable[[], Awaitable[None]]) -> None:
        self._errands.append(_Errand(what, do))
        if len(self._errands) > MOST_WAITING:
            self._give_up(self._errands[1], "too many others wait")  # 0 is being done
            del self._errands[1]
        if not self._at_work:
            working = self._working = Deferred.fromCoroutine(self._work())
            working.addErrback(self._cut_off).addBoth(self._rest)

    async def _look_what_was_left(self) -> None:
        """Without the store, which nothing new should wait for, it is left to the next start."""
        try:
            keys = await self._annotator.unfinished()
        except TryLater:
            return
        for key in keys:
            self._add("the end of an earlier outage", partial(self._annotator.finish, key))

    async def _work(self) -> None:
        self._at_work = True
        while self._errands and await self._is_done_with(self._errands[0]):
            self._errands.popleft()

    async def _is_done_with(self, errand: _Errand) -> bool:
        """Do it, or give it up; false if it could not be done and the process ends."""
        for attempt in range(ATTEMPTS):
            error = await self._attempt(errand)
            if error is None:
                return True
            if self._stopping:
                return False
            if attempt == ATTEMPTS - 1:
                self._give_up(errand, str(error))
            else:
                pause = min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)
                await self._wait(max(pause, error.after or 0.0))
        return True

    async def _attempt(self, errand: _Errand) -> TryLater | None:
        """Do it once; returns why it should be tried again, if it should."""
        try:
            await errand.do()
        except TryLater as error:
            self._have_to_wait(str(error))
            return error
        except Refused as error:
            self._give_up(errand, str(error))
        except CancelledError:
            raise
        except Exception:
            self._log.failure("an annotation of {what} is lost", what=errand.what)
        else:
            self._have_to_wait("")
        return None

    async def _wait(self, seconds: float) -> None:
        """Let time pass, until the process is told to stop."""
        self._pause = deferLater(self._clock, seconds)
        with suppress(CancelledError):
            await self._pause
        self._pause = None

    def _have_to_wait(self, reason: str) -> None:
        if reason and not self._in_trouble:
            self._log.warn("annotations have to wait: {reason}", reason=reason)
        elif self._in_trouble and not reason:
            self._log.info("annotations are made again")
        self._in_trouble = bool(reason)

    def _give_up(self, errand: _Errand, reason: str) -> None:
        self._log.warn(
            "Librato gets no annotation of {what}: {reason}", what=errand.what, reason=reason
        )

    def _rest(self, _: object) -> None:
        self._at_work = False
        self._working = None

    def _stopped(self, _: object) -> None:
        if self._errands:
            self._log.warn(
                "{left} annotations could not be made before the end", left=len(self._errands)
            )
            self._errands.clear()

    def _cut_off(self, why: Failure) -> None:
        why.trap(CancelledError)
