"""What processes write for each other, and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.monitor.watched import CheckView
from boomerang.status.board import KEPT, MOST, PATIENCE, ROUND, SIGN_OF_LIFE, Board
from boomerang.status.overview import Overview
from boomerang.status.report import HeldNow, Report, to_json
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes
from tests.status.telling import NOON, UNKNOWN, check, report

TOPIC = "status.production"


class Notes(MemoryNotes):
    """Notes that can be away or hang, and remember how often they were asked."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.reads = self.writes = 0
        self.trouble: Callable[[], Deferred[Any]] | None = None

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        self.reads += 1
        return super().read(topic) if self.trouble is None else self.trouble()

    def write(self, topic: str, notes: Mapping[str, str | None]) -> Deferred[None]:
        self.writes += 1
        return super().write(topic, notes) if self.trouble is None else self.trouble()


class Checks:
    """A `CheckSource`."""

    def __init__(self) -> None:
        self.known: Sequence[CheckView] = ()

    async def views(self) -> Sequence[CheckView]:
        return self.known


class Process:
    """A process with its board, whose report is made by hand."""

    def __init__(self, case: BoardCase, name: str) -> None:
        self.case = case
        self.report = report(name)
        self.checks = Checks()
        self.board = Board(
            self.own,
            notes=case.notes,
            environment="production",
            endpoints=(UNKNOWN,),
            checks=self.checks,
            clock=case.clock,
            wall_clock=case.wall_clock,
        )

    def own(self) -> Report:
        return evolve(self.report, at=self.case.wall_clock())


class BoardCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = Notes(self.clock)
        self.one, self.two = Process(self, "one"), Process(self, "two")

    def wall_clock(self) -> float:
        return NOON + self.clock.seconds()

    def kept(self) -> Mapping[str, str]:
        return self.successResultOf(MemoryNotes.read(self.notes, TOPIC))

    def seen(self, process: Process) -> Overview:
        return self.successResultOf(Deferred.fromCoroutine(process.board.overview()))

    def away(self) -> None:
        self.notes.trouble = lambda: fail(StoreUnavailable("away"))


class ReadingTests(BoardCase):
    def test_each_other(self) -> None:
        """Each process shows what the others have written, beside what it knows itself."""
        self.one.report = evolve(self.one.report, held=HeldNow(3))
        self.two.report = evolve(self.two.report, held=HeldNow(4))
        for process in (self.one, self.two):
            process.board.startService()
        for process in (self.one, self.two):
            assert self.seen(process).held.count == 7
        self.two.report = evolve(self.two.report, held=HeldNow(5))
        assert self.seen(self.two).held.count == 8
        self.clock.advance(ROUND)
        assert self.seen(self.one).held.count == 8

    def test_own_word(self) -> None:
        """What this process wrote before does not count beside what it knows now."""
        self.one.board.startService()
        assert len(self.seen(self.one).instances) == 1

    def test_checks(self) -> None:
        """The checks are those of whoever watches."""
        self.one.checks.known = [check("web")]
        assert [each.name for each in self.seen(self.one).checks] == ["web"]

    def test_nobody_looks(self) -> None:
        """Unless somebody looks, nothing is read but once a minute, to forget old notes."""
        self.one.board.startService()
        self.clock.pump([ROUND] * 60)
        assert self.notes.reads == 2

    def test_strange_notes(self) -> None:
        """A note that is none does not keep the others from being shown."""
        self.notes.write(TOPIC, {"x": "nonsense", "two": to_json(self.two.own())})
        assert [each.name for each in self.seen(self.one).instances] == ["one", "two"]

    def test_away(self) -> None:
        """Without its store a process shows what it knows, and says that it is not all."""
        self.two.board.startService()
        assert len(self.seen(self.one).instances) == 2
        self.away()
        self.clock.advance(5)
        now = self.seen(self.one)
        assert now.incomplete == NOON + 5
        assert now.instances[0].name == "one"
        self.clock.advance(5)
        assert self.seen(self.one).incomplete == NOON + 5
        self.notes.trouble = None
        assert self.seen(self.one).incomplete is None

    def test_hangs(self) -> None:
        """Nobody waits for a store that hangs for longer than a moment."""
        self.notes.trouble = Deferred
        looking = Deferred.fromCoroutine(self.one.board.overview())
        self.clock.advance(PATIENCE - 0.1)
        self.assertNoResult(looking)
        self.clock.advance(0.1)
        assert self.successResultOf(looking).incomplete == NOON + PATIENCE


class WritingTests(BoardCase):
    def test_news(self) -> None:
        """News is written at once, and without any a sign of life now and then."""
        self.one.board.startService()
        assert self.notes.writes == 1
        self.clock.pump([ROUND] * int(SIGN_OF_LIFE / ROUND))
        assert self.notes.writes == 1
        self.clock.advance(ROUND)
        assert self.notes.writes == 2
        self.one.report = evolve(self.one.report, held=HeldNow(1))
        self.clock.advance(ROUND)
        assert self.notes.writes == 3

    def test_goodbye(self) -> None:
        """Who stops says so, and is not taken for dead."""
        for process in (self.one, self.two):
            process.board.startService()
        self.successResultOf(self.two.board.stopService())
        self.clock.advance(600)
        assert [each.state for each in self.seen(self.one).instances] == ["running", "ended"]
        assert len(self.clock.getDelayedCalls()) == 1

    def test_goodbye_without_store(self) -> None:
        """Who stops while the store hangs does not wait for long."""
        self.one.board.startService()
        self.notes.trouble = Deferred
        stopping = self.one.board.stopService()
        self.clock.advance(PATIENCE)
        self.successResultOf(stopping)

    def test_away(self) -> None:
        """What could not be written is written once the store is back."""
        self.away()
        self.one.board.startService()
        self.clock.advance(ROUND)
        self.notes.trouble = None
        self.clock.advance(ROUND)
        assert list(self.kept()) == ["one-instance"]

    def test_old(self) -> None:
        """Who is gone for an hour is forgotten, as is what nobody understands."""
        old = evolve(report("old"), at=NOON - KEPT - 1)
        gone = evolve(report("gone"), at=NOON - KEPT + 300)
        self.notes.write(TOPIC, {"old": to_json(old), "gone": to_json(gone), "x": "nonsense"})
        self.one.board.startService()
        assert sorted(self.kept()) == ["gone", "one-instance"]
        self.clock.pump([ROUND] * 200)
        assert sorted(self.kept()) == ["one-instance"]

    def test_too_many(self) -> None:
        """A process that starts again and again does not fill the store."""
        notes = {
            f"{number:03}": to_json(evolve(report(str(number)), at=NOON - number))
            for number in range(2 * MOST)
        }
        self.notes.write(TOPIC, notes)
        self.one.board.startService()
        assert len(self.kept()) == MOST
        assert "000" in self.kept()
        assert f"{MOST:03}" not in self.kept()


class MistakeTests(BoardCase):
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here a mistake is to be logged."""

    def test_goes_on(self) -> None:
        """A mistake in what is told is logged, and the next round is made all the same."""
        reports: Iterator[Report | Exception] = iter([ZeroDivisionError(), self.one.own()])

        def own() -> Report:
            found = next(reports)
            if isinstance(found, Exception):
                raise found
            return found

        board = Board(
            own,
            notes=self.notes,
            environment="production",
            endpoints=(),
            checks=self.one.checks,
            clock=self.clock,
            wall_clock=self.wall_clock,
        )
        board.startService()
        self.clock.advance(ROUND)
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1
        assert list(self.kept()) == ["one-instance"]
