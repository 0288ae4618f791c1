"""The monitor, put together from the settings."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.testing import MemoryReactorClock

from boomerang.metrics import Metrics
from boomerang.monitor.heartbeat import Heartbeat
from boomerang.monitor.librato.annotations import LibratoAnnotations
from boomerang.monitor.librato.reporter import LibratoReporter
from boomerang.monitor.notify.service import Notifications
from boomerang.monitor.onlooker import Onlooker
from boomerang.monitor.otlp.service import OtlpService
from boomerang.monitor.reports import Around
from boomerang.monitor.result import Reason
from boomerang.monitor.service import Monitor, checks_of, make_monitor
from boomerang.monitor.watch import Watch
from boomerang.outbound import Outbound
from boomerang.settings import Settings, Sources, load_settings
from boomerang.settings.checks import KINDS, Check
from boomerang.stores.notes_memory import MemoryNotes
from tests.monitor.watching import CLOUD, WEB, Bench, WatchTestCase

SELF = Check(name="boomerang", url="https://boomerang.example.com/health")

REPORTS = """
[librato]
user = "ops@example.com"
token = "hush"
[otlp]
endpoint = "http://localhost:4318"
[notify]
urls = ["json://localhost"]
[heartbeat]
url = "https://hc.example.com/hush"
"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), ()),
        (Settings(public_url="https://boomerang.example.com"), (SELF,)),
        (Settings(check=(WEB,)), (WEB,)),
        (Settings(check=(WEB, CLOUD), public_url="https://boomerang.example.com"), (WEB, CLOUD)),
    ],
)
def test_checks_of(settings: Settings, expected: tuple[Check, ...]) -> None:
    """The checks are those that are named; without any, the host itself if its URL is known."""
    assert checks_of(settings) == expected


def around(reactor: MemoryReactorClock) -> Around:
    return Around(
        reactor=reactor,
        outbound=Outbound(reactor),
        notes=MemoryNotes(reactor),
        metrics=Metrics(version="1", environment="test"),
        held=lambda: 0,
        holder="one",
        wall_clock=reactor.seconds,
        random=lambda: 0.0,
    )


class TestMade:
    """`make_monitor`."""

    def test_nothing(self) -> None:
        """Without settings nothing is reported anywhere; what watches is there all the same."""
        monitor = make_monitor(Settings(), around(MemoryReactorClock()))
        assert [type(each) for each in monitor] == [Watch]
        assert monitor.decision_watchers == ()

    def test_all(self) -> None:
        """Every report that is asked for is there, before what it reports, and hears of it."""
        settings = load_settings(Sources(file=REPORTS))
        monitor = make_monitor(settings, around(MemoryReactorClock()))
        *reports, watch = monitor
        assert [type(each) for each in reports] == [
            LibratoReporter,
            LibratoAnnotations,
            OtlpService,
            Notifications,
            Heartbeat,
        ]
        assert isinstance(watch, Watch)
        assert len(watch._reporters) == 4
        assert len(monitor.decision_watchers) == 2

    def test_probes(self) -> None:
        """There is a probe for each kind of check."""
        monitor = make_monitor(Settings(), around(MemoryReactorClock()))
        assert set(monitor._watch._probes) == set(KINDS)

    def test_metrics(self) -> None:
        """The checks are on /metrics while this process watches."""
        reactor = MemoryReactorClock()
        host = around(reactor)
        monitor = make_monitor(Settings(check=(WEB,)), host)
        assert b'{check="web"' not in host.metrics.render()
        monitor.startService()
        assert b'boomerang_check_state{check="web",state="unknown"} 1.0' in host.metrics.render()
        monitor.stopService()
        assert b'{check="web"' not in host.metrics.render()


class Ending(Service):
    """A report that takes its time to end."""

    def __init__(self) -> None:
        self.told = False
        self.ended: Deferred[None] = Deferred()

    def stopService(self) -> Deferred[None]:
        self.told = True
        return self.ended


class MonitorTestCase(WatchTestCase):
    """A monitor of checks whose probes and store answer as they are told."""

    def monitor(self, bench: Bench, *services: Service) -> Monitor:
        """A monitor that has begun to watch."""
        monitor = Monitor(
            bench.watch,
            services=services,
            decision_watchers=(),
            onlooker=Onlooker(
                bench.watch, bench.records, clock=self.clock, wall_clock=bench.wall_clock
            ),
            wall_clock=bench.wall_clock,
        )
        monitor.startService()
        self.clock.advance(0)
        return monitor


class MonitorTests(MonitorTestCase):
    """`Monitor`."""

    def test_views(self) -> None:
        """A process that leaves the watch to another shows no check."""
        first = self.monitor(self.bench(WEB, CLOUD, holder="one"))
        second = self.monitor(self.bench(WEB, CLOUD, holder="two"))
        assert [view.check for view in first.views()] == [WEB, CLOUD]
        assert second.views() == []

    def test_apps(self) -> None:
        """An origin is up or down as its HTTP checks say, and down if one of them is.

        What is unknown or paused says nothing of it, nor does a check of another kind.
        """
        at = {
            "page": "https://APP.example.com:443/page",
            "other-port": "https://app.example.com:8443/",
            "late": "https://late.example.com/",
            "paused": "https://paused.example.com/",
        }
        checks = [evolve(WEB, name=name, url=url) for name, url in at.items()]
        port = evolve(WEB, name="port", kind="tcp", url="tcp://tcp.example.com:1")
        bench = self.bench(WEB, CLOUD, port, *checks)
        bench.watch._probes = dict.fromkeys(KINDS, bench.probes)
        bench.probes.failing.update(page=Reason.STATUS)
        bench.probes.hanging.add("late")
        monitor = self.monitor(bench)
        bench.pass_seconds(3)
        assert monitor.apps() == {
            ("app.example.com", 443): True,
            ("app.example.com", 8443): True,
            ("cloud.example.com", 443): True,
            ("paused.example.com", 443): True,
        }
        self.do(bench.records.pause("paused", until=inf))
        bench.pass_seconds(19)
        assert monitor.apps() == {
            ("app.example.com", 443): False,
            ("app.example.com", 8443): True,
            ("cloud.example.com", 443): True,
        }

    def test_stops_in_order(self) -> None:
        """The watch ends before those that it tells; the monitor has ended when all have."""
        first, second = Ending(), Ending()
        bench = self.bench()
        monitor = self.monitor(bench, first, second)
        self.store.slow = True
        stopping = monitor.stopService()
        assert (bench.watch.running, first.told, second.told) == (0, False, False)
        self.store.answer_all()
        assert (first.told, second.told) == (True, True)
        first.ended.callback(None)
        self.assertNoResult(stopping)
        second.ended.callback(None)
        self.successResultOf(stopping)
        assert not monitor.running


class MistakesTests(MonitorTestCase):
    """Mistakes of our own, which are logged."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged."""

    def test_report_that_cannot_end(self) -> None:
        """A report that cannot end keeps neither the others nor the process from it."""

        class Broken(Service):
            def stopService(self) -> Any:
                return fail(RuntimeError("a mistake of our own"))

        other = Ending()
        monitor = self.monitor(self.bench(), Broken(), other)
        stopping = monitor.stopService()
        assert other.told
        other.ended.callback(None)
        self.successResultOf(stopping)
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
