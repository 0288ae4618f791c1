"""From the address of a store to the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.interfaces import IStreamClientEndpoint

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
from boomerang.stores.redis_cluster import Cluster, Node
from boomerang.stores.redis_commands import RedisCommands
from boomerang.stores.redis_connection import (
    Link,
    OneServer,
    RedisConnection,
    Troubles,
    connect,
)
from boomerang.stores.redis_endpoint import endpoint_of
from boomerang.stores.redis_notes import RedisNotes
from boomerang.stores.redis_queue import RedisQueue
from boomerang.stores.sqlite import SqliteStore
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_marks import SqliteMarks
from boomerang.stores.sqlite_notes import SqliteNotes
from boomerang.stores.sqlite_queue import SqliteQueue
from boomerang.threads import daemon_threads


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
        file = SqliteFile(address.path, wall_clock=wall_clock)
        run = daemon_threads(reactor, name="sqlite", most=1)  # for one transaction at a time
        return Stores(
            claims=SqliteStore(SqliteMarks(file), run=run, clock=reactor),
            notes=SqliteNotes(file, run=run),
            queue=SqliteQueue(file, run=run, clock=reactor, bounds=bounds),
        )
    return _redis_stores(address, reactor, bounds, wall_clock)


def _redis_stores(
    address: RedisAddress,
    reactor: Any,
    bounds: Bounds | None,
    wall_clock: Callable[[], float],
) -> Stores:
    """Claims and notes on one connection, the queue, which waits for replicas, on another."""
    troubles = Troubles()
    commands = RedisCommands(make_connection(address, reactor, troubles))
    return Stores(
        claims=RedisStore(commands, prefix=address.prefix),
        notes=RedisNotes(commands, prefix=address.prefix),
        queue=RedisQueue(
            RedisCommands(make_connection(address, reactor, troubles)),
            prefix=address.prefix,
            clock=reactor,
            wall_clock=wall_clock,
            replicas=1 if address.service or address.cluster else 0,
            bounds=bounds,
        ),
    )


def make_connection(address: RedisAddress, reactor: Any, troubles: Troubles) -> RedisConnection:
    """What keeps connected to the servers of an address. Raises `OSError` as `make_stores`."""
    if address.cluster:

        def endpoint_at(node: Node) -> IStreamClientEndpoint:
            return endpoint_of(evolve(address, hosts=(node,), cluster=False), reactor)

        endpoint_at(address.hosts[0])  # whether the PEM file is readable
        cluster = Cluster(address, endpoint_at, clock=reactor)
        return RedisConnection(cluster.link, clock=reactor, troubles=troubles)
    endpoint = endpoint_of(address, reactor)

    async def link() -> Link:
        return OneServer(await connect(address, endpoint, clock=reactor))

    return RedisConnection(link, clock=reactor, troubles=troubles)
