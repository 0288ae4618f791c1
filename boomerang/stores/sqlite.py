"""Claims in an SQLite file: durable, and shared by the processes of one machine.

The reactor never touches the file. The claims of one reactor turn, and those that arrive while a
batch is being written, go to a thread together and share one transaction and one commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure as Trouble

from boomerang.stores.interfaces import Claim, Failure, Marked, StoreUnavailable
from boomerang.stores.sqlite_file import as_unavailable
from boomerang.stores.sqlite_marks import SqliteMarks
from boomerang.threads import Run

T = TypeVar("T")

_MOST_IN_A_BATCH: Final = 2000

_CLOSED: Final = "SQLite: closed"


class SqliteStore:
    """A `ClaimStore` in a file."""

    def __init__(self, marks: SqliteMarks, *, run: Run, clock: IReactorTime) -> None:
        self._marks = marks
        self._run = run
        self._clock = clock
        self._waiting: dict[Deferred[Claim], Failure] = {}
        self._probing: list[Deferred[None]] = []
        self._busy = False
        self._closed = False

    def open(self) -> Deferred[None]:
        return self.probe()

    def claim(self, failure: Failure) -> Deferred[Claim]:
        if self._closed:
            return fail(StoreUnavailable(_CLOSED))
        waiter: Deferred[Claim] = Deferred(self._claim_cancelled)
        self._waiting[waiter] = failure
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
        _refuse(waiters, Trouble(StoreUnavailable(_CLOSED)))
        return self._run(self._marks.close)

    def _claim_cancelled(self, waiter: Deferred[Claim]) -> None:
        self._waiting.pop(waiter, None)

    def _probe_cancelled(self, waiter: Deferred[None]) -> None:
        if waiter in self._probing:
            self._probing.remove(waiter)

    def _wake(self) -> None:
        """Write a batch at the end of this reactor turn, unless one is on its way."""
        if not self._busy:
            self._busy = True
            self._clock.callLater(0, self._write_batch)

    def _write_batch(self) -> None:
        waiters = list(self._waiting)[:_MOST_IN_A_BATCH]
        failures = [self._waiting.pop(waiter) for waiter in waiters]
        probes, self._probing = self._probing, []
        if not waiters and not probes:  # all cancelled, or closed: leave the file alone
            self._busy = False
            return
        written = self._run(partial(self._marks.count, failures))
        written.addErrback(as_unavailable)
        written.addCallbacks(
            partial(_answer, waiters, probes), partial(_refuse, [*waiters, *probes])
        )
        written.addBoth(self._next_batch)

    def _next_batch(self, _: object) -> None:
        self._busy = False
        if self._waiting or self._probing:
            self._wake()


def _answer(
    waiters: Sequence[Deferred[Claim]], probes: Sequence[Deferred[None]], claims: Sequence[Claim]
) -> None:
    for waiter, claim in zip(waiters, claims, strict=True):
        if not waiter.called:
            waiter.callback(claim)
    for probe in probes:
        if not probe.called:
            probe.callback(None)


def _refuse(waiters: Sequence[Deferred[Any]], trouble: Trouble) -> None:
    for waiter in waiters:
        if not waiter.called:
            waiter.errback(trouble)
