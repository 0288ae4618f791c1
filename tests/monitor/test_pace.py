"""The pace at which checks are run."""

from __future__ import annotations

from collections import defaultdict

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.monitor.pace import LONGEST_START, Pace
from boomerang.settings.checks import Check

WEB = Check(name="web", url="https://app.example.com/", interval=10.0, timeout=4.0)


@define
class Turns:
    """What is done in a turn: some end at once, some when they are told, some never."""

    clock: Clock
    began: dict[str, list[float]] = field(factory=lambda: defaultdict(list))
    waiting: dict[str, Deferred[None]] = field(factory=dict)
    waits: bool = False
    breaks: bool = False
    cancelled: list[str] = field(factory=list)

    async def __call__(self, check: Check) -> None:
        self.began[check.name].append(self.clock.seconds())
        if self.breaks:
            raise RuntimeError("a mistake of our own")
        if self.waits:
            self.waiting[check.name] = Deferred(lambda _: self.cancelled.append(check.name))
            await self.waiting[check.name]


class PaceTestCase(SynchronousTestCase):
    """A pace on a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock)

    def pace(self, *checks: Check, jitter: float = 0.0) -> Pace:
        return Pace(checks or (WEB,), self.turns, clock=self.clock, random=lambda: jitter)

    def started(self, *checks: Check, jitter: float = 0.0) -> Pace:
        pace = self.pace(*checks, jitter=jitter)
        pace.start()
        self.clock.advance(0)
        return pace

    def pass_seconds(self, seconds: int) -> None:
        self.clock.pump([1.0] * seconds)


class PaceTests(PaceTestCase):
    """`Pace`."""

    def test_interval(self) -> None:
        """A check has its turn once per interval."""
        self.started()
        self.pass_seconds(35)
        assert self.turns.began["web"] == [0.0, 10.0, 20.0, 30.0]

    def test_fractions(self) -> None:
        """An interval may be less than a second."""
        self.started(evolve(WEB, interval=0.25))
        self.clock.pump([0.25] * 4)
        assert self.turns.began["web"] == [0.0, 0.25, 0.5, 0.75, 1.0]

    def test_start_is_spread(self) -> None:
        """The first turns are spread over the interval, and over ten seconds at the most."""
        late, often = evolve(WEB, name="late", interval=600.0), evolve(WEB, name="o", interval=4.0)
        self.started(WEB, late, often, jitter=0.5)
        self.pass_seconds(16)
        assert self.turns.began["o"][0] == 0.5 * 4.0
        assert self.turns.began["web"][0] == 0.5 * 10.0
        assert self.turns.began["late"] == [0.5 * LONGEST_START]

    def test_no_overlap(self) -> None:
        """A turn that takes longer than the interval delays the next; time is not caught up."""
        self.started(evolve(WEB, interval=3.0))
        self.turns.waits = True
        self.pass_seconds(14)
        assert self.turns.began["web"] == [0.0, 3.0]
        self.turns.waiting["web"].callback(None)
        self.pass_seconds(1)
        assert self.turns.began["web"] == [0.0, 3.0, 15.0]

    def test_stop(self) -> None:
        """Stopping cancels what is under way, and what has not begun; nothing is left behind."""
        self.turns.waits = True
        pace = self.started(evolve(WEB, interval=4.0), evolve(WEB, name="late"), jitter=0.5)
        self.pass_seconds(3)
        pace.stop()
        assert self.turns.cancelled == ["web"]
        assert self.turns.began.keys() == {"web"}
        assert self.clock.getDelayedCalls() == []

    def test_anew(self) -> None:
        """It may be started again at once, though a turn that was cancelled takes its time."""
        lingering: Deferred[None] = Deferred()

        async def run(check: Check) -> None:
            try:
                await self.turns(check)
            finally:
                await lingering

        self.turns.waits = True
        pace = Pace([WEB], run, clock=self.clock, random=lambda: 0.0)
        for _ in range(2):
            pace.start()
            self.pass_seconds(1)
            pace.stop()
        assert self.turns.began["web"] == [1.0, 2.0]
        lingering.callback(None)
        pace.start()
        self.pass_seconds(1)
        assert self.turns.began["web"] == [1.0, 2.0, 3.0]
        pace.stop()
        assert self.turns.cancelled == ["web"] * 3
        assert self.clock.getDelayedCalls() == []

    def test_is_kept(self) -> None:
        """It is kept until a check has had no turn for more than two of them."""
        pace = self.started()
        self.pass_seconds(120)
        self.turns.waits = True
        self.pass_seconds(10)
        most = 2 * (10 + 4) + LONGEST_START
        self.pass_seconds(round(most) - 10)
        assert pace.is_kept()
        self.pass_seconds(1)
        assert not pace.is_kept()

    def test_is_kept_from_the_start(self) -> None:
        """A check that runs once a day has missed nothing before its first turn."""
        pace = self.started(evolve(WEB, interval=86400.0), jitter=1.0)
        assert pace.is_kept()
        self.clock.advance(LONGEST_START)
        self.clock.advance(86399.0)
        assert pace.is_kept()


class MistakesTests(PaceTestCase):
    """Mistakes of our own, which are logged."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged."""

    def test_mistake(self) -> None:
        """A turn that breaks is logged, and the next one comes all the same."""
        self.turns.breaks = True
        pace = self.started()
        self.pass_seconds(25)
        assert self.turns.began["web"] == [0.0, 10.0, 20.0]
        assert len(self.flushLoggedErrors(RuntimeError)) == 3
        assert pace.is_kept()
