"""The queue in Redis, shared by all instances that use it.

What is acknowledged is as durable as Redis is set up to be:

- ``appendonly yes`` with ``appendfsync always``: Redis answers when it is on disk; nothing that was
  acknowledged is lost, unless the disk is. Commands that wait together share a write, so that this
  costs a busy server little.
- ``appendfsync everysec`` (Redis's own default with ``appendonly yes``): a crash of Redis alone
  loses nothing, for the kernel has what was written; a power cut loses the last second, or two.
- Snapshots only (``save``): a crash loses all since the last one. Do not use this for the relay.

``maxmemory-policy`` must be ``noeviction`` or one of ``volatile-``, which spare keys without an
expiry; with another one Redis throws callbacks away when it is full. Full, it refuses to accept.

Replicas get writes after the answer was given, so a failover may lose some. Behind Sentinel the
queue therefore waits (WAIT) after each batch until a replica has it, too. If none says so,
callbacks are refused, though stored, and will be delivered unless the master is lost. Only when no
replica has been connected to this master for a minute they are acknowledged without one, and the
log says so: there is nothing to fail over to. Before that the replica may be away since it is being
made the master, and all that is written here is about to be lost.

The queue has a connection of its own: a WAIT holds up all that is behind it on its connection, and
claims have only 250 ms.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, TimeoutError, fail, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.relay.callback import Callback, Queued, State
from boomerang.stores.batches import Batches
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.queue import REMEMBERED, Bounds, Filter, QueueFull, Stats
from boomerang.stores.queue_record import decode, encode, remembered_as, words
from boomerang.stores.redis_commands import RedisCommands
from boomerang.stores.redis_connection import Link
from boomerang.stores.redis_protocol import Script, Word

T = TypeVar("T")

_QUEUE: Final = Script.beside("queue.lua")

_PATIENCE: Final = 5.0
"""Seconds; who waits for less cancels, and this only ends what hangs."""

_REPLICA_PATIENCE_MS: Final = 100

_ALONE_AFTER: Final = 60.0
"""Seconds without a replica after which there is none; a failover takes some 5 to 30."""

_CLOSING: Final = 1.0

_MOST_IN_A_BATCH: Final = 100
"""Redis does nothing else during a script: some milliseconds."""

_LOOK_AT_ONCE: Final = 50
_SCAN_AT_ONCE: Final = 500
_CHANGE_AT_ONCE: Final = 500


class RedisQueue:
    """A `QueueStore` in Redis 6 or newer, on a connection of its own, which it closes.

    After an acceptance ``replicas`` are waited for. Redis has ``patience`` seconds for a step; then
    it is taken to hang, and a new connection is made.
    """

    _log = Logger()

    def __init__(
        self,
        commands: RedisCommands,
        *,
        prefix: str,
        clock: IReactorTime,
        wall_clock: Callable[[], float] = time.time,
        replicas: int = 0,
        bounds: Bounds | None = None,
        patience: float = _PATIENCE,
    ) -> None:
        self._commands = commands
        self._patience = patience
        self._key = f"{prefix}{{relay}}:queue"
        self._clock = clock
        self._wall_clock = wall_clock
        self._replicas = replicas
        self._bounds = bounds or Bounds()
        self._accepting: Batches[list[Any], bool] = Batches(
            self._accept, clock=clock, most=_MOST_IN_A_BATCH
        )
        self._settling: Batches[list[Any], bool] = Batches(
            self._settle, clock=clock, most=_MOST_IN_A_BATCH
        )
        self._alone = False
        self._replica_seen: tuple[Link | None, float] | None = None

    def open(self) -> Deferred[None]:
        return self._commands.connection.open()

    def accept(self, callback: Callback) -> Deferred[bool]:
        try:
            record, name = encode(callback), remembered_as(callback.key)
            origin = callback.origin
        except ValueError:
            return fail()
        received_at = repr(callback.received_at)
        return self._accepting.add(
            [name, callback.line, origin, callback.endpoint, received_at, record]
        )

    def _accept(self, batch: Sequence[list[Any]]) -> Deferred[Sequence[bool | Exception]]:
        return Deferred.fromCoroutine(self._accept_together(batch))

    async def _accept_together(self, batch: Sequence[list[Any]]) -> Sequence[bool | Exception]:
        bounds = self._bounds
        limits = [bounds.most, bounds.most_bytes, bounds.most_keys, _ms(REMEMBERED)]
        parts = (part for callback in batch for part in callback)
        results = await self._do("accept", *limits, *parts)
        await self._replicated()
        return [self._as_accepted(result) for result in results]

    def _as_accepted(self, result: int) -> bool | Exception:
        if result >= 0:
            return bool(result)
        if result == -1:
            return QueueFull(f"{self._bounds.most} callbacks wait")
        return QueueFull(f"the callbacks that wait take {self._bounds.most_bytes} bytes")

    async def _replicated(self) -> None:
        """Wait for a replica. Asked for at once when a reply was read, WAIT is for all that was
        written on its connection; on another one it would be for nothing."""
        if not self._replicas:
            return
        if not self._alone or await self._has_replicas():
            told = self._command("WAIT", self._replicas, _REPLICA_PATIENCE_MS)
            if await told >= self._replicas:
                self._replica_seen = (self._commands.connection.link, self._clock.seconds())
                self._is_alone(alone=False)
                return
            if await self._has_replicas() or self._had_one_lately():
                raise StoreUnavailable("Redis: stored, but no replica has it yet")
        self._is_alone(alone=True)

    def _had_one_lately(self) -> bool:
        """Whether this master had a replica a moment ago; one on a new link may be the replica."""
        if self._replica_seen is None:
            return False
        link, seen = self._replica_seen
        is_same = link is self._commands.connection.link
        return is_same and self._clock.seconds() - seen < _ALONE_AFTER

    async def _has_replicas(self) -> bool:
        role = await self._command("ROLE")
        has_some = role[0] == b"master" and bool(role[2])
        if has_some:
            self._replica_seen = (self._commands.connection.link, self._clock.seconds())
        return has_some

    def _is_alone(self, *, alone: bool) -> None:
        if alone and not self._alone:
            self._log.warn("Redis has no replica: a failover would lose what is acknowledged")
        elif self._alone and not alone:
            self._log.info("Redis has a replica again")
        self._alone = alone

    def _command(self, *words: Word) -> Deferred[Any]:
        return self._limit(self._commands.ask(self._key, *words))

    def take(
        self, holder: str, *, most: int, lease: float, per_origin: int, origins: Mapping[str, int]
    ) -> Deferred[Sequence[Queued]]:
        rooms = (part for pair in origins.items() for part in pair)
        return self._do("take", holder, most, _ms(lease), per_origin, *rooms).addCallback(_shown)

    def renew(self, holder: str, numbers: Collection[int], *, lease: float) -> Deferred[set[int]]:
        kept = self._do("renew", holder, _ms(lease), *map(_name, numbers))
        return kept.addCallback(lambda found: set(map(int, found)))

    def delivered(self, holder: str, number: int) -> Deferred[bool]:
        return self._settling.add(["delivered", holder, _name(number), 0, ""])

    def put_off(self, holder: str, number: int, *, pause: float, last: str) -> Deferred[bool]:
        return self._settling.add(["put_off", holder, _name(number), _ms(pause), words(last)])

    def bury(self, holder: str, number: int, *, last: str) -> Deferred[bool]:
        return self._settling.add(["bury", holder, _name(number), 0, words(last)])

    def _settle(self, batch: Sequence[list[Any]]) -> Deferred[Sequence[bool | Exception]]:
        done = self._do("settle", *(part for outcome in batch for part in outcome))
        return done.addCallback(lambda results: list(map(bool, results)))

    def hand_back(self, holder: str, numbers: Collection[int]) -> Deferred[None]:
        return self._do("hand_back", holder, *map(_name, numbers)).addCallback(lambda _: None)

    def look(self, which: Filter, *, most: int, after: int = 0) -> Deferred[Sequence[Queued]]:
        return Deferred.fromCoroutine(self._look(which, most, after))

    async def _look(self, which: Filter, most: int, after: int) -> Sequence[Queued]:
        """Look at some hundred at a time: Redis does nothing else meanwhile."""
        found: list[Queued] = []
        wanted = _as_json(which, self._wall_clock())
        left = None if which.numbers is None else sorted(n for n in {*which.numbers} if n > after)
        while len(found) < most and left != []:
            some = list(map(_name, left[:_SCAN_AT_ONCE])) if left else []
            room = min(_LOOK_AT_ONCE, most - len(found))
            last, rows = await self._do("look", after, _SCAN_AT_ONCE, room, wanted, *some)
            found += _shown(rows)
            if left is not None:
                left = [n for n in left if n > int(last or some[-1])]
            elif not last:
                break
            after = int(last or 0)
        return found

    def replay(self, numbers: Collection[int]) -> Deferred[int]:
        return Deferred.fromCoroutine(self._change("replay", sorted({*numbers})))

    def drop(self, numbers: Collection[int]) -> Deferred[int]:
        return Deferred.fromCoroutine(self._change("drop", sorted({*numbers})))

    async def _change(self, command: str, numbers: Sequence[int]) -> int:
        done = 0
        for first in range(0, len(numbers), _CHANGE_AT_ONCE):
            done += await self._do(command, *map(_name, numbers[first : first + _CHANGE_AT_ONCE]))
        return done

    def sweep(self, *, retention: float, most_bytes: int) -> Deferred[Mapping[str, int]]:
        return Deferred.fromCoroutine(self._sweep(_ms(retention), most_bytes))

    async def _sweep(self, retention: int, most_bytes: int) -> Mapping[str, int]:
        total = {"age": 0, "size": 0}
        while True:
            age, size = await self._do("sweep", retention, most_bytes, _CHANGE_AT_ONCE)
            total = {"age": total["age"] + age, "size": total["size"] + size}
            if not age + size:
                return total

    def stats(self) -> Deferred[Stats]:
        return self._do("stats").addCallback(_as_stats)

    def close(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        closed = StoreUnavailable("Redis: closed")
        ending = [self._accepting.close(closed), self._settling.close(closed)]
        await gatherResults(ending).addTimeout(_CLOSING, self._clock).addErrback(_only_late)
        await self._commands.connection.close()

    def _do(self, command: str, *arguments: Word) -> Deferred[Any]:
        return self._limit(self._commands.run(_QUEUE, [self._key], command, *arguments))

    def _limit(self, done: Deferred[T]) -> Deferred[T]:
        return done.addTimeout(self._patience, self._clock).addErrback(self._too_late)

    def _too_late(self, trouble: Failure) -> Failure:
        trouble.trap(TimeoutError)
        return Failure(StoreUnavailable(f"Redis: no answer within {self._patience:g} s"))


def _only_late(trouble: Failure) -> None:
    trouble.trap(TimeoutError)


def _name(number: int) -> str:
    """A number as it stands in Redis."""
    return f"{number:015d}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _as_json(which: Filter, now: float) -> str:
    wanted = {
        "state": which.state and which.state.value,
        "host": which.host,
        "endpoint": which.endpoint,
        "order": which.order,
        "numbers": None if which.numbers is None else True,
        "before": None if which.older_than is None else now - which.older_than,
        "since": None if which.younger_than is None else now - which.younger_than,
    }
    return json.dumps({name: value for name, value in wanted.items() if value is not None})


def _shown(rows: Sequence[Sequence[bytes]]) -> list[Queued]:
    return [
        Queued(
            number=int(number),
            callback=decode(record),
            state=State(state.decode()),
            attempts=int(attempts),
            due_at=float(due) / 1000,
            last=last.decode(),
        )
        for number, state, attempts, due, last, record in rows
    ]


def _as_stats(reply: Sequence[Any]) -> Stats:
    *totals, oldest = reply
    waiting, waiting_bytes, dead, dead_bytes = map(int, totals)
    return Stats(
        waiting=waiting,
        waiting_bytes=waiting_bytes,
        dead=dead,
        dead_bytes=dead_bytes,
        oldest=float(oldest) if oldest else None,
    )
