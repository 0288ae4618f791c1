"""What the relay asks of a store: a queue that loses nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from boomerang.relay.callback import Callback, Queued, State


class QueueFull(Exception):
    """There is no room for another callback: by number, or by size."""


@frozen
class Filter:
    """Which callbacks a person means; `None` is any. Ages are seconds since acceptance."""

    state: State | None = None
    host: str | None = None
    endpoint: str | None = None
    order: str | None = None
    numbers: Sequence[int] | None = None
    older_than: float | None = None
    younger_than: float | None = None


@frozen
class Stats:
    """How the queue stands; ``oldest`` is when the oldest that waits was accepted."""

    waiting: int
    dead: int
    bytes: int
    oldest: float | None


class QueueStore(Protocol):
    """A queue of callbacks, shared by all processes that use the store.

    What ``accept`` has acknowledged is on disk (SQLite: a commit with synchronous = FULL, grouped
    over the callbacks of one reactor turn; Redis: as durable as its persistence is set up).
    Whatever goes wrong, the Deferreds fail with `boomerang.stores.interfaces.StoreUnavailable`.
    Nothing is handed out twice at a time: who takes a callback has a lease on its whole order,
    which ends by itself when the process dies.
    """

    def open(self) -> Deferred[None]: ...

    def accept(self, callbacks: Sequence[Callback]) -> Deferred[Sequence[bool]]:
        """Store callbacks durably; false for one that is stored already, or was lately (its key
        is remembered for a day, delivered or not). Fails with `QueueFull` for all if one does not
        fit."""

    def take(
        self, holder: str, *, most: int, lease: float, now: float, not_hosts: Collection[str]
    ) -> Deferred[Sequence[Queued]]:
        """Lease up to ``most`` callbacks that are due: of each order the oldest only, none of an
        order that somebody has a lease on, none for the hosts named (``host:port``)."""

    def renew(self, holder: str, numbers: Sequence[int], *, lease: float) -> Deferred[None]:
        """Keep leases for longer."""

    def delivered(self, holder: str, number: int) -> Deferred[None]:
        """The app has it: forget it, body and all (its key stays remembered)."""

    def put_off(self, holder: str, number: int, *, due_at: float, last: str) -> Deferred[None]:
        """It was not taken: try again at ``due_at`` (seconds since the epoch). Counts an attempt,
        ends the lease; the rest of its order waits behind it."""

    def bury(self, holder: str, number: int, *, last: str) -> Deferred[None]:
        """It is given up: a dead letter, kept with its body. The rest of its order goes on."""

    def hand_back(self, holder: str, numbers: Sequence[int]) -> Deferred[None]:
        """End leases without an attempt: the process stops."""

    def look(self, which: Filter, *, most: int, after: int = 0) -> Deferred[Sequence[Queued]]:
        """Callbacks for people to see, by number, those after ``after``."""

    def replay(self, numbers: Sequence[int], *, now: float) -> Deferred[int]:
        """Make dead letters (or waiting ones) due now, with no attempts; returns how many."""

    def drop(self, numbers: Sequence[int]) -> Deferred[int]:
        """Forget callbacks for good; returns how many."""

    def sweep(self, *, now: float, retention: float, most_bytes: int) -> Deferred[Mapping[str, int]]:
        """Forget dead letters that are older than ``retention``, or the oldest beyond a size,
        and remembered keys after a day; says how many of each (``age``, ``size``)."""

    def stats(self) -> Deferred[Stats]: ...

    def close(self) -> Deferred[None]: ...
