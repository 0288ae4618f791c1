"""The daemon: from settings to the services that ``twistd`` runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from io import TextIOWrapper
from random import SystemRandom
from typing import Any
from uuid import uuid4

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver
from twisted.python import usage
from twisted.python.logfile import LogFile

from boomerang import __version__, logs
from boomerang.clocks import MonotonicClock
from boomerang.endpoints.rules import RuleBook, notes
from boomerang.host import Host
from boomerang.listening import CannotListen, Listening, endpoints
from boomerang.metrics import Metrics
from boomerang.monitor.libraries import MissingExtra
from boomerang.monitor.notify.making import notify_problems
from boomerang.monitor.reports import Around
from boomerang.monitor.service import make_monitor
from boomerang.options import SettingsOptions
from boomerang.outbound import Outbound
from boomerang.process import room_for_held
from boomerang.relay.making import Relay, RelaySurroundings, make_relay
from boomerang.retry.awake import asking
from boomerang.retry.hold import Hold
from boomerang.retry.making import Surroundings, make_retry
from boomerang.retry.service import RetryService
from boomerang.settings import Settings
from boomerang.stores.address import unverified
from boomerang.stores.failsafe import FailsafeStore
from boomerang.stores.opening import make_stores
from boomerang.stores.queue import Bounds
from boomerang.systemd import SystemdService, notifier, watchdog_interval
from boomerang.web.pages import HealthRoute, HomeRoute, Life, MetricsRoute
from boomerang.web.relay import DebuggerRoute, RelayRoute
from boomerang.web.retry import RetryRoute
from boomerang.web.routes import Routes
from boomerang.web.signature import Keys
from boomerang.web.site import GuardedSite
from boomerang.web.trust import Trust, Visitors


class Options(SettingsOptions):
    """``twistd boomerang``'s command line."""

    def postOptions(self) -> None:
        """Say what is wrong on standard error; ``twistd`` would bury it under its whole help."""
        try:
            super().postOptions()
        except usage.UsageError as error:
            raise SystemExit(f"boomerang: {error}") from None


def makeService(options: Options) -> IService:
    """What the plugin runs."""
    from twisted.internet import reactor

    settings: Settings = options["settings"]
    try:
        problems = notify_problems(settings.notify.urls)
        if problems:
            raise SystemExit("boomerang: " + "; ".join(problems))
        return build(
            settings,
            reactor,
            observer=_observer(options, settings),
            clock=MonotonicClock(reactor),
        )
    except (CannotListen, MissingExtra, OSError) as error:
        raise SystemExit(f"boomerang: {error}") from None


def build(
    settings: Settings,
    reactor: Any,
    *,
    observer: ILogObserver | None,
    wall_clock: Callable[[], float] = time.time,
    clock: IReactorTime | None = None,
) -> Host:
    """Collaborators, then services: the whole daemon, not yet started.

    ``clock`` is what checks are timed by, the reactor unless it is given.
    """
    random = SystemRandom().random
    book = RuleBook(settings.retry, settings.endpoint)
    metrics = Metrics(
        version=__version__,
        environment=settings.environment,
        endpoints=[rules.name for rules in book],
    )
    stores = make_stores(
        settings.store if settings.store_tls_verify else unverified(settings.store),
        reactor,
        bounds=Bounds(most=settings.relay.most, most_bytes=settings.relay.most_bytes),
        wall_clock=wall_clock,
    )
    store = FailsafeStore(
        stores.claims,
        name=str(settings.store),
        clock=reactor,
        wall_clock=wall_clock,
        watcher=metrics,
    )
    hold = Hold(
        reactor,
        max_held=room_for_held(settings.retry.max_held),
        max_each=settings.retry.max_held_per_account,
    )
    metrics.watch_held(partial(len, hold))
    outbound = Outbound(reactor)
    monitor = make_monitor(
        settings,
        Around(
            reactor=reactor,
            clock=clock or reactor,
            outbound=outbound,
            notes=stores.notes,
            metrics=metrics,
            held=partial(len, hold),
            holder=uuid4().hex,
            wall_clock=wall_clock,
            random=random,
        ),
    )
    retry, knowledge = make_retry(
        settings,
        book,
        Surroundings(
            reactor=reactor,
            store=store,
            notes=stores.notes,
            hold=hold,
            metrics=metrics,
            ask=asking(outbound),
            apps=monitor.apps,
            watchers=monitor.decision_watchers,
            wall_clock=wall_clock,
            random=random,
        ),
    )
    relay = make_relay(
        settings,
        book,
        RelaySurroundings(
            reactor=reactor,
            queue=stores.queue,
            notes=stores.notes,
            outbound=outbound,
            counts=metrics.relay,
            holder=uuid4().hex,
            wall_clock=wall_clock,
            random=random,
        ),
    )
    life = Life(started_at=wall_clock())
    health = HealthRoute(
        store=store,
        hold=hold,
        circuits=knowledge.circuits,
        relay=relay.standing,
        life=life,
        environment=settings.environment,
        wall_clock=wall_clock,
    )
    routes = _routes(settings, retry, relay, health, metrics)
    site = GuardedSite(routes.handle, clock=reactor, watch_refusal=metrics.refused)
    return Host(
        reactor=reactor,
        settings=settings,
        listening=Listening(endpoints(reactor, settings.listen), site),
        site=site,
        hold=hold,
        store=store,
        workers=(monitor, knowledge, relay),
        outbound=outbound,
        life=life,
        systemd=SystemdService(
            notifier(os.environ),
            interval=watchdog_interval(os.environ, pid=os.getpid()),
            clock=reactor,
        ),
        remarks=tuple(notes(book)),
        observer=observer,
    )


def _routes(
    settings: Settings,
    retry: RetryService,
    relay: Relay,
    health: HealthRoute,
    metrics: Metrics,
) -> Routes:
    """What is answered."""
    trust = Trust(
        keys=Keys(tokens=settings.twilio.auth_token, shared=settings.twilio.shared_keys),
        public_url=settings.public_url,
        allowed_hosts=settings.allowed_hosts,
    )
    visitors = Visitors(user=settings.status.user, password=settings.status.password)
    return Routes(
        [
            RetryRoute(service=retry, trust=trust).app,
            RelayRoute(relay=relay.intaking, trust=trust, wall_clock=health.wall_clock).app,
            DebuggerRoute(relay=relay.intaking, trust=trust, wall_clock=health.wall_clock).app,
            health.app,
            MetricsRoute(metrics=metrics, visitors=visitors).app,
            HomeRoute(home_url=settings.home_url).app,
        ],
        watch_refusal=metrics.refused,
    )


def _observer(options: Options, settings: Settings) -> ILogObserver | None:
    """Our own way of writing the log, unless ``twistd`` was told of another (``--syslog``)."""
    daemon: Mapping[str, Any] = options.parent or {}
    if daemon.get("syslog"):
        return None
    name = daemon.get("logfile") or "-"
    if name != "-":
        return logs.observer(LogFile.fromFullPath(name), style=settings.log_format)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return logs.observer(sys.stdout, style=settings.log_format)
