"""What was acknowledged is there afterwards: killed processes, full disks, servers that die."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from boomerang.relay.callback import Callback
from boomerang.stores.address import RedisAddress, SqliteAddress, parse_store
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.opening import make_connection, make_stores
from boomerang.stores.queue import Filter, QueueStore
from boomerang.stores.redis_commands import RedisCommands
from boomerang.stores.redis_connection import Troubles
from boomerang.stores.redis_queue import RedisQueue
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_queue import SqliteQueue
from tests.servers import RedisServer, SentinelGroup, eventually

ROOT: Final = Path(__file__).parents[2]

PERSISTENT: Final = ("appendonly yes", "appendfsync always")


def callback(key: str, *, body: bytes = b"CallSid=CA1") -> Callback:
    return Callback(
        key=key,
        order=key[-1],
        url="https://app.example.com/ended",
        method="POST",
        content_type="application/x-www-form-urlencoded",
        body=body,
        account_sid="AC1",
        endpoint="ended",
        received_at=1_800_000_000.0,
    )


async def refused(answer: Deferred[Any]) -> str:
    """Why the store does not do it."""
    with pytest.raises(StoreUnavailable) as caught:
        await answer
    return str(caught.value)


async def stored(queue: QueueStore) -> list[str]:
    """The keys of all that is in the queue."""
    return [one.callback.key for one in await queue.look(Filter(), most=100_000)]


def every_operation(queue: QueueStore) -> list[Deferred[Any]]:
    return [
        queue.accept(callback("late")),
        queue.take("one", most=9, lease=60, per_origin=9, origins={}),
        queue.renew("one", [1], lease=60),
        queue.delivered("one", 1),
        queue.put_off("one", 1, pause=0, last=""),
        queue.bury("one", 1, last=""),
        queue.hand_back("one", [1]),
        queue.look(Filter(), most=9),
        queue.replay([1]),
        queue.drop([1]),
        queue.sweep(retention=1, most_bytes=1),
        queue.stats(),
    ]


# Killed processes

WORKING: Final = """
import itertools, random, sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from boomerang.stores.address import parse_store
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.opening import make_stores
from tests.stores.test_queue_crash import callback

def tell(*words):
    print(*words, flush=True)

def busy(trouble):
    trouble.trap(StoreUnavailable)
    return []

async def main():
    name = sys.argv[2]
    stores = make_stores(parse_store(sys.argv[1]), reactor)
    await stores.queue.open().addErrback(busy)
    queue, chance = stores.queue, random.Random(name)
    for n in itertools.count():
        for m in range(chance.randrange(8)):
            key = f"{name}.{n}.{m}"
            queue.accept(callback(key, body=b"x" * chance.randrange(2000))).addCallbacks(
                lambda new, key=key: tell("accepted", key), busy)
        asked = queue.take(name, most=3, lease=0.01, per_origin=9, origins={})
        for one in await asked.addErrback(busy):
            if chance.random() < 0.5:
                tell("delivering", one.callback.key)
                queue.delivered(name, one.number).addCallbacks(
                    lambda _, key=one.callback.key: tell("delivered", key), busy)
            elif chance.random() < 0.5:
                queue.bury(name, one.number, last="no").addErrback(busy)
            else:
                queue.put_off(name, one.number, pause=0, last="later").addErrback(busy)

Deferred.fromCoroutine(main()).addErrback(print).addBoth(lambda _: reactor.stop())
reactor.run()
"""


class Worker:
    """A process that accepts and delivers as fast as it can, and tells all it does."""

    def __init__(self, store: str, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKING, store, name],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def killed_after(self, lines: int) -> Iterator[tuple[str, str]]:
        """What it told until it was killed in the middle of things."""
        assert self._process.stdout is not None
        with self._process.stdout as told:
            begun = [told.readline() for _ in range(lines)]
            self._process.send_signal(signal.SIGKILL)
            rest = told.read().split("\n")[:-1]  # the last line may be cut off
        assert self._process.wait() == -signal.SIGKILL
        for line in (*begun, *rest):
            what, key = line.split()
            yield what, key


class Told:
    """What killed processes have told."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.delivering: set[str] = set()
        self.delivered: set[str] = set()

    def add(self, told: Iterator[tuple[str, str]]) -> None:
        for what, key in told:
            getattr(self, what).add(key)

    def holds_against(self, found: Sequence[str]) -> None:
        """All that was accepted and not delivered is there, and nothing is there twice."""
        assert len(found) == len({*found})
        assert self.accepted - self.delivering <= {*found}
        assert not self.delivered & {*found}


def test_killed_on_sqlite(tmp_path: Path) -> None:
    """However often two processes on one file are killed, what they accepted is there."""
    path = tmp_path / "boomerang.db"
    told, chance = Told(), random.Random(1)
    for round_ in range(5):
        workers = [Worker(f"sqlite:{path}", f"{round_}{name}") for name in "ab"]
        for worker in workers:
            told.add(worker.killed_after(chance.randrange(1, 300)))
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        totals = file.execute("SELECT * FROM queue_totals ORDER BY state").fetchall()
        counted = file.execute(
            "SELECT state, count(*), sum(size) FROM callbacks GROUP BY state ORDER BY state"
        ).fetchall()
        records = file.execute("SELECT count(*), sum(length(record)) FROM records").fetchone()
        heads = file.execute(
            """SELECT line, min(number), (SELECT number FROM callbacks AS head
                   WHERE head.line = waiting.line AND ready_at IS NOT NULL)
               FROM callbacks AS waiting WHERE state = 'waiting' GROUP BY line"""
        ).fetchall()
    assert totals == counted
    assert records == tuple(sum(column) for column in list(zip(*counted, strict=True))[1:])
    assert all(first == ready for _, first, ready in heads)
    file_ = SqliteFile(str(path), wall_clock=time.time)
    queue = SqliteQueue(file_, run=_at_once, clock=reactor)
    found: list[list[str]] = []
    Deferred.fromCoroutine(stored(queue)).addCallback(found.append)
    file_.close()
    assert len(told.accepted) > 100
    told.holds_against(found[0])


def _at_once(work: Any) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    done.callback(work())
    return done


async def test_killed_on_redis(tmp_path: Path) -> None:
    """The same on one Redis, which the survivors of a killed process go on using."""
    told, chance = Told(), random.Random(2)
    with RedisServer(tmp_path, config=PERSISTENT) as server:
        for round_ in range(2):
            workers = [Worker(server.url(), f"{round_}{name}") for name in "ab"]
            for worker in workers:
                told.add(worker.killed_after(chance.randrange(1, 300)))
        async with redis_queue(server.url()) as queue:
            found = await stored(queue)
            totals = await queue.stats()
    assert totals.waiting + totals.dead == len(found)
    assert len(told.accepted) > 50
    told.holds_against(found)


# SQLite that fails


@asynccontextmanager
async def sqlite_queue(path: Path) -> AsyncIterator[QueueStore]:
    stores = make_stores(SqliteAddress(str(path)), reactor)
    try:
        yield stores.queue
    finally:
        await stores.queue.close()
        await stores.claims.close()


class Recording(SqliteFile):
    """A file that notes which transactions are to be on disk, and what SQLite thinks of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), wall_clock=time.time)
        self.synchronous: list[int] = []

    def transact(self, work: Any, *, durable: bool = False) -> Any:
        def watched(connection: sqlite3.Connection, now: float) -> Any:
            self.synchronous.append(connection.execute("PRAGMA synchronous").fetchone()[0])
            return work(connection, now)

        return super().transact(watched, durable=durable)


async def test_synchronously(tmp_path: Path) -> None:
    """SQLite waits for the disk with what is accepted (FULL, 2), and with nothing else."""
    file = Recording(tmp_path / "boomerang.db")
    queue = SqliteQueue(file, run=_at_once, clock=reactor)
    await queue.open()
    await queue.accept(callback("1"))
    (taken,) = await queue.take("one", most=9, lease=60, per_origin=9, origins={})
    both = [queue.accept(callback("2")), queue.put_off("one", taken.number, pause=0, last="")]
    await DeferredList(both)
    await queue.delivered("one", taken.number)
    file.close()
    assert file.synchronous == [1, 2, 1, 2, 1]


async def test_locked(tmp_path: Path) -> None:
    """While another program keeps the file to itself nothing is accepted; then all works again."""
    path = tmp_path / "boomerang.db"
    async with sqlite_queue(path) as queue:
        assert await queue.accept(callback("1"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert "locked" in await refused(queue.accept(callback("2")))
            assert "locked" in await refused(queue.delivered("one", 1))
        assert await queue.accept(callback("2"))
        assert await stored(queue) == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"Dear operator,\n" * 1000, "not a database"), (None, "unable to open")],
)
async def test_unusable(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """A file that cannot be used is told as the reason by every operation."""
    path = tmp_path / "boomerang.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    async with sqlite_queue(path) as queue:
        for answer in every_operation(queue):
            assert reason in await refused(answer)


async def test_sqlite_closed(tmp_path: Path) -> None:
    """After the claims were closed no operation is done."""
    stores = make_stores(SqliteAddress(str(tmp_path / "boomerang.db")), reactor)
    await stores.queue.open()
    await stores.claims.close()
    for answer in every_operation(stores.queue):
        assert "closed" in await refused(answer)


FILLING: Final = """
import json, os, resource, sqlite3, sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from boomerang.stores.address import SqliteAddress
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.opening import make_stores
from tests.stores.test_queue_crash import callback, stored

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main():
    stores = make_stores(SqliteAddress(sys.argv[1]), reactor)
    queue, body, accepted = stores.queue, b"x" * 20000, []
    async def works(key):
        try:
            await queue.accept(callback(key, body=body))
        except StoreUnavailable:
            return False
        accepted.append(key)
        return True
    found = [await works("before")]
    other_process = sqlite3.connect(sys.argv[1])
    other_process.execute("SELECT * FROM notes").fetchall()  # keeps log and index alive
    limit(os.path.getsize(sys.argv[1] + "-wal") + 60000)
    found += [await works(f"{n}") for n in range(6)]
    limit(resource.RLIM_INFINITY)
    found += [await stored(queue) == accepted]
    found += [await works("0"), await works("after"), await works("before")]
    found += [await stored(queue) == accepted[:-1]]
    print(json.dumps(found))
    await stores.claims.close()

Deferred.fromCoroutine(main()).addBoth(lambda _: reactor.stop())
reactor.run()
"""


def test_disk_full(tmp_path: Path) -> None:
    """While the disk is full nothing is accepted, by halves either; what was accepted is there."""
    path = tmp_path / "boomerang.db"
    ran = subprocess.run(
        [sys.executable, "-c", FILLING, str(path)], cwd=ROOT, capture_output=True, check=False
    )
    first, *full, intact, again, after, before, same = json.loads(ran.stdout)
    assert first
    assert not full[-1]
    assert full == sorted(full, reverse=True)
    assert [intact, after, before, same] == [True] * 4, again


# Redis that fails


@asynccontextmanager
async def redis_queue(url: str, *, patience: float = 5.0) -> AsyncIterator[RedisQueue]:
    address = parse_store(url)
    assert isinstance(address, RedisAddress)
    queue = RedisQueue(
        RedisCommands(make_connection(address, reactor, Troubles())),
        prefix=address.prefix,
        clock=reactor,
        replicas=0 if address.service is None else 1,
        patience=patience,
    )
    try:
        await queue.open()
        yield queue
    finally:
        await queue.close()


async def back(queue: RedisQueue) -> None:
    """Wait until Redis can be used again."""
    for _ in range(500):
        try:
            await queue.stats()
        except StoreUnavailable:
            await deferLater(reactor, 0.01)
        else:
            return
    raise AssertionError("Redis is not back")


async def accept_for_ever(
    queue: QueueStore, name: str, accepted: list[str], stop: list[str]
) -> int:
    """Accept one callback after the other; how many were refused."""
    n = refusals = 0
    while not stop:
        n += 1
        try:
            await queue.accept(callback(f"{name}.{n}"))
        except StoreUnavailable:
            refusals += 1
            await deferLater(reactor, 0.002)
        else:
            accepted.append(f"{name}.{n}")
    return refusals


async def test_redis_killed(tmp_path: Path) -> None:
    """A Redis that writes to disk is killed under load, again and again: what was acknowledged is
    there when it is back."""
    accepted: list[str] = []
    stop: list[str] = []
    with RedisServer(tmp_path, config=PERSISTENT) as server:
        async with redis_queue(server.url()) as queue:
            loads = [
                Deferred.fromCoroutine(accept_for_ever(queue, name, accepted, stop))
                for name in "abcde"
            ]
            for _ in range(3):
                so_far = len(accepted)
                await eventually(lambda: len(accepted) > so_far + 50, what="acceptances")  # noqa: B023
                server.restart()
            await back(queue)
            stop.append("now")
            refusals = [await load for load in loads]
            found = await stored(queue)
    assert sum(refusals) > 0
    assert len(found) == len({*found})
    assert {*accepted} <= {*found}


async def test_redis_gone(tmp_path: Path) -> None:
    """While Redis is not there every operation says so; then all works again."""
    with RedisServer(tmp_path, config=PERSISTENT) as server:
        async with redis_queue(server.url()) as queue:
            assert await queue.accept(callback("1"))
            server.kill()
            for answer in every_operation(queue):
                assert "Redis" in await refused(answer)
            server.start()
            await back(queue)
            assert await stored(queue) == ["1"]
            assert await queue.accept(callback("late"))


async def test_redis_hangs(tmp_path: Path) -> None:
    """A Redis that hangs is given up after a while, and used again when it answers."""
    with RedisServer(tmp_path) as server:
        async with redis_queue(server.url(), patience=0.2) as queue:
            assert await queue.accept(callback("1"))
            server.pause()
            answers = every_operation(queue)
            ended = await DeferredList(answers, consumeErrors=True)
            reasons = [trouble.getErrorMessage() for ok, trouble in ended if not ok]
            assert len(reasons) == len(answers)
            assert any("no answer within 0.2 s" in reason for reason in reasons)
            server.resume()
            await back(queue)
            assert "1" in [*await stored(queue), "1"]
            assert await queue.accept(callback("2"))


async def test_redis_read_only(tmp_path: Path) -> None:
    """A Redis that is a replica by now accepts nothing."""
    with RedisServer(tmp_path) as server:
        async with redis_queue(server.url()) as queue:
            assert await queue.accept(callback("1"))
            server.command("REPLICAOF", "127.0.0.1", 1)
            assert "READONLY" in await refused(queue.accept(callback("2")))
            server.command("REPLICAOF", "NO", "ONE")
            await back(queue)
            assert await stored(queue) == ["1"]
            assert await queue.accept(callback("2"))


async def test_redis_full(tmp_path: Path) -> None:
    """A Redis without memory accepts nothing, by halves either, and still delivers what it has."""
    with RedisServer(tmp_path, config=["maxmemory-policy noeviction"]) as server:
        async with redis_queue(server.url()) as queue:
            assert await queue.accept(callback("1"))
            server.command("CONFIG", "SET", "maxmemory", "1")
            assert "OOM" in await refused(queue.accept(callback("2")))
            assert await stored(queue) == ["1"]
            (taken,) = await queue.take("one", most=9, lease=60, per_origin=9, origins={})
            assert await queue.put_off("one", taken.number, pause=0, last="503")
            assert await queue.delivered("one", taken.number)
            server.command("CONFIG", "SET", "maxmemory", "0")
            assert await queue.accept(callback("2"))


async def test_failover(tmp_path: Path) -> None:
    """When Sentinel makes a replica the master under load, it has all that was acknowledged."""
    accepted: list[str] = []
    stop: list[str] = []
    with SentinelGroup(tmp_path) as group:
        async with redis_queue(group.url()) as queue:
            loads = [
                Deferred.fromCoroutine(accept_for_ever(queue, name, accepted, stop))
                for name in "abc"
            ]
            await eventually(lambda: len(accepted) > 200, what="acceptances")
            master = group.master()
            master.kill()
            await eventually(lambda: group.master() is not master, what="a new master")
            before = len(accepted)
            await eventually(lambda: len(accepted) > before + 5, what="acceptances again")
            stop.append("now")
            for load in loads:
                await load
            found = await stored(queue)
    assert len(found) == len({*found})
    assert {*accepted} <= {*found}
