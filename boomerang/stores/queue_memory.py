"""The queue in the process's own memory: for ``memory:``, which forgets with the process."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import islice

from attrs import define, frozen
from twisted.internet.defer import Deferred, fail, succeed

from boomerang.relay.callback import Callback, Queued, State
from boomerang.stores.queue import (
    REMEMBERED,
    SLACK,
    Bounds,
    Filter,
    QueueFull,
    Stats,
    check_room,
)
from boomerang.stores.queue_record import encode, remembered_as, words


@define(eq=False)
class _Entry:
    """A callback; ``ready_at`` is `None` behind another of its line."""

    number: int
    callback: Callback
    origin: str
    line: str
    size: int
    due_at: float
    ready_at: float | None = None
    state: State = State.WAITING
    attempts: int = 0
    died_at: float = 0.0
    last: str = ""

    def shown(self) -> Queued:
        return Queued(
            number=self.number,
            callback=self.callback,
            state=self.state,
            attempts=self.attempts,
            due_at=self.due_at,
            last=self.last,
        )


@frozen
class _Lease:
    number: int
    holder: str
    ends_at: float


class MemoryQueue:
    """A `QueueStore` that forgets with the process."""

    def __init__(self, wall_clock: Callable[[], float], *, bounds: Bounds | None = None) -> None:
        self._wall_clock = wall_clock
        self._bounds = bounds or Bounds()
        self._entries: dict[int, _Entry] = {}
        self._newest = 0
        self._count = dict.fromkeys(State, 0)
        self._bytes = dict.fromkeys(State, 0)
        self._keys: OrderedDict[str, float] = OrderedDict()
        self._lines: defaultdict[str, list[int]] = defaultdict(list)
        self._leases: dict[str, _Lease] = {}
        self._ready: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        self._seen = wall_clock()

    def open(self) -> Deferred[None]:
        return succeed(None)

    def accept(self, callback: Callback) -> Deferred[bool]:
        try:
            return succeed(self._accept(callback))
        except (QueueFull, ValueError):
            return fail()

    def _accept(self, callback: Callback) -> bool:
        now, size, name = self._now(), len(encode(callback)), remembered_as(callback.key)
        if self._keys.get(name, now - REMEMBERED) > now - REMEMBERED:
            return False
        check_room(self._count[State.WAITING], self._bytes[State.WAITING], size, self._bounds)
        self._keys.pop(name, None)
        self._keys[name] = now
        self._newest += 1
        entry = _Entry(self._newest, callback, callback.origin, callback.line, size, due_at=now)
        self._entries[entry.number] = entry
        self._enter(entry)
        return True

    def take(
        self, holder: str, *, most: int, lease: float, per_origin: int, origins: Mapping[str, int]
    ) -> Deferred[Sequence[Queued]]:
        now = self._now()
        found: list[tuple[float, int]] = []
        for origin in list(self._ready):
            room = min(most, origins.get(origin, per_origin))
            found += self._due(self._ready[origin], now, room)
            if not self._ready[origin]:
                del self._ready[origin]
        found.sort()
        for ready_at, number in found[most:]:
            self._make_ready(self._entries[number], ready_at)
        taken = [self._entries[number] for _, number in found[:most]]
        for entry in taken:
            self._leases[entry.line] = _Lease(entry.number, holder, now + lease)
            self._refresh(entry.line)
        return succeed([entry.shown() for entry in taken])

    def _due(
        self, heap: list[tuple[float, int]], now: float, room: int
    ) -> Iterator[tuple[float, int]]:
        """Take what is due off a heap, and what is no longer as it says."""
        while room > 0 and heap and heap[0][0] <= now:
            ready_at, number = heappop(heap)
            entry = self._entries.get(number)
            if entry is not None and entry.ready_at == ready_at:
                entry.ready_at = None  # the same may stand in the heap twice
                room -= 1
                yield ready_at, number

    def renew(self, holder: str, numbers: Collection[int], *, lease: float) -> Deferred[set[int]]:
        now, kept = self._now(), set()
        for line, old in list(self._leases.items()):
            if old.holder == holder and old.number in numbers and old.ends_at > now:
                self._leases[line] = _Lease(old.number, holder, now + lease)
                self._refresh(line)
                kept.add(old.number)
        return succeed(kept)

    def delivered(self, holder: str, number: int) -> Deferred[bool]:
        found = self._forget(number)
        self._end_lease(holder, number)
        return succeed(found)

    def put_off(self, holder: str, number: int, *, pause: float, last: str) -> Deferred[bool]:
        entry = self._held(holder, number)
        if entry is not None:
            entry.attempts, entry.last, entry.due_at = (
                entry.attempts + 1,
                words(last),
                self._now() + pause,
            )
            self._refresh(entry.line)
        self._end_lease(holder, number)
        return succeed(entry is not None)

    def bury(self, holder: str, number: int, *, last: str) -> Deferred[bool]:
        entry = self._held(holder, number)
        if entry is not None:
            self._leave(entry)
            entry.state, entry.died_at = State.DEAD, self._now()
            entry.attempts, entry.last = entry.attempts + 1, words(last)
            self._count[State.DEAD] += 1
            self._bytes[State.DEAD] += entry.size
        self._end_lease(holder, number)
        return succeed(entry is not None)

    def hand_back(self, holder: str, numbers: Collection[int]) -> Deferred[None]:
        for number in numbers:
            self._end_lease(holder, number)
        return succeed(None)

    def look(self, which: Filter, *, most: int, after: int = 0) -> Deferred[Sequence[Queued]]:
        now = self._now()
        found = (
            entry.shown()
            for entry in self._entries.values()
            if entry.number > after and _matches(entry, which, now)
        )
        return succeed(list(islice(found, most)))

    def replay(self, numbers: Collection[int]) -> Deferred[int]:
        found = [self._entries[number] for number in {*numbers} if number in self._entries]
        for entry in found:
            self._leave(entry)
            entry.state, entry.attempts, entry.due_at = State.WAITING, 0, self._now()
            self._enter(entry)
        return succeed(len(found))

    def drop(self, numbers: Collection[int]) -> Deferred[int]:
        return succeed(sum(map(self._forget, {*numbers})))

    def sweep(self, *, retention: float, most_bytes: int) -> Deferred[Mapping[str, int]]:
        now = self._now()
        dead = sorted(
            (entry for entry in self._entries.values() if entry.state is State.DEAD),
            key=lambda entry: entry.died_at,
        )
        forgotten = {"age": 0, "size": 0}
        for entry in dead:
            old = entry.died_at <= now - retention
            if not old and self._bytes[State.DEAD] <= most_bytes:
                break
            self._forget(entry.number)
            forgotten["age" if old else "size"] += 1
        while self._keys and (
            len(self._keys) > self._bounds.most_keys
            or next(iter(self._keys.values())) <= now - REMEMBERED
        ):
            self._keys.popitem(last=False)
        for line in [line for line, lease in self._leases.items() if lease.ends_at <= now]:
            del self._leases[line]
        return succeed(forgotten)

    def stats(self) -> Deferred[Stats]:
        return succeed(self._stats())

    def close(self) -> Deferred[None]:
        return succeed(None)

    def _now(self) -> float:
        """The time; all that was to be later is moved when the clock was set back."""
        now = self._wall_clock()
        back = self._seen - now
        self._seen = now
        if back > SLACK:
            for line, lease in self._leases.items():
                self._leases[line] = _Lease(lease.number, lease.holder, lease.ends_at - back)
            for entry in self._entries.values():
                entry.due_at -= back
                entry.ready_at = None if entry.ready_at is None else entry.ready_at - back
            for heap in self._ready.values():
                heap[:] = [(ready_at - back, number) for ready_at, number in heap]
                heapify(heap)
        return now

    def _stats(self) -> Stats:
        waiting = (entry for entry in self._entries.values() if entry.state is State.WAITING)
        oldest = next(waiting, None)
        return Stats(
            waiting=self._count[State.WAITING],
            waiting_bytes=self._bytes[State.WAITING],
            dead=self._count[State.DEAD],
            dead_bytes=self._bytes[State.DEAD],
            oldest=None if oldest is None else oldest.callback.received_at,
        )

    def _enter(self, entry: _Entry) -> None:
        """Let a callback wait in its line."""
        self._count[State.WAITING] += 1
        self._bytes[State.WAITING] += entry.size
        insort(self._lines[entry.line], entry.number)
        self._refresh(entry.line)

    def _leave(self, entry: _Entry) -> None:
        """Take a callback from its line, or from among the dead."""
        self._count[entry.state] -= 1
        self._bytes[entry.state] -= entry.size
        entry.ready_at = None
        if entry.state is State.WAITING:
            self._lines[entry.line].remove(entry.number)
            self._refresh(entry.line)

    def _forget(self, number: int) -> bool:
        entry = self._entries.pop(number, None)
        if entry is not None:
            self._leave(entry)
        return entry is not None

    def _held(self, holder: str, number: int) -> _Entry | None:
        """What waits, unless another has a lease on it."""
        entry = self._entries.get(number)
        if entry is None or entry.state is not State.WAITING:
            return None
        lease = self._leases.get(entry.line)
        other = lease is not None and lease.holder != holder and lease.ends_at > self._now()
        return None if other else entry

    def _end_lease(self, holder: str, number: int) -> None:
        for line, lease in list(self._leases.items()):
            if (lease.holder, lease.number) == (holder, number):
                del self._leases[line]
                self._refresh(line)

    def _refresh(self, line: str) -> None:
        """Say anew when the first of a line is ready; those behind it are not."""
        numbers = self._lines.get(line)
        if not numbers:
            self._lines.pop(line, None)
            return
        first, *behind = (self._entries[number] for number in numbers[:2])
        for entry in behind:
            entry.ready_at = None
        lease = self._leases.get(line)
        self._make_ready(first, max(first.due_at, lease.ends_at if lease else first.due_at))

    def _make_ready(self, entry: _Entry, at: float) -> None:
        if entry.ready_at != at:
            entry.ready_at = at
            heappush(self._ready[entry.origin], (at, entry.number))


def _matches(entry: _Entry, which: Filter, now: float) -> bool:
    callback, age = entry.callback, now - entry.callback.received_at
    return (
        (which.state is None or which.state is entry.state)
        and (which.host is None or which.host in (entry.origin, entry.origin.rpartition(":")[0]))
        and (which.endpoint is None or which.endpoint == callback.endpoint)
        and (which.order is None or which.order == callback.order)
        and (which.numbers is None or entry.number in which.numbers)
        and (which.older_than is None or age > which.older_than)
        and (which.younger_than is None or age < which.younger_than)
    )
