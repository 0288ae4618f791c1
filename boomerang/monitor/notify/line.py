"""The messages to one address: one after the other, and again until they are taken."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

from attrs import define, frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from boomerang.monitor.notify.entry import Entry
from boomerang.monitor.notify.message import Message
from boomerang.monitor.notify.outbox import Outbox
from boomerang.threads import Run

PAUSES: Final = (5.0, 30.0, 120.0, 600.0)
"""Seconds from one attempt to the next; the last goes on."""

LONGEST_ATTEMPT: Final = 60.0
"""Seconds after which an attempt counts as failed, though its thread may go on.

Apprise gives most services 4 s to connect and 4 s for each part of the answer; but it waits up to
5.5 s between two messages, tries several targets in turn, and looks names up without a limit.
"""

TOO_OLD: Final = 86400.0
"""Seconds after which nobody needs to hear of it any more."""

MOST: Final = 500
"""Messages that wait for one address."""

Outcome = Literal["delivered", "failed", "dropped"]


class NotifyWatcher(Protocol):
    """Whoever counts what becomes of notifications."""

    def notified(self, outcome: Outcome) -> None:
        """Of each message to each address, ``delivered`` or ``dropped`` once; ``failed`` is one
        attempt, after which there is another."""


@frozen(eq=False)
class Channel:
    """An address. ``id`` stands for it in the store, ``label`` in the log: the URL is secret.

    ``send`` blocks. It returns whether the message was taken, or raises.
    """

    id: str
    label: str
    send: Callable[[Message], bool]


@define(eq=False)
class _Attempt:
    """One attempt in another thread, which may end when nobody waits for it any more."""

    entry: Entry
    send: Callable[[Message], bool]
    taken: bool = False
    under_way: bool = True

    def __call__(self) -> bool:
        try:
            self.taken = self.send(self.entry.message)
        finally:
            self.under_way = False
        return self.taken


class Line:
    """What waits for one address, the oldest first. An address that fails holds up no other."""

    _log = Logger(namespace="boomerang.monitor.notify")

    def __init__(
        self,
        channel: Channel,
        *,
        outbox: Outbox,
        run: Run,
        clock: IReactorTime,
        wall_clock: Callable[[], float],
        watcher: NotifyWatcher,
    ) -> None:
        self._channel = channel
        self._outbox = outbox
        self._run = run
        self._clock = clock
        self._wall_clock = wall_clock
        self._watcher = watcher
        self._waiting: list[Entry] = []
        self._last: _Attempt | None = None
        self._failures = 0
        self._open = False
        self._busy = False
        self._working: Deferred[None] = succeed(None)
        self._again: IDelayedCall | None = None

    def add(self, entry: Entry) -> None:
        """Put an entry into its place; `go` sends it."""
        insort(self._waiting, entry, key=lambda each: each.key)
        if len(self._waiting) > MOST:
            self._drop(self._waiting[1 if self._busy else 0], "too many are waiting")

    def start(self) -> None:
        self._open = True
        self.go()

    def stop(self) -> Deferred[None]:
        """Begin nothing new; fires when the attempt that is under way has ended."""
        self._open = False
        if self._again is not None:
            self._again.cancel()
            self._again = None
        return self._working

    def go(self) -> None:
        """Send what waits, unless that is being done, or is to be done later."""
        if self._open and self._waiting and not self._busy and self._again is None:
            self._busy = True
            self._working = Deferred.fromCoroutine(self._work()).addBoth(self._worked)

    async def _work(self) -> None:
        while self._open and self._waiting:
            await self._outbox.keep()
            if not self._open:
                return
            entry = self._waiting[0]
            if self._wall_clock() - entry.at > TOO_OLD:
                self._drop(entry, "it is too old")
                continue
            trouble = await self._try(entry)
            if trouble is None:
                self._delivered(entry)
            else:
                self._failed(trouble)
                break
        await self._outbox.keep()

    def _worked(self, trouble: Any) -> None:
        self._busy = False
        if trouble is not None and not trouble.check(CancelledError):
            self._log.failure("sending notifications failed unexpectedly", trouble)
            self._failed("a mistake of our own")
        self.go()  # what was added at the last moment

    async def _try(self, entry: Entry) -> str | None:
        """Try to send a message; returns why it was not taken."""
        last = self._last
        if last is not None and last.under_way:
            return "the attempt before has not ended yet"
        if last is not None and last.taken and last.entry is entry:
            return None  # it was taken after all, though late
        attempt = self._last = _Attempt(entry, self._channel.send)
        try:
            taken = await self._run(attempt).addTimeout(LONGEST_ATTEMPT, self._clock)
        except TimeoutError:
            return f"no end within {LONGEST_ATTEMPT:g} s"
        except CancelledError:
            raise
        except Exception as error:  # of any of Apprise's hundred services; it may name the URL
            return type(error).__name__
        return None if taken else "Apprise could not deliver it"

    def _delivered(self, entry: Entry) -> None:
        self._forget(entry)
        self._watcher.notified("delivered")
        if self._failures:
            self._log.info("notifications to {address} work again", address=self._channel.label)
        self._failures = 0

    def _failed(self, reason: str) -> None:
        self._watcher.notified("failed")
        if not self._failures:
            self._log.warn(
                "notifications to {address} fail, and are tried again: {reason}",
                address=self._channel.label,
                reason=reason,
            )
        pause = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        if self._open:
            self._again = self._clock.callLater(pause, self._go_again)

    def _go_again(self) -> None:
        self._again = None
        self.go()

    def _drop(self, entry: Entry, reason: str) -> None:
        self._forget(entry)
        self._watcher.notified("dropped")
        self._log.error(
            "a notification to {address} is given up: {title} ({reason})",
            address=self._channel.label,
            title=entry.message.title,
            reason=reason,
        )

    def _forget(self, entry: Entry) -> None:
        self._waiting.remove(entry)
        self._outbox.remove(entry.key)
