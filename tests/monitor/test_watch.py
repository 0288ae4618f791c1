"""The service that runs the checks."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.monitor.outage import Outage
from boomerang.monitor.pace import LONGEST_START
from boomerang.monitor.records import FOR_EVER
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.watch import ROUND
from boomerang.settings.checks import Check
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes
from tests.monitor.watching import EPOCH, Bench, Heard

WEB = Check(name="web", url="https://app.example.com/", interval=10.0, timeout=4.0, slow=2.0)
CLOUD = Check(name="cloud", url="https://cloud.example.com/", interval=10.0, timeout=4.0, slow=2.0)


class Fickle:
    """A store that is away when it is told to be."""

    def __init__(self, notes: MemoryNotes) -> None:
        self._notes = notes
        self.away = False

    def __getattr__(self, name: str) -> Any:
        if self.away:
            return lambda *args, **options: fail(StoreUnavailable("gone fishing"))
        return getattr(self._notes, name)


class WatchTestCase(SynchronousTestCase):
    """A watch, with probes that answer at once unless they are told otherwise."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = MemoryNotes(self.clock)

    def bench(self, *checks: Check, **options: Any) -> Bench:
        notes = options.pop("notes", self.notes)
        return Bench(checks or (WEB,), notes, clock=self.clock, **options)

    def started(self, *checks: Check, **options: Any) -> Bench:
        bench = self.bench(*checks, **options)
        bench.watch.startService()
        self.clock.advance(0)
        return bench

    def do(self, work: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(work)


class WatchTests(WatchTestCase):
    """`Watch`."""

    def test_pace(self) -> None:
        """A check runs at its interval."""
        bench = self.started()
        bench.pass_seconds(35)
        assert bench.probes.runs["web"] == [0.0, 10.0, 20.0, 30.0]

    def test_start_is_spread(self) -> None:
        """The first runs are spread over the interval, and over ten seconds at the most."""
        late = evolve(WEB, name="late", interval=600.0)
        bench = self.started(WEB, late, evolve(WEB, name="often", interval=4.0), jitter=0.5)
        bench.pass_seconds(16)
        assert bench.probes.runs["often"][0] == 2.0
        assert bench.probes.runs["web"][0] == 0.5 * 10.0
        assert bench.probes.runs["late"] == [0.5 * LONGEST_START]

    def test_no_overlap(self) -> None:
        """A run that takes longer than the interval delays the next; time is not caught up."""
        bench = self.started(evolve(WEB, interval=3.0))
        bench.probes.hanging.add("web")
        bench.pass_seconds(14)
        assert bench.probes.runs["web"] == [0.0, 3.0, 9.0]
        assert bench.probes.cancelled == ["web", "web"]

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

    def test_one_of_several_watches(self) -> None:
        """Of two processes on one store one watches; the other takes over when it dies."""
        first, second = self.started(holder="one"), self.started(holder="two")
        self.clock.pump([1.0] * 30)
        assert (len(first.probes.runs["web"]), second.probes.runs["web"]) == (4, [])
        assert first.watch.at_work()
        assert not second.watch.at_work()
        first.watch._rounds.stop()  # it hangs
        self.clock.pump([1.0] * 30)
        assert second.watch.leads
        assert second.probes.runs["web"]

    def test_hands_over(self) -> None:
        """A process that stops hands the watch over at once."""
        first, second = self.started(holder="one"), self.started(holder="two")
        self.successResultOf(first.watch.stopService())
        self.clock.pump([1.0] * round(ROUND))
        assert second.watch.leads

    def test_steps_down(self) -> None:
        """A process whose lease another one has taken stops its checks, those under way too."""
        bench = self.started(holder="one")
        bench.probes.hanging.add("web")
        bench.pass_seconds(11)
        self.successResultOf(self.notes.lease("watch.test", holder="one", seconds=0))
        self.successResultOf(self.notes.lease("watch.test", holder="two", seconds=100))
        bench.pass_seconds(50)
        assert not bench.watch.leads
        assert bench.probes.runs["web"] == [0.0, 10.0]
        assert bench.probes.cancelled

    def test_store_away_at_start(self) -> None:
        """Without a store it watches all the same, a lease's time later."""
        fickle = Fickle(self.notes)
        fickle.away = True
        bench = self.started(notes=fickle)
        bench.pass_seconds(20)
        assert bench.probes.runs["web"] == []
        bench.pass_seconds(20)
        assert len(bench.probes.runs["web"]) >= 1

    def test_store_away_later(self) -> None:
        """While the store is away the checks go on, and what they found is written later."""
        fickle = Fickle(self.notes)
        bench = self.started(notes=fickle)
        fickle.away = True
        bench.probes.failing["web"] = Reason.TLS
        bench.pass_seconds(300)
        assert bench.heard.outages == ["+web"]
        fickle.away = False
        bench.pass_seconds(2 * ROUND)
        kept = self.successResultOf(self.do(bench.records.kept(["web"])))
        assert [each.well for each in kept.results["web"][:3]] == [True, False, False]
        assert len(kept.results["web"]) >= 31
        assert kept.stood["web"] == ("down", EPOCH + 10.0)
        assert kept.outages["web"].reason is Reason.TLS

    def test_stop(self) -> None:
        """Stopping cancels what is under way and leaves no call behind."""
        bench = self.started(WEB, CLOUD, jitter=0.5)
        bench.probes.hanging.add("web")
        bench.pass_seconds(7)
        self.successResultOf(bench.watch.stopService())
        assert bench.probes.cancelled == ["web"]
        assert self.clock.getDelayedCalls() == []

    def test_at_work(self) -> None:
        """It is at work while each check runs; a loop that has ended shows after a while."""
        bench = self.bench()
        assert not bench.watch.at_work()
        bench.watch.startService()
        bench.pass_seconds(120)
        assert bench.watch.at_work()
        bench.watch._pace._loops[0].stop()
        bench.pass_seconds(30)
        assert bench.watch.at_work()
        bench.pass_seconds(30)
        assert not bench.watch.at_work()

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
