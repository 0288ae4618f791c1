"""The life of the process: what starts in which order, and how it ends without losing a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, TimeoutError, gatherResults, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger

from boomerang import __version__
from boomerang.collector import Collector
from boomerang.outbound import Outbound
from boomerang.process import stop_on_signals
from boomerang.retry.hold import Hold
from boomerang.settings import Settings
from boomerang.stores.failsafe import FailsafeStore
from boomerang.systemd import SystemdService
from boomerang.web.limits import FIRST_BYTES
from boomerang.web.pages import Life
from boomerang.web.site import GuardedSite

_LAST_WORDS: Final = 5.0
"""Seconds beyond ``shutdown_grace`` for answers that are slow to leave, then for each part."""

_LAST_BYTES: Final = 0.1
"""Seconds between the last answer and the end of the process."""


class Host(MultiService):
    """All services of the daemon, stopped one after the other.

    ``listening`` accepts connections while it runs. ``workers`` are those that have something to
    write or to send at their end, and go on until all requests are answered. ``remarks`` are good
    to know at start; ``says_all`` is false where another process of this host has said it.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        reactor: Any,
        settings: Settings,
        listening: Service,
        site: GuardedSite,
        hold: Hold,
        collector: Collector,
        store: FailsafeStore,
        workers: Sequence[Service],
        outbound: Outbound,
        life: Life,
        systemd: SystemdService,
        remarks: Sequence[str],
        observer: ILogObserver | None,
        says_all: bool = True,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._settings = settings
        self._listening = listening
        self._site = site
        self._hold = hold
        self._collector = collector
        self._store = store
        self._workers = tuple(workers)
        self._outbound = outbound
        self._remarks = tuple(remarks)
        self._life = life
        self._systemd = systemd
        self._observer = observer
        self._says_all = says_all
        for service in (listening, systemd, *workers):
            service.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Give the application our way of writing the log; ``twistd`` asks it for one."""
        if self._observer is not None:
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        self._log.info(
            "boomerang {version} environment={environment} store={store}",
            version=__version__,
            environment=self._settings.environment,
            store=self._store.name,
        )
        if self._says_all:
            self._say_whom_it_serves()
            for remark in self._remarks:
                self._log.info("{remark}", remark=remark)
        self._store.open()
        super().startService()
        self._reactor.callWhenRunning(self._running)

    def stopService(self) -> Deferred[None]:
        """Answer whoever is waiting, then let go of everything; fires when that is done."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    def _running(self) -> None:
        stop_on_signals(self._reactor, hurry=lambda: self._hold.release_within(0))
        self._collector.start()

    async def _stop(self) -> None:
        grace = self._settings.shutdown_grace
        self._life.stopping = True
        self._systemd.stopping()
        await self._listening.stopService()
        if self._site.has_newcomers:
            await deferLater(self._reactor, FIRST_BYTES)
        held = len(self._hold)
        if held:
            self._log.info(
                "answering {held} held requests, within {grace:g} s", held=held, grace=grace
            )
        self._hold.release_within(grace)
        try:
            await self._site.drain().addTimeout(grace + _LAST_WORDS, self._reactor)
        except TimeoutError:
            self._log.warn("{left} requests could not be answered", left=self._site.under_way)
        ends = [self._end(each.stopService, of=type(each).__name__) for each in self._workers]
        await gatherResults(map(Deferred.fromCoroutine, ends))
        await self._end(self._outbound.close, of=type(self._outbound).__name__)
        await deferLater(self._reactor, _LAST_BYTES)
        await self._store.close()
        self._collector.stop()
        await maybeDeferred(self._systemd.stopService)

    async def _end(self, end: Callable[[], object], *, of: str) -> None:
        """End a part; one that hangs, or makes a mistake, does not keep the others from it."""
        try:
            await maybeDeferred(end).addTimeout(_LAST_WORDS, self._reactor)
        except TimeoutError:
            self._log.warn("{part} has not ended in time", part=of)
        except Exception:
            self._log.failure("{part} has not ended well", part=of)

    def _say_whom_it_serves(self) -> None:
        twilio = self._settings.twilio
        if twilio.auth_token or twilio.shared_keys:
            if self._settings.public_url is None:
                self._log.info(
                    "public_url is not set: signatures are checked against the Host header"
                )
        elif not self._settings.allowed_hosts:
            self._log.warn(
                "serving anyone: neither an auth token nor allowed_hosts is set, so requests that"
                " Twilio did not sign are answered too"
            )
