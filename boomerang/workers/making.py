"""The supervisor, and what makes the daemon a worker, put together from the settings."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Final
from uuid import uuid4

from twisted.logger import ILogObserver

from boomerang.metrics import Metrics
from boomerang.relay.making import Relay
from boomerang.retry.hold import Hold
from boomerang.settings import Settings
from boomerang.systemd import SystemdService, notifier, watchdog_interval
from boomerang.web.pages import HealthRoute
from boomerang.web.site import GuardedSite
from boomerang.workers.crew import LOOK_EVERY
from boomerang.workers.merging import families_of
from boomerang.workers.messages import HEALTH, METRICS
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
        spawn=Spawner(reactor, os.environ, None if log is None else log.write),
        systemd=SystemdService(
            notifier(os.environ),
            interval=watchdog_interval(os.environ, pid=os.getpid()),
            clock=reactor,
        ),
        host=uuid4().hex,
        wall_clock=time.time,
        give_up=partial(give_up, reactor),
        observer=observer,
    )


def posted(
    workplace: Workplace,
    reactor: Any,
    settings: Settings,
    site: GuardedSite,
    hold: Hold,
    relay: Relay,
    health: HealthRoute,
    metrics: Metrics,
) -> Post:
    """The post of a worker, which is told by the supervisor whose connections to accept."""
    return Post(
        workplace,
        accepting=Accepting(reactor, settings.listen, workplace.orders.sockets, site),
        tells={HEALTH: health.described, METRICS: partial(families_of, metrics.registry)},
        hurry=lambda: hold.release_within(0),
        nudge=relay.nudge,
        quit=reactor.stop,
        clock=reactor,
    )
