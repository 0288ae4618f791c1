"""Calls that are held for longer than one webhook may take: in turns, told to come back."""

from __future__ import annotations

import random

import attrs
from twisted.internet.defer import CancelledError, Deferred, succeed

from boomerang.retry.continuation import LONGEST_ADDRESS, Continuation
from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.service import NOT_HELD, TURN
from boomerang.stores.interfaces import Claim, Marked
from boomerang.stores.memory import MemoryStore
from tests.retry.serving import (
    APP,
    EPOCH,
    HERE,
    OWN,
    PROBE,
    SECOND_CHANCE,
    UNHELD,
    Case,
    Process,
    Scripted,
    failure,
    just_now,
)

LIMIT = 60.0
GIVEN_UP = Decision(Kind.GIVE_UP, 2, "repeated")
AWAY = 1.0
"""Seconds for which a call is away between two turns."""


class Turns(Case):
    """An endpoint whose calls are held for up to a minute, until the app is awake."""

    def setUp(self) -> None:
        super().setUp()
        self.use(probe=PROBE, hold_limit=LIMIT)

    def turn(self, answer: Deferred[Decision]) -> Decision:
        """The end of a turn that brings nothing but another one."""
        told = self.after(answer, TURN)
        assert (told.kind, told.attempt) == (Kind.HOLD, 1)
        return told

    def back(self, told: Decision) -> Deferred[Decision]:
        """The call comes back, after a while."""
        self.pass_seconds(AWAY)
        return self.process.return_(told)


class CallTests(Turns):
    """What becomes of the call."""

    def test_told_to_come_back(self) -> None:
        """After ten seconds the call is told to come back, with all that is known of it."""
        failed = failure(fallback="https://static.example.com/sorry.xml")
        told = self.turn(self.ask(failed))
        assert (told.method, told.reason, told.message) == ("POST", "", None)
        assert self.process.read(told) == Continuation(failed, until=EPOCH + LIMIT, attempt=1)
        held = Held(seconds=TURN, overshoot=0.0, early=False, may_go=False)
        assert [(each.decision, each.held) for each in self.watcher.told] == [(told, held)]
        self.assert_nothing_left()

    def test_awake_in_the_first_turn(self) -> None:
        """Where that is soon enough, the call goes without any turns."""
        answer = self.ask(failure())
        self.pass_seconds(8.5)
        self.app.awake = True
        assert self.after(answer, 0.5) == SECOND_CHANCE
        self.assert_nothing_left()

    def test_awake_in_a_later_turn(self) -> None:
        """Whenever the app wakes up, the call goes within a second; it was one attempt."""
        told = self.turn(self.ask(failure()))
        told = self.turn(self.back(told))
        third = self.back(told)
        self.pass_seconds(3.25)
        self.app.awake = True
        assert self.after(third, 0.75) == SECOND_CHANCE
        assert self.answered(failure()) == GIVEN_UP

    def test_awake_between_two_turns(self) -> None:
        """Also when it wakes up while the call is on its way."""
        told = self.turn(self.ask(failure()))
        self.app.awake = True
        assert self.successResultOf(self.back(told)) == SECOND_CHANCE
        assert self.answered(failure()) == GIVEN_UP
        self.assert_nothing_left()

    def test_limit(self) -> None:
        """When the limit is reached, the call goes whether or not the app has answered."""
        told = self.turn(self.ask(failure()))
        for _ in range(4):
            told = self.turn(self.back(told))
            assert self.process.read(told).until == EPOCH + LIMIT
        last = self.back(told)
        assert self.after(last, LIMIT - self.clock.seconds()) == SECOND_CHANCE
        assert self.clock.seconds() == LIMIT
        assert self.answered(failure()) == GIVEN_UP

    def test_last_turn(self) -> None:
        """What is left at the end is held in one turn, if one webhook may take so long."""
        self.use(probe=PROBE, hold_limit=24.0)
        told = self.turn(self.ask(failure()))
        assert self.after(self.back(told), 13.0) == SECOND_CHANCE

    def test_late(self) -> None:
        """A call that comes back after the limit is sent on at once."""
        told = self.turn(self.ask(failure()))
        self.pass_seconds(LIMIT)
        assert self.successResultOf(self.process.return_(told)) == SECOND_CHANCE
        assert self.watcher.told[-1].held == NOT_HELD

    def test_method(self) -> None:
        """The second chance is by the endpoint's method, whatever the turns were."""
        self.use(probe=PROBE, hold_limit=LIMIT, method="GET")
        told = self.turn(self.ask(failure()))
        self.app.awake = True
        chance = self.successResultOf(self.back(told))
        assert chance == attrs.evolve(SECOND_CHANCE, method="GET")

    def test_several_attempts(self) -> None:
        """Each attempt has the whole hold."""
        self.use(probe=PROBE, hold_limit=LIMIT, attempts=2)
        told = self.turn(self.ask(failure()))
        self.app.awake = True
        self.successResultOf(self.back(told))
        self.app.awake = False
        second = self.after(self.ask(failure()), TURN)
        assert (second.kind, second.attempt) == (Kind.HOLD, 2)
        assert self.process.read(second).attempt == 2

    def test_no_rounds(self) -> None:
        """Coming back uses up none of the call's rounds."""
        self.use(probe=PROBE, hold_limit=600.0, rounds=2)
        told = self.turn(self.ask(failure()))
        for _ in range(20):
            told = self.turn(self.back(told))
        self.app.awake = True
        assert self.successResultOf(self.back(told)) == SECOND_CHANCE
        assert self.answered(failure()) == GIVEN_UP

    def test_repeat(self) -> None:
        """Twilio's own repeat has turns of its own, and the same limit."""
        first = self.ask(failure())
        self.pass_seconds(4.0)
        repeat = self.ask(failure())
        told = self.after(first, TURN - 4.0)
        other = self.after(repeat, 4.0)
        assert self.process.read(told).until == self.process.read(other).until == EPOCH + LIMIT
        self.app.awake = True
        answers = [self.process.return_(each) for each in (told, other)]
        assert [self.successResultOf(answer) for answer in answers] == [SECOND_CHANCE] * 2
        self.assert_nothing_left()

    def test_outcome(self) -> None:
        """All turns are one second chance, whose outcome is told once."""
        told = self.turn(self.ask(failure()))
        told = self.turn(self.back(told))
        self.app.awake = True
        self.successResultOf(self.back(told))
        self.pass_seconds(32.0)
        labels = {"endpoint": "unknown"}
        assert self.process.count("second_chances_total", outcome="recovered", **labels) == 1
        assert self.process.count("second_chances_total", outcome="lost", **labels) == 0


class MessageTests(Turns):
    """What a caller hears who has to wait."""

    def test_first(self) -> None:
        """Who is to wait long hears so first, and then is held without further words."""
        self.use(probe=PROBE, hold_limit=LIMIT, hold_message="One moment, please.")
        told = self.answered(failure())
        assert (told.kind, told.message) == (Kind.HOLD, "One moment, please.")
        assert self.watcher.told[0].held == NOT_HELD
        assert self.process.read(told).until == EPOCH + LIMIT
        again = self.turn(self.back(told))
        assert again.message is None
        self.app.awake = True
        assert self.successResultOf(self.back(again)) == SECOND_CHANCE
        self.assert_nothing_left()

    def test_short_waits(self) -> None:
        """Who is held in one webhook hears nothing."""
        self.use(probe=PROBE, hold_limit=14.0, hold_message="One moment, please.")
        assert self.held(failure(), 14.0) == SECOND_CHANCE

    def test_last_turn(self) -> None:
        """Nor does Twilio's repeat of a request of which little is left."""
        self.use(probe=PROBE, hold_limit=20.0, hold_message="One moment, please.")
        self.answered(failure())
        self.pass_seconds(10.0)
        assert self.held(failure(), 10.0) == SECOND_CHANCE


class NoWayBackTests(Turns):
    """What cannot come back is held as long as one webhook may take."""

    def held_at_most(self, answer: Deferred[Decision], url: str = APP) -> None:
        assert self.after(answer, 14.0) == attrs.evolve(SECOND_CHANCE, url=url)
        self.assert_nothing_left()

    def test_messages(self) -> None:
        """A message is never told to come back: no verb would let it wait."""
        self.held_at_most(self.ask(failure(sid="SM1")))

    def test_unknown(self) -> None:
        """Nor is what may be one."""
        self.held_at_most(self.ask(failure(sid="")))

    def test_nobody_knows_where_this_is(self) -> None:
        """Nor can a call where nobody knows how this host is reached; the store is told."""
        self.held_at_most(self.process.ask(failure(), here=None))
        assert self.answered(failure()) == GIVEN_UP

    def test_too_long(self) -> None:
        """Nor where the address would be longer than Twilio may take."""
        noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=6000))
        url = f"{APP}?x={noise}"
        assert len(url) > LONGEST_ADDRESS
        self.held_at_most(self.ask(failure(url)), url)

    def test_awake(self) -> None:
        """They go as soon as the app is awake, too."""
        answer = self.ask(failure(sid="SM1"))
        self.pass_seconds(11.5)
        self.app.awake = True
        assert self.after(answer, 0.5) == SECOND_CHANCE

    def test_without_a_probe(self) -> None:
        """Without a probe nothing would end a longer hold, so there is none."""
        self.use(hold_limit=LIMIT)
        assert self.held(failure()) == SECOND_CHANCE


class ElsewhereTests(Turns):
    """The call comes back to a process that is another one, or has changed."""

    def test_another_process(self) -> None:
        """Any process that shares store and key goes on where the other one stopped."""
        store = MemoryStore(self.clock)
        self.use(store, probe=PROBE, hold_limit=LIMIT)
        other = Process(self.clock, store, probe=PROBE, hold_limit=LIMIT)
        told = self.turn(self.ask(failure()))
        told = self.after(other.return_(told), TURN)
        other.app.awake = True
        assert self.successResultOf(other.return_(told)) == SECOND_CHANCE
        self.pass_seconds(0.125)
        assert self.answered(failure()) == GIVEN_UP
        labels = {"endpoint": "unknown"}
        assert self.process.count("second_chances_total", outcome="lost", **labels) == 1
        self.pass_seconds(32.0)
        assert other.count("second_chances_total", outcome="recovered", **labels) == 0

    def test_other_settings(self) -> None:
        """One whose settings know of no longer hold any more holds no longer."""
        told = self.turn(self.ask(failure()))
        self.use(MemoryStore(self.clock))
        assert self.after(self.process.return_(told), 8.0) == SECOND_CHANCE

    def test_clocks(self) -> None:
        """Where the clocks differ, nobody is held for longer than the settings say."""
        continuation = Continuation(failure(), until=EPOCH + 86400.0, attempt=1)
        answer = self.service.come_back(continuation, just_now(OWN, HERE, "AC1"))
        assert self.process.read(self.turn(answer)).until == EPOCH + LIMIT

    def test_clocks_the_other_way(self) -> None:
        """If it seems to be long over, the call goes at once."""
        continuation = Continuation(failure(), until=EPOCH - 86400.0, attempt=1)
        answer = self.service.come_back(continuation, just_now(OWN, HERE, "AC1"))
        assert self.successResultOf(answer) == SECOND_CHANCE


class RoomTests(Turns):
    """Where there is no room, or no time."""

    def test_full(self) -> None:
        """A call that finds no room when it comes back is sent on at once, and the store told."""
        self.use(probe=PROBE, hold_limit=LIMIT, max_held=1)
        told = self.turn(self.ask(failure()))
        other = self.ask(failure(sid="CA2"))
        assert self.successResultOf(self.back(told)) == UNHELD
        assert self.answered(failure()) == GIVEN_UP
        other.cancel()
        self.failureResultOf(other, CancelledError)
        self.assert_nothing_left()

    def test_full_from_the_start(self) -> None:
        """One that finds no room when it fails is not held at all."""
        self.use(probe=PROBE, hold_limit=LIMIT, max_held=0)
        assert self.answered(failure()) == UNHELD
        assert self.answered(failure()) == GIVEN_UP

    def test_shutting_down(self) -> None:
        """At the end of the process a call that is held is sent on, within the grace."""
        told = self.turn(self.ask(failure()))
        answer = self.back(told)
        self.pass_seconds(1.0)
        self.service.hold.release_within(2.0)
        assert self.after(answer, 2.0) == SECOND_CHANCE
        assert self.watcher.told[-1].held == Held(seconds=3.0, overshoot=0.0, early=True)
        assert self.answered(failure()) == GIVEN_UP
        self.assert_nothing_left()

    def test_after_the_grace(self) -> None:
        """One that comes after the grace is sent on at once."""
        told = self.turn(self.ask(failure()))
        self.service.hold.release_within(0.0)
        self.clock.advance(0)
        assert self.successResultOf(self.process.return_(told)) == SECOND_CHANCE

    def test_no_turns_where_none_were_asked_for(self) -> None:
        """While shutting down, only those are told to come back that are held in turns."""
        for message in (None, "One moment, please."):
            claimed: Deferred[Claim] = Deferred()
            self.use(Scripted([claimed]), probe=PROBE, hold_message=message)
            self.service.hold.release_within(2.0)
            answer = self.ask(failure())
            self.pass_seconds(0.125)
            claimed.callback(Claim(attempt=1, hold=2.0, round=1))
            self.pass_seconds(2.0)
            assert self.successResultOf(answer) == SECOND_CHANCE

    def test_hanging_up(self) -> None:
        """A caller who hangs up in a turn is forgotten."""
        told = self.turn(self.ask(failure()))
        answer = self.back(told)
        self.pass_seconds(2.0)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        assert self.watcher.gone == [failure()]
        self.assert_nothing_left()

    def test_store_is_told(self) -> None:
        """The store knows of the whole hold from the start, and of its end when that has come."""
        store, failed = Scripted([succeed(Claim(attempt=1, hold=LIMIT, round=1))]), failure()
        self.use(store, probe=PROBE, hold_limit=LIMIT)
        told = self.turn(self.ask(failed))
        assert ([each.wait for each in store.asked], store.released) == ([LIMIT], [])
        self.app.awake = True
        self.successResultOf(self.back(told))
        self.clock.advance(0)
        assert (len(store.asked), store.released) == (1, [Marked(failed.identity, failed.call)])


class RateTests(Turns):
    """Held in turns, and released one after the other."""

    def setUp(self) -> None:
        super().setUp()
        self.use(probe=PROBE, hold_limit=LIMIT, release_rate=2.0, max_held=1000)
        self.gone: list[tuple[str, float]] = []

    def call(self, sid: str) -> None:
        """A call that comes back as often as it is told to."""
        self.follow(self.ask(failure(sid=sid)), sid)

    def follow(self, answer: Deferred[Decision], sid: str) -> None:
        def decided(decision: Decision) -> None:
            if decision.kind is Kind.HOLD:
                back = self.process.read(decision, sid=sid)
                self.clock.callLater(AWAY, self.come_back, back, sid)
            else:
                assert decision == SECOND_CHANCE
                self.gone.append((sid, self.clock.seconds()))

        answer.addCallback(decided)

    def come_back(self, continuation: Continuation, sid: str) -> None:
        self.follow(self.service.come_back(continuation, just_now(OWN, HERE, "AC1")), sid)

    def test_first_come(self) -> None:
        """Those that came first go first, however often they had to come back meanwhile.

        Only while they are away, others may go in their place.
        """
        for number in range(80):
            self.call(f"early-{number}")
        self.pass_seconds(3.0)
        self.app.awake = True
        self.pass_seconds(18.5)
        for number in range(10):
            self.call(f"late-{number}")
        self.pass_seconds(40.0)
        times = dict(self.gone)
        assert len(times) == 90
        early = [at for sid, at in self.gone if sid.startswith("early")]
        overtaking = [
            at for sid, at in self.gone if sid.startswith("late") and at < times["early-79"]
        ]
        assert early == [times[f"early-{number}"] for number in range(80)]
        slack = 0.75  # the test's own clock goes in steps, and a return takes two or three
        assert all((at - slack) % (TURN + AWAY) >= TURN - slack for at in overtaking)

    def test_nobody_beyond_the_limit(self) -> None:
        """All go by their limit, at whichever rate that takes."""
        for number in range(400):
            self.call(f"CA{number}")
        self.pass_seconds(5.0)
        self.app.awake = True
        self.pass_seconds(LIMIT)
        assert len(self.gone) == 400
        assert max(at for _, at in self.gone) <= LIMIT + AWAY + 0.125
        self.assert_nothing_left()
