"""Notes in Redis, against real servers: keys and rights, other instances, ways to fail."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from boomerang.stores.address import parse_store
from boomerang.stores.interfaces import Failure, Marked, Stores
from boomerang.stores.opening import make_stores
from tests.servers import HOST, RedisServer, eventually, free_port
from tests.stores.test_redis import back, refused

README: Final = Path(__file__).parents[2] / "README.md"
FAILURE: Final = Failure(
    identity="identity", call="call", wait=8.0, window=900.0, call_window=900.0, attempts=1
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as started:
        yield started


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Stores]:
    """The stores at an address, opened; closed in the end."""
    stores = make_stores(parse_store(url), reactor)
    try:
        await stores.claims.open()
        yield stores
    finally:
        await stores.claims.close().addTimeout(1, reactor)


def every_operation(stores: Stores) -> list[Deferred[Any]]:
    """All that can be asked of notes."""
    notes = stores.notes
    return [
        notes.read("topic"),
        notes.write("topic", {"key": "value"}),
        notes.append({"a": ["entry"], "b": ["entry"]}, keep=3),
        notes.journals(["a", "b"]),
        notes.lease("lease", holder="one", seconds=20),
    ]


async def everything(stores: Stores) -> None:
    """Use both roles for all they are for."""
    notes, claims = stores.notes, stores.claims
    await notes.write("topic", {"a": "1", "b": "2"})
    await notes.write("topic", {"a": None, "c": "3"})
    assert await notes.read("topic") == {"b": "2", "c": "3"}
    await notes.append({"a": ["1", "2"], "b": ["3"]}, keep=1)
    assert await notes.journals(["a", "b", "never"]) == {"a": ["2"], "b": ["3"]}
    for seconds in (20, 20, 0):
        assert await notes.lease("lease", holder="one", seconds=seconds)
    await claims.probe()
    assert (await claims.claim(FAILURE)).attempt == 1
    marked = [Marked("identity", "call")]
    await claims.release(marked)
    assert await claims.attempts(marked) == [1]


# Keys and rights


async def test_keys(server: RedisServer) -> None:
    """All keys carry the prefix; a lease expires, notes and journals do not."""
    async with connected(server.url(path="?prefix=app:")) as stores:
        for answer in every_operation(stores):
            await answer
    with server.talk() as redis:
        lives = {key: redis.ask("PTTL", key) for key in redis.ask("KEYS", "*")}
    assert 0 < lives.pop("app:{lease}:lease") <= 20_000
    assert lives == {"app:{notes}:topic": -1, "app:{journal}:a": -1, "app:{journal}:b": -1}


async def test_rights(tmp_path: Path) -> None:
    """A user with just the rights that README names may do all that boomerang does."""
    found = re.search(r"ACL needs `([^`]+)`", README.read_text())
    assert found is not None
    user = f"user app on >secret -@all {' '.join(found[1].split())}"
    with RedisServer(tmp_path, config=[user]) as server:
        async with connected(server.url(user="app", password="secret", path="/2")) as stores:
            await everything(stores)


async def test_cluster(tmp_path: Path) -> None:
    """What a Redis Cluster allows is enough: the keys of a step are in one slot."""
    with RedisServer(
        tmp_path, config=["cluster-enabled yes", f"cluster-port {free_port()}"]
    ) as server:
        server.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        await eventually(
            lambda: "cluster_state:ok" in server.command("CLUSTER", "INFO"), what="cluster"
        )
        async with connected(server.url()) as stores:
            notes = stores.notes
            await notes.append({name: ["1"] for name in "abcdefgh"}, keep=3)
            assert len(await notes.journals(list("abcdefgh"))) == 8
            await everything_but_attempts(stores)


async def everything_but_attempts(stores: Stores) -> None:
    for answer in every_operation(stores):
        await answer
    assert (await stores.claims.claim(FAILURE)).attempt == 1
    await stores.claims.release([Marked("identity", "call")])


# Other instances


async def test_two_instances(server: RedisServer) -> None:
    """Instances see each other's notes and entries, and one at a time has a lease."""
    async with connected(server.url()) as one, connected(server.url()) as other:
        await one.notes.write("topic", {"from": "one"})
        await one.notes.append({"journal": ["1"]}, keep=3)
        await other.notes.append({"journal": ["2"]}, keep=3)
        assert await other.notes.read("topic") == {"from": "one"}
        assert await one.notes.journals(["journal"]) == {"journal": ["1", "2"]}
        assert await one.notes.lease("watch", holder="one", seconds=0.2)
        assert not await other.notes.lease("watch", holder="other", seconds=20)
        await deferLater(reactor, 0.25)
        assert await other.notes.lease("watch", holder="other", seconds=20)
        assert not await one.notes.lease("watch", holder="one", seconds=0.2)


# Ways to fail


async def test_not_opened(server: RedisServer) -> None:
    """Nothing is done before the claims were opened, and nothing after they were closed."""
    stores = make_stores(parse_store(server.url()), reactor)
    for answer in every_operation(stores):
        assert "not connected" in await refused(answer)
    await stores.claims.open()
    await stores.claims.close()
    for answer in every_operation(stores):
        assert "closed" in await refused(answer)
    assert server.command("DBSIZE") == 0


async def test_killed(server: RedisServer) -> None:
    """Operations under way when the server dies fail, and all works once it is back."""
    async with connected(server.url()) as stores:
        await stores.notes.read("topic")
        server.pause()
        under_way = every_operation(stores)
        server.kill()
        for answer in under_way:
            await refused(answer)
        server.start()
        await back(stores.claims)
        await everything(stores)


async def test_hang(server: RedisServer) -> None:
    """Giving up one operation drops a hanging connection, for claims too; a new one is made."""
    async with connected(server.url()) as stores:
        server.pause()
        late, claim = stores.notes.journals(["a", "b"]), stores.claims.claim(FAILURE)
        await deferLater(reactor, 0.02)
        late.cancel()
        with pytest.raises(CancelledError):
            await late
        await refused(claim)
        server.resume()
        await back(stores.claims)
        assert await stores.notes.read("topic") == {}


@pytest.mark.parametrize(
    ("trouble", "remedy", "reason"),
    [
        (("REPLICAOF", HOST, free_port()), ("REPLICAOF", "NO", "ONE"), "READONLY"),
        (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0), "OOM"),
    ],
)
async def test_refusing_to_write(
    tmp_path: Path, trouble: tuple[str | int, ...], remedy: tuple[str | int, ...], reason: str
) -> None:
    """A server that is no longer the master, or full, is told as the reason; then all works."""
    with RedisServer(tmp_path, config=["maxmemory-policy noeviction"]) as server:
        async with connected(server.url()) as stores:
            server.command(*trouble)
            notes = stores.notes
            for write in (
                lambda: notes.write("topic", {"key": "value"}),
                lambda: notes.append({"a": ["entry"]}, keep=3),
                lambda: notes.lease("lease", holder="one", seconds=20),
            ):
                await back_for_reading(stores)
                assert reason in await refused(write())
            server.command(*remedy)
            await back(stores.claims)
            await everything(stores)


async def back_for_reading(stores: Stores) -> None:
    """Wait for the connection, which is made anew after a READONLY."""
    await deferLater(reactor, 0.02)
    await stores.claims.open().addTimeout(5, reactor)


async def test_foreign_keys(server: RedisServer) -> None:
    """Keys that somebody else made of another kind are told as the reason, and left alone."""
    async with connected(server.url()) as stores:
        await stores.notes.append({"a": ["1"]}, keep=3)
        server.command("SET", "boomerang:{notes}:topic", "foreign")
        server.command("SET", "boomerang:{journal}:b", "foreign")
        server.command("RPUSH", "boomerang:{lease}:lease", "foreign")
        for answer in every_operation(stores):
            assert "WRONGTYPE" in await refused(answer)
        assert await stores.notes.journals(["a"]) == {"a": ["1"]}, "appended to all or to none"
        await stores.notes.write("other", {"key": "value"})
        assert await stores.notes.read("other") == {"key": "value"}


async def test_surrogates(server: RedisServer) -> None:
    """A text that is no Unicode is refused, and harms no other."""
    async with connected(server.url()) as stores:
        notes = stores.notes
        await notes.write("topic", {"key": "value"})
        assert "surrogates" in await refused(notes.write("topic", {"key": "\ud800"}))
        assert "surrogates" in await refused(notes.append({"a": ["1", "\ud800"]}, keep=3))
        assert await notes.read("topic") == {"key": "value"}
        assert await notes.journals(["a"]) == {}
