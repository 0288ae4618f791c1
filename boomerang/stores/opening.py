"""From the address of a store to the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from boomerang.stores.address import (
    MemoryAddress,
    RedisAddress,
    SqliteAddress,
    StoreAddress,
)
from boomerang.stores.interfaces import Stores
from boomerang.stores.memory import MemoryStore
from boomerang.stores.notes_memory import MemoryNotes
from boomerang.stores.queue import Bounds
from boomerang.stores.queue_memory import MemoryQueue
from boomerang.stores.redis import RedisStore
from boomerang.stores.redis_commands import RedisCommands
from boomerang.stores.redis_connection import RedisConnection
from boomerang.stores.redis_endpoint import endpoint_of
from boomerang.stores.redis_notes import RedisNotes
from boomerang.stores.redis_queue import RedisQueue
from boomerang.stores.sqlite import SqliteStore
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_marks import SqliteMarks
from boomerang.stores.sqlite_notes import SqliteNotes
from boomerang.stores.sqlite_queue import SqliteQueue

T = TypeVar("T")


def make_stores(
    address: StoreAddress,
    reactor: Any,
    *,
    bounds: Bounds | None = None,
    wall_clock: Callable[[], float] = time.time,
) -> Stores:
    """The store at an address, not yet open. Raises `OSError` for an unreadable PEM file.

    Claims and notes share a connection, and with SQLite a thread and a file with the queue: close
    the queue first, then the claims, which closes what is shared. ``bounds`` are the queue's.
    """
    if isinstance(address, MemoryAddress):
        return Stores(
            claims=MemoryStore(reactor, most=2_000_000),
            notes=MemoryNotes(reactor),
            queue=MemoryQueue(wall_clock, bounds=bounds),
        )
    if isinstance(address, SqliteAddress):
        file, run = SqliteFile(address.path, wall_clock=wall_clock), _one_thread(reactor)
        return Stores(
            claims=SqliteStore(SqliteMarks(file), run=run, clock=reactor),
            notes=SqliteNotes(file, run=run),
            queue=SqliteQueue(file, run=run, clock=reactor, bounds=bounds),
        )
    connection = RedisConnection(address, endpoint_of(address, reactor), clock=reactor)
    commands = RedisCommands(connection)
    return Stores(
        claims=RedisStore(commands, prefix=address.prefix),
        notes=RedisNotes(commands, prefix=address.prefix),
        queue=_redis_queue(address, reactor, bounds, wall_clock),
    )


def _redis_queue(
    address: RedisAddress,
    reactor: Any,
    bounds: Bounds | None,
    wall_clock: Callable[[], float],
) -> RedisQueue:
    connection = RedisConnection(address, endpoint_of(address, reactor), clock=reactor)
    return RedisQueue(
        RedisCommands(connection),
        prefix=address.prefix,
        clock=reactor,
        wall_clock=wall_clock,
        replicas=0 if address.service is None else 1,
        bounds=bounds,
    )


class _DaemonThread(Thread):
    """A thread that a hung disk cannot make the process wait for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options, daemon=True)


def _one_thread(reactor: Any) -> Callable[[Callable[[], T]], Deferred[T]]:
    """A runner with a thread of its own: SQLite's transactions are taken one at a time."""
    pool = ThreadPool(1, 1, name="sqlite")
    pool.threadFactory = _DaemonThread

    def run(work: Callable[[], T]) -> Deferred[T]:
        if not pool.started:  # not before: a thread does not survive the fork of a daemon
            pool.start()
        return deferToThreadPool(reactor, pool, work)

    return run
