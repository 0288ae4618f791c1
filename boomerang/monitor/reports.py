"""Whoever tells the outside of the checks and the retry service, made from the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import frozen
from twisted.application.service import Service

from boomerang import __version__
from boomerang.metrics import Metrics
from boomerang.monitor.heartbeat import Heartbeat
from boomerang.monitor.librato.annotations import LibratoAnnotations
from boomerang.monitor.librato.annotator import Annotator
from boomerang.monitor.librato.api import LibratoApi
from boomerang.monitor.librato.reporter import LibratoReporter
from boomerang.monitor.notify.making import make_notifications
from boomerang.monitor.otlp.making import make_otlp
from boomerang.monitor.outage import Reporter
from boomerang.monitor.tally import Tally
from boomerang.outbound import Outbound
from boomerang.retry.service import DecisionWatcher
from boomerang.settings import Settings
from boomerang.settings.checks import Check
from boomerang.settings.reports import HeartbeatSettings
from boomerang.stores.interfaces import NoteStore


@frozen(eq=False)
class Around:
    """What is around the monitor.

    Checks are timed by the reactor. ``held`` says how many requests are held; ``holder`` names
    this process among those that share the store. One that does not ``watch`` reports what it does
    itself, and of no checks. ``wall_clock`` gives seconds since the epoch, ``random`` numbers from
    0 to 1.
    """

    reactor: Any
    outbound: Outbound
    notes: NoteStore
    metrics: Metrics
    held: Callable[[], int]
    holder: str
    wall_clock: Callable[[], float]
    random: Callable[[], float]
    watch: bool = True


@frozen
class Reports:
    """Those that hear of checks, those that hear of decisions, and what runs for them."""

    reporters: tuple[Reporter, ...] = ()
    watchers: tuple[DecisionWatcher, ...] = ()
    services: tuple[Service, ...] = ()

    def __add__(self, other: Reports) -> Reports:
        return Reports(
            reporters=self.reporters + other.reporters,
            watchers=self.watchers + other.watchers,
            services=self.services + other.services,
        )


def all_reports(settings: Settings, checks: Sequence[Check], around: Around) -> Reports:
    """All that the settings ask for. Raises `MissingExtra`."""
    own = _librato(settings, around) + _otlp(settings, around)
    return own + _notifications(settings, checks, around) if around.watch else own


def _librato(settings: Settings, around: Around) -> Reports:
    api = LibratoApi.of(settings.librato, around.outbound)
    if api is None:
        return Reports()
    tally = Tally(around.held)
    measurements = LibratoReporter(
        api,
        settings=settings.librato,
        environment=settings.environment,
        tally=tally,
        clock=around.reactor,
        wall_clock=around.wall_clock,
        random=around.random,
    )
    if not around.watch:
        return Reports((measurements,), (tally,), (measurements,))
    annotator = Annotator(
        api, environment=settings.environment, notes=around.notes, clock=around.reactor
    )
    annotations = LibratoAnnotations(annotator, clock=around.reactor, wall_clock=around.wall_clock)
    return Reports((measurements, annotations), (tally,), (measurements, annotations))


def _otlp(settings: Settings, around: Around) -> Reports:
    otlp = make_otlp(
        settings.otlp,
        environment=settings.environment,
        version=__version__,
        instance=around.holder,
        held=around.held,
        reactor=around.reactor,
        wall_clock=around.wall_clock,
    )
    return Reports() if otlp is None else Reports((otlp.totals,), (otlp.totals,), (otlp,))


def _notifications(settings: Settings, checks: Sequence[Check], around: Around) -> Reports:
    notifications = make_notifications(
        settings.notify,
        environment=settings.environment,
        checks=checks,
        notes=around.notes,
        holder=around.holder,
        reactor=around.reactor,
        wall_clock=around.wall_clock,
        watcher=around.metrics,
    )
    return Reports() if notifications is None else Reports((notifications,), (), (notifications,))


def heartbeat(
    settings: HeartbeatSettings, at_work: Callable[[], bool], around: Around
) -> Iterator[Service]:
    """The sign of life, if one is asked for."""
    if settings.url is not None:
        yield Heartbeat(
            settings.url,
            period=settings.period,
            outbound=around.outbound,
            at_work=at_work,
            clock=around.reactor,
            random=around.random,
        )
