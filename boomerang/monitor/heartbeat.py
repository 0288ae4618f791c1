"""A sign of life to something outside, so that somebody notices when boomerang itself dies."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from boomerang.outbound import Outbound, Unreachable

TIMEOUT: Final = 10.0
"""Seconds that the other side may take."""

LONGEST_START: Final = 10.0
"""Seconds over which the first signs of several hosts that start together are spread."""

_BODY_CAP: Final = 1000


class _State(Enum):
    UNKNOWN = "unknown"
    WELL = "signs of life are sent"
    IDLE = "no sign of life is sent: the checks do not run here, or not in time"
    FAILING = "signs of life are not taken: {reason}"


_LEVELS: Final = {
    _State.WELL: LogLevel.info,
    _State.IDLE: LogLevel.warn,
    _State.FAILING: LogLevel.warn,
}


class Heartbeat(Service):
    """Asks for a URL each period, as long as the monitor is really at work.

    Whoever knows the URL can send signs of life in our place, so it is in no log. ``random`` gives
    numbers from 0 to 1.
    """

    _log = Logger(namespace="boomerang.monitor.heartbeat")

    def __init__(
        self,
        url: str,
        *,
        period: float,
        outbound: Outbound,
        at_work: Callable[[], bool],
        clock: IReactorTime,
        random: Callable[[], float],
    ) -> None:
        self._url = url
        self._period = period
        self._outbound = outbound
        self._at_work = at_work
        self._clock = clock
        self._random = random
        self._state = _State.UNKNOWN
        self._start: IDelayedCall | None = None
        self._beating: Deferred[None] | None = None
        self._loop = LoopingCall(self._beat)
        self._loop.clock = clock

    def startService(self) -> None:
        super().startService()
        delay = self._random() * min(self._period, LONGEST_START)
        self._start = self._clock.callLater(delay, self._begin)

    def stopService(self) -> None:
        """End at once; a sign that is under way is given up."""
        super().stopService()
        if self._start is not None and self._start.active():
            self._start.cancel()
        if self._loop.running:
            self._loop.stop()
        if self._beating is not None:
            self._beating.cancel()

    def _begin(self) -> None:
        self._loop.start(self._period).addErrback(self._unexpected)

    def _beat(self) -> Deferred[None]:
        """One sign; `LoopingCall` begins no other before it has ended."""
        self._beating = Deferred.fromCoroutine(self._send())
        return self._beating

    async def _send(self) -> None:
        try:
            if self._at_work():
                await self._ask()
            else:
                self._is(_State.IDLE)
        except CancelledError:
            pass
        except Exception:
            self._log.failure("a sign of life failed")

    async def _ask(self) -> None:
        try:
            answer = await self._outbound.request(
                "GET", self._url, timeout=TIMEOUT, body_cap=_BODY_CAP
            )
        except Unreachable as error:
            self._is(_State.FAILING, reason=str(error))
        else:
            if 200 <= answer.status < 300:
                self._is(_State.WELL)
            else:
                self._is(_State.FAILING, reason=f"HTTP {answer.status}")

    def _is(self, state: _State, *, reason: str = "") -> None:
        if state is not self._state:
            self._log.emit(_LEVELS[state], state.value, reason=reason)
        self._state = state

    def _unexpected(self, trouble: Failure) -> None:
        self._log.failure("the loop of signs of life ended unexpectedly", trouble)
