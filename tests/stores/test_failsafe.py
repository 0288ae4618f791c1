"""Whatever the store does, a claim is answered in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from boomerang.stores.direct import Direct
from boomerang.stores.failsafe import OPENING, PATIENCE, PROBE_EVERY, FailsafeStore, SafeClaim
from boomerang.stores.interfaces import Claim, Failure, Marked, StoreUnavailable

FAILURE: Final = Failure(
    identity="identity", call="call", wait=8.0, window=900.0, call_window=900.0, attempts=1
)
FIRST: Final = Claim(attempt=1, hold=8.0, round=1)
WALL_TIME: Final = 1_800_000_000.0


class Store:
    """A store whose answers a test gives, or fails to give.

    Each list has the Deferreds of one kind of question, the latest last; they are ``made`` so.
    """

    def __init__(self, made: Callable[[], Deferred[Any]] = Deferred) -> None:
        self._made = made
        self.opens: list[Deferred[None]] = []
        self.claims: list[Deferred[Claim]] = []
        self.probes: list[Deferred[None]] = []
        self.closes: list[Deferred[None]] = []
        self.released: list[Sequence[Marked]] = []
        self.releases: list[Deferred[None]] = []
        self.counts: list[Deferred[Sequence[int]]] = []
        self.broken: Exception | None = None

    def open(self) -> Deferred[None]:
        return self._asked(self.opens)

    def claim(self, failure: Failure) -> Deferred[Claim]:
        assert failure is FAILURE
        return self._asked(self.claims)

    def release(self, marked: Sequence[Marked]) -> Deferred[None]:
        self.released.append(marked)
        return self._asked(self.releases)

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]:
        return self._asked(self.counts)

    def probe(self) -> Deferred[None]:
        return self._asked(self.probes)

    def close(self) -> Deferred[None]:
        return self._asked(self.closes)

    def _asked(self, questions: list[Deferred[Any]]) -> Deferred[Any]:
        if self.broken is not None:
            raise self.broken
        questions.append(self._made())
        return questions[-1]


class Watcher:
    """Notes what happens to the store."""

    def __init__(self) -> None:
        self.answers: list[float] = []
        self.failures: list[str] = []
        self.degraded: list[bool] = []

    def store_answered(self, seconds: float) -> None:
        self.answers.append(seconds)

    def store_failed(self, reason: str) -> None:
        self.failures.append(reason)

    def store_degraded(self, degraded: bool) -> None:
        self.degraded.append(degraded)


class FailsafeTestCase(SynchronousTestCase):
    """A failsafe on a `Clock`, with a store that a test controls."""

    made: type[Deferred[Any]] = Deferred

    def setUp(self) -> None:
        self.clock = Clock()
        self.inner = Store(self.made)
        self.watcher = Watcher()
        self.store = FailsafeStore(
            self.inner,
            name="a store",
            clock=self.clock,
            wall_clock=lambda: WALL_TIME + self.clock.seconds(),
            watcher=self.watcher,
        )

    def degrade(self) -> None:
        """Let the store fail once."""
        self.successResultOf(self.fail_claim())
        assert self.store.degraded is not None

    def fail_claim(self, why: Exception | None = None) -> Deferred[SafeClaim]:
        """A claim that the store refuses at once."""
        answer = self.store.claim(FAILURE)
        self.inner.claims[-1].errback(why or StoreUnavailable("the store is broken"))
        return answer

    def probe(self) -> None:
        """Let the time come for the next probe; the store can be opened."""
        self.clock.advance(PROBE_EVERY)
        self.inner.opens[-1].callback(None)

    def recover(self) -> None:
        """Let a probe succeed."""
        self.probe()
        self.inner.probes[-1].callback(None)
        assert self.store.degraded is None


class StoreOpens(FailsafeTestCase):
    """While the store is being opened, at start."""

    def test_claims_wait(self) -> None:
        """Who comes before the store is there is counted by the store all the same."""
        self.store.open()
        answer = self.store.claim(FAILURE)
        assert self.inner.claims == []
        self.clock.advance(0.1)
        self.inner.opens[0].callback(None)
        self.inner.claims[0].callback(Claim(attempt=2, hold=0.0, round=2))
        made = self.successResultOf(answer)
        assert made == SafeClaim(Claim(attempt=2, hold=0.0, round=2), degraded=False)

    def test_no_longer_than_others(self) -> None:
        """The wait for the store and for its answer are one."""
        self.store.open()
        self.clock.advance(PATIENCE / 2)
        answer = self.store.claim(FAILURE)
        self.clock.advance(PATIENCE / 2 - 0.01)
        self.inner.opens[0].callback(None)
        self.assertNoResult(answer)
        self.clock.advance(PATIENCE / 2 + 0.01)
        assert self.successResultOf(answer).degraded

    def test_cannot_be_opened(self) -> None:
        """Where it cannot be opened, memory answers whoever waited."""
        self.store.open()
        answer = self.store.claim(FAILURE)
        self.inner.opens[0].errback(StoreUnavailable("not there"))
        self.inner.claims[0].errback(StoreUnavailable("not there"))
        assert self.successResultOf(answer).degraded

    def test_hangs(self) -> None:
        """Where opening hangs, memory answers in time, and the store is used once it is there."""
        opened = self.store.open()
        answer = self.store.claim(FAILURE)
        self.clock.advance(PATIENCE)
        assert self.successResultOf(answer).degraded
        self.clock.advance(PROBE_EVERY)
        assert len(self.inner.opens) == 1
        self.inner.opens[0].callback(None)
        self.successResultOf(opened)
        assert self.inner.claims == []
        self.recover()


class StoreAnswers(FailsafeTestCase):
    """While the store answers in time."""

    def test_its_word_counts(self) -> None:
        """The answer is what the store says, as soon as it says it."""
        answer = self.store.claim(FAILURE)
        self.assertNoResult(answer)
        self.clock.advance(0.1)
        self.inner.claims[0].callback(Claim(attempt=3, hold=0.0, round=7))
        made = self.successResultOf(answer)
        assert made == SafeClaim(Claim(attempt=3, hold=0.0, round=7), degraded=False)

    def test_watcher(self) -> None:
        """The watcher learns how long the store took."""
        self.store.claim(FAILURE)
        self.clock.advance(0.125)
        self.inner.claims[0].callback(FIRST)
        assert self.watcher.answers == [0.125]
        assert self.watcher.failures == []
        assert self.watcher.degraded == []

    def test_nothing_is_left_behind(self) -> None:
        """After an answered claim no timer goes on running."""
        self.store.claim(FAILURE)
        self.inner.claims[0].callback(FIRST)
        self.clock.advance(PATIENCE)
        assert self.clock.getDelayedCalls() == []

    def test_open(self) -> None:
        """Opening a store that is there degrades nothing."""
        opened = self.store.open()
        self.inner.opens[0].callback(None)
        self.successResultOf(opened)
        assert self.store.degraded is None

    def test_memory_knows_more(self) -> None:
        """A second failure that only this process knows to be one is not held again."""
        self.store.claim(FAILURE)
        self.inner.claims[0].callback(FIRST)
        self.clock.advance(9)
        answer = self.store.claim(FAILURE)
        self.inner.claims[1].callback(FIRST)  # it has lost its marks
        made = self.successResultOf(answer)
        assert made == SafeClaim(Claim(attempt=2, hold=0.0, round=2), degraded=False)

    def test_rounds_of_memory(self) -> None:
        """The round is the greater one of both, whoever knows more attempts."""
        self.fail_claim()
        self.recover()
        self.clock.advance(9)
        answer = self.store.claim(FAILURE)
        self.inner.claims[1].callback(Claim(attempt=3, hold=0.0, round=1))
        assert self.successResultOf(answer).claim == Claim(attempt=3, hold=0.0, round=2)

    def test_hold_of_memory(self) -> None:
        """A hold that memory knows ends when it would have ended, however late the store is."""
        twice = Failure(
            identity="identity", call="call", wait=8.0, window=900.0, call_window=900.0, attempts=2
        )
        inner = Forgetful()
        store = FailsafeStore(
            inner, name="s", clock=self.clock, wall_clock=lambda: 0.0, watcher=self.watcher
        )
        store.claim(twice)
        inner.latest.callback(FIRST)
        self.clock.advance(10)
        answer = store.claim(twice)
        self.clock.advance(0.25 - 1 / 32)
        inner.latest.callback(FIRST)
        assert self.successResultOf(answer).claim == Claim(attempt=2, hold=7.78125, round=2)


class Forgetful(Store):
    """A store that takes any failure."""

    def claim(self, failure: Failure) -> Deferred[Claim]:
        self.latest: Deferred[Claim] = Deferred()
        return self.latest


MARKED: Final = Marked("identity", "call")


class ReleaseAndAttempts(FailsafeTestCase):
    """Holds that end early, and the question how often something has failed."""

    def test_release_together(self) -> None:
        """Those that are released in one reactor turn go to the store together."""
        other = Marked("other", None)
        self.store.release(MARKED)
        self.store.release(other)
        assert self.inner.released == []
        self.clock.advance(0)
        assert self.inner.released == [[MARKED, other]]
        self.store.release(MARKED)
        self.clock.advance(0)
        assert self.inner.released[1:] == [[MARKED]]

    def test_release_in_memory(self) -> None:
        """Memory knows of it at once, whatever the store does."""
        self.degrade()
        self.store.release(MARKED)
        made = self.successResultOf(self.store.claim(FAILURE))
        assert made.claim.attempt == 2
        self.clock.advance(0)
        assert self.inner.released == []

    def test_release_that_fails(self) -> None:
        """A store that does not take a release is degraded."""
        self.store.release(MARKED)
        self.clock.advance(0)
        self.inner.releases[-1].errback(StoreUnavailable("broken"))
        assert self.store.degraded is not None

    def test_late_release(self) -> None:
        """A store that hangs is degraded after 250 ms, as with a claim."""
        self.store.release(MARKED)
        self.clock.advance(0)
        self.clock.advance(PATIENCE)
        assert self.store.degraded is not None

    def test_attempts(self) -> None:
        """Store and memory are both asked, and the higher count is the answer."""
        claimed = self.store.claim(FAILURE)
        self.inner.claims[-1].callback(FIRST)
        self.successResultOf(claimed)
        asked = self.store.attempts([MARKED, Marked("other", None)])
        self.inner.counts[-1].callback([0, 3])
        assert self.successResultOf(asked) == [1, 3]

    def test_attempts_without_the_store(self) -> None:
        """A store that fails, hangs or is degraded leaves memory's word."""
        refused = self.store.attempts([MARKED])
        self.inner.counts[-1].errback(StoreUnavailable("broken"))
        hanging = self.store.attempts([MARKED])
        self.clock.advance(5)
        self.degrade()
        degraded = self.store.attempts([MARKED])
        assert [self.successResultOf(each) for each in (refused, hanging)] == [[0], [0]]
        assert self.successResultOf(degraded) == [1]
        assert len(self.inner.counts) == 2


class StoreIsLate(FailsafeTestCase):
    """When the store does not answer within 250 ms."""

    def test_patience(self) -> None:
        """The design promises 250 ms."""
        assert PATIENCE == 0.25

    def test_memory_takes_over(self) -> None:
        """After 250 ms, and not before, memory's claim is the answer, less the time spent."""
        answer = self.store.claim(FAILURE)
        self.clock.advance(0.249)
        self.assertNoResult(answer)
        self.clock.advance(0.001)
        made = self.successResultOf(answer)
        assert made.degraded
        assert (made.claim.attempt, made.claim.round) == (1, 1)
        assert made.claim.hold == pytest.approx(7.75)

    def test_everybody_who_waits(self) -> None:
        """All claims under way are answered, each at its own 250 ms."""
        answers = []
        for _ in range(5):
            answers.append(self.store.claim(FAILURE))
            self.clock.advance(0.03125)
        self.clock.advance(0.125)
        assert [answer.called for answer in answers] == [True, True, False, False, False]
        self.clock.advance(0.25)
        assert all(self.successResultOf(answer).degraded for answer in answers)
        assert self.watcher.failures == ["timeout"] * 5
        assert self.watcher.degraded == [True]

    def test_reason(self) -> None:
        """Since when and why is kept for /health, and logged once."""
        with capturedLogs() as events:
            for _ in range(3):
                self.store.claim(FAILURE)
            self.clock.advance(0.25)
        assert self.store.degraded is not None
        assert self.store.degraded.reason == "no answer within 0.25 s"
        assert self.store.degraded.since == WALL_TIME + 0.25
        (line,) = lines(events)
        assert line == (
            "store degraded store=a store: claims are made in this process's memory"
            " (no answer within 0.25 s)"
        )

    def test_the_answer_comes_after_all(self) -> None:
        """An answer after the time is ignored, and harms nothing."""
        answer = self.store.claim(FAILURE)
        self.clock.advance(0.25)
        self.inner.claims[0].callback(Claim(attempt=5, hold=0.0, round=5))
        assert self.successResultOf(answer).claim.attempt == 1

    def test_slow_to_open(self) -> None:
        """As long as nobody asks for a claim, the store has two seconds to be opened."""
        opened = self.store.open()
        self.clock.advance(OPENING - 0.01)
        self.assertNoResult(opened)
        assert self.store.degraded is None
        self.clock.advance(0.01)
        self.successResultOf(opened)
        assert self.store.degraded is not None
        assert self.store.degraded.reason == "no answer within 2.0 s"
        assert self.watcher.failures == ["timeout"]
        self.probe()


class StoreFails(FailsafeTestCase):
    """When the store says that it is unavailable."""

    def test_memory_takes_over_at_once(self) -> None:
        """Memory's claim is the answer, at once."""
        made = self.successResultOf(self.fail_claim())
        assert made == SafeClaim(FIRST, degraded=True)
        assert self.watcher.failures == ["unavailable"]
        assert self.watcher.degraded == [True]

    def test_while_degraded(self) -> None:
        """While degraded, nobody waits: the store is not asked at all."""
        self.degrade()
        made = self.successResultOf(self.store.claim(FAILURE))
        assert made == SafeClaim(FIRST, degraded=True)
        assert len(self.inner.claims) == 1

    def test_a_second_failure(self) -> None:
        """Memory recognises the second failure of a call whose first one the store had counted."""
        self.store.claim(FAILURE)
        self.inner.claims[0].callback(FIRST)
        self.clock.advance(10)
        made = self.successResultOf(self.fail_claim())
        assert made == SafeClaim(Claim(attempt=2, hold=0.0, round=2), degraded=True)

    def test_reason(self) -> None:
        """The store's own words are the reason."""
        self.degrade()
        assert self.store.degraded is not None
        assert self.store.degraded.reason == "the store is broken"

    def test_cannot_be_opened(self) -> None:
        """A store that is down at the start degrades, and does not stop the start."""
        opened = self.store.open()
        self.inner.opens[0].errback(StoreUnavailable("down"))
        self.successResultOf(opened)
        assert self.successResultOf(self.store.claim(FAILURE)).degraded


class Probes(FailsafeTestCase):
    """How the store is found again."""

    def test_back_by_itself(self) -> None:
        """A probe that succeeds ends it, and the store's word counts again."""
        self.degrade()
        self.recover()
        answer = self.store.claim(FAILURE)
        self.inner.claims[-1].callback(Claim(attempt=4, hold=0.0, round=4))
        assert self.successResultOf(answer).claim.attempt == 4
        assert self.watcher.degraded == [True, False]

    def test_no_more_probes(self) -> None:
        """A store that is back is not probed any longer."""
        self.degrade()
        self.recover()
        self.clock.advance(PATIENCE)
        assert self.clock.getDelayedCalls() == []

    def test_recovery_is_logged(self) -> None:
        """The log says how long it took."""
        self.degrade()
        with capturedLogs() as events:
            self.recover()
        assert lines(events) == ["store recovered store=a store after=0.5"]

    def test_again_and_again(self) -> None:
        """Probes go on while they fail, one after the other, without a word in the log."""
        self.degrade()
        with capturedLogs() as events:
            for _ in range(20):
                self.probe()
                self.inner.probes[-1].errback(StoreUnavailable("still down"))
            for _ in range(20):
                self.clock.advance(PROBE_EVERY)
                self.inner.opens[-1].errback(StoreUnavailable("still down"))
        assert lines(events) == []
        assert self.store.degraded is not None
        self.recover()

    def test_a_hanging_probe(self) -> None:
        """A probe that hangs is given up after 250 ms, and tried anew."""
        self.degrade()
        for _ in range(5):
            self.probe()
            self.clock.advance(PATIENCE)
            assert self.store.degraded is not None
        assert len(self.inner.probes) == 5
        self.recover()

    def test_hangs_while_opening(self) -> None:
        """A store that cannot be opened in time is tried anew."""
        self.degrade()
        for n in range(1, 6):
            self.clock.advance(PROBE_EVERY)
            assert len(self.inner.opens) == n
            self.clock.advance(PATIENCE)
        self.recover()

    def test_degraded_again(self) -> None:
        """What happened once can happen again."""
        for _ in range(3):
            self.degrade()
            self.recover()
        assert self.watcher.degraded == [True, False] * 3

    def test_failures_under_way(self) -> None:
        """Claims that fail after the first one change nothing more."""
        answers = [self.store.claim(FAILURE) for _ in range(3)]
        with capturedLogs() as events:
            for claim in self.inner.claims:
                claim.errback(StoreUnavailable("down"))
        assert all(self.successResultOf(answer).degraded for answer in answers)
        assert len(lines(events)) == 1
        self.clock.advance(PATIENCE)
        assert len(self.clock.getDelayedCalls()) == 1


class Cancelled(FailsafeTestCase):
    """When the client hangs up while the store is being asked."""

    def test_claim_is_left(self) -> None:
        """The claim is made all the same, by store and memory."""
        answer = self.store.claim(FAILURE)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        assert not self.inner.claims[0].called
        self.inner.claims[0].callback(FIRST)
        assert self.watcher.answers == [0.0]
        self.clock.advance(10)
        assert self.successResultOf(self.fail_claim()).claim.attempt == 2

    def test_store_fails_then(self) -> None:
        """A failure after that degrades the store as any other."""
        answer = self.store.claim(FAILURE)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.clock.advance(0.25)
        assert self.store.degraded is not None


class Closing(FailsafeTestCase):
    """The end."""

    def test_close(self) -> None:
        """Closing waits for the store."""
        closed = self.store.close()
        self.assertNoResult(closed)
        self.inner.closes[0].callback(None)
        self.successResultOf(closed)

    def test_hanging(self) -> None:
        """A store that hangs is left alone after two seconds."""
        closed = self.store.close()
        self.clock.advance(1.9)
        self.assertNoResult(closed)
        self.clock.advance(0.1)
        self.successResultOf(closed)

    def test_store_that_cannot_close(self) -> None:
        """A store that is not there when it is closed is no reason to complain."""
        closed = self.store.close()
        self.inner.closes[0].errback(StoreUnavailable("gone"))
        self.successResultOf(closed)

    def test_while_degraded(self) -> None:
        """No probe is made after closing."""
        self.degrade()
        self.store.close()
        self.inner.closes[0].callback(None)
        self.clock.advance(PATIENCE)
        assert self.clock.getDelayedCalls() == []

    def test_during_a_probe(self) -> None:
        """A probe that succeeds or fails after closing changes nothing."""
        for fails in (False, True):
            self.setUp()
            self.degrade()
            self.probe()
            self.store.close()
            self.inner.closes[0].callback(None)
            if fails:
                self.inner.probes[0].errback(StoreUnavailable("gone"))
            else:
                self.inner.probes[0].callback(None)
            assert self.watcher.degraded == [True]
            self.clock.advance(PATIENCE)
            assert self.clock.getDelayedCalls() == []

    def test_claims_under_way(self) -> None:
        """A claim that closing makes fail is answered, and starts no probes."""
        answer = self.store.claim(FAILURE)
        self.store.close()
        self.inner.claims[0].errback(StoreUnavailable("closed"))
        self.inner.closes[0].callback(None)
        assert self.successResultOf(answer) == SafeClaim(FIRST, degraded=True)
        self.clock.advance(PATIENCE)
        assert self.clock.getDelayedCalls() == []


class Mistake(Exception):
    """What no store should ever raise."""


class Mistakes(FailsafeTestCase):
    """When a store fails in a way that it should not."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here mistakes are to be logged, and each test says what."""

    def logged(self) -> list[type[BaseException]]:
        """What was logged with a traceback."""
        return [mistake.type for mistake in self.flushLoggedErrors()]

    def test_claim(self) -> None:
        """An unexpected failure is logged, and the caller answered."""
        assert self.successResultOf(self.fail_claim(Mistake())) == SafeClaim(FIRST, degraded=True)
        assert self.logged() == [Mistake]

    def test_claim_raises(self) -> None:
        """A store that raises instead of failing is treated alike."""
        self.inner.broken = Mistake()
        made = self.successResultOf(self.store.claim(FAILURE))
        assert made == SafeClaim(FIRST, degraded=True)
        assert self.logged() == [Mistake]

    def test_nonsense(self) -> None:
        """An answer that is no claim is treated alike."""
        answer = self.store.claim(FAILURE)
        nonsense: Any = None
        self.inner.claims[0].callback(nonsense)
        assert self.successResultOf(answer) == SafeClaim(FIRST, degraded=True)
        assert self.logged() == [AttributeError]

    def test_open(self) -> None:
        """A store that cannot be opened because of a mistake degrades."""
        self.inner.broken = Mistake()
        self.successResultOf(self.store.open())
        assert self.store.degraded is not None
        assert self.logged() == [Mistake]

    def test_probe(self) -> None:
        """Probes go on, whatever escapes from one."""
        self.degrade()
        self.probe()
        self.inner.probes[0].errback(Mistake())
        self.inner.broken = Mistake()
        self.clock.advance(PROBE_EVERY)
        self.inner.broken = None
        self.recover()
        assert self.logged() == [Mistake, Mistake]

    def test_close(self) -> None:
        """Closing ends, whatever the store does."""
        self.inner.broken = Mistake()
        self.successResultOf(self.store.close())
        assert self.logged() == [Mistake]


def lines(events: Sequence[LogEvent]) -> list[str | None]:
    """What an operator would find in the log."""
    return [formatEvent(event) for event in events if event["log_level"] >= LogLevel.info]


class DirectAnswers(StoreAnswers):
    """The same of a store that tells without a chain of callbacks, as Redis does."""

    made = Direct


class DirectIsLate(StoreIsLate):
    """The same of such a store."""

    made = Direct


class DirectFails(StoreFails):
    """The same of such a store."""

    made = Direct


class DirectMistakes(Mistakes):
    """The same of such a store."""

    made = Direct


class DirectCancelled(Cancelled):
    """The same of such a store."""

    made = Direct
