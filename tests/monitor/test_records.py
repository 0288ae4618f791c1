"""What the monitor keeps in the store."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import capturedLogs

from boomerang.logs import message
from boomerang.monitor.outage import Outage
from boomerang.monitor.panel import Kept
from boomerang.monitor.records import FOR_EVER, LEASE, PATIENCE, Records
from boomerang.monitor.result import KEPT, Reason, Result
from boomerang.monitor.verdict import Standing, State
from boomerang.stores.interfaces import StoreUnavailable
from tests.monitor.watching import EPOCH, WatchTestCase

GOOD = Result(at=EPOCH, seconds=0.25, phases={"connect": 0.1}, status=200)
BAD = Result(at=EPOCH + 10, seconds=4.0, reason=Reason.TIMEOUT, detail="no answer within 4 s")
OUTAGE = Outage("web", EPOCH, Reason.DNS, "no such host", affects=("page",))
DOWN = Standing(state=State.DOWN, since=EPOCH + 0.5, reason=Reason.DNS)


class RecordsTestCase(WatchTestCase):
    """Records over a store in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.records = Records(self.store, environment="test", clock=self.clock)
        self.staging = evolve(self.records, environment="staging")

    def note(self, topic: str, **notes: str) -> None:
        """Put notes into the store as they are."""
        self.successResultOf(self.notes.write(f"{topic}.test", notes))


class RecordsTests(RecordsTestCase):
    """`Records`."""

    def test_nothing(self) -> None:
        """An empty store has nothing of any check."""
        assert self.do(self.records.kept(["web"])) == Kept()

    def test_all(self) -> None:
        """Results, standings, outages and pauses come back as they were written."""
        self.do(self.records.add_results({"web": [GOOD], "api": [BAD, GOOD]}))
        self.do(self.records.add_results({"web": [BAD]}))
        self.do(self.records.note_standings({"web": DOWN}))
        self.do(self.records.note_outages([OUTAGE]))
        self.do(self.records.pause("api", until=EPOCH + 60))
        assert self.do(self.records.kept(["web", "api", "none"])) == Kept(
            results={"web": [GOOD, BAD], "api": [BAD, GOOD]},
            stood={"web": ("down", EPOCH + 0.5)},
            outages={"web": OUTAGE},
            pauses={"api": EPOCH + 60},
        )

    def test_only_what_is_asked_for(self) -> None:
        """Results of checks that are not asked for are left in the store."""
        self.do(self.records.add_results({"web": [GOOD], "api": [BAD]}))
        assert self.do(self.records.results(["api"])) == {"api": [BAD]}

    def test_environments(self) -> None:
        """Each environment has its own."""
        self.do(self.records.add_results({"web": [GOOD]}))
        self.do(self.records.note_standings({"web": DOWN}))
        self.do(self.records.note_outages([OUTAGE]))
        self.do(self.records.pause("web", until=FOR_EVER))
        assert self.do(self.records.take_watch("one"))
        assert self.do(self.staging.kept(["web"])) == Kept()
        assert self.do(self.staging.take_watch("two"))

    def test_names_with_dots(self) -> None:
        """An environment is not mistaken for another one and the beginning of a check's name."""
        self.do(evolve(self.records, environment="eu").add_results({"west.web": [GOOD]}))
        west = evolve(self.records, environment="eu.west")
        assert self.do(west.results(["web"])) == {}

    def test_results_are_bounded(self) -> None:
        """The newest hundred results of a check are kept."""
        for first in (0, 60):
            new = [evolve(GOOD, at=EPOCH + first + number) for number in range(60)]
            self.do(self.records.add_results({"web": new}))
        found = self.do(self.records.results(["web"]))["web"]
        assert [each.at for each in found] == [EPOCH + number for number in range(120 - KEPT, 120)]

    def test_outage_that_has_ended(self) -> None:
        """An outage is kept while it lasts."""
        self.do(self.records.note_outages([OUTAGE, evolve(OUTAGE, check="api")]))
        self.do(self.records.note_outages([evolve(OUTAGE, ended=EPOCH + 60)]))
        assert list(self.do(self.records.outages())) == ["api"]

    def test_standing_that_is_unknown(self) -> None:
        """Of a check of which nothing is known there is nothing to keep."""
        self.do(self.records.note_standings({"web": DOWN}))
        self.do(self.records.note_standings({"web": Standing()}))
        assert self.do(self.records.stood()) == {}
        assert self.successResultOf(self.notes.read("standings.test")) == {}

    def test_pauses(self) -> None:
        """A pause has an end, or none; it is there until the check is resumed."""
        self.do(self.records.pause("web", until=EPOCH - 1))
        self.do(self.records.pause("api", until=FOR_EVER))
        assert self.do(self.records.pauses()) == {"web": EPOCH - 1, "api": inf}
        self.do(self.records.resume("api"))
        self.do(self.records.resume("never-paused"))
        assert self.do(self.records.pauses()) == {"web": EPOCH - 1}

    def test_watch(self) -> None:
        """One process has the watch, until it leaves it, or does not renew it for a while."""
        assert self.do(self.records.take_watch("one"))
        assert not self.do(self.records.take_watch("two"))
        self.clock.advance(LEASE - 1)
        assert self.do(self.records.take_watch("one"))
        self.clock.advance(LEASE - 1)
        assert not self.do(self.records.take_watch("two"))
        self.clock.advance(1)
        assert self.do(self.records.take_watch("two"))
        self.do(self.records.leave_watch("one"))
        assert not self.do(self.records.take_watch("one"))
        self.do(self.records.leave_watch("two"))
        assert self.do(self.records.take_watch("one"))


CALLS: list[Any] = [
    pytest.param(lambda records: records.results(["web"]), id="results"),
    pytest.param(lambda records: records.kept(["web"]), id="kept"),
    pytest.param(lambda records: records.outages(), id="outages"),
    pytest.param(lambda records: records.stood(), id="stood"),
    pytest.param(lambda records: records.pauses(), id="pauses"),
    pytest.param(lambda records: records.add_results({"web": [GOOD]}), id="add_results"),
    pytest.param(lambda records: records.note_standings({"web": DOWN}), id="note_standings"),
    pytest.param(lambda records: records.note_outages([OUTAGE]), id="note_outages"),
    pytest.param(lambda records: records.pause("web", until=1.0), id="pause"),
    pytest.param(lambda records: records.resume("web"), id="resume"),
    pytest.param(lambda records: records.take_watch("one"), id="take_watch"),
    pytest.param(lambda records: records.leave_watch("one"), id="leave_watch"),
]


class _Patience(RecordsTestCase):
    """A bench for the tests below, which have parameters."""

    def runTest(self) -> None: ...


@pytest.fixture
def bench() -> _Patience:
    made = _Patience()
    made.setUp()
    return made


@pytest.mark.parametrize("call", CALLS)
def test_hangs(bench: _Patience, call: Any) -> None:
    """Whatever is asked, a store that does not answer is not waited for."""
    bench.store.slow = True
    asked = Deferred.fromCoroutine(call(bench.records))
    bench.clock.advance(PATIENCE - 0.1)
    bench.assertNoResult(asked)
    bench.clock.advance(0.1)
    bench.failureResultOf(asked, TimeoutError)
    assert bench.clock.getDelayedCalls() == []


@pytest.mark.parametrize("call", CALLS)
def test_away(bench: _Patience, call: Any) -> None:
    """Whatever is asked, a store that is away is an error of its own kind."""
    bench.store.away = True
    bench.failureResultOf(Deferred.fromCoroutine(call(bench.records)), StoreUnavailable)


@pytest.mark.parametrize(
    ("topic", "note"),
    [
        ("standings", "up"),
        ("standings", "up since yesterday"),
        ("standings", "unknown None"),
        ("standings", "down nan"),
        ("standings", "down -inf"),
        ("standings", "down 1e300"),
        ("pauses", "tomorrow"),
        ("pauses", "nan"),
        ("pauses", "-inf"),
        ("pauses", "1e300"),
        ("outages", "no JSON"),
        ("outages", '{"check": "web"}'),
        ("outages", "[" * 100_000),
    ],
)
def test_unreadable(bench: _Patience, topic: str, note: str) -> None:
    """A note that nobody can read, or that is out of all bounds, is left out; others count."""
    bench.do(bench.records.note_standings({"good": DOWN}))
    bench.do(bench.records.note_outages([evolve(OUTAGE, check="good")]))
    bench.do(bench.records.pause("good", until=FOR_EVER))
    bench.note(topic, web=note)
    with capturedLogs() as events:
        kept = bench.do(bench.records.kept(["web"]))
    assert (list(kept.stood), list(kept.outages), list(kept.pauses)) == (["good"],) * 3
    (told,) = [message(event) for event in events]
    assert told.startswith("1 notes of the monitor cannot be read: ")
    assert len(told) < 300


class UnreadableResultsTests(RecordsTestCase):
    """Results that somebody else wrote."""

    def test_left_out(self) -> None:
        """A result that nobody can read is left out, the others count."""
        self.do(self.records.add_results({"web": [GOOD]}))
        entries = {"checks.test/web": ["not JSON", '{"colour": "blue"}', "{}"]}
        self.successResultOf(self.notes.append(entries, keep=100))
        self.do(self.records.add_results({"web": [BAD]}))
        with capturedLogs() as events:
            assert self.do(self.records.results(["web"])) == {"web": [GOOD, BAD]}
        (told,) = [message(event) for event in events]
        assert told.startswith("3 notes of the monitor cannot be read: ")
