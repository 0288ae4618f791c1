"""What the relay asks of a store: a queue that loses nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from boomerang.relay.callback import Callback, Queued, State

REMEMBERED: Final = 86_400.0
"""Seconds for which the key of an accepted callback is remembered."""

SLACK: Final = 1.0
"""Seconds that two looks at a clock may differ without its having been set back."""


class QueueFull(Exception):
    """There is no room for another callback; the message says whether by number or by size."""


@frozen
class Bounds:
    """How much a queue takes.

    ``most`` and ``most_bytes`` are for what waits; dead letters have the bounds that
    `QueueStore.sweep` is given. No more than ``most_keys`` keys are remembered.
    """

    most: int = 100_000
    most_bytes: int = 256 * 1024 * 1024
    most_keys: int = 500_000


@frozen
class Filter:
    """Which callbacks a person means; `None` is any. Ages are seconds since `Callback.received_at`.

    ``host`` is a host name, or with its port as in `Callback.origin`.
    """

    state: State | None = None
    host: str | None = None
    endpoint: str | None = None
    order: str | None = None
    numbers: Sequence[int] | None = None
    older_than: float | None = None
    younger_than: float | None = None


@frozen
class Stats:
    """How the queue stands; ``oldest`` is when the oldest that waits was received.

    ``waiting_bytes`` and ``dead_bytes`` are what they take in the store.
    """

    waiting: int
    waiting_bytes: int
    dead: int
    dead_bytes: int
    oldest: float | None


class QueueStore(Protocol):
    """A queue of callbacks, shared by all processes that use the store.

    What ``accept`` has acknowledged is on disk (SQLite: a commit with synchronous = FULL, shared by
    the callbacks that arrive meanwhile; Redis: as durable as its persistence is set up; memory: not
    at all). Whatever goes wrong, the Deferreds fail with
    `boomerang.stores.interfaces.StoreUnavailable`; what was asked may have been done all the same.
    Cancelling a Deferred does not undo what was asked for.

    The store has the clock: pauses and leases are seconds from now. When that clock is set back,
    what waits is due earlier, never later, and no lease lasts longer.

    Nothing is handed out twice at a time: who takes a callback has a lease on its whole line,
    which ends by itself when the process dies. ``delivered``, ``put_off`` and ``bury`` are false
    where nothing was changed: the callback is gone or dead, or another has a lease on it by now.
    """

    def open(self) -> Deferred[None]:
        """Get ready. May be called again after it failed."""

    def accept(self, callback: Callback) -> Deferred[bool]:
        """Store a callback durably; false for one that was stored already (its key is remembered
        for a day, delivered or not). Fails with `QueueFull`, and with `ValueError` for one whose
        key, order or endpoint has a NUL or a lone surrogate."""

    def take(
        self, holder: str, *, most: int, lease: float, per_origin: int, origins: Mapping[str, int]
    ) -> Deferred[Sequence[Queued]]:
        """Lease up to ``most`` callbacks that are due, for ``lease`` seconds: of each line
        (`Callback.line`) the oldest only, none of a line that somebody has a lease on; of one
        origin (`Callback.origin`) as many as ``origins`` says (0: none), or ``per_origin`` of one
        that is not there. Those that have been due for longest come first."""

    def renew(self, holder: str, numbers: Collection[int], *, lease: float) -> Deferred[set[int]]:
        """Keep leases for longer; gives those that the holder still has, the others are lost."""

    def delivered(self, holder: str, number: int) -> Deferred[bool]:
        """The app has it: forget it, body and all (its key stays remembered). Done even if the
        lease has ended, or another has it: the app need not get it twice."""

    def put_off(self, holder: str, number: int, *, pause: float, last: str) -> Deferred[bool]:
        """It was not taken: try again after a pause in seconds. Counts an attempt and ends the
        lease; the rest of its line waits behind it."""

    def bury(self, holder: str, number: int, *, last: str) -> Deferred[bool]:
        """It is given up: a dead letter, kept with its body. Counts an attempt; the rest of its
        line goes on."""

    def hand_back(self, holder: str, numbers: Collection[int]) -> Deferred[None]:
        """End leases without an attempt: the process stops."""

    def look(self, which: Filter, *, most: int, after: int = 0) -> Deferred[Sequence[Queued]]:
        """Callbacks for people to see, by number, those after ``after``. Leases do not show."""

    def replay(self, numbers: Collection[int]) -> Deferred[int]:
        """Make dead letters (or waiting ones) due now, with no attempts; returns how many. Does not
        end a lease."""

    def drop(self, numbers: Collection[int]) -> Deferred[int]:
        """Forget callbacks for good; returns how many. Does not end a lease on their line."""

    def sweep(self, *, retention: float, most_bytes: int) -> Deferred[Mapping[str, int]]:
        """Forget dead letters that died more than ``retention`` seconds ago (``age``), or the
        oldest beyond a size (``size``), and old keys; says how many of each reason. Forgets some
        thousand at a time: call it again while it does."""

    def stats(self) -> Deferred[Stats]: ...

    def close(self) -> Deferred[None]:
        """Let go of everything. What is under way is finished or fails."""


def check_room(waiting: int, waiting_bytes: int, size: int, bounds: Bounds) -> None:
    """Raise `QueueFull` where another callback of ``size`` bytes does not fit."""
    if waiting >= bounds.most:
        raise QueueFull(f"{bounds.most} callbacks wait")
    if waiting_bytes + size > bounds.most_bytes:
        raise QueueFull(f"the callbacks that wait take {waiting_bytes} bytes")
