"""The key that the tokens of held calls are signed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from boomerang.retry.keys import (
    LOOK_EVERY,
    MOST,
    PATIENT_TRIES,
    TRY_EVERY,
    OwnKeys,
    derived,
    shared,
)
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes

TOPIC = "continuation"


def test_derived() -> None:
    """Each secret gives a key, always the same one, which does not show it."""
    one, other = derived(["one", "other"])
    assert derived(["other", "one"]) == [other, one]
    assert one != other
    assert {len(one), len(other)} == {32}
    assert derived([]) == []
    assert b"one" not in one


def test_own() -> None:
    """Each process draws a key of its own, and does not show it."""
    one, other = OwnKeys(), OwnKeys()
    assert (len(one.keys), len(one.keys[0])) == (1, 32)
    assert one.keys != other.keys
    assert "key" not in repr(one)


class Moody(MemoryNotes):
    """Notes of a store that is ``there``, ``away``, or ``silent`` until the test lets it speak.

    One that is ``broken`` makes no sense.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.mood = "there"
        self.late: list[Callable[[], object]] = []
        self.asked = 0
        self.written = 0

    def write(self, topic: str, notes: Mapping[str, str | None]) -> Deferred[None]:
        self.written += 1
        return super().write(topic, notes)

    def forget(self) -> None:
        """Be as after a restart of a Redis that keeps nothing on disk."""
        MemoryNotes.__init__(self, self._clock)

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        self.asked += 1
        if self.mood == "broken":
            return fail(ZeroDivisionError())
        if self.mood == "away":
            return fail(StoreUnavailable("redis://user:hunter2@store does not answer"))
        found = super().read(topic)
        if self.mood == "there":
            return found
        answer: Deferred[Mapping[str, str]] = Deferred()
        self.late.append(lambda: found.chainDeferred(answer))
        return answer


OWN = b"own"
THEIRS = b"theirs"


class Case(SynchronousTestCase):
    """Processes on one store, and a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = Moody(self.clock)
        self.keys = [OWN]
        self.told: list[list[bytes]] = []
        self.running: list[Deferred[None]] = []

    def tearDown(self) -> None:
        """What goes on for as long as the process ends with it, and leaves nothing to be done."""
        for each in self.running:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        assert self.clock.getDelayedCalls() == []

    def agree(self, keys: list[bytes]) -> None:
        holder = f"process {len(self.running)}"
        agreeing = shared(
            keys,
            self.notes,
            holder=holder,
            clock=self.clock,
            tell=lambda keys: self.told.append(list(keys)),
        )
        self.running.append(Deferred.fromCoroutine(agreeing))

    def stop(self) -> None:
        """The process that was started last ends."""
        agreeing = self.running.pop()
        agreeing.cancel()
        self.failureResultOf(agreeing, CancelledError)

    def pass_seconds(self, seconds: float) -> None:
        self.clock.pump([0.5] * round(seconds * 2))

    def kept(self) -> Mapping[str, str]:
        """What the store has."""
        return self.successResultOf(MemoryNotes.read(self.notes, TOPIC))

    def put(self, **notes: str | None) -> None:
        self.successResultOf(self.notes.write(TOPIC, notes))


class StartTests(Case):
    """How they come to have the same key."""

    def test_first(self) -> None:
        """The first process gives its own key to all."""
        self.agree(self.keys)
        assert self.keys == [OWN]
        assert self.kept() == {"key": OWN.hex()}

    def test_next(self) -> None:
        """Those that come later sign with the same; what they signed before stays good."""
        self.agree(self.keys)
        others = [THEIRS]
        self.agree(others)
        assert others == [OWN, THEIRS]

    def test_at_the_same_moment(self) -> None:
        """Two that find no key at the same moment agree on one."""
        self.notes.mood = "silent"
        others = [THEIRS]
        self.agree(self.keys)
        self.agree(others)
        self.notes.mood = "there"
        for answer in self.notes.late:
            answer()
        self.pass_seconds(2 * TRY_EVERY)
        assert self.keys[0] == others[0]

    def test_one_that_dies(self) -> None:
        """If the process that was to write the key has died, another one does, after a while."""
        assert self.successResultOf(self.notes.lease(TOPIC, holder="dead", seconds=20))
        self.agree(self.keys)
        self.pass_seconds(19.0)
        assert self.kept() == {}
        self.pass_seconds(2.0)
        assert self.kept() == {"key": OWN.hex()}

    def test_store_comes_later(self) -> None:
        """A store that is not there yet, as at every start with Redis, is asked again."""
        self.notes.mood = "away"
        with capturedLogs() as events:
            self.agree(self.keys)
            self.pass_seconds(TRY_EVERY)
            self.notes.mood = "there"
            self.pass_seconds(TRY_EVERY)
        assert self.kept() == {"key": OWN.hex()}
        assert events == []

    def test_store_stays_away(self) -> None:
        """That there is no store is said once, after some seconds, and without its address."""
        self.notes.mood = "away"
        with capturedLogs() as events:
            self.agree(self.keys)
            self.pass_seconds(TRY_EVERY * (PATIENT_TRIES - 2))
            assert events == []
            self.pass_seconds(60.0)
        assert [event["log_level"] for event in events] == [LogLevel.warn]
        assert "hunter2" not in formatEvent(events[0])
        self.notes.mood = "there"
        self.pass_seconds(TRY_EVERY)
        assert self.kept() == {"key": OWN.hex()}

    def test_silent_store(self) -> None:
        """A store that says nothing is asked again after five seconds."""
        self.notes.mood = "silent"
        self.agree(self.keys)
        self.notes.mood = "there"
        self.pass_seconds(5.0)
        assert self.kept() == {}
        self.pass_seconds(TRY_EVERY)
        assert self.kept() == {"key": OWN.hex()}

    def test_garbage(self) -> None:
        """What is no key is replaced by one."""
        for garbage in ("", "no hexadecimal"):
            self.put(key=garbage)
            self.agree(self.keys)
            self.pass_seconds(25.0)
            assert self.keys == [OWN]
            assert self.kept() == {"key": OWN.hex()}

    def test_end_of_the_process(self) -> None:
        """It is given up when the process stops, whatever the store does just then."""
        for mood in ("away", "silent", "there"):
            self.notes.mood = mood
            self.agree(self.keys)
            self.pass_seconds(0.5)
            self.stop()
            assert self.clock.getDelayedCalls() == []
        assert self.keys == [OWN]


class LaterTests(Case):
    """The store forgets what they had agreed on, or says otherwise."""

    def setUp(self) -> None:
        super().setUp()
        self.others = [THEIRS]
        self.agree(self.keys)
        self.agree(self.others)

    def test_forgotten(self) -> None:
        """A store that came back empty is given the same key again; a new process then has it."""
        self.put(key=None)
        self.pass_seconds(25.0)
        assert self.kept() == {"key": OWN.hex()}
        new = [b"new"]
        self.agree(new)
        assert new[0] == self.keys[0] == self.others[0] == OWN

    def test_soon_after_it_was_away(self) -> None:
        """Those that found it away give it the key within a second or two of its return."""
        self.notes.forget()
        self.notes.mood = "away"
        self.pass_seconds(LOOK_EVERY)
        self.notes.mood = "there"
        self.pass_seconds(2 * TRY_EVERY)
        assert self.kept() == {"key": OWN.hex()}

    def test_restarted_first(self) -> None:
        """If a process that was restarted has written another, all sign with that one."""
        self.stop()
        self.notes.forget()
        new = [b"new"]
        self.agree(new)
        assert self.keys == [OWN]
        self.pass_seconds(LOOK_EVERY)
        assert self.keys == [b"new", OWN]

    def test_calls_of_before(self) -> None:
        """Calls that were told to come back before that are known to all, the new one too."""
        self.stop()
        self.notes.forget()
        new = [b"new"]
        self.agree(new)
        self.pass_seconds(2 * LOOK_EVERY)
        assert new == [b"new", OWN]
        later = [b"later"]
        self.agree(later)
        assert later == [b"new", OWN, b"later"]

    def test_few(self) -> None:
        """However often it changes, only the newest few are good."""
        for number in range(20):
            self.put(key=bytes([number]).hex())
            self.pass_seconds(LOOK_EVERY)
        assert self.keys == [bytes([number]) for number in range(19, 19 - MOST, -1)]
        assert len(self.kept()) == 2

    def test_back_and_forth(self) -> None:
        """One that comes back is first again, and not there twice."""
        for key in (b"a", OWN, b"a", OWN):
            self.put(key=key.hex())
            self.pass_seconds(LOOK_EVERY)
        assert self.keys == [OWN, b"a"]

    def test_told(self) -> None:
        """What they have agreed on is told at each look, and nothing without a store."""
        self.stop()
        self.put(key=b"new".hex())
        self.told.clear()
        self.pass_seconds(2 * LOOK_EVERY)
        assert self.told == [[b"new", OWN]] * 2
        self.notes.mood = "away"
        self.pass_seconds(2 * LOOK_EVERY)
        assert len(self.told) == 2

    def test_same_host(self) -> None:
        """Workers that begin with the same key agree on it, or on the store's and keep it."""
        for kept, agreed in ((None, [b"host's"]), (b"new".hex(), [b"new", b"host's"])):
            self.notes.forget()
            self.put(key=kept)
            workers = [[b"host's"], [b"host's"]]
            for keys in workers:
                self.agree(keys)
                self.pass_seconds(TRY_EVERY)
            assert workers == [agreed, agreed]

    def test_store_away(self) -> None:
        """While there is no store they go on with what they have, and nothing is said of it."""
        with capturedLogs() as events:
            for mood in ("away", "silent"):
                self.notes.mood = mood
                self.pass_seconds(120.0)
        assert (self.keys, self.others) == ([OWN], [OWN, THEIRS])
        assert events == []

    def test_few_questions(self) -> None:
        """While all is well each process asks six times a minute, and writes nothing."""
        self.notes.asked = self.notes.written = 0
        self.pass_seconds(60.0)
        assert (self.notes.asked, self.notes.written) == (2 * 6, 0)


class MistakeTests(Case):
    """The store does what it should not."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here a mistake is to be logged."""

    def test_asked_again(self) -> None:
        """A mistake is logged, some times a minute, and does not end it."""
        self.notes.mood = "broken"
        self.agree(self.keys)
        self.pass_seconds(2 * LOOK_EVERY - 1.0)
        assert [each.type for each in self.flushLoggedErrors()] == [ZeroDivisionError] * 2
        self.notes.mood = "there"
        self.pass_seconds(1.0)
        assert self.kept() == {"key": OWN.hex()}
