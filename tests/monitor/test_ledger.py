"""What is still to be written to the store."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, TimeoutError

from boomerang.monitor.ledger import Ledger
from boomerang.monitor.outage import Outage
from boomerang.monitor.panel import Kept
from boomerang.monitor.records import PATIENCE, Records
from boomerang.monitor.result import KEPT, Reason, Result
from boomerang.monitor.verdict import Standing, State
from boomerang.stores.interfaces import StoreUnavailable
from tests.monitor.watching import EPOCH, WatchTestCase

OUTAGE = Outage("web", EPOCH, Reason.DNS, "no such host")
OVER = evolve(OUTAGE, ended=EPOCH + 60)
UP = Standing(state=State.UP, since=EPOCH)
DOWN = Standing(state=State.DOWN, since=EPOCH + 5, reason=Reason.DNS)


def result(number: int) -> Result:
    return Result(at=EPOCH + number, seconds=0.1)


class LedgerTests(WatchTestCase):
    """`Ledger`."""

    def setUp(self) -> None:
        super().setUp()
        self.ledger = Ledger(Records(self.store, environment="test", clock=self.clock))

    def write(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.ledger.write())

    def found(self) -> list[float]:
        """When the results began that the store has of one check."""
        return [each.at - EPOCH for each in self.kept().results.get("web", ())]

    def test_nothing(self) -> None:
        """Where there is nothing to write, the store is not asked."""
        self.store.away = True
        self.successResultOf(self.write())

    def test_all(self) -> None:
        """Everything is written once."""
        self.ledger.result("web", result(1))
        self.ledger.result("web", result(2))
        self.ledger.result("cloud", result(3))
        self.ledger.standing("web", UP)
        self.ledger.outage(OUTAGE)
        for _ in range(2):
            self.successResultOf(self.write())
        kept = self.kept()
        assert {name: len(each) for name, each in kept.results.items()} == {"web": 2, "cloud": 1}
        assert kept.stood == {"web": ("up", EPOCH)}
        assert kept.outages == {"web": OUTAGE}

    def test_newest(self) -> None:
        """Of a standing or an outage that has changed again, the newest counts."""
        for standing, outage in ((UP, OUTAGE), (DOWN, OVER)):
            self.ledger.standing("web", standing)
            self.ledger.outage(outage)
        self.successResultOf(self.write())
        assert self.kept().stood == {"web": ("down", EPOCH + 5)}
        assert self.outages() == {}

    def test_away(self) -> None:
        """What the store does not take is written later, before what has come since."""
        self.store.away = True
        self.ledger.result("web", result(1))
        self.ledger.standing("web", UP)
        self.ledger.outage(OUTAGE)
        self.failureResultOf(self.write(), StoreUnavailable)
        self.ledger.result("web", result(2))
        self.failureResultOf(self.write(), StoreUnavailable)
        self.store.away = False
        self.successResultOf(self.write())
        assert self.found() == [1, 2]
        assert self.kept().outages == {"web": OUTAGE}

    def test_hangs(self) -> None:
        """What comes while the store hangs is newer than what it hangs with."""
        self.ledger.result("web", result(1))
        self.ledger.standing("web", UP)
        self.ledger.outage(OUTAGE)
        self.store.slow = True
        writing = self.write()
        self.ledger.result("web", result(2))
        self.ledger.standing("web", DOWN)
        self.ledger.outage(OVER)
        self.clock.advance(PATIENCE)
        self.failureResultOf(writing, TimeoutError)
        self.store.slow = False
        self.successResultOf(self.write())
        assert self.found() == [1, 2]
        assert self.kept().stood == {"web": ("down", EPOCH + 5)}
        assert self.outages() == {}

    def test_in_part(self) -> None:
        """What the store has taken before it failed is not written again."""
        for answered in (1, 2):  # the outages; the standings, too
            self.ledger.outage(OUTAGE)
            self.ledger.standing("web", UP)
            self.ledger.result("web", result(answered))
            self.store.slow = True
            writing = self.write()
            for _ in range(answered):
                self.store.answer()
            self.store.fail()
            self.failureResultOf(writing, StoreUnavailable)
            self.store.slow = False
            assert self.outages() == {"web": OUTAGE}
            self.do(self.bench().records.note_outages([OVER]))  # which somebody else has found
            self.successResultOf(self.write())
            assert self.outages() == {}
            assert self.kept().stood == {"web": ("up", EPOCH)}
        assert self.found() == [1, 2]

    def test_bounded(self) -> None:
        """However long the store is away, no more is kept for it than it would keep."""
        self.store.away = True
        for number in range(3 * KEPT):
            self.ledger.result("web", result(number))
            if number % KEPT == 0:
                self.failureResultOf(self.write(), StoreUnavailable)
        self.store.away = False
        self.successResultOf(self.write())
        assert self.found() == list(range(2 * KEPT, 3 * KEPT))

    def test_forget(self) -> None:
        """What is forgotten is not written."""
        self.ledger.result("web", result(1))
        self.ledger.standing("web", UP)
        self.ledger.outage(OUTAGE)
        self.ledger.forget()
        self.successResultOf(self.write())
        assert self.kept() == Kept()
