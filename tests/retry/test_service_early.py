"""Held requests that go before their time, since the app is awake, or one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred, succeed

from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.service import NOT_HELD
from boomerang.stores.interfaces import Claim, Marked
from tests.retry.serving import PROBE, SECOND_CHANCE, UNHELD, Case, Scripted, failure

GIVEN_UP = Decision(Kind.GIVE_UP, 2, "repeated")


class ProbeTests(Case):
    """The app is asked whether it is awake."""

    def setUp(self) -> None:
        super().setUp()
        self.use(probe=PROBE)

    def test_awake(self) -> None:
        """A caller waits one second instead of eight where that is enough."""
        answer = self.ask(failure())
        self.pass_seconds(0.5)
        self.app.awake = True
        assert self.after(answer, 0.5) == SECOND_CHANCE
        assert self.watcher.told[0].held == Held(seconds=1.0, overshoot=0.0, early=False)
        assert self.app.asked == [0.0, 1.0]
        self.assert_nothing_left()

    def test_awake_already(self) -> None:
        """Where the app is awake already, nobody waits at all."""
        self.app.awake = True
        assert self.answered(failure()) == SECOND_CHANCE
        assert self.watcher.told[0].held == NOT_HELD
        self.assert_nothing_left()

    def test_asleep(self) -> None:
        """An app that does not answer gets the call when the wait is over."""
        assert self.held(failure()) == SECOND_CHANCE
        assert self.app.asked == [float(second) for second in range(8)]
        self.assert_nothing_left()

    def test_all_at_once(self) -> None:
        """All that are held for the app go with one answer to one question."""
        answers = [self.ask(failure(sid=f"CA{number}")) for number in range(20)]
        self.pass_seconds(2.5)
        self.app.awake = True
        self.pass_seconds(0.5)
        assert [self.successResultOf(answer) for answer in answers] == [SECOND_CHANCE] * 20
        assert self.app.asked == [0.0, 1.0, 2.0, 3.0]
        self.assert_nothing_left()

    def test_told_to_the_store(self) -> None:
        """What fails right after that is a second failure, and no repeat of the first."""
        answer = self.ask(failure())
        self.app.awake = True
        assert self.after(answer, 1.0) == SECOND_CHANCE
        self.pass_seconds(0.125)
        assert self.answered(failure()) == GIVEN_UP

    def test_in_the_same_moment(self) -> None:
        """Even before the store can have heard of it."""
        claims = [Claim(attempt=1, hold=hold, round=1) for hold in (8.0, 7.0)]
        store, failed = Scripted([succeed(claim) for claim in claims]), failure()
        self.use(store, probe=PROBE)
        answer = self.ask(failed)
        self.app.awake = True
        self.clock.advance(1.0)
        assert self.successResultOf(answer) == SECOND_CHANCE
        assert self.answered(failed) == GIVEN_UP
        self.clock.advance(0)
        assert store.released == [Marked(failed.identity, failed.call)]

    def test_repeat(self) -> None:
        """Twilio's own repeat goes with the request that it repeats, be the app awake or not."""
        for awake, seconds in ((True, 1.0), (False, 3.0)):
            sid = f"CA{seconds}"
            first = self.ask(failure(sid=sid))
            self.pass_seconds(5.0)
            repeat = self.ask(failure(sid=sid))
            self.app.awake = awake
            assert self.after(repeat, seconds) == SECOND_CHANCE
            assert self.successResultOf(first) == SECOND_CHANCE
            self.app.awake = False
        self.assert_nothing_left()

    def test_hanging_up(self) -> None:
        """A caller who hangs up is forgotten, and the app asked no more; the claim stays."""
        answer = self.ask(failure())
        self.pass_seconds(2.5)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        assert self.watcher.gone == [failure()]
        self.assert_nothing_left()
        assert self.after(self.ask(failure()), 5.5) == SECOND_CHANCE

    def test_no_wait(self) -> None:
        """Where nobody is to wait, the app need not be asked."""
        self.use(probe=PROBE, wait=0.0)
        assert self.answered(failure()) == SECOND_CHANCE
        assert self.app.asked == []

    def test_full(self) -> None:
        """One for whom there is no room is sent back at once."""
        self.use(probe=PROBE, max_held=1)
        held = self.ask(failure(sid="CA1"))
        assert self.answered(failure(sid="CA2")) == UNHELD
        assert self.answered(failure(sid="CA2")) == GIVEN_UP
        self.app.awake = True
        assert self.after(held, 1.0) == SECOND_CHANCE
        assert len(self.service.hold) == 0

    def test_shutting_down(self) -> None:
        """At the end of the process all are sent back within the grace, and the store knows."""
        answer = self.ask(failure())
        self.pass_seconds(3.0)
        self.service.hold.release_within(2.0)
        assert self.after(answer, 2.0) == SECOND_CHANCE
        assert self.watcher.told[0].held == Held(seconds=5.0, overshoot=0.0, early=True)
        assert self.answered(failure()) == GIVEN_UP
        self.assert_nothing_left()

    def test_last_requests(self) -> None:
        """What still comes is held for the rest of the grace, however slow the store is."""
        claimed: Deferred[Claim] = Deferred()
        self.use(Scripted([claimed]), probe=PROBE)
        self.service.hold.release_within(2.0)
        answer = self.ask(failure())
        self.pass_seconds(0.125)
        claimed.callback(Claim(attempt=1, hold=2.0, round=1))
        assert self.after(answer, 1.875) == SECOND_CHANCE


class RateTests(Case):
    """An app that has just come back is not trampled."""

    def setUp(self) -> None:
        super().setUp()
        self.use(release_rate=10.0, max_held=10_000)
        self.answers: list[Deferred[Decision]] = []
        self.gone: list[tuple[str, float]] = []

    def hold(self, count: int) -> None:
        for number in range(count):
            self.note(f"CA{number}")

    def note(self, sid: str) -> None:
        answer = self.ask(failure(sid=sid))
        self.answers.append(answer)
        answer.addCallbacks(
            lambda decision: self.gone.append((sid, self.clock.seconds())),
            lambda hung_up: hung_up.trap(CancelledError),
        )

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds * 100))

    def in_second(self, second: float) -> int:
        return sum(second <= at < second + 1.0 for _, at in self.gone)

    def order(self) -> Sequence[str]:
        return [sid for sid, _ in self.gone]

    def test_in_order(self) -> None:
        """They go one after the other at the rate, in the order of their coming."""
        self.hold(40)
        self.run_for(14.0)
        assert self.order() == [f"CA{number}" for number in range(40)]
        assert [self.in_second(second) for second in (7.0, 12.1)] == [0, 0]
        assert all(9 <= self.in_second(second) <= 12 for second in (8.0, 9.0, 10.0))
        self.assert_nothing_left()

    def test_beyond_the_limit(self) -> None:
        """Nobody is held longer than Twilio waits because of it."""
        self.hold(1000)
        self.run_for(14.05)
        assert len(self.gone) == 1000
        assert max(at for _, at in self.gone) <= 14.011
        assert self.order() == [f"CA{number}" for number in range(1000)]
        self.assert_nothing_left()

    def test_awake(self) -> None:
        """With a probe, it is the app's answer that begins it."""
        self.use(release_rate=10.0, probe=PROBE, max_held=1000)
        self.hold(50)
        self.run_for(2.5)
        self.app.awake = True
        self.run_for(3.6)
        assert all(9 <= self.in_second(second) <= 12 for second in (3.0, 4.0, 5.0))
        self.run_for(3.0)
        assert self.order() == [f"CA{number}" for number in range(50)]
        self.assert_nothing_left()

    def test_one_alone(self) -> None:
        """One that is alone goes when its wait is over, or a moment later."""
        self.hold(1)
        self.run_for(8.06)
        ((_, at),) = self.gone
        assert 8.0 <= at <= 8.06

    def test_told_to_the_store(self) -> None:
        """The store, which knew of the longest that it might take, is told when it is over."""
        self.hold(1)
        self.run_for(8.5)
        assert self.answered(failure(sid="CA0")) == GIVEN_UP

    def test_repeat(self) -> None:
        """Twilio's own repeat is due when the first one is."""
        self.note("CA1")
        self.run_for(5.0)
        self.note("CA1")
        self.run_for(3.2)
        assert self.order() == ["CA1", "CA1"]
        assert self.in_second(8.0) == 2

    def test_hanging_up(self) -> None:
        """Who hangs up makes room for those behind."""
        self.hold(30)
        self.run_for(8.5)
        waiting = len(self.service.hold)
        assert waiting > 20
        for answer in self.answers[10:25]:
            answer.cancel()
        self.run_for(1.2)
        assert self.order() == [f"CA{number}" for number in (*range(10), *range(25, 30))]
        self.assert_nothing_left()

    def test_shutting_down(self) -> None:
        """At the end of the process those that are left are sent back at once."""
        self.hold(100)
        self.run_for(8.5)
        assert 0 < len(self.gone) < 20
        self.service.hold.release_within(1.0)
        self.run_for(1.01)
        assert len(self.gone) == 100
        self.assert_nothing_left()
