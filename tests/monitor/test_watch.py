"""The service that has the checks run; see `tests.monitor.test_watch_store` for its store."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent, LogLevel, capturedLogs

from boomerang.logs import message
from boomerang.monitor.account import KIND
from boomerang.monitor.outage import Outage
from boomerang.monitor.records import FOR_EVER
from boomerang.monitor.result import CheckFailed, Reason, Result
from boomerang.monitor.run import Trace
from boomerang.monitor.verdict import State
from boomerang.monitor.watch import ROUND
from boomerang.settings.checks import Check
from tests.monitor.watching import CLOUD, EPOCH, WEB, Heard, WatchTestCase


class WatchTests(WatchTestCase):
    """`Watch`."""

    def test_pace(self) -> None:
        """The checks run at their intervals; what they find is kept, and told to the reporters."""
        bench = self.started(WEB, evolve(CLOUD, interval=30.0))
        bench.pass_seconds(35)
        assert bench.probes.runs == {"web": [0.0, 10.0, 20.0, 30.0], "cloud": [0.0, 30.0]}
        assert [name for name, _, _ in bench.heard.results].count("web") == 4
        assert len(bench.view().results) == 4
        assert len(self.kept().results["web"]) == 4

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
        assert (bench.view("cloud").label, bench.view().label) == ("down", "affected")
        assert bench.view().causes == ("cloud",)

    def test_restart(self) -> None:
        """Results, standing and the outage that lasts outlive the process; it is told of once."""
        first = self.started()
        first.probes.failing["web"] = Reason.CONNECT
        first.pass_seconds(65)
        assert first.heard.outages == ["+web"]
        self.stop(first)
        self.clock.advance(1000)

        second = self.started(holder="two")
        view = second.view()
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
        self.do(self.bench().records.note_outages([outage]))
        bench = self.started()
        assert bench.heard.outages == ["-old"]
        bench.pass_seconds(ROUND)
        assert self.outages() == {}

    def test_stop(self) -> None:
        """Stopping cancels what is under way and leaves no call behind."""
        bench = self.started(WEB, CLOUD, jitter=0.5)
        bench.probes.hanging.add("web")
        bench.pass_seconds(7)
        self.stop(bench)
        assert bench.probes.cancelled == ["web"]
        assert self.clock.getDelayedCalls() == []

    def test_stop_is_no_failure(self) -> None:
        """What a run says that is cut off by the end does not count as a result."""

        async def probe(check: Check, trace: Trace) -> None:
            try:
                await Deferred()
            except CancelledError:
                raise CheckFailed(Reason.CONNECT, "the connection was lost") from None

        bench = self.bench()
        bench.watch._probes = {"http": probe}
        bench.watch.startService()
        bench.pass_seconds(2)
        self.stop(bench)
        assert bench.heard.results == []
        assert self.kept().results == {}

    def test_never_started(self) -> None:
        """A watch that was never started can be stopped."""
        self.stop(self.bench())

    def test_at_work(self) -> None:
        """It is at work where it watches, until it stops."""
        first, second = self.started(holder="one"), self.started(holder="two")
        self.clock.pump([1.0] * 60)
        assert (first.watch.at_work(), second.watch.at_work()) == (True, False)
        self.stop(first)
        assert not first.watch.at_work()

    def test_not_at_work(self) -> None:
        """It is not at work if a check has not had its turn for long."""
        bench = self.started()
        bench.watch._pace._loops[0].stop()
        bench.pass_seconds(60)
        assert not bench.watch.at_work()

    def test_results_are_bounded(self) -> None:
        """The last hundred results of a check are kept, here and in the store."""
        bench = self.started()
        bench.pass_seconds(2000)
        assert len(bench.view().results) == len(self.kept().results["web"]) == 100
        assert bench.view().results[-1].at == EPOCH + 2000.0

    def test_reporters_are_taken_as_they_are(self) -> None:
        """Whoever changes the list of reporters later does not change who is told."""
        bench = self.bench()
        bench.reporters.clear()
        bench.watch.startService()
        bench.pass_seconds(1)
        assert len(bench.heard.results) == 1


class PauseTests(WatchTestCase):
    """Checks that are paused, and go on."""

    def test_for_a_while(self) -> None:
        """A paused check does not run, until its time is over."""
        bench = self.started()
        self.do(bench.records.pause("web", until=EPOCH + 42.0))
        bench.pass_seconds(60)
        assert bench.probes.runs["web"] == [0.0, 50.0, 60.0]

    def test_until_resumed(self) -> None:
        """A check that is paused without an end goes on when it is resumed."""
        bench = self.started()
        self.do(bench.records.pause("web", until=FOR_EVER))
        bench.pass_seconds(500)
        assert bench.probes.runs["web"] == [0.0]
        assert bench.view().label == "paused"
        self.do(bench.records.resume("web"))
        bench.pass_seconds(ROUND + 10)
        assert bench.probes.runs["web"][1:] == [510.0]

    def test_before_the_start(self) -> None:
        """A check that was paused before does not run at the start, not even once."""
        self.do(self.bench().records.pause("web", until=FOR_EVER))
        self.store.slow = True
        bench = self.started()
        for _ in range(10):
            self.store.answer()
            self.clock.advance(0.1)
        assert bench.watch.leads
        assert bench.probes.runs == {}

    def test_during_a_run(self) -> None:
        """What a run finds during which the check is paused does not count."""
        bench = self.started(evolve(WEB, timeout=ROUND + 1))
        bench.pass_seconds(8)
        bench.probes.hanging.add("web")
        bench.pass_seconds(3)
        self.do(bench.records.pause("web", until=FOR_EVER))
        bench.pass_seconds(ROUND + 1)
        assert bench.probes.cancelled == ["web"]
        assert bench.heard.results == [("web", True, False)]
        assert len(bench.view().results) == 1

    def test_made_elsewhere(self) -> None:
        """What is found elsewhere of a paused check does not count either, nor of any other."""
        audit = Check(name="audit", url="account:", kind=KIND, failures=1)
        bench = self.started(audit, WEB)
        bad = Result(at=EPOCH, seconds=0.0, reason=Reason.STATUS, detail="gaps")
        bench.watch.hear("web", bad)
        self.do(bench.records.pause("audit", until=EPOCH + 60.0))
        bench.pass_seconds(ROUND)
        bench.watch.hear("audit", bad)
        assert bench.heard.results == [("web", True, False)]
        bench.pass_seconds(60)
        bench.watch.hear("audit", bad)
        assert bench.heard.outages == ["+audit"]

    def test_keeps_its_standing(self) -> None:
        """A check that is paused while it is down is still down after it, and told of once."""
        bench = self.started()
        bench.probes.failing["web"] = Reason.STATUS
        bench.pass_seconds(40)
        self.do(bench.records.pause("web", until=EPOCH + 500.0))
        bench.pass_seconds(600)
        assert bench.heard.outages == ["+web"]
        bench.probes.failing.clear()
        bench.pass_seconds(40)
        assert bench.heard.outages == ["+web", "-web"]

    def test_cause(self) -> None:
        """What is paused explains nothing: what depends on it is down by itself."""
        bench = self.started(CLOUD, evolve(WEB, depends_on=("cloud",)))
        bench.probes.failing.update(cloud=Reason.STATUS, web=Reason.CONNECT)
        bench.pass_seconds(60)
        self.do(bench.records.pause("cloud", until=FOR_EVER))
        bench.pass_seconds(60)
        assert bench.heard.outages == ["+cloud", "+web"]
        assert bench.heard.results[-1] == ("web", False, False)

    def test_at_work(self) -> None:
        """A check that has been paused for long has missed no turn, not when it goes on either."""
        bench = self.started()
        self.do(bench.records.pause("web", until=EPOCH + 605.0))
        for _ in range(620):
            bench.pass_seconds(1)
            assert bench.watch.at_work()
        assert bench.probes.runs["web"] == [0.0, 610.0, 620.0]


class LogTests(WatchTestCase):
    """What the log says: a line per change."""

    def logged(self, level: LogLevel | None = None) -> list[str]:
        return [message(e) for e in self.events if level in (None, e["log_level"])]

    def setUp(self) -> None:
        super().setUp()
        self.events: list[LogEvent] = []
        catching: Any = capturedLogs()
        self.events = catching.__enter__()
        self.addCleanup(catching.__exit__, None, None, None)

    def test_states(self) -> None:
        """A line when a check turns up, slow or down, and none while it stays so."""
        bench = self.started()
        bench.pass_seconds(30)
        bench.probes.failing["web"] = Reason.TLS
        bench.pass_seconds(60)
        bench.probes.failing.clear()
        bench.pass_seconds(60)
        assert self.logged() == [
            "watching 1 checks",
            "check web is up",
            "check web is down reason=tls affected=no: web failed",
            "check web is up",
        ]
        assert bench.view().standing.state is State.UP

    def test_slow(self) -> None:
        """Slow is a state of its own."""
        bench = self.started()
        bench.pass_seconds(5)
        bench.probes.dawdling["web"] = 3.0
        bench.pass_seconds(60)
        assert self.logged()[1:] == ["check web is up", "check web is slow"]

    def test_affected(self) -> None:
        """The line of what only follows says so."""
        bench = self.started(CLOUD, evolve(WEB, depends_on=("cloud",)))
        bench.probes.failing.update(cloud=Reason.STATUS, web=Reason.CONNECT)
        bench.pass_seconds(60)
        assert self.logged(LogLevel.warn) == [
            "check cloud is down reason=status affected=no: cloud failed",
            "check web is down reason=connect affected=yes: web failed",
        ]

    def test_store(self) -> None:
        """The store's troubles are told when they begin, and when they end."""
        bench = self.started()
        self.store.away = True
        bench.pass_seconds(60)
        self.store.away = False
        bench.pass_seconds(60)
        assert self.logged()[2:] == [
            "the monitor cannot use the store: gone fishing",
            "the monitor can use the store again",
        ]

    def test_store_that_hangs(self) -> None:
        """A store that says nothing is told of in words."""
        bench = self.started()
        self.store.slow = True
        bench.pass_seconds(60)
        assert self.logged()[2:] == ["the monitor cannot use the store: no answer in time"]

    def test_another_watches(self) -> None:
        """That another process watches is told once."""
        bench = self.started()
        self.do(bench.records.leave_watch("one"))
        assert self.do(bench.records.take_watch("two"))
        bench.pass_seconds(2 * ROUND)
        assert self.logged()[2:] == ["another process watches from now on"]


class MistakesTests(WatchTestCase):
    """Mistakes of our own, which are logged."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged, and each test says what."""

    def test_probe(self) -> None:
        """A probe that breaks is a failure like others, is logged, and does not end the loop."""
        bench = self.started()
        bench.probes.broken.add("web")
        bench.pass_seconds(20)
        assert [well for _, well, _ in bench.heard.results] == [True, False, False]
        assert bench.view().results[-1].reason is Reason.ERROR
        assert len(self.flushLoggedErrors(RuntimeError)) == 2

    def test_no_probe(self) -> None:
        """A check that cannot be run at all is logged each time, and the others go on."""
        bench = self.started(evolve(CLOUD, kind="tcp", url="tcp://cloud.example.com:1"), WEB)
        bench.pass_seconds(20)
        assert len(bench.heard.results) == 3
        assert len(self.flushLoggedErrors(KeyError)) == 3

    def test_reporter(self) -> None:
        """A reporter's mistake is logged, and reaches neither the loop nor the others."""

        class Broken(Heard):
            def checked(self, *args: Any, **options: Any) -> None:
                raise RuntimeError("a reporter's mistake")

        bench = self.started(reporters=[Broken()])
        bench.pass_seconds(10)
        assert len(bench.heard.results) == 2
        assert len(self.flushLoggedErrors(RuntimeError)) == 2

    def test_store(self) -> None:
        """A store that breaks is logged in each round, and the rounds go on."""
        self.store.broken = True
        bench = self.started()
        bench.pass_seconds(ROUND)
        assert len(self.flushLoggedErrors(RuntimeError)) == 2
        self.store.broken = False
        bench.pass_seconds(ROUND)
        assert bench.watch.leads

    def test_store_at_the_end(self) -> None:
        """A store that breaks does not keep the process from ending."""
        bench = self.started()
        self.store.broken = True
        self.stop(bench)
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
