"""The way of a failed request, from the claim over the hold to the decision."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.service import NOT_HELD
from boomerang.stores.interfaces import Claim, Failure, Marked, StoreUnavailable
from tests.retry.serving import (
    APP,
    RETRY,
    SECOND_CHANCE,
    SORRY,
    UNHELD,
    Case,
    Scripted,
    Told,
    failure,
)

EIGHT_SECONDS = Held(seconds=8.0, overshoot=0.0, early=False)


class SecondChanceTests(Case):
    """Hold, redirect, and then no more."""

    def test_first_failure(self) -> None:
        """The first failure is held for eight seconds, then sent back to the URL that failed."""
        failed = failure()
        assert self.held(failed) == SECOND_CHANCE
        assert self.watcher.told == [Told(failed, SECOND_CHANCE, EIGHT_SECONDS, degraded=False)]

    def test_read_late(self) -> None:
        """The hold of a request that lay unread began when it came; that goes for a repeat, too."""
        answers = [self.ask(failure(), waited=3.0)]
        self.pass_seconds(2.0)
        answers += [self.ask(failure(), waited=0.0), self.ask(failure(), waited=1.0)]
        for answer in answers:
            self.assertNoResult(answer)
        self.pass_seconds(3.0)
        assert [self.successResultOf(answer) for answer in answers] == [SECOND_CHANCE] * 3

    def test_read_too_late(self) -> None:
        """A request that lay unread for all of its hold goes at once."""
        assert self.successResultOf(self.ask(failure(), waited=8.5)) == SECOND_CHANCE
        assert self.watcher.told[0].held == NOT_HELD
        assert self.answered(failure()).attempt == 2

    def test_second_failure(self) -> None:
        """If it fails again, boomerang gives up at once."""
        self.held(failure())
        self.clock.advance(2.0)
        assert self.answered(failure()) == Decision(Kind.GIVE_UP, 2, "repeated", url=None)
        assert self.watcher.told[1].held == NOT_HELD

    def test_second_failure_with_fallback(self) -> None:
        """If it fails again, the call goes to the FallbackUrl; should that fail too, it ends."""
        failed = failure(fallback=SORRY)
        self.held(failed)
        assert self.answered(failed) == Decision(
            Kind.FALLBACK, 2, "repeated", url=SORRY, method="GET"
        )
        assert self.answered(failure(SORRY, fallback=SORRY)) == Decision(
            Kind.GIVE_UP, 0, "circle", url=None
        )

    def test_window(self) -> None:
        """After the window the failure is forgotten, and is the first again."""
        self.held(failure())
        self.clock.advance(891.5)
        assert self.answered(failure()).attempt == 2
        self.clock.advance(0.5)
        assert self.held(failure()) == SECOND_CHANCE

    def test_several_attempts(self) -> None:
        """With two attempts there is a third chance, held as long as the second."""
        self.use(attempts=2)
        assert self.held(failure()).attempt == 1
        assert self.held(failure()) == Decision(Kind.RETRY, 2, "", url=APP)
        assert self.answered(failure()).kind == Kind.GIVE_UP

    def test_no_attempts(self) -> None:
        """With no attempts, the first failure is given up, and nobody waits for it."""
        self.use(attempts=0)
        assert self.answered(failure()) == Decision(Kind.GIVE_UP, 1, "repeated", url=None)

    def test_no_wait(self) -> None:
        """With no wait, the call is sent back at once."""
        self.use(wait=0.0)
        assert self.answered(failure()) == SECOND_CHANCE
        assert self.answered(failure()).attempt == 2

    def test_other_failures(self) -> None:
        """Another caller's failure, and that of another URL, have second chances of their own."""
        self.held(failure())
        assert self.held(failure(sid="CA2")) == SECOND_CHANCE
        other = self.held(failure("https://app.example.com/menu"))
        assert (other.kind, other.attempt) == (Kind.RETRY, 1)
        assert self.held(failure(sid="")) == SECOND_CHANCE

    def test_same_failure_with_fragment(self) -> None:
        """A fragment does not make another failure of it."""
        self.held(failure())
        assert self.answered(failure(f"{APP}#rt=5000")).attempt == 2

    def test_without_sid(self) -> None:
        """Without a SID the URL is counted by itself, and has no rounds."""
        self.held(failure(sid=""))
        for attempt in range(2, 20):
            assert self.answered(failure(sid="")) == Decision(
                Kind.GIVE_UP, attempt, "repeated", url=None
            )


class JoinedTests(Case):
    """Twilio's own repeat of a request that is still being held."""

    def test_same_instant(self) -> None:
        """A repeat is the same attempt, and is answered at the same instant as the first."""
        first = self.ask(failure())
        self.clock.advance(5.0)
        repeat = self.ask(failure())
        self.clock.advance(2.875)
        self.assertNoResult(first)
        self.assertNoResult(repeat)
        self.clock.advance(0.125)
        assert self.successResultOf(first) == SECOND_CHANCE
        assert self.successResultOf(repeat) == SECOND_CHANCE
        assert [told.held.seconds for told in self.watcher.told] == [8.0, 3.0]

    def test_one_failure(self) -> None:
        """A repeat is not a second failure, nor does it prolong the first."""
        answers = [self.ask(failure()) for _ in range(5)]
        self.clock.advance(8.0)
        for answer in answers:
            assert self.successResultOf(answer) == SECOND_CHANCE
        assert self.answered(failure()).attempt == 2

    def test_no_rounds(self) -> None:
        """Repeats use up none of the call's rounds."""
        answers = [self.ask(failure()) for _ in range(20)]
        self.clock.advance(8.0)
        for answer in answers:
            assert self.successResultOf(answer).kind == Kind.RETRY

    def test_at_the_release_instant(self) -> None:
        """What comes at the release instant or later is the next attempt."""
        self.held(failure())
        assert self.answered(failure()).attempt == 2

    def test_after_hanging_up(self) -> None:
        """A repeat of a request whose client hung up is answered when that would have been."""
        gone = self.ask(failure())
        self.clock.advance(3.0)
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        assert self.held(failure(), 5.0) == SECOND_CHANCE


class HangingUpTests(Case):
    """The client goes away while it waits."""

    def test_forgotten(self) -> None:
        """The request is forgotten, and told of as one that hung up; nothing was decided."""
        failed = failure()
        answer = self.ask(failed)
        self.clock.advance(3.0)
        assert len(self.service.hold) == 1
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        assert len(self.service.hold) == 0
        assert self.clock.getDelayedCalls() == []
        assert (self.watcher.gone, self.watcher.told) == ([failed], [])

    def test_claim_stays(self) -> None:
        """The claim stays: the next failure is the second."""
        answer = self.ask(failure())
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.clock.advance(8.0)
        assert self.answered(failure()).attempt == 2

    def test_before_the_claim(self) -> None:
        """Hanging up before the store has answered leaves the claim too."""
        claimed: Deferred[Claim] = Deferred()
        store = Scripted([claimed, succeed(Claim(attempt=2, hold=0.0, round=2))])
        self.use(store)
        answer = self.ask(failure())
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        claimed.callback(Claim(attempt=1, hold=8.0, round=1))
        assert self.answered(failure()).attempt == 2


class PointlessTests(Case):
    """Errors that would come again."""

    def test_at_once(self) -> None:
        """Bad TwiML is given up at once, and not counted as an attempt."""
        failed = failure(code="12100")
        assert self.answered(failed) == Decision(Kind.GIVE_UP, 0, "code", url=None)
        assert self.watcher.told == [Told(failed, *self.just_decided(), degraded=False)]

    def just_decided(self) -> tuple[Decision, Held]:
        return Decision(Kind.GIVE_UP, 0, "code", url=None), NOT_HELD

    def test_with_fallback(self) -> None:
        """The FallbackUrl is for such failures too."""
        decision = self.answered(failure(code="11237", fallback=SORRY))
        assert (decision.kind, decision.url) == (Kind.FALLBACK, SORRY)

    def test_not_the_first_failure(self) -> None:
        """A second chance that ended in bad TwiML does not make the next failure another one."""
        self.answered(failure(code="12100"))
        assert self.held(failure()) == SECOND_CHANCE

    def test_without_sid(self) -> None:
        """Without a SID, and so without rounds, it is the same."""
        given_up = Decision(Kind.GIVE_UP, 0, "code", url=None)
        for _ in range(20):
            assert self.answered(failure(code="12100", sid="")) == given_up

    def test_rounds(self) -> None:
        """Such failures count among the call's rounds: no loop without end."""
        failed = failure(code="12100", fallback=SORRY)
        kinds = [self.answered(failed).reason for _ in range(12)]
        assert kinds == ["code"] * 10 + ["rounds"] * 2
        assert self.watcher.told[10].decision.kind == Kind.FALLBACK
        assert self.watcher.told[11].decision.kind == Kind.GIVE_UP


class RoundsTests(Case):
    """A call whose every URL fails."""

    def test_ten_rounds(self) -> None:
        """Ten URLs of a call get a second chance, the eleventh its fallback, the twelfth none."""
        for step in range(10):
            assert self.held(failure(f"{APP}/{step}", fallback=SORRY)).kind == Kind.RETRY
        eleventh = self.answered(failure(f"{APP}/10", fallback=SORRY))
        assert eleventh == Decision(Kind.FALLBACK, 1, "rounds", url=SORRY, method="GET")
        twelfth = self.answered(failure(f"{APP}/11", fallback=SORRY))
        assert twelfth == Decision(Kind.GIVE_UP, 1, "rounds", url=None)

    def test_other_call(self) -> None:
        """Another call has its own ten."""
        for step in range(12):
            self.clock.advance(8.0)
            self.ask(failure(f"{APP}/{step}"))
        assert self.held(failure(sid="CA2")).kind == Kind.RETRY

    def test_new_window(self) -> None:
        """After the window a call has ten again."""
        for step in range(12):
            self.ask(failure(f"{APP}/{step}"))
        self.clock.advance(900.0)
        assert self.held(failure()).kind == Kind.RETRY


class CircleTests(Case):
    """What failed is the end of the way itself."""

    def test_own_address(self) -> None:
        """A failure of boomerang's own URL is neither counted nor held."""
        store = Scripted([])
        self.use(store)
        failed = failure(RETRY)
        decision = Decision(Kind.GIVE_UP, 0, "circle", url=None)
        assert self.answered(failed) == decision
        assert self.watcher.told == [Told(failed, decision, NOT_HELD, degraded=False)]
        assert store.asked == []

    def test_own_address_with_fallback(self) -> None:
        """It goes to the FallbackUrl, if there is one."""
        decision = self.answered(failure(RETRY, fallback=SORRY))
        assert (decision.kind, decision.url) == (Kind.FALLBACK, SORRY)


class RoomTests(Case):
    """As many are held as there is room for."""

    def setUp(self) -> None:
        super().setUp()
        self.use(max_held=2)

    def test_full(self) -> None:
        """One too many is sent back at once, and its next failure is the second all the same."""
        held = [self.ask(failure(sid=sid)) for sid in ("CA1", "CA2")]
        assert self.answered(failure(sid="CA3")) == UNHELD
        assert self.watcher.told[0].held == NOT_HELD
        assert self.answered(failure(sid="CA3")).attempt == 2
        self.clock.advance(8.0)
        for answer in held:
            assert self.successResultOf(answer) == SECOND_CHANCE
        assert self.held(failure(sid="CA4")) == SECOND_CHANCE

    def test_full_repeat(self) -> None:
        """A repeat that finds no room is sent back at once, as the same attempt.

        What fails after that is no further repeat, though the first one is still held.
        """
        held = [self.ask(failure(sid=sid)) for sid in ("CA1", "CA2")]
        assert self.answered(failure(sid="CA1")) == UNHELD
        assert self.answered(failure(sid="CA1")) == Decision(Kind.GIVE_UP, 2, "repeated")
        self.clock.advance(8.0)
        assert [self.successResultOf(answer).attempt for answer in held] == [1, 1]

    def test_filled_meanwhile(self) -> None:
        """Room that was lost while the store was asked is not used, which the store is told."""
        claims: list[Deferred[Claim]] = [Deferred(), Deferred()]
        store, gone = Scripted([*claims]), failure(sid="CA2")
        self.use(store, max_held=1)
        first, second = self.ask(failure(sid="CA1")), self.ask(gone)
        for claimed in claims:
            claimed.callback(Claim(attempt=1, hold=8.0, round=1))
        self.assertNoResult(first)
        assert self.successResultOf(second) == UNHELD
        self.clock.advance(0)
        assert store.released == [Marked(gone.identity, gone.call)]
        self.clock.advance(8.0)
        self.successResultOf(first)


class ShareTests(Case):
    """One account's storm does not cost another's callers the hold."""

    def test_fair_shares(self) -> None:
        """Once places are few, who has more than a share is sent back at once, and told why."""
        self.use(max_held=8)
        storm = [self.ask(failure(sid=f"CA{number}")) for number in range(6)]
        other = self.ask(failure(sid="CA6"), party="AC2")
        assert self.answered(failure(sid="CA7")) == evolve(UNHELD, reason="share")
        assert self.answered(failure(sid="CA7")).attempt == 2
        another = self.ask(failure(sid="CA8"), party="AC2")
        self.clock.advance(8.0)
        for answer in (*storm, other, another):
            assert self.successResultOf(answer) == SECOND_CHANCE

    def test_most_of_an_account(self) -> None:
        """An account has no more than the settings say, however many places are free."""
        self.use(max_held=8, max_each=1)
        held = self.ask(failure(sid="CA1"))
        assert self.answered(failure(sid="CA2")) == evolve(UNHELD, reason="account")
        held.cancel()
        self.failureResultOf(held, CancelledError)
        assert self.held(failure(sid="CA3")) == SECOND_CHANCE

    def test_no_wait(self) -> None:
        """Where nothing would be held, nobody is told that there is no room."""
        self.use(max_held=0, wait=0.0)
        assert self.answered(failure()) == SECOND_CHANCE


class ShutdownTests(Case):
    """The process is told to stop."""

    def test_released(self) -> None:
        """Whoever is held gets the second chance before the process ends, if a little early."""
        answer = self.ask(failure())
        self.clock.advance(3.0)
        self.service.hold.release_within(2.0)
        self.clock.advance(2.0)
        assert self.successResultOf(answer) == SECOND_CHANCE
        assert self.watcher.told[0].held == Held(seconds=5.0, overshoot=0.0, early=True)
        assert self.answered(failure()) == Decision(Kind.GIVE_UP, 2, "repeated")

    def test_last_requests(self) -> None:
        """What still arrives is held for what is left of the grace, and claimed for as long."""
        store = Scripted([succeed(Claim(attempt=1, hold=2.0, round=1))])
        self.use(store)
        self.service.hold.release_within(2.0)
        answer = self.ask(failure())
        self.clock.advance(2.0)
        assert self.successResultOf(answer) == SECOND_CHANCE
        assert [asked.wait for asked in store.asked] == [2.0]

    def test_after_the_grace(self) -> None:
        """What arrives after the grace is sent back at once."""
        self.service.hold.release_within(2.0)
        self.clock.advance(2.0)
        assert self.answered(failure()) == SECOND_CHANCE


class StoreTests(Case):
    """What is asked of the store, and a store that is not there."""

    def test_asked(self) -> None:
        """A failure is claimed under its digests, by the rules."""
        store = Scripted([succeed(Claim(attempt=2, hold=0.0, round=2))])
        self.use(store)
        failed = failure()
        self.answered(failed)
        expected = Failure(
            failed.identity, failed.call, wait=8.0, window=900.0, call_window=900.0, attempts=1
        )
        assert store.asked == [expected]

    def test_nothing_to_tell(self) -> None:
        """A hold that lasted as long as it was to is not told to the store again."""
        store = Scripted([succeed(Claim(attempt=1, hold=8.0, round=1))])
        self.use(store)
        self.held(failure())
        self.clock.advance(0)
        assert store.released == []

    def test_asked_for_rounds(self) -> None:
        """Where repeating cannot help, a first failure counts for the call's rounds alone."""
        store = Scripted([succeed(Claim(attempt=0, hold=0.0, round=1))])
        self.use(store)
        failed = failure(code="12100")
        self.answered(failed)
        expected = Failure(
            failed.identity,
            failed.call,
            wait=0.0,
            window=900.0,
            call_window=900.0,
            attempts=0,
            only_again=True,
        )
        assert store.asked == [expected]

    def test_claimed_before_the_wait(self) -> None:
        """The claim is made before the hold begins, not after."""
        store = Scripted([succeed(Claim(attempt=1, hold=8.0, round=1))])
        self.use(store)
        answer = self.ask(failure())
        assert len(store.asked) == 1
        self.clock.advance(8.0)
        self.successResultOf(answer)

    def test_slow(self) -> None:
        """The time that the store takes is part of the hold, as the store counts it."""
        claimed: Deferred[Claim] = Deferred()
        self.use(Scripted([claimed]))
        answer = self.ask(failure())
        self.clock.advance(0.125)
        claimed.callback(Claim(attempt=1, hold=7.875, round=1))
        self.clock.advance(7.75)
        self.assertNoResult(answer)
        self.clock.advance(0.125)
        assert self.successResultOf(answer) == SECOND_CHANCE
        assert not self.watcher.told[0].degraded

    def test_silent(self) -> None:
        """A store that says nothing costs no caller a moment: the process's own memory counts."""
        self.use(Scripted([Deferred(), Deferred()]))
        assert self.held(failure()) == SECOND_CHANCE
        assert self.watcher.told[0].degraded
        assert self.answered(failure()).attempt == 2

    def test_failing(self) -> None:
        """Nor does a store that fails at once."""
        self.use(Scripted([fail(StoreUnavailable("away"))]))
        assert self.held(failure()) == SECOND_CHANCE
        assert self.watcher.told[0].degraded

    def test_absurd(self) -> None:
        """A store that asks for a longer hold than it was told of is not believed."""
        self.use(Scripted([succeed(Claim(attempt=1, hold=100.0, round=1))]))
        assert self.held(failure()) == SECOND_CHANCE
