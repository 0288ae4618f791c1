"""Delivers what the queue holds: takes callbacks by lease, lets go of none before the app has it.

The store decides who has which callback, so that any number of processes share the work. What is
under way when a process dies is another's, or its own after its restart, once the leases end.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from heapq import heappop, heappush
from typing import Any, Final, Protocol, TypeVar

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from boomerang.relay.callback import Queued
from boomerang.relay.insisting import Insistence
from boomerang.relay.origins import Origins
from boomerang.relay.record import RelayRecord
from boomerang.relay.schedule import Outcome
from boomerang.relay.settling import Settling
from boomerang.relay.standing import Standing
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.queue import QueueStore

T = TypeVar("T")

POLL: Final = 1.0
"""Seconds between looks for what has become due."""

NUDGED: Final = 0.005
"""Seconds from a callback's coming to its being taken, so that several are taken at once."""

LAST_DELIVERIES: Final = 3.0
"""Seconds that deliveries under way have when the process stops."""

LAST_WORDS: Final = 1.0
"""Seconds for giving the leases back after that."""


class Attempting(Protocol):
    """Gives the app callbacks; see `boomerang.relay.delivery`."""

    def attempt(self, queued: Queued) -> Coroutine[Deferred[Any], Any, Outcome]:
        """Give the app a callback once."""


@frozen
class Limits:
    """How much is under way at once, and how long a lease lasts (seconds)."""

    concurrency: int
    per_origin: int
    lease: float


class Courier(Service):
    """Delivers, until it is stopped. ``random`` gives numbers from 0 to 1."""

    _log = Logger(namespace="boomerang.relay")

    def __init__(
        self,
        queue: QueueStore,
        delivery: Attempting,
        settling: Settling,
        *,
        insistence: Insistence,
        limits: Limits,
        holder: str,
        record: RelayRecord,
        standing: Standing,
        clock: Any,
        random: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._delivery = delivery
        self._settling = settling
        self._insistence = insistence
        self._limits = limits
        self._holder = holder
        self._record = record
        self._standing = standing
        self._clock = clock
        self._random = random
        self._origins = Origins(limits.per_origin)
        self._under_way: dict[int, Deferred[None]] = {}
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None
        self._nudged = False
        self._soon: list[float] = []

    def startService(self) -> None:
        super().startService()
        self._look_in(0)

    def stopService(self) -> Deferred[None]:
        """Begin nothing more; fires when what was under way is over, or handed back."""
        super().stopService()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return Deferred.fromCoroutine(self._stop())

    def nudge(self) -> None:
        """There may be something to deliver."""
        self._nudged = True
        self._look_in(NUDGED)

    @property
    def under_way(self) -> list[int]:
        """Numbers of the callbacks that this process has a lease on."""
        return list(self._under_way)

    def _look_in(self, seconds: float) -> None:
        """Look for callbacks then, or sooner if that was meant already."""
        if not self.running or self._looking is not None:
            return
        if self._timer is not None:
            if self._timer.getTime() <= self._clock.seconds() + seconds:
                return
            self._timer.cancel()
        self._timer = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        looking = self._looking = Deferred.fromCoroutine(self._take_all())
        looking.addBoth(self._looked)

    def _looked(self, outcome: Any) -> None:
        self._looking = None
        if outcome is not None and not outcome.check(CancelledError):
            self._log.failure("looking for callbacks failed", outcome)
        self._look_in(NUDGED if self._nudged else self._until_next())

    def _until_next(self) -> float:
        """Seconds until something may be due that is not announced."""
        now = self._clock.seconds()
        while self._soon and self._soon[0] <= now:
            heappop(self._soon)
        return min(POLL, self._soon[0] - now) if self._soon else POLL

    async def _take_all(self) -> None:
        """Begin as many deliveries as may be."""
        while self.running:
            self._nudged = False
            room = self._limits.concurrency - len(self._under_way)
            if room <= 0:
                return
            rooms = self._origins.rooms(self._clock.seconds())
            taken = await self._take(room, self._limits.per_origin, rooms)
            if not self.running:
                await self._hand_back([queued.number for queued in taken])
                return
            for queued in taken:
                if queued.number not in self._under_way:  # else its lease had ended meanwhile
                    self._begin(queued)
            if len(taken) < room:
                return

    async def _take(
        self, most: int, per_origin: int, origins: Mapping[str, int]
    ) -> Sequence[Queued]:
        take = partial(self._queue.take, self._holder, lease=self._limits.lease)
        ask = partial(take, most=most, per_origin=per_origin, origins=origins)
        return await self._insistence.until_answered(ask)

    def _begin(self, queued: Queued) -> None:
        origin = queued.callback.origin
        self._origins.began(origin)
        delivering = Deferred.fromCoroutine(self._deliver(queued, origin))
        self._under_way[queued.number] = delivering

        def over(outcome: Any) -> None:
            self._under_way.pop(queued.number, None)
            if outcome is not None and not outcome.check(CancelledError):
                self._log.failure("a delivery ended unexpectedly", outcome)
            self.nudge()

        delivering.addBoth(over)

    async def _deliver(self, queued: Queued, origin: str) -> None:
        try:
            outcome = await self._delivery.attempt(queued)
        except BaseException:
            self._origins.left(origin)
            raise
        self._tell_origin(origin, outcome)
        pause = await self._settling.settle(queued, outcome)
        if pause is not None and pause <= 2 * POLL:  # for a longer one it makes no difference
            heappush(self._soon, self._clock.seconds() + pause)
        if outcome.origin_down and self._settling.is_overdue(queued):
            await self._clear_overdue(origin, outcome.last)

    def _tell_origin(self, origin: str, outcome: Outcome) -> None:
        if not outcome.origin_down:
            if self._origins.answered(origin):
                self._record.origin_up(origin, down=self._origins.down())
            return
        is_news = self._origins.failed(
            origin, now=self._clock.seconds(), asked=outcome.after, jitter=self._random()
        )
        if is_news:
            self._record.origin_down(origin, last=outcome.last, down=self._origins.down())

    async def _clear_overdue(self, origin: str, last: str) -> None:
        """Give up what has waited for its time behind a dead origin, which probes would never do.

        Callbacks come by their due time, the oldest first; the first batch with one that still
        has time is the last.
        """
        cleared = True
        while cleared and self.running:
            most = self._limits.concurrency
            taken = await self._take(most, 0, {origin: most})
            early = [each.number for each in taken if not self._settling.is_overdue(each)]
            for each in taken:
                if each.number not in early:
                    await self._settling.bury(
                        each, f"given up, {origin} is down; the last time: {last}"
                    )
            if early:
                await self._insistence.until_answered(
                    partial(self._queue.hand_back, self._holder, early)
                )
            cleared = bool(taken) and not early

    async def renew(self) -> None:
        """Keep the leases of what is under way, if anything is. Raises `StoreUnavailable`.

        The store is asked in any case, and so whether it is there.
        """
        await self._queue.renew(self._holder, self.under_way, lease=self._limits.lease)
        self._standing.store_answered()

    async def _stop(self) -> None:
        if self._looking is not None:  # the store may hang
            await self._within(LAST_WORDS, [self._looking])
        await self._within(LAST_DELIVERIES, list(self._under_way.values()))
        left = self.under_way
        for each in (self._looking, *list(self._under_way.values())):
            if each is not None:
                each.cancel()
        if left:
            self._log.info("{left} deliveries are handed back", left=len(left))
            await self._within(LAST_WORDS, [Deferred.fromCoroutine(self._hand_back(left))])

    async def _hand_back(self, numbers: list[int]) -> None:
        """Give leases back; where that is impossible, they end by themselves."""
        try:
            await self._queue.hand_back(self._holder, numbers)
        except StoreUnavailable as error:
            self._standing.store_failed(error.brief)

    async def _within(self, seconds: float, waited_for: list[Deferred[None]]) -> None:
        """Wait until all of them have fired, but no longer; none of them is cancelled."""
        marks: list[Deferred[None]] = []
        for each in waited_for:
            mark: Deferred[None] = Deferred()
            marks.append(mark)
            each.addBoth(_marked, mark)
        with suppress(TimeoutError):
            await DeferredList(marks, consumeErrors=True).addTimeout(seconds, self._clock)


def _marked(result: T, mark: Deferred[None]) -> T:
    if not mark.called:
        mark.callback(None)
    return result
