"""The service that tells people of outages, through all addresses that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.monitor.notify.entry import Entry, entry_key
from boomerang.monitor.notify.line import TOO_OLD, Channel, Line, NotifyWatcher
from boomerang.monitor.notify.message import message_of
from boomerang.monitor.notify.outbox import Outbox
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Result
from boomerang.settings.checks import Check
from boomerang.threads import Run

ROUND: Final = 10.0
"""Seconds from one look for what others have left to the next."""

_LAST_ATTEMPTS: Final = 1.5
_LEAVING: Final = 0.5
"""Seconds that the end of the process waits for attempts under way, and then for the store."""


class Notifications(Service):
    """A `Reporter` that sends a message to each address when an outage begins, and when it ends.

    A message is in the store until it is delivered, so it may be delivered twice after a crash,
    but is not lost. Each address has its own messages, in their order.
    """

    _log = Logger(namespace="boomerang.monitor.notify")

    def __init__(
        self,
        channels: Sequence[Channel],
        *,
        outbox: Outbox,
        checks: Sequence[Check],
        environment: str,
        run: Run,
        clock: IReactorTime,
        wall_clock: Callable[[], float],
        watcher: NotifyWatcher,
    ) -> None:
        self._lines = {
            channel.id: Line(
                channel,
                outbox=outbox,
                run=run,
                clock=clock,
                wall_clock=wall_clock,
                watcher=watcher,
            )
            for channel in channels
        }
        self._outbox = outbox
        self._checks = {check.name: check for check in checks}
        self._environment = environment
        self._clock = clock
        self._wall_clock = wall_clock
        self._watcher = watcher
        self._count = 0
        self._latest = 0.0
        self._rounds = LoopingCall(lambda: Deferred.fromCoroutine(self._round()))
        self._rounds.clock = clock

    def startService(self) -> None:
        super().startService()
        for line in self._lines.values():
            line.start()
        self._rounds.start(ROUND).addErrback(self._unexpected)

    def stopService(self) -> Deferred[None]:
        """End; what is not delivered stays in the store. Fires within two seconds."""
        super().stopService()
        if self._rounds.running:
            self._rounds.stop()
        return Deferred.fromCoroutine(self._leave())

    def checked(self, check: Check, result: Result, *, affected: bool) -> None:
        """Nothing to tell: people hear of outages alone."""

    def began(self, outage: Outage) -> None:
        self._tell(outage)

    def ended(self, outage: Outage) -> None:
        self._tell(outage)

    def _tell(self, outage: Outage) -> None:
        check = self._checks.get(outage.check)
        message = message_of(outage, check, environment=self._environment)
        # Keys are in the order of what happened, also when somebody sets the clock back.
        self._latest = max(self._latest, self._wall_clock())
        for id_, line in self._lines.items():
            self._count += 1
            key = entry_key(self._latest, self._count, id_)
            entry = Entry(key=key, to=id_, at=self._latest, message=message)
            self._outbox.add(entry)
            line.add(entry)
        for line in self._lines.values():
            line.go()

    async def _round(self) -> None:
        try:
            for entry in await self._outbox.take_over(self._is_wanted):
                if entry.to in self._lines:
                    self._lines[entry.to].add(entry)
                else:
                    self._drop(entry)
        except Exception:
            self._log.failure("a round of the notifications failed")
        for line in self._lines.values():
            line.go()

    def _is_wanted(self, entry: Entry) -> bool:
        """Whether it can be delivered here, or by nobody: its address may be in no settings now."""
        return entry.to in self._lines or self._wall_clock() - entry.at > TOO_OLD

    def _drop(self, entry: Entry) -> None:
        self._outbox.remove(entry.key)
        self._watcher.notified("dropped")
        self._log.error(
            "a notification is given up, as its URL is no longer there: {title}",
            title=entry.message.title,
        )

    async def _leave(self) -> None:
        ending = DeferredList([line.stop() for line in self._lines.values()])
        with suppress(TimeoutError):
            await ending.addTimeout(_LAST_ATTEMPTS, self._clock)
        with suppress(TimeoutError):
            await Deferred.fromCoroutine(self._outbox.leave()).addTimeout(_LEAVING, self._clock)
        lost = self._outbox.unwritten
        if lost:
            self._log.error(
                "{lost} notifications are lost: they were not delivered, nor taken by the store",
                lost=lost,
            )
        for _ in range(lost):
            self._watcher.notified("dropped")

    def _unexpected(self, trouble: Failure) -> None:
        self._log.failure("the rounds of the notifications ended unexpectedly", trouble)
