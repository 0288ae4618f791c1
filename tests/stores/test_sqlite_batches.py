"""Claims in an SQLite file: those of one reactor turn go there together."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    maybeDeferred,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.stores.interfaces import Claim, Failure, StoreUnavailable
from boomerang.stores.sqlite import PACE, SqliteStore
from tests.stores.failures import failure

T = TypeVar("T")


class Recorder:
    """A file that counts nothing, and notes what it is asked."""

    def __init__(self) -> None:
        self.batches: list[list[Failure]] = []
        self.broken: Exception | None = None
        self.closed = False
        self.hold = 0.0
        self.locked: Callable[[], object] = lambda: None
        self.meanwhile: Callable[[], object] = lambda: None

    def count(self, asked: Callable[[], Sequence[Failure]]) -> list[Claim]:
        self.locked()
        failures = list(asked())
        self.batches.append(failures)
        if self.broken is not None:
            raise self.broken
        self.meanwhile()
        return [Claim(attempt=n, hold=self.hold, round=n) for n, _ in enumerate(failures, start=1)]

    def close(self) -> None:
        self.closed = True


class Batches(SynchronousTestCase):
    """How claims become batches; the thread's work is done when a test says so."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.file = Recorder()
        self.work: list[Callable[[], object]] = []
        file: Any = self.file
        self.store = SqliteStore(file, run=self.run_later, clock=self.clock)

    def run_later(self, work: Callable[[], T]) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        self.work.append(lambda: maybeDeferred(work).chainDeferred(done))
        return done

    def turn(self) -> None:
        """A turn of the reactor; the thread does all it was given before."""
        self.work_ends()
        self.clock.advance(PACE)

    def work_ends(self) -> None:
        work, self.work = self.work, []
        for piece in work:
            piece()

    def test_one_turn_is_one_batch(self) -> None:
        """The claims of one reactor turn are written together, in their order."""
        failures = [failure(f"{n}") for n in range(50)]
        claims = [self.store.claim(failure) for failure in failures]
        self.turn()
        self.turn()
        assert self.file.batches == [failures]
        assert [self.successResultOf(claim).attempt for claim in claims] == list(range(1, 51))

    def test_the_next_batch(self) -> None:
        """What arrives while a batch is being written goes together into the next one."""
        self.store.claim(failure("1"))
        self.turn()
        later = []
        for n in ("2", "3"):
            later.append(self.store.claim(failure(n)))
            self.clock.advance(0)
        assert len(self.work) == 1
        self.turn()
        self.turn()
        assert [[one.identity for one in batch] for batch in self.file.batches] == [
            ["1"],
            ["2", "3"],
        ]
        assert all(claim.called for claim in later)

    def test_a_storm(self) -> None:
        """No batch is so large that it would keep everybody waiting."""
        claims = [self.store.claim(failure(f"{n}")) for n in range(4500)]
        for _ in range(5):
            self.turn()
        assert [len(batch) for batch in self.file.batches] == [2000, 2000, 500]
        assert all(claim.called for claim in claims)

    def test_pace(self) -> None:
        """Batches begin at intervals, the first one at once, and so does one that is full."""
        self.store.claim(failure("1"))
        self.clock.advance(0)
        self.work_ends()
        self.store.claim(failure("2"))
        self.clock.advance(0.8 * PACE)
        assert not self.work
        self.clock.advance(0.3 * PACE)
        assert len(self.work) == 1
        for n in range(2000):
            self.store.claim(failure(f"{n}"))
        self.work_ends()
        self.clock.advance(0)
        assert len(self.work) == 1

    def test_holds_begin_when_they_are_asked_for(self) -> None:
        """However long the file takes, a hold ends as long after the claim as it was to last."""
        claim = self.store.claim(failure(wait=8))
        self.clock.advance(0.25)  # the thread is busy with something else
        self.file.hold = 7.75
        self.file.meanwhile = lambda: self.clock.advance(0.5)
        self.work_ends()
        assert self.file.batches[0][0].wait == 7.75
        assert self.successResultOf(claim).hold == 7.25

    def test_locked_file(self) -> None:
        """A hold begins with the file's own instant, also if others had it locked before."""
        claim = self.store.claim(failure(wait=8))
        self.clock.advance(0)
        self.file.locked = lambda: self.clock.advance(0.5)
        self.file.hold = 7.5
        self.work_ends()
        assert self.file.batches[0][0].wait == 7.5
        assert self.successResultOf(claim).hold == 7.5

    def test_nothing_to_do(self) -> None:
        """Without claims nothing runs."""
        self.store.claim(failure())
        for _ in range(5):
            self.turn()
        assert len(self.file.batches) == 1
        assert self.clock.getDelayedCalls() == []

    def test_probe(self) -> None:
        """A probe waits for a batch of its own, or goes along with one."""
        probe = self.store.probe()
        self.turn()
        self.assertNoResult(probe)
        self.turn()
        self.successResultOf(probe)
        assert self.file.batches == [[]]

    def test_failing_batch(self) -> None:
        """When a batch fails, all its claims and probes do, and the next batch is tried."""
        self.file.broken = sqlite3.OperationalError("database is locked")
        claims = [self.store.claim(failure()), self.store.claim(failure())]
        probe = self.store.probe()
        self.turn()
        next_one = self.store.claim(failure())
        self.turn()
        for refused in (*claims, probe):
            assert "locked" in str(self.failureResultOf(refused, StoreUnavailable).value)
        self.file.broken = None
        self.turn()
        self.successResultOf(next_one)

    def test_a_mistake(self) -> None:
        """A failure that no file should have arrives as it is, and does not stop the next batch."""
        self.file.broken = KeyError("mistake")
        claim = self.store.claim(failure())
        self.turn()
        self.turn()
        self.failureResultOf(claim, KeyError)
        self.file.broken = None
        next_one = self.store.claim(failure())
        self.turn()
        self.turn()
        self.successResultOf(next_one)

    def test_cancelled_before_its_batch(self) -> None:
        """What is cancelled before it is written is not written any more."""
        first, claim, probe = self.store.claim(failure("1")), self.store.claim(failure("2")), None
        claim.cancel()
        self.failureResultOf(claim, CancelledError)
        probe = self.store.probe()
        probe.cancel()
        self.failureResultOf(probe, CancelledError)
        self.turn()
        self.turn()
        assert self.file.batches == [[failure("1")]]
        self.successResultOf(first)

    def test_all_cancelled(self) -> None:
        """A batch of which nothing is left is not written."""
        claim = self.store.claim(failure())
        claim.cancel()
        self.failureResultOf(claim, CancelledError)
        self.turn()
        assert self.work == []
        self.store.claim(failure())
        self.turn()
        assert len(self.work) == 1

    def test_cancelled_during_its_batch(self) -> None:
        """What is cancelled while it is being written harms no other, whether that works or not."""
        for broken in (None, sqlite3.OperationalError("full")):
            self.file.broken = broken
            asked: list[Deferred[Any]] = [
                *(self.store.claim(failure()) for _ in range(2)),
                *(self.store.probe() for _ in range(2)),
            ]
            self.turn()
            for cancelled in asked[::2]:
                cancelled.cancel()
                self.failureResultOf(cancelled, CancelledError)
            self.turn()
            for other in asked[1::2]:
                if broken is None:
                    self.successResultOf(other)
                else:
                    self.failureResultOf(other, StoreUnavailable)
        assert len(self.file.batches) == 2

    def test_close_during_a_batch(self) -> None:
        """The batch under way is answered, what waits for the next fails, the file is closed."""
        written = self.store.claim(failure("1"))
        self.turn()
        waiting, probe = self.store.claim(failure("2")), self.store.probe()
        closed = self.store.close()
        for refused in (waiting, probe):
            assert "closed" in str(self.failureResultOf(refused, StoreUnavailable).value)
        self.turn()
        self.successResultOf(written)
        self.successResultOf(closed)
        assert self.file.closed
        self.turn()
        assert [len(batch) for batch in self.file.batches] == [1]

    def test_close_before_a_batch(self) -> None:
        """A batch that was to begin after closing does not open the file again."""
        claim = self.store.claim(failure())
        closed = self.store.close()
        self.failureResultOf(claim, StoreUnavailable)
        for _ in range(3):
            self.turn()
        self.successResultOf(closed)
        assert self.file.batches == []

    def test_closed(self) -> None:
        """A closed store fails all it is asked."""
        self.store.close()
        for refused in (self.store.claim(failure()), self.store.probe(), self.store.open()):
            assert "closed" in str(self.failureResultOf(refused, StoreUnavailable).value)
