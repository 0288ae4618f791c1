"""Delivers what the queue holds: takes callbacks by lease, lets go of none before the app has it.

The store decides who has which callback, so that any number of processes share the work. What is
under way when a process dies is another's, or its own after its restart, once the leases end.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from heapq import heappop, heappush
from typing import Any, Final, Protocol, TypeVar

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger

from boomerang.relay.callback import Queued
from boomerang.relay.origins import Origins
from boomerang.relay.record import RelayRecord
from boomerang.relay.schedule import Outcome, Schedule, Verdict
from boomerang.relay.standing import Standing
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.queue import QueueStore

T = TypeVar("T")

POLL: Final = 1.0
"""Seconds between looks for what has become due."""

NUDGED: Final = 0.005
"""Seconds from a callback's coming to its being taken, so that several are taken at once."""

PATIENCE: Final = 10.0
"""Seconds after which a store that says nothing is asked again; leases that it gave end."""

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 5.0
"""Seconds between the attempts to reach a store that is away."""

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
        *,
        schedule: Schedule,
        limits: Limits,
        holder: str,
        record: RelayRecord,
        standing: Standing,
        clock: Any,
        wall_clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._delivery = delivery
        self._schedule = schedule
        self._limits = limits
        self._holder = holder
        self._record = record
        self._standing = standing
        self._clock = clock
        self._wall_clock = wall_clock
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
            taken = await self.insist(
                partial(
                    self._queue.take,
                    self._holder,
                    most=room,
                    lease=self._limits.lease,
                    per_origin=self._limits.per_origin,
                    origins=self._origins.rooms(self._clock.seconds()),
                )
            )
            if not self.running:
                await self._hand_back([queued.number for queued in taken])
                return
            for queued in taken:
                if queued.number not in self._under_way:  # else its lease had ended meanwhile
                    self._begin(queued)
            if len(taken) < room:
                return

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
        if outcome.verdict is Verdict.DELIVERED:
            await self._delivered(queued)
        elif outcome.verdict is Verdict.NEVER:
            await self._bury(queued, outcome.last)
        else:
            await self._put_off(queued, outcome)
            if outcome.origin_down and self._is_overdue(queued):
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

    async def _delivered(self, queued: Queued) -> None:
        seconds = self._wall_clock() - queued.callback.received_at
        await self.insist(partial(self._queue.delivered, self._holder, queued.number))
        self._record.delivered(queued, seconds=seconds)

    async def _put_off(self, queued: Queued, outcome: Outcome) -> None:
        now = self._wall_clock()
        due = self._schedule.next_due(
            attempts=queued.attempts + 1,
            received_at=queued.callback.received_at,
            now=now,
            after=outcome.after,
            jitter=self._random(),
        )
        if due is None:
            await self._bury(queued, f"given up; the last time: {outcome.last}")
            return
        pause = due - now
        done = await self.insist(
            partial(
                self._queue.put_off, self._holder, queued.number, pause=pause, last=outcome.last
            )
        )
        if done:
            self._record.put_off(queued, last=outcome.last, pause=pause)
        if pause <= 2 * POLL:  # for a longer one it makes no difference
            heappush(self._soon, self._clock.seconds() + pause)

    async def _bury(self, queued: Queued, last: str) -> None:
        if await self.insist(partial(self._queue.bury, self._holder, queued.number, last=last)):
            self._record.dead(queued, last=last)

    def _is_overdue(self, queued: Queued) -> bool:
        received_at = queued.callback.received_at
        return self._schedule.is_overdue(received_at=received_at, now=self._wall_clock())

    async def _clear_overdue(self, origin: str, last: str) -> None:
        """Give up what has waited for its time behind a dead origin, which probes would never do.

        Callbacks come by their due time, the oldest first; the first batch with one that still
        has time is the last.
        """
        cleared = True
        while cleared and self.running:
            taken = await self.insist(
                partial(
                    self._queue.take,
                    self._holder,
                    most=self._limits.concurrency,
                    lease=self._limits.lease,
                    per_origin=0,
                    origins={origin: self._limits.concurrency},
                )
            )
            early = [each.number for each in taken if not self._is_overdue(each)]
            for each in taken:
                if each.number not in early:
                    await self._bury(each, f"given up, {origin} is down; the last time: {last}")
            if early:
                await self.insist(partial(self._queue.hand_back, self._holder, early))
            cleared = bool(taken) and not early

    async def insist(self, ask: Callable[[], Deferred[T]]) -> T:
        """Ask the store until it answers: while it is away, less and less often."""
        wait = FIRST_WAIT
        while True:
            try:
                answer = await ask().addTimeout(PATIENCE, self._clock)
            except StoreUnavailable as error:
                self._standing.store_failed(error.brief)
            except TimeoutError:
                self._standing.store_failed(f"no answer within {PATIENCE:g} s")
            else:
                self._standing.store_answered()
                return answer
            await deferLater(self._clock, wait * (1 + 0.2 * self._random()))
            wait = min(2 * wait, LONGEST_WAIT)

    async def renew(self) -> None:
        """Keep the leases of what is under way. Raises `StoreUnavailable`."""
        if self._under_way:
            await self._queue.renew(self._holder, self.under_way, lease=self._limits.lease)

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
