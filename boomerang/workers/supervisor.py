"""The process that was started: holds the sockets, keeps the workers running, answers for all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger

from boomerang import __version__
from boomerang.listening import CannotListen
from boomerang.process import stop_on_signals
from boomerang.settings import Settings
from boomerang.systemd import SystemdService
from boomerang.web.pages import Life, instant
from boomerang.workers.counts import SupervisorCounts
from boomerang.workers.crew import LOOK_EVERY, Crew
from boomerang.workers.gathering import Gathering, Said
from boomerang.workers.identity import Worker
from boomerang.workers.merging import Families, counts_of, exposition, host_health, merged
from boomerang.workers.messages import HEALTH, METRICS
from boomerang.workers.restarts import seats
from boomerang.workers.sockets import Sockets
from boomerang.workers.spawning import Spawn
from boomerang.workers.workplace import Orders

SILENCE: Final = 5.0
"""Seconds beyond ``shutdown_grace`` after which nobody waits for a worker that is quiet."""

LAST_WORDS: Final = 20.0
"""The same for one that gives signs of life: longer than its end may take (`boomerang.host`)."""

REMEMBER_EVERY: Final = 5.0
"""Seconds between two looks at what workers have counted: what one that is killed can lose."""


class Supervisor(Service):
    """Supervises; serves no call itself. ``host`` names it among those that share a store."""

    _log = Logger(namespace="boomerang.workers")

    def __init__(
        self,
        *,
        reactor: Any,
        settings: Settings,
        sockets: Sockets,
        spawn: Spawn,
        systemd: SystemdService,
        host: str,
        wall_clock: Callable[[], float],
        give_up: Callable[[], None],
        observer: ILogObserver | None,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._sockets = sockets
        self._systemd = systemd
        self._host = host
        self._wall_clock = wall_clock
        self._give_up = give_up
        self._observer = observer
        self._counts = SupervisorCounts(of=settings.workers)
        self._crew = Crew(
            settings.workers,
            spawn=spawn,
            orders=self._orders,
            clock=reactor,
            heard=self._hear,
            changed=self._look_who_is_ready,
            died=self._died,
            restarted=self._counts.restarted,
        )
        self._gatherings = {what: self._gathering(what) for what in (HEALTH, METRICS)}
        self._looking = self._loop(self._crew.look)
        self._remembering = self._loop(self._remember)
        self._gone: Families = []
        self._life = Life(started_at=wall_clock(), clock=reactor.seconds)
        self._started = False
        self._stopping = False
        self._away_since: float | None = None

    def setServiceParent(self, parent: Any) -> None:
        """Give the application our way of writing the log; ``twistd`` asks it for one."""
        if self._observer is not None:
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Bind. Called before privileges are dropped; raises `SystemExit` where that fails."""
        super().privilegedStartService()
        try:
            self._sockets.open()
        except CannotListen as error:
            raise SystemExit(f"boomerang: {error}") from None

    def startService(self) -> None:
        super().startService()
        self._log.info(
            "boomerang {version} environment={environment}: starting {count} workers",
            version=__version__,
            environment=self._settings.environment,
            count=self._settings.workers,
        )
        self._reactor.callWhenRunning(self._begin)

    def stopService(self) -> Deferred[None]:
        """Have all workers answer whoever is waiting; fires when they have ended.

        Where some had to be killed for it, the process ends with status 1.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def _begin(self) -> None:
        stop_on_signals(self._reactor, hurry=self._hurry)
        self._crew.start()
        self._looking.start(LOOK_EVERY, now=False)
        self._remembering.start(REMEMBER_EVERY, now=False)

    async def _stop(self) -> None:
        self._stopping = True
        self._systemd.stopping()
        _end(self._remembering)
        await self._sockets.close()
        grace = self._settings.shutdown_grace
        waiting = self._reactor.callLater(grace + SILENCE, self._crew.lose_patience)
        try:
            await self._crew.stop().addTimeout(grace + LAST_WORDS, self._reactor)
        except TimeoutError:
            self._log.error("{left} workers did not end in time, killed", left=self._crew.kill())
        if waiting.active():
            waiting.cancel()
        _end(self._looking)
        if not self._crew.ended_well:
            self._give_up()
        await maybeDeferred(self._systemd.stopService)

    def _hurry(self) -> None:
        for number in range(self._crew.of):
            self._crew.send(number, hurry=True)

    def _orders(self, worker: Worker) -> Orders:
        return Orders(
            settings=self._settings, worker=worker, host=self._host, sockets=self._sockets.passed
        )

    def _look_who_is_ready(self) -> None:
        """Share out the sockets among those that are ready, once all have been."""
        ready = self._crew.ready
        self._counts.ready(len(ready))
        all_there = len(ready) == self._crew.of
        if self._stopping:
            return
        if all_there and not self._started:
            self._started = True
            for address in self._sockets.addresses:
                self._log.info("listening on {address}", address=address)
            self._systemd.startService()
        if self._started:
            self._note_who_is_away(all_there=all_there)
            for number, taken in seats(ready, of=self._crew.of).items():
                self._crew.send(number, accept=taken)

    def _note_who_is_away(self, *, all_there: bool) -> None:
        if all_there:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = self._wall_clock()

    def _died(self, number: int, ending: str) -> None:
        self._gatherings[HEALTH].gone(number)
        last = self._gatherings[METRICS].gone(number)
        if last is not None:
            self._gone = merged([("", self._gone), ("", counts_of(last))])
        if not self._started and not self._stopping:
            self._stopping = True
            self._log.error(
                "worker {number} has ended before it was ready, {ending}; giving up",
                number=number,
                ending=ending,
            )
            self._crew.stop()
            self._give_up()

    def _hear(self, number: int, message: dict[str, Any]) -> None:
        if "told" in message:
            self._gatherings[message["of"]].heard(number, message["round"], message["told"])
        elif "nudge" in message:
            self._crew.send(0, nudge=True)
        elif "gather" in message:
            what = message["gather"]

            def answer(said: Said) -> None:
                put = self._metrics() if what == METRICS else self._health(said)
                self._crew.send(number, gathered=put, number=message["number"])

            self._gatherings[what].gather(self._crew.answering).addCallback(answer)

    def _metrics(self) -> str:
        """Of a worker that does not answer at the moment, what it said last."""
        last = self._gatherings[METRICS].last
        said = [("supervisor", self._counts.families()), ("", self._gone)]
        said += [(str(number), last[number]) for number in sorted(last)]
        return exposition(merged(said)).decode()

    def _health(self, said: Said) -> dict[str, Any] | None:
        """Nothing, if nobody says anything."""
        if not said:
            return None
        since = self._away_since
        if since is None and len(said) < self._crew.of:
            since = self._wall_clock()
        return host_health(
            list(said.values()),
            of=self._crew.of,
            started=instant(self._life.started_at),
            uptime=self._life.seconds,
            away_since=None if since is None else instant(since),
        )

    def _gathering(self, what: str) -> Gathering:
        return Gathering(
            lambda worker, number: self._crew.send(worker, tell=what, round=number),
            clock=self._reactor,
        )

    def _remember(self) -> None:
        self._gatherings[METRICS].gather(self._crew.answering)

    def _loop(self, work: Callable[[], None]) -> LoopingCall:
        loop = LoopingCall(work)
        loop.clock = self._reactor
        return loop


def _end(loop: LoopingCall) -> None:
    if loop.running:
        loop.stop()


def give_up(reactor: Any) -> None:
    """End the process with status 1 once everything has stopped, which it may be doing already.

    ``twistd`` knows no way to say so once the reactor runs.
    """

    def leave() -> None:
        sys.stdout.flush()
        os._exit(1)

    reactor.addSystemEventTrigger("after", "shutdown", leave)
    with suppress(ReactorNotRunning):
        reactor.stop()
