"""How the checks stand, for whoever asks in any process."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from boomerang.monitor.onlooker import FRESH, Onlooker
from boomerang.monitor.result import Reason
from boomerang.monitor.watch import ROUND, UPTIMES_EVERY
from boomerang.stores.interfaces import StoreUnavailable
from tests.monitor.watching import CLOUD, WEB, Bench, Fickle, WatchTestCase

DOWN = {"web": Reason.CONNECT}


class OnlookerTests(WatchTestCase):
    def onlooker(self, bench: Bench) -> Onlooker:
        return Onlooker(bench.watch, bench.records, clock=self.clock, wall_clock=bench.wall_clock)

    def states(self, onlooker: Onlooker) -> dict[str, tuple[str, int]]:
        """The state of each check, and how many of its results are seen."""
        views = self.do(onlooker.views())
        return {each.check.name: (each.label, len(each.results)) for each in views}

    def test_here(self) -> None:
        """Where the watch is, the store is not asked."""
        bench = self.started(WEB, CLOUD, failing=DOWN)
        bench.pass_seconds(31)
        self.store.away = True
        assert self.states(self.onlooker(bench)) == {"web": ("down", 4), "cloud": ("up", 4)}

    def test_elsewhere(self) -> None:
        """What another process watches is seen, uptimes and all, some seconds later."""
        first = self.started(WEB, CLOUD, failing=DOWN)
        second = self.started(WEB, CLOUD, holder="two", notes=Fickle(self.notes))
        onlooker = self.onlooker(second)
        first.pass_seconds(31)
        assert not second.watch.leads
        assert self.states(onlooker) == {"web": ("down", 4), "cloud": ("up", 4)}
        first.pass_seconds(FRESH)
        assert self.states(onlooker)["web"] == ("down", 4)
        first.pass_seconds(UPTIMES_EVERY + ROUND)
        assert self.states(onlooker)["web"] == ("down", 11)
        days = [each.uptime.day(now=second.wall_clock()) for each in self.do(onlooker.views())]
        assert days == [0.0, 1.0]

    def test_away(self) -> None:
        """Where another watches and the store is away, that is said."""
        self.started(WEB)
        second = self.started(WEB, holder="two", notes=Fickle(self.notes))
        second.store.away = True
        looking = Deferred.fromCoroutine(self.onlooker(second).views())
        self.failureResultOf(looking, StoreUnavailable)

    def test_nothing(self) -> None:
        """Without checks there is nothing to ask the store for."""
        bench = Bench((), self.store, clock=self.clock)
        self.store.away = True
        assert self.states(self.onlooker(bench)) == {}


class UptimeTests(WatchTestCase):
    """Uptimes outlive the process."""

    def day(self, bench: Bench) -> float | None:
        return bench.view().uptime.day(now=bench.wall_clock())

    def test_restart(self) -> None:
        """A process that stops leaves them to the next."""
        first = self.started(failing=DOWN)
        first.pass_seconds(11)
        self.stop(first)
        second = self.started(holder="two")
        second.pass_seconds(11)
        assert self.day(second) == 0.5

    def test_killed(self) -> None:
        """One that is killed has written them within the last minute."""
        first = self.started(failing=DOWN)
        first.pass_seconds(UPTIMES_EVERY + ROUND)
        kept = self.kept().uptimes["web"]
        assert kept.day(now=first.wall_clock()) == 0.0

    def test_not_overwritten(self) -> None:
        """A process that could not read what was kept does not write over it."""
        first = self.started(failing=DOWN)
        first.pass_seconds(11)
        self.stop(first)
        self.store.away = True
        second = self.started(holder="two")
        second.pass_seconds(2 * UPTIMES_EVERY)
        assert second.watch.leads
        runs = len(second.probes.runs["web"])
        self.store.away = False
        second.pass_seconds(ROUND)
        counted = second.view().uptime.day(now=second.wall_clock())
        runs = len(second.probes.runs["web"])
        assert counted == runs / (runs + 2)
        self.stop(second)
        third = self.started(holder="three")
        third.pass_seconds(1)
        assert self.day(third) == (runs + 1) / (runs + 3)
