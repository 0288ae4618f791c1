"""From the address of a store to the store."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import pytest
from twisted.internet import reactor

from boomerang.stores.address import MemoryAddress, RedisAddress, SqliteAddress, parse_store
from boomerang.stores.interfaces import ClaimStore, Failure
from boomerang.stores.memory import MemoryStore
from boomerang.stores.opening import make_stores
from boomerang.stores.redis import RedisStore
from boomerang.stores.sqlite import SqliteStore
from tests.servers import RedisServer

FAILURE: Final = Failure(
    identity="i", call="c", wait=0.0, window=60.0, call_window=60.0, attempts=1
)
ROOT: Final = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (MemoryAddress(), MemoryStore),
        (SqliteAddress("never-opened.db"), SqliteStore),
        (RedisAddress((("redis.example.com", 6379),)), RedisStore),
        (RedisAddress((("redis.example.com", 6379),), tls=True), RedisStore),
        (RedisAddress((("redis.example.com", 26379),), service="calls"), RedisStore),
    ],
)
def test_kinds(address: MemoryAddress | SqliteAddress | RedisAddress, kind: type) -> None:
    """Each address has its kind of store, and nothing is opened before it is asked for."""
    before = set(threading.enumerate())
    assert isinstance(make_stores(address, reactor).claims, kind)
    assert set(threading.enumerate()) == before
    assert not Path("never-opened.db").exists()


async def works(store: ClaimStore) -> None:
    await store.open()
    assert [(await store.claim(FAILURE)).attempt for _ in range(3)] == [1, 2, 3]
    await store.probe()
    await store.close()


async def test_memory() -> None:
    """memory: works."""
    await works(make_stores(parse_store("memory:"), reactor).claims)


async def test_sqlite(tmp_path: Path) -> None:
    """sqlite: works, in one thread of its own that cannot hold up the end of the process."""
    before = set(threading.enumerate())
    store = make_stores(parse_store(f"sqlite:{tmp_path}/claims.db"), reactor).claims
    await works(store)
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon


async def test_redis(tmp_path: Path) -> None:
    """redis:// works."""
    with RedisServer(tmp_path) as server:
        await works(make_stores(parse_store(server.url()), reactor).claims)


DAEMON: Final = """
import os, sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from boomerang.stores.address import parse_store
from boomerang.stores.interfaces import Failure
from boomerang.stores.opening import make_stores

store = make_stores(parse_store("sqlite:" + sys.argv[1]), reactor).claims
if os.fork():
    os.wait()
    os._exit(0)

async def main():
    claim = await store.claim(
        Failure(identity="i", call=None, wait=0, window=60, call_window=60, attempts=1)
    ).addTimeout(5, reactor)
    print(claim.attempt, flush=True)

Deferred.fromCoroutine(main()).addBoth(lambda _: reactor.stop())
reactor.run()
"""


def test_daemon(tmp_path: Path) -> None:
    """A store that was made before the process became a daemon (a fork) works after it."""
    command = [sys.executable, "-c", DAEMON, str(tmp_path / "claims.db")]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "1\n"
