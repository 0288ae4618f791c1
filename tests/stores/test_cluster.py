"""Claims and the queue in a Redis Cluster of real servers: keys that move, masters that fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, TimeoutError, gatherResults
from twisted.internet.task import deferLater

from boomerang.stores.address import parse_store
from boomerang.stores.failsafe import PATIENCE, FailsafeStore
from boomerang.stores.interfaces import Claim, Failure, Marked, StoreUnavailable
from boomerang.stores.opening import make_stores
from boomerang.stores.queue import QueueStore
from boomerang.stores.redis_cluster import SLOTS, slot_of, slots_of
from tests.servers import (
    HOST,
    RedisCluster,
    RedisServer,
    ReplyError,
    eventually,
    free_port,
    make_certificates,
)
from tests.stores.test_queue_crash import callback
from tests.stores.test_redis import Watcher, back, refused, using

CALLS: Final = tuple(f"c{number}" for number in range(60))
"""Calls that are spread over all servers."""

SLOT: Final = slot_of("{c0}")


def failure(call: str = "c0", *, wait: float = 0.0) -> Failure:
    return Failure(
        identity=f"i-{call}", call=call, wait=wait, window=600, call_window=600, attempts=1
    )


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A cluster whose servers no test breaks; slots may be elsewhere after it."""
    with RedisCluster(tmp_path_factory.mktemp("steady")) as started:
        yield started


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path) as started:
        yield started


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    if "steady" in request.fixturenames:
        for server in masters(request.getfixturevalue("steady")):
            server.command("FLUSHALL")


def masters(cluster: RedisCluster) -> list[RedisServer]:
    return list({id(found): found for found in map(cluster.master, range(0, SLOTS, 500))}.values())


@asynccontextmanager
async def queueing(url: str) -> AsyncIterator[QueueStore]:
    queue = make_stores(parse_store(url), reactor).queue
    try:
        await queue.open()
        yield queue
    finally:
        await queue.close()


# Where keys are


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        ("123456789", 0x31C3),
        ("foo", 12182),
        ("{foo}", 12182),
        ("boomerang:{foo}:bar", 12182),
        ("foo{}{bar}", slot_of("foo{}{bar}")),
        ("foo{{bar}}zap", slot_of("{{bar}")),
        ("foo{bar}{zap}", slot_of("bar")),
        ("foo{bar", slot_of("foo{bar")),
        ("boomerang:{é}", slot_of("é")),
    ],
)
def test_slots(steady: RedisCluster, key: str, slot: int) -> None:
    """A key's slot is the one that Redis says."""
    assert slot_of(key) == slot == steady.servers[0].command("CLUSTER", "KEYSLOT", key)


def test_map() -> None:
    """Slots have the masters of the reply; one without a name is the one that was asked."""
    one, other = [b"10.0.0.1", 6379, b"id", []], [b"", 6380, b"id", []]
    found = slots_of([[0, 99, one, other], [100, SLOTS - 1, other]], asked_at="h")
    assert found == [("10.0.0.1", 6379)] * 100 + [("h", 6380)] * (SLOTS - 100)
    with pytest.raises(StoreUnavailable, match="16284 slots of the cluster have no master"):
        slots_of([[0, 99, one]], asked_at="h")


@pytest.mark.parametrize("named", [0, 4], ids=["a master", "a replica"])
async def test_claims(steady: RedisCluster, named: int) -> None:
    """With any one server named, claims go to all masters, and are released and counted there."""
    async with using(steady.url(steady.servers[named])) as store:
        await store.open()
        first = await gatherResults([store.claim(failure(call, wait=9)) for call in CALLS])
        assert {(claim.attempt, claim.round) for claim in first} == {(1, 1)}
        marked = [Marked(f"i-{call}", call) for call in (*CALLS, "unknown")]
        await store.release(marked)
        again = await gatherResults([store.claim(failure(call)) for call in CALLS])
        assert {(claim.attempt, claim.round) for claim in again} == {(2, 2)}
        assert await store.attempts(marked) == [2] * len(CALLS) + [0]
    sizes = [server.command("DBSIZE") for server in masters(steady)]
    assert sum(sizes) == 2 * len(CALLS)
    assert all(sizes)


async def test_probe(steady: RedisCluster) -> None:
    """A probe asks every master whether it may be written to."""
    async with using(steady.url()) as store:
        await store.open()
        await store.probe()
        assert [server.command("DBSIZE") for server in masters(steady)] == [1, 1, 1]
        full = steady.master(SLOT)
        full.command("CONFIG", "SET", "maxmemory", 1)
        try:
            assert "OOM" in await refused(store.probe())
        finally:
            full.command("CONFIG", "SET", "maxmemory", 0)


async def test_notes(steady: RedisCluster) -> None:
    """Notes, journals and leases work as in a single server."""
    stores = make_stores(parse_store(steady.url()), reactor)
    await stores.claims.open()
    await stores.notes.write("topic", {"a": "1", "é": "2"})
    assert await stores.notes.read("topic") == {"a": "1", "é": "2"}
    await stores.notes.append({"x": ["1", "2"], "y": ["3"]}, keep=1)
    assert await stores.notes.journals(["x", "y", "z"]) == {"x": ["2"], "y": ["3"]}
    assert await stores.notes.lease("l", holder="me", seconds=9)
    assert not await stores.notes.lease("l", holder="you", seconds=9)
    await stores.claims.close()


async def test_tls_and_password(tmp_path: Path) -> None:
    """Password and certificate hold for every server of the cluster."""
    certificates = make_certificates(tmp_path / "certificates")
    with RedisCluster(tmp_path, masters=3, password="s3cret:/@", certificates=certificates) as all_:
        async with using(all_.url(options=f"?ssl_ca_certs={certificates.authority}")) as store:
            await store.open()
            claims = await gatherResults([store.claim(failure(call)) for call in CALLS])
            assert {claim.attempt for claim in claims} == {1}


async def test_nobody_there() -> None:
    """Servers that are not there are named, each with its reason."""
    ports = free_port(), free_port()
    async with using(f"redis+cluster://{HOST}:{ports[0]},{HOST}:{ports[1]}") as store:
        reason = await refused(store.open())
        assert "no server knows the cluster" in reason
        assert all(f"{HOST}:{port}: " in reason for port in ports)


async def test_no_cluster(tmp_path: Path) -> None:
    """A server that is no cluster is told as the reason."""
    with RedisServer(tmp_path) as server:
        async with using(server.url().replace("redis:", "redis+cluster:")) as store:
            assert "cluster support disabled" in await refused(store.open())


# Slots that move


def another(cluster: RedisCluster, slot: int) -> RedisServer:
    has = cluster.master(slot)
    return next(server for server in masters(cluster) if server is not has)


async def test_moved(steady: RedisCluster) -> None:
    """A slot that was moved is followed, with its marks, and without asking again each time."""
    async with using(steady.url()) as store:
        await store.open()
        await store.claim(failure())
        former = steady.master(SLOT)
        steady.move(SLOT, another(steady, SLOT))
        assert (await store.claim(failure())).attempt == 2
        former.command("CONFIG", "RESETSTAT")
        assert (await store.claim(failure())).attempt == 3
        assert "cmdstat_eval" not in former.command("INFO", "commandstats")


async def test_moving(steady: RedisCluster) -> None:
    """While a slot moves, one key is asked for where it is; what needs two waits for the end."""
    async with using(steady.url()) as store:
        await store.open()
        await store.claim(failure())
        target = another(steady, SLOT)
        steady.begin_to_move(SLOT, target)
        assert await store.attempts([Marked("i-c0", "c0"), Marked("other", "c0")]) == [1, 0]
        only = Failure(identity="c0", call=None, wait=0, window=600, call_window=600, attempts=1)
        assert (await store.claim(only)).attempt == 1
        new = Failure(identity="new", call="c0", wait=0, window=600, call_window=600, attempts=1)
        made: list[Claim] = []
        waiting = store.claim(new).addCallback(made.append)
        await deferLater(reactor, 0.05)
        assert not made
        steady.end_move(SLOT, target)
        await waiting
        assert made[0].attempt == 1


async def test_moving_for_long(steady: RedisCluster) -> None:
    """What cannot be done in a caller's time while a slot moves fails, and nothing is left over."""
    async with using(steady.url()) as store:
        await store.open()
        await store.claim(failure())
        target = another(steady, SLOT)
        steady.begin_to_move(SLOT, target)
        new = Failure(identity="new", call="c0", wait=0, window=600, call_window=600, attempts=1)
        began = reactor.seconds()
        assert "TRYAGAIN" in await refused(store.claim(new))
        assert reactor.seconds() - began < 2 * PATIENCE
        steady.end_move(SLOT, target)
        assert (await store.claim(new)).attempt == 1


async def test_queue(steady: RedisCluster) -> None:
    """The queue works; while its slot moves it does nothing by halves, and then goes on."""
    slot = slot_of("{relay}")
    async with queueing(steady.url()) as queue:
        assert await queue.accept(callback("one"))
        target = another(steady, slot)
        steady.begin_to_move(slot, target)
        source = steady.master(slot)
        source.command("MIGRATE", HOST, target.port, "boomerang:{relay}:all", 0, 5000)
        await refused(queue.accept(callback("two")))
        steady.end_move(slot, target)
        assert (await queue.stats()).waiting == 1
        assert await queue.accept(callback("two"))
        taken = await queue.take("me", most=9, lease=9, per_origin=9, origins={})
        assert [one.callback.key for one in taken] == ["one", "two"]
        assert await queue.delivered("me", taken[0].number)


# Servers that fail


def replaced(cluster: RedisCluster, former: RedisServer) -> Callable[[], bool]:
    return lambda: cluster.master(SLOT) is not former


@pytest.mark.parametrize("break_", [RedisServer.kill, RedisServer.pause])
async def test_failover(cluster: RedisCluster, break_: Callable[[RedisServer], None]) -> None:
    """A master dies or hangs under claims: every caller is answered in time, and its replica takes
    over, marks and all; nobody else's marks are forgotten."""
    inner, watcher = make_stores(parse_store(cluster.url()), reactor).claims, Watcher()
    store = FailsafeStore(
        inner, name="cluster", clock=reactor, wall_clock=lambda: 0.0, watcher=watcher
    )
    await store.open()
    await gatherResults([store.claim(failure(call, wait=0)) for call in CALLS])
    former = cluster.master(SLOT)
    assert former.command("WAIT", 1, 1000) == 1
    claims: list[Deferred[Any]] = [store.claim(failure(f"{n}")) for n in range(200)]
    break_(former)
    began = reactor.seconds()
    claims += [store.claim(failure(f"late-{n}")) for n in range(200)]
    made = await gatherResults(claims)
    assert reactor.seconds() - began < PATIENCE + 0.15
    assert {each.claim.attempt for each in made} == {1}
    others = [server for server in cluster.servers if server is not former]
    await eventually(
        lambda: (
            others[0].command("CLUSTER", "SLOTS")[0][2][1] != former.port
            and watcher.degraded == [True, False]
        ),
        what="failover, and the store is used again",
        within=20,
    )
    counts = await inner.attempts([Marked(f"i-{call}", call) for call in CALLS])
    assert counts == [1] * len(CALLS)
    await store.close()


async def test_failover_by_hand(cluster: RedisCluster) -> None:
    """When a master is exchanged for its replica, claims go on, and none is counted twice."""
    async with using(cluster.url()) as store:
        await store.open()
        await gatherResults([store.claim(failure(call)) for call in CALLS])
        former = cluster.master(SLOT)
        replica = next(
            server
            for server in cluster.servers
            if str(former.port) in map(str, server.command("ROLE"))
        )
        replica.command("CLUSTER", "FAILOVER")
        await eventually(replaced(cluster, former), what="failover")
        outcomes: list[tuple[bool, Any]] = await DeferredList(
            [store.claim(failure(call)).addTimeout(2, reactor) for call in CALLS],
            consumeErrors=True,
        )
        assert all(
            result.attempt == 2 if made else result.check(StoreUnavailable, TimeoutError)
            for made, result in outcomes
        )
        await back(store, within=4)
        claims = await gatherResults([store.claim(failure(call)) for call in CALLS])
        assert {claim.attempt for claim in claims} <= {2, 3}
        assert not any("boomerang:{c0}" in key for key in keys(former))


def keys(server: RedisServer) -> list[str]:
    try:
        return [] if "slave" in server.command("ROLE") else server.command("KEYS", "*")
    except (OSError, ReplyError):
        return []


async def test_lost_for_good(cluster: RedisCluster) -> None:
    """A master lost with its replica makes the whole store unavailable, until it is back."""
    async with using(cluster.url()) as store:
        await store.open()
        lost = cluster.servers[0], cluster.servers[3]
        for server in lost:
            server.kill()
        await refused(store.claim(failure()))
        assert await refused(store.open())
        for server in lost:
            server.start()
        await back(store, within=15)
