"""Notes in an SQLite file: other processes, crashes, older files, and files that fail."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from time import time
from typing import Any, Final

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from boomerang.stores.address import SqliteAddress
from boomerang.stores.interfaces import Failure, Stores, StoreUnavailable
from boomerang.stores.opening import make_stores
from boomerang.stores.sqlite_file import SCHEMA

ROOT: Final = Path(__file__).parents[2]
FAILURE: Final = Failure(
    identity="identity", call="call", wait=0.0, window=900.0, call_window=900.0, attempts=1
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "boomerang.db"


@asynccontextmanager
async def using(path: Path) -> AsyncIterator[Stores]:
    """The stores in a file, as in production; nobody has opened them yet."""
    stores = make_stores(SqliteAddress(str(path)), reactor)
    try:
        yield stores
    finally:
        await stores.claims.close()


async def refused(answer: Deferred[Any]) -> str:
    """Why the store does not do it."""
    with pytest.raises(StoreUnavailable) as caught:
        await answer
    return str(caught.value)


def every_operation(stores: Stores) -> list[Deferred[Any]]:
    """All that can be asked of notes."""
    notes = stores.notes
    return [
        notes.read("topic"),
        notes.write("topic", {"key": "value"}),
        notes.append({"journal": ["entry"]}, keep=3),
        notes.journals(["journal"]),
        notes.lease("lease", holder="one", seconds=20),
    ]


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Another Python that knows boomerang; its standard streams are pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# Opening and closing


async def test_before_opening(path: Path) -> None:
    """An operation on a store that nobody has opened opens it."""
    async with using(path) as stores:
        await stores.notes.write("topic", {"key": "value"})
        assert await stores.notes.read("topic") == {"key": "value"}


async def test_closed(path: Path) -> None:
    """After the claims were closed no operation is done, and the file stays closed."""
    async with using(path) as stores:
        await stores.notes.write("topic", {"key": "value"})
        await stores.claims.close()
        for answer in every_operation(stores):
            assert "closed" in await refused(answer)
        assert [found.name for found in path.parent.iterdir()] == [path.name]


async def test_older_file(path: Path) -> None:
    """A file of a boomerang without notes is brought up to date, and what it knew is kept."""
    with closing(sqlite3.connect(path)) as older:
        older.executescript(SCHEMA[0])
        older.execute("INSERT INTO marks VALUES ('identity', 1, 0, ?)", [time() + 600])
        older.execute("PRAGMA user_version = 1")
        older.commit()
    async with using(path) as stores:
        await stores.notes.write("topic", {"key": "value"})
        assert await stores.notes.read("topic") == {"key": "value"}
        assert (await stores.claims.claim(FAILURE)).attempt == 2
    with closing(sqlite3.connect(path)) as newer:
        assert newer.execute("PRAGMA user_version").fetchone() == (len(SCHEMA),)


# Other processes

LEASING: Final = """
import sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from boomerang.stores.address import SqliteAddress
from boomerang.stores.opening import make_stores

async def main():
    stores = make_stores(SqliteAddress(sys.argv[1]), reactor)
    await stores.notes.write("topic", {"from": "child"})
    await stores.notes.append({"journal": ["child"]}, keep=3)
    print(await stores.notes.lease("watch", holder="child", seconds=600), flush=True)
    sys.stdin.readline()
    print(await stores.notes.lease("watch", holder="child", seconds=0), flush=True)
    await stores.claims.close()

Deferred.fromCoroutine(main()).addBoth(lambda _: reactor.stop())
reactor.run()
"""


async def test_two_processes(path: Path) -> None:
    """Processes see each other's notes and entries, and one at a time has a lease."""
    other = child(LEASING, path)
    assert other.stdin is not None
    assert other.stdout is not None
    with other.stdin, other.stdout:
        assert other.stdout.readline() == "True\n"
        async with using(path) as stores:
            assert await stores.notes.read("topic") == {"from": "child"}
            await stores.notes.append({"journal": ["parent"]}, keep=3)
            assert await stores.notes.journals(["journal"]) == {"journal": ["child", "parent"]}
            assert not await stores.notes.lease("watch", holder="parent", seconds=600)
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline() == "True\n"
            assert await stores.notes.lease("watch", holder="parent", seconds=600)
    assert other.wait() == 0


WRITING: Final = """
import itertools, sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from boomerang.stores.address import SqliteAddress
from boomerang.stores.opening import make_stores

async def main():
    notes = make_stores(SqliteAddress(sys.argv[1]), reactor).notes
    for n in itertools.count():
        await notes.write("topic", {f"{n}": f"{n}", "newest": f"{n}"})
        await notes.append({"one": [f"{n}"], "two": [f"{n}"]}, keep=50)
        print(n, flush=True)

Deferred.fromCoroutine(main())
reactor.run()
"""


async def test_killed(path: Path) -> None:
    """After SIGKILL all that was acknowledged is there, and nothing is there by halves."""
    process = child(WRITING, path)
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        told = [int(process.stdout.readline()) for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        told += map(int, process.stdout.read().split("\n")[:-1])  # the last one may be cut off
    assert process.wait() == -signal.SIGKILL
    async with using(path) as stores:
        notes = await stores.notes.read("topic")
        journals = await stores.notes.journals(["one", "two"])
    assert {str(n) for n in told} <= notes.keys()
    assert max(int(key) for key in notes if key != "newest") == int(notes["newest"])
    assert journals["one"] == journals["two"]
    newest = int(journals["one"][-1])
    assert newest >= told[-1]
    assert journals["one"] == [str(n) for n in range(newest - 49, newest + 1)]


# Files that fail


async def test_locked(path: Path) -> None:
    """While another program keeps the file to itself nothing is done; then all works again."""
    async with using(path) as stores:
        await stores.claims.open()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert "locked" in await refused(stores.notes.write("topic", {"key": "value"}))
            assert "locked" in await refused(stores.notes.append({"a": ["1"]}, keep=3))
            assert "locked" in await refused(stores.notes.lease("l", holder="one", seconds=9))
        assert await stores.notes.read("topic") == {}
        assert await stores.notes.journals(["a"]) == {}
        assert await stores.notes.lease("l", holder="two", seconds=9)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Dear operator,\n" * 1000, "not a database"),
        (None, "unable to open"),
        ("newer", "newer boomerang"),
    ],
)
async def test_unusable(path: Path, content: bytes | str | None, reason: str) -> None:
    """A file that cannot be used is told as the reason by every operation."""
    if content is None:
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as newer:
            newer.execute(f"PRAGMA user_version = {len(SCHEMA) + 1}")
    async with using(path) as stores:
        for answer in every_operation(stores):
            assert reason in await refused(answer)


FILLING: Final = """
import json, os, resource, sqlite3, sys, time
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from boomerang.stores.address import SqliteAddress
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.opening import make_stores

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def works(answer):
    try:
        await answer
    except StoreUnavailable:
        return False
    return True

async def main():
    stores = make_stores(SqliteAddress(sys.argv[1]), reactor)
    notes = stores.notes
    write = lambda: notes.write("topic", {"key": "x" * 10000})
    append = lambda: notes.append({"a": ["x"] * 50, "b": ["x"] * 50}, keep=1000)
    found = [await works(write()), await works(append())]
    before = await notes.journals(["a", "b"])
    other_process = sqlite3.connect(sys.argv[1])
    other_process.execute("SELECT * FROM notes").fetchall()  # keeps log and index alive
    limit(os.path.getsize(sys.argv[1] + "-wal"))
    found += [await works(write()), await works(append())]
    limit(resource.RLIM_INFINITY)
    found += [before == await notes.journals(["a", "b"])]
    found += [await works(write()), await works(append())]
    print(json.dumps(found))
    await stores.claims.close()

Deferred.fromCoroutine(main()).addBoth(lambda _: reactor.stop())
reactor.run()
"""


def test_disk_full(path: Path) -> None:
    """While the disk is full nothing is written, not by halves either; then all works again."""
    found = json.loads(child(FILLING, path).communicate()[0])
    assert found == [True, True, False, False, True, True, True]


async def test_surrogates(path: Path) -> None:
    """A text that is no Unicode is refused wherever it stands, and harms no other."""
    async with using(path) as stores:
        notes, bad = stores.notes, "\ud800"
        await notes.write("topic", {"key": "value"})
        await notes.append({"journal": ["entry"]}, keep=3)
        for answer in (
            notes.read(bad),
            notes.write(bad, {"key": "value"}),
            notes.write("topic", {bad: "value"}),
            notes.write("topic", {"key": bad}),
            notes.write("topic", {"key": "changed", bad: None}),
            notes.append({"journal": ["another", bad]}, keep=3),
            notes.append({bad: ["entry"]}, keep=3),
            notes.journals([bad]),
            notes.lease(bad, holder="one", seconds=9),
            notes.lease("lease", holder=bad, seconds=9),
        ):
            assert "surrogates" in await refused(answer)
        assert await notes.read("topic") == {"key": "value"}
        assert await notes.journals(["journal"]) == {"journal": ["entry"]}
