"""The key that the tokens of held calls are signed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from boomerang.retry.keys import PATIENT_TRIES, TRY_EVERY, derived, shared
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes


def test_derived() -> None:
    """Each secret gives a key, always the same one, which does not show it."""
    one, other = derived(["one", "other"])
    assert derived(["other", "one"]) == [other, one]
    assert one != other
    assert {len(one), len(other)} == {32}
    assert derived([]) == []
    assert b"one" not in one


def numbers(first: int) -> Callable[[int], bytes]:
    """Chance that can be foretold: another number each time, of so many bytes."""
    numbers = count(first)
    return lambda size: next(numbers).to_bytes(size, "big")


class Moody(MemoryNotes):
    """Notes of a store that is ``there``, ``away``, or ``silent`` until the test lets it speak."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.mood = "there"
        self.late: list[Callable[[], object]] = []

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        if self.mood == "away":
            return fail(StoreUnavailable("redis://user:hunter2@store does not answer"))
        found = super().read(topic)
        if self.mood == "there":
            return found
        answer: Deferred[Mapping[str, str]] = Deferred()
        self.late.append(lambda: found.chainDeferred(answer))
        return answer


class SharedTests(SynchronousTestCase):
    """Processes on one store, and a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = Moody(self.clock)
        self.keys = [b"own"]

    def agree(self, keys: list[bytes], *, chance: int = 1) -> Deferred[None]:
        agreeing = shared(keys, self.notes, clock=self.clock, random=numbers(chance))
        return Deferred.fromCoroutine(agreeing)

    def test_first(self) -> None:
        """The first process makes a key, and signs with it from then on; its own stays good."""
        self.successResultOf(self.agree(self.keys))
        made, own = self.keys
        assert (len(made), own) == (32, b"own")
        assert self.clock.getDelayedCalls() == []

    def test_next(self) -> None:
        """Those that come later have the same."""
        self.successResultOf(self.agree(self.keys))
        others = [b"theirs"]
        self.successResultOf(self.agree(others, chance=1000))
        assert others == [self.keys[0], b"theirs"]

    def test_at_the_same_moment(self) -> None:
        """Two that find no key at the same moment agree on one."""
        self.notes.mood = "silent"
        others = [b"theirs"]
        agreeing = [self.agree(self.keys), self.agree(others, chance=1000)]
        self.notes.mood = "there"
        for answer in self.notes.late:
            answer()
        self.clock.pump([TRY_EVERY] * 2)
        for each in agreeing:
            self.successResultOf(each)
        assert self.keys[0] == others[0]
        assert self.clock.getDelayedCalls() == []

    def test_one_that_dies(self) -> None:
        """If the process that was to make the key has died, another one does, after a while."""
        assert self.successResultOf(self.notes.lease("continuation", holder="dead", seconds=20))
        agreeing = self.agree(self.keys)
        self.clock.pump([TRY_EVERY] * 19)
        assert self.keys == [b"own"]
        self.clock.pump([TRY_EVERY] * 2)
        self.successResultOf(agreeing)
        assert len(self.keys) == 2

    def test_store_comes_later(self) -> None:
        """A store that is not there yet, as at every start with Redis, is asked again."""
        self.notes.mood = "away"
        with capturedLogs() as events:
            agreeing = self.agree(self.keys)
            self.clock.advance(TRY_EVERY)
            assert self.keys == [b"own"]
            self.notes.mood = "there"
            self.clock.advance(TRY_EVERY)
        self.successResultOf(agreeing)
        assert len(self.keys) == 2
        assert events == []

    def test_store_stays_away(self) -> None:
        """That there is no store is said once, after some seconds, and without its address."""
        self.notes.mood = "away"
        with capturedLogs() as events:
            agreeing = self.agree(self.keys)
            self.clock.pump([TRY_EVERY] * (PATIENT_TRIES - 2))
            assert events == []
            self.clock.pump([TRY_EVERY] * 60)
        assert [event["log_level"] for event in events] == [LogLevel.warn]
        assert "hunter2" not in formatEvent(events[0])
        self.notes.mood = "there"
        self.clock.advance(TRY_EVERY)
        self.successResultOf(agreeing)

    def test_silent_store(self) -> None:
        """A store that says nothing is asked again after five seconds."""
        self.notes.mood = "silent"
        agreeing = self.agree(self.keys)
        self.notes.mood = "there"
        self.clock.pump([1.0] * 5)
        assert self.keys == [b"own"]
        self.clock.advance(TRY_EVERY)
        self.successResultOf(agreeing)
        assert len(self.keys) == 2

    def test_garbage(self) -> None:
        """What is no key is replaced by one."""
        for garbage in ("", "no hexadecimal"):
            self.successResultOf(self.notes.write("continuation", {"key": garbage}))
            keys: list[bytes] = []
            agreeing = self.agree(keys)
            self.clock.pump([1.0] * 25)
            self.successResultOf(agreeing)
            assert [len(key) for key in keys] == [32]

    def test_end_of_the_process(self) -> None:
        """It is given up when the process stops, and nothing is left to be done."""
        for mood in ("away", "silent"):
            self.notes.mood = mood
            agreeing = self.agree(self.keys)
            self.clock.advance(0.5)
            agreeing.cancel()
            self.failureResultOf(agreeing, CancelledError)
            assert self.clock.getDelayedCalls() == []
        assert self.keys == [b"own"]
