"""The master that the Sentinels name, found and found again, with real Sentinels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs

from boomerang.stores.failsafe import PATIENCE
from boomerang.stores.interfaces import Failure, StoreUnavailable
from tests.servers import HOST, RedisServer, SentinelGroup, eventually, free_port
from tests.stores.test_redis import back, clients, connections, refused, using

FAILURE = Failure(identity="identity", call="call", wait=0, window=600, call_window=600, attempts=1)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    """A group that no test breaks."""
    with SentinelGroup(tmp_path_factory.mktemp("steady"), password="s3cret:/@") as started:
        yield started


@pytest.fixture
def group(tmp_path: Path) -> Iterator[SentinelGroup]:
    with SentinelGroup(tmp_path) as started:
        yield started


async def test_discovery(steady: SentinelGroup) -> None:
    """Claims go to the master, with password and database, and not to the Sentinels."""
    async with using(steady.url(path="/3")) as store:
        await store.open()
        await store.claim(FAILURE)
    with steady.master().talk() as redis:
        redis.ask("SELECT", 3)
        assert redis.ask("EXISTS", "boomerang:{call}", "boomerang:{call}:identity") == 2


async def test_unknown_service(steady: SentinelGroup) -> None:
    """A service that the Sentinels do not know is told as the reason, once."""
    sentinels = ",".join(f"{HOST}:{sentinel.port}" for sentinel in steady.sentinels)
    async with using(f"redis+sentinel://{sentinels}/nobody") as store:
        with capturedLogs() as events:
            assert "knows no service nobody" in await refused(store.open())
            await deferLater(reactor, 0.5)
        assert len([event for event in events if event["log_level"] >= LogLevel.info]) == 1


@pytest.mark.parametrize("break_", [RedisServer.kill, RedisServer.pause])
async def test_failover(group: SentinelGroup, break_: Callable[[RedisServer], None]) -> None:
    """When the master dies or hangs, the store is back once another is named."""
    async with using(group.url()) as store:
        await store.open()
        await store.claim(FAILURE)
        former = group.master()
        break_(former)
        with pytest.raises((StoreUnavailable, TimeoutError)):
            await store.claim(FAILURE).addTimeout(PATIENCE, reactor)
        await eventually(lambda: group.master() is not former, what="failover")
        await back(store, within=4)
        await store.claim(FAILURE)
        assert group.master().command("EXISTS", "boomerang:{call}") == 1


async def test_failover_by_hand(group: SentinelGroup) -> None:
    """When the master is exchanged, the store leaves the former one, which still answers."""
    async with using(group.url()) as store:
        await store.open()
        former = group.master()
        group.sentinels[0].command("SENTINEL", "FAILOVER", group.service)
        await eventually(lambda: group.master() is not former, what="failover")
        await eventually(lambda: is_replica(former), what="former master follows")
        await back(store, within=4)
        await store.claim(FAILURE)
        clients = group.master().command("CLIENT", "LIST", "TYPE", "normal")
        assert "cmd=eval" in clients


def is_replica(server: RedisServer) -> bool:
    """Whether it follows another; while it changes sides it drops its clients."""
    try:
        return "slave" in server.command("ROLE")
    except ConnectionError:
        return False


@pytest.mark.parametrize("break_", [RedisServer.kill, RedisServer.pause])
@pytest.mark.parametrize("which", [0, 1, 2])
async def test_one_sentinel_less(
    group: SentinelGroup, break_: Callable[[RedisServer], None], which: int
) -> None:
    """One dead or hanging Sentinel delays the connection, and does not prevent it."""
    break_(group.sentinels[which])
    async with using(group.url()) as store:
        await store.open().addTimeout(2.5, reactor)
        await store.claim(FAILURE)


async def test_sentinel_behind_the_times(group: SentinelGroup, tmp_path: Path) -> None:
    """A Sentinel that leads to a server which may not be written to is not believed for ever."""
    follower = next(server for server in group.servers if server is not group.master())
    watch = [f"sentinel monitor {group.service} {HOST} {follower.port} 9"]
    with RedisServer(tmp_path / "astray", config=watch, sentinel=True) as astray:
        good = group.sentinels[0]
        for order in ((astray, good), (good, astray)):
            hosts = ",".join(f"{HOST}:{sentinel.port}" for sentinel in order)
            async with using(f"redis+sentinel://{hosts}/{group.service}") as store:
                await back(store, within=3)


async def test_no_sentinel_answers(tmp_path: Path) -> None:
    """When no Sentinel answers, each is named with its reason; the store works once they do."""
    with SentinelGroup(tmp_path) as group:
        for sentinel in group.sentinels:
            sentinel.pause()
        async with using(group.url()) as store:
            reason = await refused(store.open())
            assert "no Sentinel leads to a master" in reason
            assert all(f"{HOST}:{sentinel.port}: " in reason for sentinel in group.sentinels)
            for sentinel in group.sentinels:
                sentinel.resume()
            await back(store, within=6)


async def test_nobody_there() -> None:
    """Sentinels that are not there are told as the reason."""
    async with using(f"redis+sentinel://{HOST}:{free_port()},{HOST}:{free_port()}/calls") as store:
        assert (await refused(store.open())).count("refused") >= 2


async def test_connected_without_sentinels(group: SentinelGroup) -> None:
    """A connection lives on when all Sentinels are gone."""
    async with using(group.url()) as store:
        await store.open()
        for sentinel in group.sentinels:
            sentinel.kill()
        await store.claim(FAILURE)


async def test_close_while_asking(tmp_path: Path) -> None:
    """Closing while a Sentinel is being asked asks no other one."""
    with RedisServer(tmp_path) as hanging, RedisServer(tmp_path) as other:
        hanging.pause()
        hosts = ",".join(f"{HOST}:{server.port}" for server in (other, hanging))
        async with using(f"redis+sentinel://{hosts}/calls") as store:
            waiting = store.open()
            await deferLater(reactor, 0.05)
            before = connections(other)
            await store.close().addTimeout(0.2, reactor)
            assert "closed" in await refused(waiting)
            await deferLater(reactor, 0.05)
            assert connections(other) == before + 1


async def test_sentinels_are_left(steady: SentinelGroup) -> None:
    """No connection to a Sentinel is kept."""
    before = [clients(sentinel) for sentinel in steady.sentinels]
    for _ in range(6):
        async with using(steady.url()) as store:
            await store.open()
    await eventually(
        lambda: [clients(sentinel) for sentinel in steady.sentinels] == before,
        what="as many connections as before",
    )
