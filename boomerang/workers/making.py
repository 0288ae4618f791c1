"""The supervisor, and what is another thing in a worker than in a process that is alone."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Final
from uuid import uuid4

from klein import Klein
from twisted.application.service import Service
from twisted.logger import ILogObserver

from boomerang.door import AT_ONCE, Door, room
from boomerang.listening import Listening, endpoints
from boomerang.metrics import Metrics
from boomerang.relay.making import Relay
from boomerang.retry.hold import Hold
from boomerang.retry.keys import OwnKeys, drawn
from boomerang.settings import Settings
from boomerang.systemd import SystemdService, notifier, watchdog_interval
from boomerang.web.pages import HealthRoute, MetricsRoute
from boomerang.web.site import GuardedSite
from boomerang.web.visitors import Visitors
from boomerang.workers.crew import LOOK_EVERY
from boomerang.workers.keyring import Keyring
from boomerang.workers.log import tolerant
from boomerang.workers.merging import families_of
from boomerang.workers.messages import HEALTH, METRICS
from boomerang.workers.pages import HostHealthRoute, HostMetricsRoute
from boomerang.workers.sockets import Accepting, Sockets
from boomerang.workers.spawning import Spawner
from boomerang.workers.supervisor import Supervisor, give_up
from boomerang.workers.workplace import Post, Workplace

SIGN_EVERY: Final = LOOK_EVERY / 2
"""Seconds from one sign of life of a worker to the next."""


def make_supervisor(
    settings: Settings, reactor: Any, *, observer: ILogObserver | None, log: Any
) -> Supervisor:
    """What runs instead of the daemon where there are several workers.

    ``log`` is the file that workers' lines are written to, `None` for standard output.
    """
    return Supervisor(
        reactor=reactor,
        settings=settings,
        sockets=Sockets(reactor, settings.listen, workers=settings.workers),
        spawn=Keyring(
            Spawner(reactor, os.environ, None if log is None else tolerant(log)), drawn()
        ),
        systemd=systemd_of(None, reactor),
        host=uuid4().hex,
        wall_clock=time.time,
        give_up=partial(give_up, reactor),
        observer=observer,
    )


def keys_of(workplace: Workplace | None) -> OwnKeys:
    """The keys of held calls' tokens: a worker has those of its host, and tells of new ones."""
    if workplace is None:
        return OwnKeys()
    return OwnKeys(workplace.orders.token_keys, workplace.channel.tell_keys)


def listening_of(
    workplace: Workplace | None,
    reactor: Any,
    settings: Settings,
    site: GuardedSite,
    hold: Hold,
    relay: Relay,
    health: HealthRoute,
    metrics: Metrics,
) -> Service:
    """What accepts connections: a worker is told by the supervisor which.

    Raises `CannotListen`.
    """
    door = Door(
        reactor,
        room=lambda: room(len(site.channels)),
        make_room=partial(site.resters.make_room, AT_ONCE),
    )
    site.before_reading = door.glance
    if workplace is None:
        return Listening(endpoints(reactor, settings.listen), site, door=door)
    return Post(
        workplace,
        accepting=Accepting(reactor, settings.listen, workplace.orders.sockets, site, door=door),
        tells={HEALTH: health.described, METRICS: partial(families_of, metrics.registry)},
        hurry=lambda: hold.release_within(0),
        nudge=relay.nudge,
        quit=reactor.stop,
        clock=reactor,
    )


def systemd_of(workplace: Workplace | None, reactor: Any) -> SystemdService:
    """Whom the process tells that it is ready and alive: systemd, or a worker its supervisor."""
    if workplace is not None:
        tell = workplace.channel.tell_state
        return SystemdService(tell, interval=SIGN_EVERY, clock=reactor)
    interval = watchdog_interval(os.environ, pid=os.getpid())
    return SystemdService(notifier(os.environ), interval=interval, clock=reactor)


def pages_of(
    workplace: Workplace | None, health: HealthRoute, metrics: Metrics, visitors: Visitors
) -> tuple[Klein, ...]:
    """``/health`` and ``/metrics``, which speak for the whole host."""
    if workplace is None:
        return (health.app, MetricsRoute(metrics=metrics, visitors=visitors).app)
    channel = workplace.channel
    return (
        HostHealthRoute(own=health, channel=channel).app,
        HostMetricsRoute(visitors=visitors, channel=channel).app,
    )
