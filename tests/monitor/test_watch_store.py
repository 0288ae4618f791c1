"""Several watches on one store, which may be away, slow, or hang."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import evolve

from boomerang.monitor.account import KIND
from boomerang.monitor.records import LEASE, PATIENCE
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.watch import AT_ONCE, LAST_WORDS, ROUND
from boomerang.settings.checks import Check
from tests.monitor.watching import CLOUD, EPOCH, WEB, Bench, Fickle, WatchTestCase

DOWN: Final = {"web": Reason.CONNECT}

AUDIT: Final = Check(name="audit", url="account:", kind=KIND, failures=1)


class SeveralTests(WatchTestCase):
    """Several processes on one store."""

    def both(self, *, failing: Mapping[str, Reason] | None = None) -> tuple[Bench, Bench]:
        """Two processes, each with its own way to the one store; ``failing`` is for the first."""
        return (
            self.started(holder="one", notes=Fickle(self.notes), failing=failing),
            self.started(holder="two", notes=Fickle(self.notes)),
        )

    def test_one_watches(self) -> None:
        """Of two processes one watches; the other takes over when it dies."""
        first, second = self.both()
        self.clock.pump([1.0] * 30)
        assert (len(first.probes.runs["web"]), second.probes.runs) == (4, {})
        assert (first.watch.leads, second.watch.leads) == (True, False)
        rounds = first.watch._rounds
        assert rounds is not None
        rounds.stop()  # it hangs
        self.clock.pump([1.0] * round(LEASE + ROUND))
        assert second.watch.leads
        assert second.probes.runs["web"]

    def test_hands_over(self) -> None:
        """A process that stops hands the watch over at once, with all that it has found."""
        first, second = self.both(failing=DOWN)
        self.clock.pump([1.0] * 31)
        self.stop(first)
        self.clock.pump([1.0] * round(ROUND))
        assert second.watch.leads
        assert [each.at - EPOCH for each in second.view().results][:4] == [0.0, 10.0, 20.0, 30.0]
        assert second.view().standing.since == EPOCH

    def test_steps_down(self) -> None:
        """A process whose lease another one has taken stops its checks, those under way too."""
        bench = self.started(holder="one")
        bench.probes.hanging.add("web")
        bench.pass_seconds(11)
        self.do(bench.records.leave_watch("one"))
        self.do(bench.records.take_watch("two"))
        bench.pass_seconds(LEASE)
        assert not bench.watch.leads
        assert bench.probes.runs["web"] == [0.0, 10.0]
        assert bench.probes.cancelled == ["web"]

    def test_dies_with_the_news(self) -> None:
        """A process that dies right after it has told of an outage, or of its end, has left that
        in the store: another one ends the outage, and tells of no end that was told."""
        for before in (["+web"], ["+web", "-web"]):
            first = self.started(holder="one", notes=Fickle(self.notes), failing=DOWN, jitter=0.1)
            second = self.started(holder="two", notes=Fickle(self.notes))
            for told in range(1, len(before) + 1):
                while len(first.heard.outages) < told:
                    self.clock.advance(0.5)
                first.probes.failing.clear()
            first.store.away = True
            self.stop(first)
            self.clock.pump([1.0] * round(LEASE + 4 * WEB.interval))
            assert second.watch.leads
            assert first.heard.outages == before
            assert first.heard.outages + second.heard.outages == ["+web", "-web"]
            self.stop(second)

    def test_lost_the_lease(self) -> None:
        """What a process finds after another one has taken its lease does not reach the store."""
        first = self.started(AUDIT, holder="one")
        first.pass_seconds(1)
        self.do(first.records.leave_watch("one"))
        self.do(first.records.take_watch("two"))
        first.watch.hear("audit", Result(at=EPOCH, seconds=0.0, reason=Reason.STATUS))
        assert first.heard.outages == ["+audit"]
        assert not first.watch.leads
        assert self.outages() == {}

    def test_cut_off(self) -> None:
        """A process that cannot reach the store goes on, though another takes over.

        When it sees the store again it leaves the watch, and what it has found, to that one.
        """
        first, second = self.both()
        first.store.away = True
        first.probes.failing.update(DOWN)
        self.clock.pump([1.0] * 60)
        assert (first.watch.leads, second.watch.leads) == (True, True)
        assert (first.heard.outages, second.heard.outages) == (["+web"], [])
        first.store.away = False
        self.clock.pump([1.0] * round(ROUND))
        assert (first.watch.leads, second.watch.leads) == (False, True)
        self.stop(first)
        assert self.outages() == {}
        assert {each.well for each in self.kept().results["web"]} == {True}

    def test_takes_over_again(self) -> None:
        """A process that watches again goes on where the other one ended, and not where it did."""
        first, second = self.both(failing=DOWN)
        self.clock.pump([1.0] * 40)
        self.do(first.records.leave_watch("one"))
        self.do(second.records.take_watch("two"))
        self.clock.pump([1.0] * 60)
        assert (first.heard.outages, second.heard.outages) == (["+web"], ["-web"])
        self.stop(second)
        first.probes.failing.clear()
        self.clock.pump([1.0] * 30)
        assert first.watch.leads
        assert first.heard.outages == ["+web"]
        results = [each.at for each in first.view().results]
        assert results == sorted(set(results))
        wells = [each.well for each in first.view().results]
        assert wells == sorted(wells)  # as they were found: those of the other one come later
        assert set(wells) == {False, True}

    def test_many_checks(self) -> None:
        """However many checks there are, what was found of each is taken over."""
        checks = [evolve(WEB, name=f"web-{number}") for number in range(3 * AT_ONCE + 1)]
        first = self.started(*checks, holder="one")
        first.pass_seconds(15)
        self.stop(first)
        second = self.started(*checks, holder="two")
        views = second.watch.panel.view(now=0)
        assert [len(each.results) for each in views] == [2 + 1] * len(checks)

    def test_each_environment(self) -> None:
        """The watches of different environments do not know of each other."""
        first = self.started()
        other = self.bench()
        other.watch._records = evolve(other.records, environment="staging")
        other.watch.startService()
        assert first.watch.leads
        assert other.watch.leads


class AwayTests(WatchTestCase):
    """A store that is away, or hangs."""

    def test_at_start(self) -> None:
        """Without a store it watches all the same, a lease's time later."""
        self.store.away = True
        bench = self.started()
        bench.pass_seconds(LEASE)
        assert bench.probes.runs == {}
        bench.pass_seconds(ROUND)
        assert bench.probes.runs["web"] == [LEASE + ROUND]

    def test_at_start_with_an_outage(self) -> None:
        """What it could not read at the start it takes up as soon as the store is back."""
        before = self.started(failing=DOWN)
        before.pass_seconds(65)
        self.stop(before)

        self.store.away = True
        bench = self.started(holder="two")
        bench.pass_seconds(2 * LEASE)
        assert [each.well for each in bench.view().results] == [True, True]
        self.store.away = False
        bench.pass_seconds(ROUND + WEB.interval)
        assert bench.heard.outages == ["-web"]
        assert self.outages() == {}
        wells = [each.well for each in bench.view().results]
        assert wells == [False] * 7 + [True] * (len(wells) - 7)
        assert [each.well for each in self.kept().results["web"]] == wells

    def test_at_start_and_still_down(self) -> None:
        """An outage that it finds anew without the store is not told of again with it."""
        before = self.started(failing=DOWN)
        before.pass_seconds(65)
        self.stop(before)

        self.store.away = True
        bench = self.started(holder="two", failing=DOWN)
        bench.pass_seconds(LEASE + 40)
        assert bench.heard.outages == ["+web"]
        self.store.away = False
        bench.pass_seconds(40)
        assert bench.heard.outages == ["+web"]
        assert list(self.outages()) == ["web"]
        assert bench.view().standing.since == EPOCH

    def test_in_the_middle_of_the_start(self) -> None:
        """A store that goes away while it is read is read again from the beginning."""
        checks = [evolve(WEB, name=f"web-{number}") for number in range(2 * AT_ONCE)]
        before = self.started(*checks)
        before.pass_seconds(25)
        self.stop(before)

        self.store.slow = True
        bench = self.started(*checks, holder="two")
        for _ in range(2):  # the results of the first few checks, and those of the others
            self.store.answer()
            while self.store.asked != ["journals"]:
                self.store.answer()
        self.store.fail()
        self.store.answer_all()
        views = bench.watch.panel.view(now=0)
        assert [len(each.results) for each in views] == [3] * len(checks)

    def test_later(self) -> None:
        """While the store is away the checks go on, and what they found is written later."""
        bench = self.started()
        self.store.away = True
        bench.probes.failing["web"] = Reason.TLS
        bench.pass_seconds(300)
        assert bench.heard.outages == ["+web"]
        self.store.away = False
        bench.pass_seconds(2 * ROUND)
        kept = self.kept()
        assert [each.well for each in kept.results["web"][:3]] == [True, False, False]
        assert len(kept.results["web"]) >= 31
        assert kept.stood["web"] == ("down", EPOCH + 10.0)
        assert kept.outages["web"].reason is Reason.TLS

    def test_at_the_end(self) -> None:
        """A store that is away does not keep the process from ending."""
        bench = self.started()
        self.store.away = True
        self.stop(bench)

    def test_hangs_at_the_end(self) -> None:
        """A store that hangs is waited for a moment, however much there is to do."""
        for hangs_since in (0, 3):
            bench = self.started()
            bench.pass_seconds(10 - hangs_since)
            self.store.slow = True
            bench.pass_seconds(hangs_since)  # in a round that is under way
            stopping = bench.watch.stopService()
            self.clock.advance(LAST_WORDS)
            self.successResultOf(stopping)
            self.clock.advance(PATIENCE)
            assert self.clock.getDelayedCalls() == []
            self.store.slow = False
            self.store.waiting.clear()

    def test_hangs_at_an_outage(self) -> None:
        """Outages are told of while the store hangs; however many, they wait for it as one."""
        checks = [evolve(AUDIT, name=f"audit-{number}") for number in range(20)]
        bench = self.started(*checks)
        bench.pass_seconds(3)
        self.store.slow = True
        for check in checks:
            bench.watch.hear(check.name, Result(at=EPOCH, seconds=0.0, reason=Reason.STATUS))
        assert len(bench.heard.outages) == len(checks)
        assert self.store.asked == ["lease"]
        self.store.answer_all()
        assert len(self.outages()) == len(checks)

    def test_hangs(self) -> None:
        """A store that hangs does not hold up the checks; it has what they found in the end."""
        bench = self.started()
        bench.pass_seconds(3)
        self.store.slow = True
        bench.pass_seconds(60)
        assert len(bench.probes.runs["web"]) == 7
        self.store.slow = False
        bench.pass_seconds(2 * ROUND)
        assert len(self.kept().results["web"]) >= 7


class SlowTests(WatchTestCase):
    """A store that answers late: what happens in between."""

    def setUp(self) -> None:
        super().setUp()
        self.store.slow = True

    def writing(self) -> Bench:
        """A watch whose first round is just writing what it has found."""
        bench = self.started()
        self.store.answer_all()
        self.clock.advance(0)
        self.clock.advance(ROUND)
        while self.store.asked != ["write"]:
            self.store.answer()
        return bench

    def test_stopped_before_the_lease(self) -> None:
        """A process that is stopped before it has the lease does not watch, nor keeps the lease."""
        bench = self.started()
        stopping = bench.watch.stopService()
        self.store.answer_all()
        self.successResultOf(stopping)
        assert not bench.watch.leads
        assert self.do(self.bench(notes=self.notes).records.take_watch("two"))
        assert self.clock.getDelayedCalls() == []

    def test_stopped_while_taking_over(self) -> None:
        """A process that is stopped while it takes over begins no checks."""
        bench = self.started()
        while self.store.asked != ["journals"]:
            self.store.answer()
        stopping = bench.watch.stopService()
        self.store.answer_all()
        self.successResultOf(stopping)
        assert not bench.watch.leads
        assert self.clock.getDelayedCalls() == []
        assert bench.probes.runs == {}

    def test_stopped_while_writing(self) -> None:
        """What a round is just writing is in the store at the end, once."""
        bench = self.writing()
        stopping = bench.watch.stopService()
        self.store.answer_all()
        self.successResultOf(stopping)
        kept = self.kept()
        assert len(kept.results["web"]) == 1
        assert kept.stood["web"] == ("up", EPOCH)
        assert self.do(self.bench(notes=self.notes).records.take_watch("two"))

    def test_stopped_while_a_write_fails(self) -> None:
        """What a round could not write is written at the end."""
        bench = self.writing()
        stopping = bench.watch.stopService()
        self.store.fail()
        self.store.answer_all()
        self.successResultOf(stopping)
        assert len(self.kept().results["web"]) == 1

    def test_quick_succession(self) -> None:
        """Stopped and started again at once, however often, each check has one pace."""
        bench = self.started()
        for _ in range(3):
            bench.watch.stopService()
            bench.watch.startService()
            self.store.answer()
        self.store.slow = False
        self.store.answer_all()
        bench.pass_seconds(35)
        assert bench.watch.leads
        assert bench.probes.runs["web"] == [1.0, 11.0, 21.0, 31.0]
        assert len(self.kept().results["web"]) == len(bench.view().results) == 4
        self.stop(bench)
        assert self.clock.getDelayedCalls() == []

    def test_another_was_faster(self) -> None:
        """A process that hears late that another watches has begun nothing."""
        bench = self.started(CLOUD)
        self.do(self.bench(notes=self.notes).records.take_watch("two"))
        self.store.answer_all()
        bench.pass_seconds(3)
        assert not bench.watch.leads
        assert bench.probes.runs == {}
