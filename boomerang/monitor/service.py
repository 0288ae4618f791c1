"""The monitor, put together from the settings: the checks, and whoever tells of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.account.daily import AuditCollector, Standing, make_daily_audit
from boomerang.monitor.account import NAME as ACCOUNT
from boomerang.monitor.account import account_check, result_of
from boomerang.monitor.onlooker import Onlooker
from boomerang.monitor.panel import Panel
from boomerang.monitor.probes.table import probes
from boomerang.monitor.prometheus import CheckCollector
from boomerang.monitor.records import Records
from boomerang.monitor.reports import Around, all_reports, heartbeat
from boomerang.monitor.verdict import State
from boomerang.monitor.watch import Watch
from boomerang.monitor.watched import CheckView
from boomerang.retry.service import DecisionWatcher
from boomerang.settings import Settings
from boomerang.settings.checks import Check
from boomerang.urls import parse_url

SELF: Final = "boomerang"
"""What the check of the host itself is called."""


def checks_of(settings: Settings) -> tuple[Check, ...]:
    """The checks that are named; without any the host itself, through its public address.

    That is what keeps a dyno from sleeping, and it finds what stands between Twilio and here.
    The audit of the account at Twilio is one more, if it is asked for.
    """
    if settings.check or settings.public_url is None:
        return (*settings.check, *account_check(settings))
    return (Check(name=SELF, url=f"{settings.public_url}/health"), *account_check(settings))


class Monitor(MultiService):
    """The watch and its reporters, as one service; ``services`` go on without the watch, too.

    ``decision_watchers`` are those of the reporters that tell of the retry service, too;
    ``onlooker`` knows how the checks stand wherever they are watched.
    """

    _log = Logger(namespace="boomerang.monitor")

    def __init__(
        self,
        watch: Watch,
        *,
        services: Sequence[Service],
        decision_watchers: Sequence[DecisionWatcher],
        onlooker: Onlooker,
        wall_clock: Callable[[], float],
        watches: bool = True,
    ) -> None:
        super().__init__()
        self._watch = watch
        self.onlooker = onlooker
        self._wall_clock = wall_clock
        self._others = tuple(services)
        self._origins = {
            name: parse_url(check.url).origin
            for name, check in watch.panel.checks.items()
            if check.kind == "http"
        }
        self.decision_watchers = tuple(decision_watchers)
        for service in (*services, watch) if watches else services:
            service.setServiceParent(self)

    def stopService(self) -> Deferred[None]:
        """Stop the watch before those that it tells, so that they hear all of it."""
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._watch.running:
            await self._watch.stopService()
        await DeferredList(
            [maybeDeferred(each.stopService).addErrback(self._not_stopped) for each in self._others]
        )

    def _not_stopped(self, trouble: Failure) -> None:
        self._log.failure("a report could not be ended", trouble)

    def views(self) -> list[CheckView]:
        """How the checks stand; none in a process that leaves watching to another."""
        return self._watch.panel.view(now=self._wall_clock()) if self._watch.leads else []

    def apps(self) -> Mapping[tuple[str, int], bool]:
        """Which origins the HTTP checks have found up or down; down if one of its checks is."""
        found: dict[tuple[str, int], bool] = {}
        for view in self.views():
            origin = self._origins.get(view.check.name)
            known = view.paused_until is None and view.standing.state is not State.UNKNOWN
            if origin is not None and known:
                up = view.standing.state is not State.DOWN
                found[origin] = found.get(origin, True) and up
        return found


def make_monitor(settings: Settings, around: Around) -> Monitor:
    """The monitor that the settings ask for. Raises `MissingExtra`."""
    checks = checks_of(settings)
    reports = all_reports(settings, checks, around)
    records = Records(around.notes, environment=settings.environment, clock=around.reactor)
    watch = Watch(
        Panel(checks),
        probes=probes(around.reactor, outbound=around.outbound, wall_clock=around.wall_clock),
        records=records,
        reporters=reports.reporters,
        holder=around.holder,
        clock=around.reactor,
        wall_clock=around.wall_clock,
        random=around.random,
    )
    monitor = Monitor(
        watch,
        services=(*reports.services, *_beside(settings, watch, around)),
        decision_watchers=reports.watchers,
        onlooker=Onlooker(watch, records, clock=around.reactor, wall_clock=around.wall_clock),
        wall_clock=around.wall_clock,
        watches=around.watch,
    )
    around.metrics.registry.register(CheckCollector(monitor.views))
    return monitor


def _beside(settings: Settings, watch: Watch, around: Around) -> Iterator[Service]:
    """What goes with the watch."""
    if around.watch:
        yield from heartbeat(settings.heartbeat, watch.at_work, around)
        yield from _audit(settings, watch, around)


def _audit(settings: Settings, watch: Watch, around: Around) -> Iterator[Service]:
    """The audit of the account at Twilio, if it is asked for; the watch hears of each."""

    def heard(standing: Standing) -> None:
        watch.hear(ACCOUNT, result_of(standing, now=around.wall_clock()))

    audit = make_daily_audit(
        settings,
        reactor=around.reactor,
        heard=heard,
        wall_clock=around.wall_clock,
        random=around.random,
    )
    if audit is not None:
        around.metrics.registry.register(AuditCollector(lambda: audit.standing))
        yield audit
