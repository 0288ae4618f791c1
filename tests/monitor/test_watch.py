"""The service that runs the checks."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.monitor.outage import Outage
from boomerang.monitor.records import FOR_EVER
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.watch import ROUND
from boomerang.settings.checks import Check
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes
from tests.monitor.watching import CLOUD, EPOCH, WEB, Heard, WatchTestCase

class WatchTests(WatchTestCase):
    """`Watch`."""

    def test_outage(self) -> None:
        """Three failures in a row begin an outage, two successes end it, each told once."""
        bench = self.started()
        bench.pass_seconds(5)
        bench.probes.failing["web"] = Reason.CONNECT
        bench.pass_seconds(24)
        assert bench.heard.outages == []
        bench.pass_seconds(30)
        assert bench.heard.outages == ["+web"]
        bench.probes.failing.clear()
        bench.pass_seconds(30)
        assert bench.heard.outages == ["+web", "-web"]

    def test_affected(self) -> None:
        """What depends on something that is down is told of as affected, and begins no outage."""
        bench = self.started(CLOUD, evolve(WEB, depends_on=("cloud",)))
        bench.probes.failing.update(cloud=Reason.STATUS, web=Reason.CONNECT)
        bench.pass_seconds(60)
        assert bench.heard.outages == ["+cloud"]
        assert bench.heard.results[-1] == ("web", False, True)
        cloud, web = bench.watch.panel.view(now=0)
        assert (cloud.label, web.label, web.causes) == ("down", "affected", ("cloud",))

    def test_pause(self) -> None:
        """A paused check does not run, until its time is over."""
        bench = self.started()
        self.successResultOf(self.do(bench.records.pause("web", until=EPOCH + 42.0)))
        bench.pass_seconds(60)
        assert bench.probes.runs["web"] == [0.0, 50.0, 60.0]

    def test_resume(self) -> None:
        """A check that is paused without an end goes on when it is resumed."""
        bench = self.started()
        self.successResultOf(self.do(bench.records.pause("web", until=FOR_EVER)))
        bench.pass_seconds(500)
        assert bench.probes.runs["web"] == [0.0]
        assert bench.watch.panel.view(now=bench.wall_clock())[0].label == "paused"
        self.successResultOf(self.do(bench.records.resume("web")))
        bench.pass_seconds(ROUND + 10)
        assert bench.probes.runs["web"][1:] == [510.0]

    def test_restart(self) -> None:
        """Results, standing and the outage that lasts outlive the process; it is told of once."""
        first = self.started()
        first.probes.failing["web"] = Reason.CONNECT
        first.pass_seconds(65)
        assert first.heard.outages == ["+web"]
        self.successResultOf(first.watch.stopService())
        self.clock.advance(1000)

        second = self.started(holder="two")
        (view,) = second.watch.panel.view(now=0)
        assert (view.label, view.standing.since, len(view.results)) == ("down", EPOCH + 10, 8)
        second.probes.failing["web"] = Reason.CONNECT
        second.pass_seconds(30)
        assert second.heard.outages == []
        second.probes.failing.clear()
        second.pass_seconds(30)
        assert second.heard.outages == ["-web"]

    def test_check_that_is_no_more(self) -> None:
        """An outage of a check that is no longer in the settings ends at the next start."""
        outage = Outage("old", EPOCH, Reason.DNS, "no such host")
        records = self.bench().records
        self.successResultOf(self.do(records.note_outages([outage])))
        bench = self.started()
        assert bench.heard.outages == ["-old"]
        bench.pass_seconds(ROUND)
        assert self.successResultOf(self.do(records.outages())) == {}

    def test_stop(self) -> None:
        """Stopping cancels what is under way and leaves no call behind."""
        bench = self.started(WEB, CLOUD, jitter=0.5)
        bench.probes.hanging.add("web")
        bench.pass_seconds(7)
        self.successResultOf(bench.watch.stopService())
        assert bench.probes.cancelled == ["web"]
        assert self.clock.getDelayedCalls() == []

    def test_at_work(self) -> None:
        """It is at work where it watches, as long as no check misses its turn."""
        first, second = self.started(holder="one"), self.started(holder="two")
        self.clock.pump([1.0] * 60)
        assert (first.watch.at_work(), second.watch.at_work()) == (True, False)
        self.successResultOf(first.watch.stopService())
        assert not first.watch.at_work()

    def test_at_work_after_a_pause(self) -> None:
        """A check that has been paused for long has missed no turn when it goes on."""
        bench = self.started(evolve(WEB, interval=10.0, timeout=1.0))
        self.successResultOf(self.do(bench.records.pause("web", until=EPOCH + 605.0)))
        for _ in range(620):
            bench.pass_seconds(1)
            assert bench.watch.at_work()
        assert bench.probes.runs["web"] == [0.0, 610.0, 620.0]

    def test_results_are_bounded(self) -> None:
        """The last hundred results of a check are kept, here and in the store."""
        bench = self.started()
        bench.pass_seconds(2000)
        (view,) = bench.watch.panel.view(now=0)
        kept = self.successResultOf(self.do(bench.records.kept(["web"])))
        assert len(view.results) == len(kept.results["web"]) == 100
        assert view.results[-1].at == EPOCH + 2000.0

    def test_unreadable_note(self) -> None:
        """A note that a newer boomerang wrote is left out, the others count."""
        good = Result(at=EPOCH, seconds=0.1)
        records = self.bench().records
        self.successResultOf(self.do(records.add_results({"web": [good]})))
        entries = {"checks.test.web": ["not JSON", '{"colour": "blue"}']}
        self.successResultOf(self.notes.append(entries, keep=100))
        self.successResultOf(self.notes.write("pauses.test", {"web": "tomorrow"}))
        self.successResultOf(self.notes.write("standings.test", {"web": "up"}))
        kept = self.successResultOf(self.do(records.kept(["web"])))
        assert kept.results == {"web": [good]}
        assert kept.stood == {}
        assert self.successResultOf(self.do(records.pauses())) == {}


class MistakesTests(WatchTestCase):
    """Mistakes of our own, which are logged."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged, and each test says what."""

    def test_own_mistake(self) -> None:
        """A probe that breaks is a failure like others, is logged, and does not end the loop."""
        bench = self.started()
        bench.probes.broken.add("web")
        bench.pass_seconds(20)
        assert [well for _, well, _ in bench.heard.results] == [True, False, False]
        assert bench.watch.panel.view(now=0)[0].last.reason is Reason.ERROR  # type: ignore[union-attr]
        assert len(self.flushLoggedErrors(RuntimeError)) == 2

    def test_reporter_that_fails(self) -> None:
        """A reporter's mistake is logged, and reaches neither the loop nor the others."""

        class Broken(Heard):
            def checked(self, *args: Any, **options: Any) -> None:
                raise RuntimeError("a reporter's mistake")

        bench = self.bench()
        bench.watch._reporters = (Broken(), bench.heard)
        bench.watch.startService()
        bench.pass_seconds(11)
        assert len(bench.heard.results) == 2
        assert len(self.flushLoggedErrors(RuntimeError)) == 2
