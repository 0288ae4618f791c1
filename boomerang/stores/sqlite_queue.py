"""The queue in an SQLite file, the one that has the claims, and in the same thread.

What is accepted is on disk before it is acknowledged: SQLite waits for the disk with those commits
(synchronous = FULL), and only with those. A wait serves all callbacks that arrived during the one
before, and what became of others. They share the thread with the claims, since they share the
lock of the file: in a thread of its own the queue would make claims try again and again for a lock
that is held while the disk writes, instead of letting them wait for their turn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime

from boomerang.relay.callback import Callback, Queued
from boomerang.stores import sqlite_queue_people as people
from boomerang.stores import sqlite_queue_rows as rows
from boomerang.stores.batches import Batches
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.queue import Bounds, Filter, Stats
from boomerang.stores.queue_record import encode, remembered_as
from boomerang.stores.sqlite_file import SqliteFile, as_unavailable
from boomerang.stores.sqlite_queue_rows import New, Outcome
from boomerang.threads import Run

T = TypeVar("T")

_MOST_IN_A_BATCH: Final = 500

_LOOK_AT_ONCE: Final = 100
"""How many callbacks are read in one go: with long bodies they are some megabytes."""


class SqliteQueue:
    """A `QueueStore` in a file. The claims' store closes the file."""

    def __init__(
        self, file: SqliteFile, *, run: Run, clock: IReactorTime, bounds: Bounds | None = None
    ) -> None:
        self._file = file
        self._run = run
        self._bounds = bounds or Bounds()
        self._closed = False
        self._batches: Batches[New | Outcome, bool] = Batches(
            self._write, clock=clock, most=_MOST_IN_A_BATCH
        )

    def open(self) -> Deferred[None]:
        return self._do(lambda connection, now: None)

    def accept(self, callback: Callback) -> Deferred[bool]:
        try:
            new = New(
                record=encode(callback),
                name=remembered_as(callback.key),
                line=callback.line,
                origin=callback.origin,
                endpoint=callback.endpoint,
                received_at=callback.received_at,
            )
        except ValueError:
            return fail()
        return self._batches.add(new)

    def take(
        self, holder: str, *, most: int, lease: float, per_origin: int, origins: Mapping[str, int]
    ) -> Deferred[Sequence[Queued]]:
        return self._do(
            partial(
                rows.take,
                holder=holder,
                most=most,
                lease=lease,
                per_origin=per_origin,
                origins=dict(origins),
            )
        )

    def renew(self, holder: str, numbers: Collection[int], *, lease: float) -> Deferred[set[int]]:
        return self._do(partial(rows.renew, holder=holder, numbers=[*numbers], lease=lease))

    def delivered(self, holder: str, number: int) -> Deferred[bool]:
        return self._batches.add(Outcome("delivered", holder, number))

    def put_off(self, holder: str, number: int, *, pause: float, last: str) -> Deferred[bool]:
        return self._batches.add(Outcome("put_off", holder, number, pause=pause, last=last))

    def bury(self, holder: str, number: int, *, last: str) -> Deferred[bool]:
        return self._batches.add(Outcome("bury", holder, number, last=last))

    def hand_back(self, holder: str, numbers: Collection[int]) -> Deferred[None]:
        leases = [(number, holder) for number in numbers]
        return self._do(lambda connection, now: rows.end_leases(connection, leases))

    def look(self, which: Filter, *, most: int, after: int = 0) -> Deferred[Sequence[Queued]]:
        return Deferred.fromCoroutine(self._look(which, most, after))

    async def _look(self, which: Filter, most: int, after: int) -> Sequence[Queued]:
        found: list[Queued] = []
        while len(found) < most:
            room = min(_LOOK_AT_ONCE, most - len(found))
            some = await self._do(partial(people.look, which=which, most=room, after=after))
            found += some
            if len(some) < room:
                break
            after = some[-1].number
        return found

    def replay(self, numbers: Collection[int]) -> Deferred[int]:
        wanted = [*numbers]
        return self._do(lambda connection, now: people.replay(connection, now, wanted))

    def drop(self, numbers: Collection[int]) -> Deferred[int]:
        wanted = [*numbers]
        return self._do(lambda connection, now: people.drop(connection, wanted))

    def sweep(self, *, retention: float, most_bytes: int) -> Deferred[Mapping[str, int]]:
        return Deferred.fromCoroutine(self._sweep(retention, most_bytes))

    async def _sweep(self, retention: float, most_bytes: int) -> Mapping[str, int]:
        """Forget in portions, each a transaction, so that others have their turn between."""
        total = {"age": 0, "size": 0}
        dead = partial(people.sweep_dead, retention=retention, most_bytes=most_bytes)
        keys = partial(people.sweep_keys, most_keys=self._bounds.most_keys)
        while any((forgotten := await self._do(dead)).values()):
            total = {reason: total[reason] + forgotten[reason] for reason in total}
        while await self._do(keys):
            pass
        return total

    def stats(self) -> Deferred[Stats]:
        return self._do(lambda connection, now: people.stats(connection))

    def close(self) -> Deferred[None]:
        self._closed = True
        return self._batches.close(StoreUnavailable("SQLite: closed"))

    def _do(self, work: Callable[[sqlite3.Connection, float], T]) -> Deferred[T]:
        if self._closed:
            return fail(StoreUnavailable("SQLite: closed"))
        return self._run(lambda: self._file.transact(work)).addErrback(as_unavailable)

    def _write(self, batch: Sequence[New | Outcome]) -> Deferred[Sequence[bool | Exception]]:
        news = [item for item in batch if isinstance(item, New)]
        outcomes = [item for item in batch if isinstance(item, Outcome)]

        def write(connection: sqlite3.Connection, now: float) -> Sequence[bool | Exception]:
            accepted = iter(rows.accept(connection, now, news, self._bounds) if news else ())
            settled = iter(rows.settle(connection, now, outcomes) if outcomes else ())
            return [next(accepted if isinstance(item, New) else settled) for item in batch]

        durable = bool(news)
        written = self._run(lambda: self._file.transact(write, durable=durable))
        return written.addErrback(as_unavailable)
