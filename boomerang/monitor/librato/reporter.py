"""Sends what the checks and the retry service measured, a period's worth at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.monitor.librato.api import LibratoApi
from boomerang.monitor.librato.backlog import Backlog
from boomerang.monitor.librato.errors import LibratoError, Refused, TryLater
from boomerang.monitor.librato.measurement import DIALECTS, Measurement, complaint
from boomerang.monitor.librato.points import points_of_figures, points_of_run
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Result
from boomerang.monitor.tally import Tally
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoSettings

STALE: Final = 300.0
"""Seconds after which a measurement is not worth sending, unless two periods take longer.
Librato refuses old ones; from which age on is not known."""

LONGEST_BACKOFF: Final = 300.0
"""Seconds between two tries, unless the period is longer, or Librato asks for more."""

LAST_FLUSH: Final = 2.0
"""Seconds that the end of the process waits for."""


class LibratoReporter(Service):
    """A `Reporter` of measurements; see `boomerang.monitor.librato.annotations` for outages.

    Measurements that Librato cannot take now are kept and sent again, with longer and longer
    pauses, until they are stale; those that it refuses are lost. ``tally`` must be this reporter's
    own. ``random`` gives a number from 0 to 1: processes that start together do not send together.
    """

    _log = Logger(namespace="boomerang.monitor.librato")

    def __init__(
        self,
        api: LibratoApi,
        *,
        settings: LibratoSettings,
        environment: str,
        tally: Tally,
        clock: IReactorTime,
        wall_clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._api = api
        self._dialect = DIALECTS[settings.dialect]
        self._period = settings.period
        self._environment = environment
        self._tally = tally
        self._clock = clock
        self._wall_clock = wall_clock
        self._random = random
        self._backlog = Backlog()
        self._periods = LoopingCall(self._period_is_over)
        self._periods.clock = clock
        self._start: IDelayedCall | None = None
        self._sending: Deferred[None] | None = None
        self._failures = 0
        self._periods_to_skip = 0
        self._not_before = 0.0
        self._trouble: type[LibratoError] | None = None

    def checked(self, check: Check, result: Result, *, affected: bool) -> None:
        for point in points_of_run(self._environment, check, result, affected=affected):
            self._backlog.add(point)

    def began(self, outage: Outage) -> None:
        """An outage is no measurement."""

    def ended(self, outage: Outage) -> None:
        """Nor is its end."""

    def startService(self) -> None:
        super().startService()
        offset = self._random() * self._period
        self._start = self._clock.callLater(offset, self._begin)

    def stopService(self) -> Deferred[None]:
        """Send what is queued, once; fires within two seconds."""
        super().stopService()
        if self._start is not None and self._start.active():
            self._start.cancel()
        if self._periods.running:
            self._periods.stop()
        self._queue_figures()
        if self._sending is None:
            self._send()
        sending = self._sending or succeed(None)
        return sending.addTimeout(LAST_FLUSH, self._clock).addCallback(self._stopped)

    def _begin(self) -> None:
        self._periods.start(self._period).addErrback(self._unexpected)

    def _period_is_over(self) -> None:
        self._queue_figures()
        if self._periods_to_skip > 0:
            self._periods_to_skip -= 1
        elif self._sending is None and self._clock.seconds() >= self._not_before:
            self._send()

    def _queue_figures(self) -> None:
        try:
            figures, at = self._tally.take(), self._wall_clock()
            for point in points_of_figures(self._environment, figures, at=at, period=self._period):
                self._backlog.add(point)
        except Exception:
            self._log.failure("the figures of a period are lost")

    def _send(self) -> None:
        sending = self._sending = Deferred.fromCoroutine(self._flush())
        sending.addErrback(self._unexpected).addBoth(self._sent)

    def _sent(self, _: object) -> None:
        self._sending = None

    async def _flush(self) -> None:
        """Send all that is queued, unless Librato does not take it now."""
        taken, refused = False, None
        while batch := self._take():
            try:
                await self._post(batch)
                taken = True
            except TryLater as error:
                self._backlog.put_back(batch)
                self._back_off(error)
                return
            except Refused as error:
                self._backlog.lost += len(batch)
                refused = error
                if error.status == 401:
                    self._backlog.clear()
            except CancelledError:
                self._backlog.put_back(batch)
                raise
        self._failures = 0
        if taken or refused:
            self._is_in(refused)

    def _take(self) -> list[Measurement]:
        since = self._wall_clock() - max(STALE, 2 * self._period)
        return self._backlog.take(self._dialect.most, since=since)

    async def _post(self, batch: list[Measurement]) -> None:
        answer = await self._api.post(self._dialect.path, self._dialect.document(batch))
        refused = complaint(answer)
        if refused is not None:
            raise Refused(f"some were not taken: {refused}", status=202)

    def _back_off(self, error: TryLater) -> None:
        """Try again after 1, 2, 4 ... periods, but not before Librato wants it."""
        most = max(1, round(LONGEST_BACKOFF / self._period))
        self._periods_to_skip = min(2 ** min(self._failures, 16), most) - 1
        self._failures += 1
        self._not_before = self._clock.seconds() + (error.after or 0.0)
        self._is_in(error)

    def _is_in(self, trouble: LibratoError | None) -> None:
        """Log a change between working, not working for now, and refusing."""
        kind = None if trouble is None else type(trouble)
        if kind is self._trouble:
            return
        self._trouble = kind
        if kind is None:
            self._log.info(
                "Librato takes measurements again; {lost} were lost", lost=self._backlog.lost
            )
            self._backlog.lost = 0
        elif kind is Refused:
            self._log.warn(
                "Librato refuses measurements, they are lost: {reason}", reason=str(trouble)
            )
        else:
            self._log.warn(
                "Librato does not take measurements for now: {reason}", reason=str(trouble)
            )

    def _stopped(self, _: object) -> None:
        if len(self._backlog):
            self._log.warn(
                "{left} measurements could not be sent before the end", left=len(self._backlog)
            )

    def _unexpected(self, why: Failure) -> None:
        if not why.check(CancelledError):
            self._log.failure("measurements are lost", why)
