"""The daemon: from settings to the services that ``twistd`` runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from io import TextIOWrapper
from random import SystemRandom
from socket import gethostname
from typing import Any
from uuid import uuid4

from twisted.application.service import IService
from twisted.logger import ILogObserver
from twisted.python import usage
from twisted.python.logfile import LogFile

from boomerang import __version__, logs
from boomerang.clocks import count_by_monotonic_clock
from boomerang.collector import Collector
from boomerang.endpoints.rules import RuleBook, notes
from boomerang.host import Host
from boomerang.listening import CannotListen
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
from boomerang.status.chronicle import Chronicle
from boomerang.status.making import Status, StatusSurroundings, make_status
from boomerang.status.witness import Witness
from boomerang.stores.address import unverified
from boomerang.stores.failsafe import FailsafeStore
from boomerang.stores.opening import make_stores
from boomerang.stores.queue import Bounds
from boomerang.threads import daemon_threads
from boomerang.web.pages import HealthRoute, HomeRoute, Life
from boomerang.web.relay import DebuggerRoute, RelayRoute
from boomerang.web.retry import RetryRoute
from boomerang.web.routes import Routes
from boomerang.web.signature import Keys
from boomerang.web.site import GuardedSite
from boomerang.web.status import StatusRoute
from boomerang.web.trust import Trust
from boomerang.web.visitors import MOST_AT_ONCE, Login, Visitors
from boomerang.workers.identity import ALONE, share
from boomerang.workers.making import (
    keys_of,
    listening_of,
    make_supervisor,
    pages_of,
    systemd_of,
)
from boomerang.workers.workplace import Workplace


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
    count_by_monotonic_clock(reactor)
    try:
        problems = notify_problems(settings.notify.urls)
        if problems:
            raise SystemExit("boomerang: " + "; ".join(problems))
        observer, elsewhere = _log_of(options, settings)
        if settings.workers > 1:
            return make_supervisor(settings, reactor, observer=observer, log=elsewhere)
        return build(
            settings,
            reactor,
            observer=observer,
        )
    except (CannotListen, MissingExtra, OSError) as error:
        raise SystemExit(f"boomerang: {error}") from None


def build(
    settings: Settings,
    reactor: Any,
    *,
    observer: ILogObserver | None,
    wall_clock: Callable[[], float] = time.time,
    workplace: Workplace | None = None,
) -> Host:
    """Collaborators, then services: the whole daemon, not yet started.

    ``wall_clock`` gives the calendar's seconds; those of the reactor are nobody's instants.
    ``workplace`` is there in a worker, one of several processes.
    """
    worker = workplace.orders.worker if workplace else ALONE
    settings = share(settings, worker)
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
    chronicle = Chronicle(wall_clock)
    monitor = make_monitor(
        settings,
        Around(
            reactor=reactor,
            outbound=outbound,
            notes=stores.notes,
            metrics=metrics,
            held=partial(len, hold),
            holder=workplace.name if workplace else uuid4().hex,
            wall_clock=wall_clock,
            random=random,
            watch=worker.is_first,
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
            watchers=(chronicle, *monitor.decision_watchers),
            outcome_watchers=(chronicle,),
            wall_clock=wall_clock,
            random=random,
            own_keys=keys_of(workplace),
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
            nudge=workplace.channel.nudge if workplace and not worker.is_first else None,
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
    )
    status = make_status(
        settings,
        StatusSurroundings(
            reactor=reactor,
            own=Witness(
                instance=uuid4().hex,
                name=f"{gethostname()}/{worker.number if workplace else os.getpid()}",
                started=life.started_at,
                chronicle=chronicle,
                hold=hold,
                outcomes=retry.outcomes,
                store=store,
                circuits=knowledge.circuits,
                relay=relay.standing,
                wall_clock=wall_clock,
            ),
            notes=stores.notes,
            checks=monitor.onlooker,
            wall_clock=wall_clock,
        ),
    )
    routes = _routes(settings, reactor, retry, relay, health, metrics, status, workplace)
    site = GuardedSite(routes.handle, clock=reactor, watch_refusal=metrics.refused)
    return Host(
        reactor=reactor,
        settings=settings,
        listening=listening_of(workplace, reactor, settings, site, hold, relay, health, metrics),
        site=site,
        hold=hold,
        collector=Collector(reactor, held=partial(len, hold)),
        store=store,
        workers=(monitor, knowledge, relay, status.board),
        outbound=outbound,
        life=life,
        systemd=systemd_of(workplace, reactor),
        remarks=tuple(notes(book)),
        observer=observer,
        says_all=worker.is_first,
    )


def _routes(
    settings: Settings,
    reactor: Any,
    retry: RetryService,
    relay: Relay,
    health: HealthRoute,
    metrics: Metrics,
    status: Status,
    workplace: Workplace | None,
) -> Routes:
    """What is answered."""
    trust = Trust(
        keys=Keys(tokens=settings.twilio.auth_token, shared=settings.twilio.shared_keys),
        public_url=settings.public_url,
        allowed_hosts=settings.allowed_hosts,
    )
    login = settings.status
    visitors = Visitors(
        Login(login.user, login.password, login.password_hash),
        clock=reactor,
        run=daemon_threads(reactor, name="passwords", most=MOST_AT_ONCE),
    )
    return Routes(
        [
            RetryRoute(service=retry, trust=trust).app,
            RelayRoute(relay=relay.intaking, trust=trust).app,
            DebuggerRoute(relay=relay.intaking, trust=trust).app,
            *pages_of(workplace, health, metrics, visitors),
            StatusRoute(status=status, visitors=visitors).app,
            HomeRoute(home_url=settings.home_url).app,
        ],
        watch_refusal=metrics.refused,
    )


def _log_of(options: Options, settings: Settings) -> tuple[ILogObserver | None, Any]:
    """Our own way of writing the log, unless ``twistd`` was told of another (``--syslog``).

    And where it goes, if not to standard output.
    """
    daemon: Mapping[str, Any] = options.parent or {}
    if daemon.get("syslog"):
        if settings.workers > 1:
            raise SystemExit("boomerang: --syslog is for one process; with workers use --logfile")
        return None, None
    name = daemon.get("logfile") or "-"
    if name != "-":
        file = LogFile.fromFullPath(name)
        return logs.observer(file, style=settings.log_format), file
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return logs.observer(sys.stdout, style=settings.log_format), None
