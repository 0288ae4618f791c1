"""The service that reports to OpenTelemetry each period."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from boomerang.monitor.otlp.totals import Snapshot, Totals
from boomerang.threads import Run

_LAST_REPORT: Final = 2.0
"""Seconds that the end of the process waits for the last report."""


class NotTaken(Exception):
    """The collector has not taken a report; the reason has no secret in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Send(Protocol):
    """Sends a snapshot, and blocks meanwhile. Raises `NotTaken`."""

    def __call__(self, snapshot: Snapshot) -> None: ...

    def close(self) -> None: ...


class OtlpService(Service):
    """Reports what `totals` has counted.

    A report that is not taken is not repeated: the next one has all that it had, and fresher, so
    nothing piles up while the collector is away. ``collector`` names it in the log.
    """

    _log = Logger(namespace="boomerang.monitor.otlp")

    def __init__(
        self,
        totals: Totals,
        *,
        send: Send,
        run: Run,
        clock: IReactorTime,
        period: float,
        collector: str,
    ) -> None:
        self.totals = totals
        self._send = send
        self._run = run
        self._clock = clock
        self._period = period
        self._collector = collector
        self._failing = False
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._report()))
        self._loop.clock = clock

    def startService(self) -> None:
        super().startService()
        self._loop.start(self._period, now=False).addErrback(self._unexpected)

    def stopService(self) -> Deferred[None]:
        """Report a last time, unless nobody takes reports; fires within two seconds."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        if self._failing:
            self._send.close()
            return succeed(None)
        last = Deferred.fromCoroutine(self._report()).addTimeout(_LAST_REPORT, self._clock)
        return last.addErrback(self._left_behind).addBoth(self._close)

    async def _report(self) -> None:
        """One report; `LoopingCall` begins no other before it has ended."""
        # The sender works in a thread of its own. It is handed a snapshot that nobody changes any
        # more, and no way to ask for what the reactor's thread is changing at the same moment.
        snapshot = self.totals.snapshot()
        try:
            await self._run(partial(self._send, snapshot))
        except NotTaken as error:
            self._is_failing(error.reason)
        except CancelledError:
            raise
        except Exception:
            self._log.failure("a report to the OpenTelemetry collector failed")
        else:
            self._is_well()

    def _is_failing(self, reason: str) -> None:
        if not self._failing:
            self._log.warn(
                "the OpenTelemetry collector at {collector} does not take metrics: {reason}",
                collector=self._collector,
                reason=reason,
            )
        self._failing = True

    def _is_well(self) -> None:
        if self._failing:
            self._log.info(
                "the OpenTelemetry collector at {collector} takes metrics again",
                collector=self._collector,
            )
        self._failing = False

    def _left_behind(self, trouble: Any) -> None:
        trouble.trap(TimeoutError)

    def _close(self, _: object) -> None:
        self._send.close()

    def _unexpected(self, trouble: Any) -> None:
        self._log.failure("the loop of reports ended unexpectedly", trouble)
