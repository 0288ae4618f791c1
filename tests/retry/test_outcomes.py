"""What became of second chances."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.endpoints.rules import EndpointRules, rules_for
from boomerang.retry.outcomes import FOLLOWED, SWEEP_EVERY, AttemptStore, Chance, Outcomes
from boomerang.retry.request import FailedRequest, parse_failed_request
from boomerang.settings import RetrySettings
from boomerang.stores.interfaces import Failure, Marked
from boomerang.stores.memory import MemoryStore

RULES = rules_for(None, RetrySettings())
BOUND = FOLLOWED + SWEEP_EVERY
"""Seconds within which it is told that a second chance has saved its call."""


def failure(sid: str = "CA1", url: str = "https://app.example.com/voice") -> FailedRequest:
    sids = [("AccountSid", "AC1"), ("CallSid", sid)] if sid else []
    return parse_failed_request([("ErrorCode", "11200"), ("ErrorUrl", url), *sids], [])


@define
class Watcher:
    """Remembers what it is told, in short."""

    clock: Clock
    told: list[tuple[str, str, float]] = field(factory=list)
    chances: list[Chance] = field(factory=list)

    def recovered(self, chance: Chance) -> None:
        self._note("recovered", chance)

    def lost(self, chance: Chance) -> None:
        self._note("lost", chance)

    def _note(self, outcome: str, chance: Chance) -> None:
        self.told.append((outcome, chance.sid, self.clock.seconds()))
        self.chances.append(chance)


@define
class Store:
    """Knows the attempts that the test says; of all others one each."""

    attempts_of: dict[str, int] = field(factory=dict)
    asked: list[int] = field(factory=list)
    answer: Deferred[Sequence[int]] | None = None

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]:
        self.asked.append(len(marked))
        if self.answer is not None:
            return self.answer
        return succeed([self.attempts_of.get(each.identity, 1) for each in marked])


class Case(SynchronousTestCase):
    """Outcomes on a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.store = Store()
        self.watcher = Watcher(self.clock)
        self.outcomes = self.make(self.store)

    def make(self, store: AttemptStore, **options: int) -> Outcomes:
        return Outcomes(self.clock, store, self.watcher, **options)

    def give(self, sid: str = "CA1", *, attempt: int = 1) -> None:
        self.outcomes.given(failure(sid), RULES, attempt=attempt)

    def fails_again(self, sid: str = "CA1", *, after: float | None = None) -> None:
        self.outcomes.failed_again(failure(sid), RULES, after=after)

    def pass_seconds(self, seconds: float) -> None:
        self.clock.pump([0.5] * round(seconds * 2))

    def outcomes_told(self) -> list[tuple[str, str]]:
        return [(outcome, sid) for outcome, sid, _ in self.watcher.told]


class RecoveredTests(Case):
    """It has not failed again."""

    def test_after_thirty_seconds(self) -> None:
        """A second chance that has not failed again for thirty seconds has saved its call."""
        self.give()
        self.pass_seconds(FOLLOWED - SWEEP_EVERY)
        assert self.watcher.told == []
        self.pass_seconds(2 * SWEEP_EVERY)
        ((outcome, sid, at),) = self.watcher.told
        assert (outcome, sid) == ("recovered", "CA1")
        assert FOLLOWED <= at - 1000.0 <= BOUND
        assert len(self.outcomes) == 0

    def test_what_is_told(self) -> None:
        """It is told whose it was, of which endpoint and origin, and which in number."""
        rules: EndpointRules = attrs.evolve(RULES, name="menu", circuit=True)
        failed = failure("CA7", "https://app.example.com:8443/menu")
        self.outcomes.given(failed, rules, attempt=2)
        self.pass_seconds(BOUND)
        assert self.watcher.chances == [
            Chance(
                marked=Marked(failed.identity, failed.call),
                attempt=2,
                endpoint="menu",
                circuit=True,
                product="voice",
                sid="CA7",
                origin=("app.example.com", 8443),
                given_at=1000.0,
            )
        ]

    def test_each_at_its_time(self) -> None:
        """Each is followed for its own thirty seconds."""
        for sid in ("CA1", "CA2", "CA3"):
            self.give(sid)
            self.pass_seconds(5.0)
        self.pass_seconds(BOUND)
        times = [at - 1000.0 for _, _, at in self.watcher.told]
        assert [sid for _, sid, _ in self.watcher.told] == ["CA1", "CA2", "CA3"]
        for time, given_at in zip(times, (0.0, 5.0, 10.0), strict=True):
            assert FOLLOWED <= time - given_at <= BOUND

    def test_released_together(self) -> None:
        """A request and Twilio's repeat of it, sent back at once, are one second chance."""
        self.give()
        self.give()
        self.pass_seconds(BOUND)
        assert self.outcomes_told() == [("recovered", "CA1")]

    def test_given_again(self) -> None:
        """With several attempts, the last second chance counts from its own time on."""
        self.give()
        self.pass_seconds(10.0)
        self.fails_again()
        self.pass_seconds(10.0)
        self.give(attempt=2)
        self.store.attempts_of[failure().identity] = 2
        self.pass_seconds(FOLLOWED - SWEEP_EVERY)
        assert self.outcomes_told() == [("lost", "CA1")]
        self.pass_seconds(2 * SWEEP_EVERY)
        assert self.outcomes_told() == [("lost", "CA1"), ("recovered", "CA1")]

    def test_forgotten_by_the_store(self) -> None:
        """What the store has forgotten meanwhile has not failed again either."""
        self.store.attempts_of[failure().identity] = 0
        self.give()
        self.pass_seconds(BOUND)
        assert self.outcomes_told() == [("recovered", "CA1")]

    def test_without_sid(self) -> None:
        """A request without any SID is followed by its URL."""
        self.give("")
        self.pass_seconds(BOUND)
        assert self.outcomes_told() == [("recovered", "")]


class LostTests(Case):
    """It has failed again."""

    def test_at_once(self) -> None:
        """A request that fails again was not saved, which is told at once, and once only."""
        self.give()
        self.pass_seconds(1.5)
        self.fails_again()
        self.fails_again()
        self.pass_seconds(2 * BOUND)
        assert self.watcher.told == [("lost", "CA1", 1001.5)]
        assert len(self.outcomes) == 0

    def test_others(self) -> None:
        """It says nothing of others."""
        self.give("CA1")
        self.give("CA2")
        self.fails_again("CA2")
        self.pass_seconds(BOUND)
        assert self.outcomes_told() == [("lost", "CA2"), ("recovered", "CA1")]

    def test_first_failure(self) -> None:
        """A first failure is no second one."""
        self.fails_again()
        self.pass_seconds(BOUND)
        assert self.watcher.told == []

    def test_too_late(self) -> None:
        """What fails again after thirty seconds was saved at first, and is not lost then."""
        self.give()
        self.pass_seconds(BOUND)
        self.fails_again(after=BOUND)
        assert self.outcomes_told() == [("recovered", "CA1")]


class OtherProcessTests(Case):
    """The second chance was given by one process, and another one got the failure after it."""

    def test_told_by_the_other(self) -> None:
        """Whoever gets the failure tells of it, by what the store says."""
        self.fails_again(after=4.0)
        assert self.outcomes_told() == [("lost", "CA1")]

    def test_not_told_twice(self) -> None:
        """Whoever gave the second chance learns from the store that it failed, and is silent."""
        self.give("CA1")
        self.give("CA2")
        self.store.attempts_of[failure("CA1").identity] = 2
        self.pass_seconds(2 * BOUND)
        assert self.outcomes_told() == [("recovered", "CA2")]

    def test_long_ago(self) -> None:
        """A second chance of longer ago had saved its call."""
        self.fails_again(after=FOLLOWED + 0.5)
        assert self.watcher.told == []

    def test_two_processes(self) -> None:
        """Two processes on one store tell of each second chance once between them."""
        store = MemoryStore(self.clock)
        one, other = self.make(store), self.make(store)
        for sid in ("CA1", "CA2"):
            failed = failure(sid)
            claimed = Failure(
                failed.identity, failed.call, wait=0.0, window=900.0, call_window=900.0, attempts=1
            )
            self.successResultOf(store.claim(claimed))
            one.given(failed, RULES, attempt=1)
        self.pass_seconds(3.0)
        failed = failure("CA2")
        again = Failure(
            failed.identity, failed.call, wait=0.0, window=900.0, call_window=900.0, attempts=1
        )
        claim = self.successResultOf(store.claim(again))
        assert claim.after == 3.0
        other.failed_again(failed, RULES, after=claim.after)
        self.pass_seconds(2 * BOUND)
        assert self.outcomes_told() == [("lost", "CA2"), ("recovered", "CA1")]


class SweepTests(Case):
    """The store is asked for many at once, and no more is kept than can be."""

    def test_together(self) -> None:
        """All that are due are asked for in one question."""
        for number in range(1000):
            self.give(f"CA{number}")
        self.pass_seconds(BOUND)
        assert self.store.asked == [1000]
        assert len(self.watcher.told) == 1000

    def test_not_all_at_once(self) -> None:
        """After a storm they are asked for in several turns, in their order."""
        for number in range(12_000):
            self.give(f"CA{number}")
        self.pass_seconds(BOUND + 2 * SWEEP_EVERY)
        assert self.store.asked == [5000, 5000, 2000]
        assert [sid for _, sid, _ in self.watcher.told] == [f"CA{n}" for n in range(12_000)]

    def test_bounded(self) -> None:
        """Of more than can be followed the oldest are let go, and not told of."""
        self.outcomes = self.make(self.store, most=100)
        for number in range(150):
            self.give(f"CA{number}")
        assert len(self.outcomes) == 100
        self.pass_seconds(BOUND)
        assert [sid for _, sid, _ in self.watcher.told] == [f"CA{n}" for n in range(50, 150)]

    def test_nothing_to_do(self) -> None:
        """Without second chances there is nothing to wake up for; after the last one neither."""
        assert self.clock.getDelayedCalls() == []
        self.give()
        assert len(self.clock.getDelayedCalls()) == 1
        self.pass_seconds(BOUND)
        assert self.clock.getDelayedCalls() == []
        self.give("CA2")
        self.pass_seconds(BOUND)
        assert self.outcomes_told() == [("recovered", "CA1"), ("recovered", "CA2")]

    def test_slow_store(self) -> None:
        """While the store is asked for some, the next are followed; it may answer when it can."""
        self.store.answer = Deferred()
        self.give("CA1")
        self.pass_seconds(5.0)
        self.give("CA2")
        self.pass_seconds(BOUND - 5.0)
        slow, self.store.answer = self.store.answer, None
        self.pass_seconds(5.0)
        assert self.outcomes_told() == [("recovered", "CA2")]
        slow.callback([1])
        assert self.outcomes_told() == [("recovered", "CA2"), ("recovered", "CA1")]

    def test_stop(self) -> None:
        """At the end of the process nothing is left to be done."""
        self.outcomes.stop()
        self.give()
        self.outcomes.stop()
        assert self.clock.getDelayedCalls() == []


class MistakeTests(Case):
    """A store that does what it should not."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here a mistake is to be logged."""

    def test_failing_store(self) -> None:
        """A store that fails costs these outcomes, and those that follow nothing."""
        self.store.answer = fail(ZeroDivisionError())
        self.give("CA1")
        self.pass_seconds(BOUND)
        assert [mistake.type for mistake in self.flushLoggedErrors()] == [ZeroDivisionError]
        self.store.answer = None
        self.give("CA2")
        self.pass_seconds(BOUND)
        assert self.outcomes_told() == [("recovered", "CA2")]
