"""The relay, put together from the settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.endpoints.rules import RuleBook
from boomerang.outbound import Outbound
from boomerang.relay.accepting import Accepting
from boomerang.relay.counts import RelayCounts
from boomerang.relay.courier import LAST_WORDS, Courier, Limits
from boomerang.relay.delivery import Delivery
from boomerang.relay.insisting import Insistence
from boomerang.relay.intake import Intake
from boomerang.relay.jobs import Jobs
from boomerang.relay.record import RelayRecord
from boomerang.relay.schedule import Schedule
from boomerang.relay.settling import Settling
from boomerang.relay.signers import Signers
from boomerang.relay.standing import Standing
from boomerang.relay.upkeep import LOOK_EVERY, SWEEP_EVERY, Upkeep
from boomerang.settings import Settings
from boomerang.stores.interfaces import NoteStore, StoreUnavailable
from boomerang.stores.queue import QueueStore

SHORTEST_LEASE: Final = 3.0

ATTEND_EVERY: Final = 1.0
"""Seconds between looks whether the store is there, where nothing else asks it. Behind Sentinel a
master that hung is found out so, before it is asked to store what it would lose."""

RECALL_EVERY: Final = 5.0
"""Seconds until it is known here which key others have heard an account sign with."""


@frozen(eq=False)
class RelaySurroundings:
    """What is around the relay.

    ``holder`` names this process among those that share the store. With ``nudge`` this process
    delivers nothing: that tells another one that there may be something. ``wall_clock`` gives
    seconds since the epoch, ``random`` numbers from 0 to 1.
    """

    reactor: Any
    queue: QueueStore
    notes: NoteStore
    outbound: Outbound
    counts: RelayCounts
    holder: str
    wall_clock: Callable[[], float]
    random: Callable[[], float]
    nudge: Callable[[], None] | None = None


@frozen(eq=False)
class Intaking:
    """What the routes ask of the relay.

    ``is_async`` are the names of endpoints of that mode. ``wall_clock`` gives seconds since the
    epoch.
    """

    accepting: Accepting
    intake: Intake
    signers: Signers
    record: RelayRecord
    is_async: frozenset[str]
    wall_clock: Callable[[], float]


class Relay(Service):
    """What runs for the relay; ``intaking`` is for the routes, ``standing`` for ``/health``.

    Only where it ``delivers`` are there deliveries.
    """

    _log = Logger(namespace="boomerang.relay")

    def __init__(
        self,
        intaking: Intaking,
        *,
        standing: Standing,
        queue: QueueStore,
        courier: Courier,
        insistence: Insistence,
        jobs: Jobs,
        delivers: bool,
        clock: IReactorTime,
    ) -> None:
        self._clock = clock
        self._delivers = delivers
        self.intaking = intaking
        self.standing = standing
        self._queue = queue
        self._courier = courier
        self._insistence = insistence
        self._jobs = jobs
        self._opening: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        opening = self._opening = Deferred.fromCoroutine(self._open())
        opening.addErrback(self._unopened)

    def nudge(self) -> None:
        """Another process has put something into the queue."""
        self._courier.nudge()

    def stopService(self) -> Deferred[None]:
        """Fires when what is under way is delivered, or handed back."""
        super().stopService()
        if self._opening is not None:
            self._opening.cancel()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._courier.running:
            await self._courier.stopService()
        if self._jobs.running:
            self._jobs.stopService()
        with suppress(StoreUnavailable, TimeoutError):  # a hung disk must not keep the process
            await self._queue.close().addTimeout(LAST_WORDS, self._clock)

    async def _open(self) -> None:
        """Get the store ready however long it takes; the routes answer 503 meanwhile."""
        insist = self._insistence.until_answered
        await insist(self._queue.open)
        await insist(lambda: Deferred.fromCoroutine(self.intaking.signers.recall()))
        if not self.running:
            return
        if self._delivers:
            self._courier.startService()
        self._jobs.startService()

    def _unopened(self, trouble: Failure) -> None:
        if not trouble.check(CancelledError):
            self._log.failure("the relay could not be started", trouble)


def make_relay(settings: Settings, book: RuleBook, around: RelaySurroundings) -> Relay:
    """The relay, not yet started."""
    relay = settings.relay
    record = RelayRecord(around.counts)
    standing = Standing(record, wall_clock=around.wall_clock)
    signers = Signers(settings.twilio.auth_token, settings.twilio.shared_keys, notes=around.notes)
    lease = max(SHORTEST_LEASE, relay.timeout)
    insistence = Insistence(standing, around.reactor, around.random)
    courier = Courier(
        around.queue,
        Delivery(
            around.outbound,
            signers,
            relay.timeout,
            around.wall_clock,
            settings.allowed_hosts,
        ),
        Settling(
            around.queue,
            around.holder,
            insistence,
            Schedule(relay.schedule, relay.give_up_after),
            record,
            around.wall_clock,
            around.random,
        ),
        insistence=insistence,
        limits=Limits(relay.concurrency, min(relay.per_origin, relay.concurrency), lease),
        holder=around.holder,
        record=record,
        standing=standing,
        clock=around.reactor,
        random=around.random,
    )
    intaking = Intaking(
        accepting=Accepting(book, settings.endpoint),
        intake=Intake(
            around.queue,
            clock=around.reactor,
            record=record,
            standing=standing,
            nudge=around.nudge or courier.nudge,
        ),
        signers=signers,
        record=record,
        is_async=frozenset(rules.name for rules in book if rules.mode == "async"),
        wall_clock=around.wall_clock,
    )
    upkeep = Upkeep(
        around.queue,
        retention=relay.retention,
        most_bytes=relay.most_bytes,
        counts=around.counts,
        record=record,
        standing=standing,
    )
    delivers = around.nudge is None

    async def recall() -> None:
        with suppress(StoreUnavailable):  # the notes are not the queue, whose absence is told
            await signers.recall()

    return Relay(
        intaking,
        standing=standing,
        queue=around.queue,
        courier=courier,
        insistence=insistence,
        jobs=Jobs(
            [
                (courier.renew, lease / 3),
                (upkeep.look, LOOK_EVERY),
                (upkeep.sweep, SWEEP_EVERY),
                (recall, RECALL_EVERY),
            ]
            if delivers
            else [(courier.renew, ATTEND_EVERY)],
            standing=standing,
            clock=around.reactor,
        ),
        delivers=delivers,
        clock=around.reactor,
    )
