"""Many small requests as a few large ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from boomerang.stores.interfaces import StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """Writes together what arrives within a reactor turn, and while a batch is under way.

    ``write`` gives a result for each item; one that is an exception is the item's failure. When it
    fails, all items of the batch do. What was cancelled before its batch began is not written.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Deferred[Sequence[Result | Exception]]],
        *,
        clock: IReactorTime,
        most: int,
    ) -> None:
        self._write = write
        self._clock = clock
        self._most = most
        self._waiting: dict[Deferred[Result], Item] = {}
        self._busy = False
        self._closing: list[Deferred[None]] = []
        self._closed: StoreUnavailable | None = None

    def add(self, item: Item) -> Deferred[Result]:
        """Have an item written with the next batch."""
        if self._closed is not None:
            return fail(self._closed)
        waiter: Deferred[Result] = Deferred(self._cancelled)
        self._waiting[waiter] = item
        if not self._busy:
            self._busy = True
            self._clock.callLater(0, self._write_batch)
        return waiter

    def close(self, reason: StoreUnavailable) -> Deferred[None]:
        """Fail what waits, and all that comes; fires when the batch under way has ended."""
        self._closed = reason
        waiters = list(self._waiting)
        self._waiting.clear()
        for waiter in waiters:
            waiter.errback(reason)
        if not self._busy:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._closing.append(ended)
        return ended

    def _cancelled(self, waiter: Deferred[Result]) -> None:
        self._waiting.pop(waiter, None)

    def _write_batch(self) -> None:
        waiters = list(self._waiting)[: self._most]
        items = [self._waiting.pop(waiter) for waiter in waiters]
        if not items:  # all cancelled, or closed
            self._end()
            return
        written = self._write(items)
        written.addCallbacks(_answer, _refuse, callbackArgs=(waiters,), errbackArgs=(waiters,))
        written.addBoth(self._next_batch)

    def _next_batch(self, _: object) -> None:
        if self._waiting:
            self._clock.callLater(0, self._write_batch)
        else:
            self._end()

    def _end(self) -> None:
        self._busy = False
        closing, self._closing = self._closing, []
        for ended in closing:
            ended.callback(None)


def _answer(results: Sequence[Result | Exception], waiters: Sequence[Deferred[Result]]) -> None:
    for waiter, result in zip(waiters, results, strict=True):
        if waiter.called:
            continue
        if isinstance(result, Exception):
            waiter.errback(result)
        else:
            waiter.callback(result)


def _refuse(trouble: Failure, waiters: Sequence[Deferred[Result]]) -> None:
    for waiter in waiters:
        if not waiter.called:
            waiter.errback(trouble)
