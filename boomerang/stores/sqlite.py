"""Claims in an SQLite file: durable, and shared by the processes of one machine.

The reactor never touches the file. The claims of one reactor turn, and those that arrive while a
batch is being written, go to a thread together and share one transaction and one commit. Under load
batches begin at intervals: a hop to the thread costs more than many claims in it, and each of its
steps waits for the interpreter's lock. No call is released later for that, since its hold begins
when it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure as Trouble

from boomerang.stores.direct import Direct
from boomerang.stores.interfaces import Claim, Failure, Marked, StoreUnavailable
from boomerang.stores.sqlite_file import as_unavailable
from boomerang.stores.sqlite_marks import SqliteMarks
from boomerang.threads import Run

T = TypeVar("T")

MOST_IN_A_BATCH: Final = 2000
"""With two rows of eight columns each: a statement of SQLite's takes 32,766 values."""

PACE: Final = 0.005
"""Seconds between the beginnings of two batches."""

_CLOSED: Final = "SQLite: closed"


class SqliteStore:
    """A `ClaimStore` in a file."""

    def __init__(self, marks: SqliteMarks, *, run: Run, clock: IReactorTime) -> None:
        self._marks = marks
        self._run = run
        self._clock = clock
        self._waiting: dict[Deferred[Claim], tuple[Failure, float]] = {}
        self._began = -PACE
        self._probing: list[Deferred[None]] = []
        self._busy = False
        self._closed = False

    def open(self) -> Deferred[None]:
        return self.probe()

    def claim(self, failure: Failure) -> Deferred[Claim]:
        if self._closed:
            return fail(StoreUnavailable(_CLOSED))
        waiter: Direct[Claim] = Direct(self._claim_cancelled)
        self._waiting[waiter] = (failure, self._clock.seconds())
        self._wake()
        return waiter

    def release(self, marked: Sequence[Marked]) -> Deferred[None]:
        return self._do(partial(self._marks.release, marked))

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]:
        return self._do(partial(self._marks.attempts, marked))

    def _do(self, work: Callable[[], T]) -> Deferred[T]:
        if self._closed:
            return fail(StoreUnavailable(_CLOSED))
        return self._run(work).addErrback(as_unavailable)

    def probe(self) -> Deferred[None]:
        if self._closed:
            return fail(StoreUnavailable(_CLOSED))
        waiter: Deferred[None] = Deferred(self._probe_cancelled)
        self._probing.append(waiter)
        self._wake()
        return waiter

    def close(self) -> Deferred[None]:
        """Close the file for good, after the batch under way; what waits for the next one fails."""
        self._closed = True
        waiters: list[Deferred[Any]] = [*self._waiting, *self._probing]
        self._waiting.clear()
        self._probing.clear()
        _refuse(Trouble(StoreUnavailable(_CLOSED)), waiters)
        return self._run(self._marks.close)

    def _claim_cancelled(self, waiter: Deferred[Claim]) -> None:
        self._waiting.pop(waiter, None)

    def _probe_cancelled(self, waiter: Deferred[None]) -> None:
        if waiter in self._probing:
            self._probing.remove(waiter)

    def _wake(self) -> None:
        """Write a batch at the end of this reactor turn, or when it is time, unless one is on
        its way."""
        if not self._busy:
            self._busy = True
            pause = self._began + PACE - self._clock.seconds()
            full = len(self._waiting) >= MOST_IN_A_BATCH
            self._clock.callLater(0 if full else max(0.0, pause), self._write_batch)

    def _write_batch(self) -> None:
        waiters = list(self._waiting)[:MOST_IN_A_BATCH]
        asked = [self._waiting.pop(waiter) for waiter in waiters]
        probes, self._probing = self._probing, []
        if not waiters and not probes:  # all cancelled, or closed: leave the file alone
            self._busy = False
            return
        self._began = self._clock.seconds()
        written = self._run(partial(self._count, asked))
        written.addErrback(as_unavailable)
        written.addCallbacks(
            self._answer, _refuse, (waiters, probes), {}, ([*waiters, *probes],), {}
        )
        written.addBoth(self._next_batch)

    def _count(self, asked: Sequence[tuple[Failure, float]]) -> tuple[list[Claim], float]:
        """In the thread: claims as they stand at an instant, and that.

        It is the instant from which the file counts the holds. Were it earlier, a call would be
        sent back before the file says so, and fail again as one that is still held.
        """
        counted_at = 0.0

        def failures() -> Sequence[Failure]:
            nonlocal counted_at
            counted_at = self._clock.seconds()
            return [_earlier(failure, counted_at - asked_at) for failure, asked_at in asked]

        return self._marks.count(failures), counted_at

    def _answer(
        self,
        counted: tuple[list[Claim], float],
        waiters: Sequence[Deferred[Claim]],
        probes: Sequence[Deferred[None]],
    ) -> None:
        claims, counted_at = counted
        since = self._clock.seconds() - counted_at
        for waiter, claim in zip(waiters, claims, strict=True):
            if not waiter.called:
                waiter.callback(_later(claim, since))
        for probe in probes:
            if not probe.called:
                probe.callback(None)

    def _next_batch(self, _: object) -> None:
        self._busy = False
        if self._waiting or self._probing:
            self._wake()


def _earlier(failure: Failure, seconds: float) -> Failure:
    """A failure of which some seconds of the hold are over."""
    if failure.wait <= 0:
        return failure
    wait = max(0.0, failure.wait - seconds)
    return Failure(
        failure.identity,
        failure.call,
        wait,
        failure.window,
        failure.call_window,
        failure.attempts,
        failure.only_again,
    )


def _later(claim: Claim, seconds: float) -> Claim:
    """A claim as it stands some seconds later."""
    if claim.hold <= 0:
        return claim
    return Claim(claim.attempt, max(0.0, claim.hold - seconds), claim.round, claim.after)


def _refuse(trouble: Trouble, waiters: Sequence[Deferred[Any]]) -> None:
    for waiter in waiters:
        if not waiter.called:
            waiter.errback(trouble)
