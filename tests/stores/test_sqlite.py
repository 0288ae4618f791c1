"""Claims in an SQLite file: what is kept, clocks, processes, and files that cannot be used."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import (
    Deferred,
    DeferredList,
    maybeDeferred,
)
from twisted.internet.task import LoopingCall

from boomerang.stores.interfaces import Claim, Failure, Marked, StoreUnavailable
from boomerang.stores.sqlite import MOST_IN_A_BATCH, SqliteStore
from boomerang.stores.sqlite_file import SCHEMA, SqliteFile
from boomerang.stores.sqlite_marks import SqliteMarks
from boomerang.threads import Run
from tests.stores.failures import failure

HOUR: Final = 3600.0
NOW: Final = 1_800_000_000.0
MARKS_BY_IDENTITY: Final = 4
"""Schema changes of a file whose marks of identities were named without their calls."""
ROW_FOR_EACH_MARK: Final = 5
"""The same of one in which no mark of an identity stood in the row of its call."""
ROOT: Final = Path(__file__).parents[2]


class WallClock:
    """Seconds since the epoch, as a test has them; remembers the threads that looked at it."""

    def __init__(self) -> None:
        self.now = NOW
        self.threads: set[int] = set()

    def __call__(self) -> float:
        self.threads.add(threading.get_ident())
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "claims.db"


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def file(path: Path, clock: WallClock) -> Iterator[SqliteMarks]:
    opened = SqliteMarks(SqliteFile(str(path), wall_clock=clock))
    yield opened
    opened.close()


def count(file: SqliteMarks, *failures: Failure) -> list[int]:
    """The numbers of attempts, after counting failures in one batch."""
    return [claim.attempt for claim in file.count(lambda: failures)]


def names(path: Path) -> set[str]:
    """What is marked in a file, expired or not."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, name || ':' || first_identity FROM marks")
        return {name for row in rows for name in row if name is not None}


async def refused(answer: Deferred[Any]) -> str:
    """Why the store does not do it."""
    with pytest.raises(StoreUnavailable) as caught:
        await answer
    return str(caught.value)


# The file


def test_batch_in_order(file: SqliteMarks) -> None:
    """Several failures of one identity in one batch are counted one after the other."""
    first = failure("a", "x", wait=8)
    claims = file.count(lambda: [first, first, failure("b", "x"), failure("b", "x")])
    assert [(claim.attempt, claim.round) for claim in claims] == [(1, 1), (1, 1), (1, 2), (2, 3)]


def test_batch_is_one_transaction(file: SqliteMarks, path: Path) -> None:
    """A batch that cannot be counted to its end is not counted at all; the next one is."""
    nonsense: Any = "soon"
    with pytest.raises(TypeError):
        file.count(lambda: [failure("a"), evolve(failure("b"), wait=nonsense)])
    assert names(path) == set()
    assert count(file, failure("a")) == [1]


def test_odd_names(file: SqliteMarks) -> None:
    """Names are kept apart whatever characters they have."""
    odd = ["a'b", 'a"b', "a\\b", "ä", "\U0001f600", "a\nb", "[1]", "null", " "]
    assert count(file, *(failure(name, f"call of {name}") for name in odd)) == [1] * len(odd)
    assert count(file, *(failure(name, f"call of {name}") for name in odd)) == [2] * len(odd)


def test_file_is_kept(path: Path, clock: WallClock) -> None:
    """What was counted is there when the file is opened again."""
    for attempt in (1, 2, 3):
        file = SqliteMarks(SqliteFile(str(path), wall_clock=clock))
        assert count(file, failure()) == [attempt]
        file.close()


def test_file_is_the_owners_alone(path: Path, clock: WallClock) -> None:
    """What is new is readable for its owner alone: callbacks have numbers and texts of people.

    What is there already is left as somebody has set it.
    """
    for mode in (0o600, 0o640):
        opened = SqliteFile(str(path), wall_clock=clock)
        opened.open()
        assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {mode}
        opened.close()
        path.chmod(0o640)


def test_holds_outlive_the_process(path: Path, clock: WallClock) -> None:
    """A repeat after a restart is released at the instant that was promised before."""
    for seconds, hold in ((0.0, 8.0), (3.0, 5.0)):
        clock.now = NOW + seconds
        file = SqliteMarks(SqliteFile(str(path), wall_clock=clock))
        assert file.count(lambda: [failure(wait=8.0)]) == [Claim(attempt=1, hold=hold, round=1)]
        file.close()


def test_nothing_is_left_open(file: SqliteMarks, path: Path) -> None:
    """After closing, everything is in one file, which others may copy."""
    count(file, failure())
    assert path.with_name("claims.db-wal").exists()
    file.close()
    assert [found.name for found in path.parent.iterdir()] == ["claims.db"]


# Expiry, and clocks that jump


def test_sweep(file: SqliteMarks, path: Path, clock: WallClock) -> None:
    """Expired marks are deleted in time, others are not."""
    count(file, failure("old", "old call"))
    clock.now += 500
    count(file, failure("young", "young call"))
    clock.now += 450
    count(file, failure("new", "new call"))
    assert names(path) == {"young call", "young call:young", "new call", "new call:new"}


def test_sweep_in_portions(file: SqliteMarks, path: Path, clock: WallClock) -> None:
    """A mass of expired marks goes in portions, a second apart, so that no batch is slow."""
    for thousand in range(8):
        count(file, *(failure(f"{n}", f"call {thousand} {n}") for n in range(1000)))
    clock.now += 1000
    left = []
    for _ in range(3):
        file.count(list)
        file.count(list)
        left.append(len(names(path)))
        clock.now += 1
    assert left == [2 * 3000, 0, 0]


def test_sweep_leaves_what_lasts(file: SqliteMarks, path: Path, clock: WallClock) -> None:
    """Of a call and what failed of it each is known for its own time, and both are swept."""
    count(
        file,
        evolve(failure("a", "x"), window=10.0, call_window=900.0),
        evolve(failure("b", "y"), window=900.0, call_window=10.0),
    )
    clock.now += 11
    assert file.attempts([Marked("a", "x"), Marked("b", "y")]) == [0, 1]
    rounds = [claim.round for claim in file.count(lambda: [failure("c", "x"), failure("c", "y")])]
    assert rounds == [2, 1]
    clock.now += 901
    count(file)
    assert names(path) == set()


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_clock_jumps(file: SqliteMarks, clock: WallClock, jump: float) -> None:
    """After the clock was set by an hour, failures are first ones, and held as long as ever."""
    held = failure(wait=8.0)
    count(file, held)
    clock.now += jump
    assert file.count(lambda: [held]) == [Claim(attempt=1, hold=8.0, round=1)]
    clock.now += 9
    assert file.count(lambda: [held]) == [Claim(attempt=2, hold=0.0, round=2)]


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_clock_jumps_back(file: SqliteMarks, clock: WallClock, jump: float) -> None:
    """When the clock was set and set back again, marks made before are as good as ever."""
    count(file, failure())
    clock.now += jump
    count(file, failure("other", "other call"))
    clock.now -= jump
    assert count(file, failure()) == [2 if jump < 0 else 1]


def test_clock_slightly_back(file: SqliteMarks, clock: WallClock) -> None:
    """A clock that is set back by a fraction of a second makes no difference."""
    count(file, failure())
    clock.now += 0.5
    count(file, failure("other"))
    clock.now -= 0.25
    assert count(file, failure()) == [2]


def test_sweep_after_the_clock_was_set_back(
    file: SqliteMarks, path: Path, clock: WallClock
) -> None:
    """Expired marks are deleted after the clock was set back, too."""
    count(file, failure("old", "old call"))
    clock.now += HOUR
    count(file)
    clock.now -= HOUR
    count(file, failure("now", "now call"))
    clock.now += 901
    count(file)
    assert names(path) == set()


# Files that cannot be used


def locked(path: Path) -> sqlite3.Connection:
    """Another process's connection, in the middle of a transaction."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


async def test_locked(file: SqliteMarks, path: Path, thread: Run) -> None:
    """While somebody locks the file claims fail in time for the caller; then they work again."""
    store = SqliteStore(file, run=thread, clock=reactor)
    await store.open()
    with closing(locked(path)):
        began = reactor.seconds()
        assert "locked" in await refused(store.claim(failure()))
        assert "locked" in await refused(store.probe())
        assert reactor.seconds() - began < 0.6
    assert (await store.claim(failure())).attempt == 1


def test_looks_often(path: Path, clock: WallClock) -> None:
    """Who waits for another process sees within a millisecond that it is done: one that writes
    again and again would be ahead of it otherwise."""
    pauses: list[float] = []
    other: sqlite3.Connection | None = None

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 50 and other is not None:
            other.close()

    file = SqliteFile(str(path), wall_clock=clock, pause=pause)
    with closing(file):
        file.open()
        other = locked(path)
        assert file.transact(lambda connection, now: now) == clock.now
    assert len(pauses) == 50
    assert max(pauses) <= 0.001


def test_opening_waits_too(path: Path, clock: WallClock) -> None:
    """Of processes that open a new file at once none is turned away."""
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    file = SqliteFile(str(path), wall_clock=clock, pause=lambda seconds: other.close())
    with closing(file):
        assert file.transact(lambda connection, now: now) == clock.now


async def test_reactor_is_not_blocked(
    file: SqliteMarks, path: Path, thread: Run, clock: WallClock
) -> None:
    """However long the file takes, the reactor goes on; its thread never touches the file."""
    store = SqliteStore(file, run=thread, clock=reactor)
    await store.open()
    instants: list[float] = []
    ticking = LoopingCall(lambda: instants.append(reactor.seconds()))
    ticking.start(0.01)
    with closing(locked(path)):
        await refused(store.claim(failure()))
    ticking.stop()
    await store.claim(failure())
    await store.close()
    assert max(b - a for a, b in pairwise(instants)) < 0.1
    assert len(instants) > 10
    assert clock.threads
    assert threading.get_ident() not in clock.threads


def unusable(kind: str, path: Path) -> Path:
    """A path at which no database can be."""
    match kind:
        case "no directory":
            return path / "nowhere" / "claims.db"
        case "a directory":
            path.mkdir()
            return path
        case "below a file":
            path.write_bytes(b"")
            return path / "claims.db"
        case "not writable":
            return Path("/proc/claims.db")
        case "not a database":
            path.write_bytes(b"not a database" * 1000)
        case "newer":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(f"PRAGMA user_version = {len(SCHEMA) + 1}")
        case "another database":
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("CREATE TABLE marks (something TEXT)")
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("no directory", "unable to open"),
        ("a directory", "unable to open"),
        ("below a file", "unable to open"),
        ("not writable", "unable to open"),
        ("not a database", "not a database"),
        ("newer", "newer boomerang"),
        ("another database", "already exists"),
    ],
)
async def test_unusable(path: Path, clock: WallClock, kind: str, reason: str) -> None:
    """What cannot be used is told as the reason, for open, claims and probes."""
    file = SqliteMarks(SqliteFile(str(unusable(kind, path)), wall_clock=clock))
    store = SqliteStore(file, run=maybeDeferred, clock=reactor)
    for _ in range(2):
        assert reason in await refused(store.open())
        assert reason in await refused(store.claim(failure()))
        assert reason in await refused(store.probe())
    await store.close()


async def test_directory_that_comes_later(path: Path, clock: WallClock) -> None:
    """A directory that is not there is told as the reason, and used once it is."""
    late = path.parent / "late"
    file = SqliteMarks(SqliteFile(str(late / "boomerang.db"), wall_clock=clock))
    store = SqliteStore(file, run=maybeDeferred, clock=reactor)
    assert "unable to open" in await refused(store.open())
    late.mkdir()
    assert (await store.claim(failure())).attempt == 1
    await store.close()


async def test_corrupted(file: SqliteMarks, path: Path, clock: WallClock) -> None:
    """A file that was damaged is told as the reason, and used again once it is replaced."""
    before = SqliteMarks(SqliteFile(str(path), wall_clock=clock))
    before.count(lambda: [failure(f"{n}", f"call {n}") for n in range(500)])
    before.close()
    store = SqliteStore(file, run=maybeDeferred, clock=reactor)
    good = path.read_bytes()
    path.write_bytes(good[:4096] + b"\xff" * (len(good) - 4096))
    assert "malformed" in await refused(store.claim(failure("1", "call 1")))
    assert "malformed" in await refused(store.claim(failure("1", "call 1")))
    path.write_bytes(good)
    assert (await store.claim(failure("1", "call 1"))).attempt == 2


async def test_usable_in_the_end(path: Path, clock: WallClock) -> None:
    """A path that becomes usable is used."""
    directory = path.parent / "mounted later"
    file = SqliteMarks(SqliteFile(str(directory / "claims.db"), wall_clock=clock))
    store = SqliteStore(file, run=maybeDeferred, clock=reactor)
    await refused(store.open())
    directory.mkdir()
    await store.open()
    assert (await store.claim(failure())).attempt == 1
    await store.close()


def test_known_schema_is_left(path: Path, clock: WallClock) -> None:
    """Opening a file of this version changes nothing in it."""
    SqliteMarks(SqliteFile(str(path), wall_clock=clock)).count(lambda: [failure()])
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute("SELECT * FROM sqlite_master").fetchall()
        assert connection.execute("PRAGMA user_version").fetchone() == (len(SCHEMA),)
        SqliteMarks(SqliteFile(str(path), wall_clock=clock)).count(lambda: [failure()])
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == before


def test_failed_migration_is_undone(path: Path, clock: WallClock) -> None:
    """A schema change that fails leaves the file as it was."""
    unusable("another database", path)
    with pytest.raises(sqlite3.OperationalError):
        SqliteFile(str(path), wall_clock=clock).open()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("marks",)]


def test_fullest_batch(path: Path, clock: WallClock) -> None:
    """The largest batch that is ever written, each call with another failure than before, has no
    more values than a statement of SQLite takes where nobody has raised its limit."""
    opened = SqliteFile(str(path), wall_clock=clock)
    opened.open().setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
    with closing(SqliteMarks(opened)) as file:
        calls = [f"call {n}" for n in range(MOST_IN_A_BATCH)]
        assert count(file, *(failure("first", call) for call in calls)) == [1] * len(calls)
        assert count(file, *(failure("second", call) for call in calls)) == [1] * len(calls)
        assert file.attempts([Marked("second", calls[-1])]) == [1]


def test_no_temporary_files(path: Path, clock: WallClock) -> None:
    """Where temporary files would go may be full: a large batch needs none."""
    seen: set[str] = set()

    def look() -> None:
        links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
        seen.update(os.readlink(link) for link in links if link.is_symlink())

    opened = SqliteFile(str(path), wall_clock=clock)
    with closing(SqliteMarks(opened)) as file:
        for _ in range(3):  # a new file has few pages to note
            opened.open().set_progress_handler(look, 1000)
            count(file, *(failure(os.urandom(16).hex(), os.urandom(16).hex()) for _ in range(500)))
    assert {name for name in seen if "etilqs" in name} == set()
    assert str(path) in seen


def test_many_are_released(file: SqliteMarks) -> None:
    """However many are let go at once: more than a statement has parameters."""
    count(file, failure("held", "call"))
    file.release([Marked(f"{n}", f"call {n}") for n in range(300_000)] + [Marked("held", "call")])
    assert count(file, failure("held", "call")) == [2]


def written_before(path: Path, changes: int, *marks: tuple[str, float, float]) -> None:
    """A file that has seen so many schema changes; of each mark name, release and expiry."""
    with closing(sqlite3.connect(path)) as older:
        for change in SCHEMA[:changes]:
            older.executescript(change)
        older.executemany("INSERT INTO marks VALUES (?, 1, ?, ?)", marks)
        older.execute(f"PRAGMA user_version = {changes}")
        older.commit()


def test_former_marks(path: Path, clock: WallClock) -> None:
    """What a file knew before its marks were named otherwise counts until it is over."""
    written_before(
        path,
        MARKS_BY_IDENTITY,
        ("over", 0, NOW - 1),
        ("held", NOW + 5, NOW + 600),
        ("its call", 0, NOW + 600),
    )
    with closing(SqliteMarks(SqliteFile(str(path), wall_clock=clock))) as file:
        held = failure("held", "its call")
        marked = [Marked("held", "its call"), Marked("over", "its call")]
        assert file.attempts(marked) == [1, 0]
        assert file.count(lambda: [held]) == [Claim(attempt=1, hold=5.0, round=1)]
        assert count(file, failure("held", "another call")) == [1]
        file.release(marked)
        assert file.count(lambda: [held]) == [Claim(attempt=2, hold=0.0, round=2)]
        clock.now += 1
        assert file.attempts(marked) == [2, 0]
        assert count(file, held, failure("held", "a third call")) == [3, 2]
        assert count(file, failure("over", "its call")) == [1]
        clock.now += 600
        assert count(file, held) == [1]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM former_marks").fetchall() == []


def test_marks_in_rows_of_their_own(path: Path, clock: WallClock) -> None:
    """What a file knew before calls had their first failure's mark beside their own counts on."""
    written_before(
        path, ROW_FOR_EACH_MARK, ("call:held", NOW + 5, NOW + 600), ("call", 0, NOW + 600)
    )
    with closing(SqliteMarks(SqliteFile(str(path), wall_clock=clock))) as file:
        held, marked = failure("held", "call"), [Marked("held", "call")]
        assert file.attempts(marked) == [1]
        assert file.count(lambda: [held]) == [Claim(attempt=1, hold=5.0, round=1)]
        assert count(file, failure("another", "call")) == [1]
        file.release(marked)
        assert file.count(lambda: [held]) == [Claim(attempt=2, hold=0.0, round=3)]
        clock.now += 600
        assert count(file, held) == [1]


# Other processes


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Another Python that knows boomerang; its standard output is a pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


CLAIMING: Final = """
import itertools, sys, time
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from boomerang.stores.address import SqliteAddress
from boomerang.stores.interfaces import Failure
from boomerang.stores.opening import make_stores

async def claim(store, name):
    failure = Failure(
        identity=name, call=None, wait=0, window=900, call_window=900, attempts=1
    )
    await store.claim(failure)
    print(name, flush=True)

async def main():
    store = make_stores(SqliteAddress(sys.argv[1]), reactor).claims
    for batch in itertools.count():
        names = [f"{batch}-{n}" for n in range(20)]
        await gatherResults([Deferred.fromCoroutine(claim(store, name)) for name in names])

Deferred.fromCoroutine(main())
reactor.run()
"""


def test_killed(path: Path) -> None:
    """After SIGKILL in the middle of claims, every claim that was told is there."""
    process = child(CLAIMING, path)
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(500)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.read().split("\n")[:-1]  # the last one may be cut off
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    assert len(told) >= 500
    assert set(told) <= names(path)


COMPETING: Final = """
import json, sys, time
from boomerang.stores.interfaces import Failure
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_marks import SqliteMarks
import sqlite3

file = SqliteMarks(SqliteFile(sys.argv[1], wall_clock=time.time))
attempts = []
for n in range(300):
    failure = Failure(identity=f"{n}", call="call", wait=0, window=900, call_window=900, attempts=1)
    while True:
        try:
            (claim,) = file.count(lambda: [failure])
            break
        except sqlite3.OperationalError as error:
            assert "locked" in str(error)
    attempts.append([claim.attempt, claim.round])
file.close()
print(json.dumps(attempts))
"""


def test_several_processes(path: Path) -> None:
    """Processes that count in one file at the same time never give a number twice."""
    processes = [child(COMPETING, path) for _ in range(3)]
    found = [json.loads(process.communicate()[0]) for process in processes]
    for claims in zip(*found, strict=True):
        assert sorted(attempt for attempt, _ in claims) == [1, 2, 3]
    assert sorted(round_ for claims in found for _, round_ in claims) == list(range(1, 901))


FILLING: Final = """
import os, resource, sqlite3, sys, time
from boomerang.stores.interfaces import Failure
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_marks import SqliteMarks

file = SqliteMarks(SqliteFile(sys.argv[1], wall_clock=time.time))
failure = Failure(identity="identity", call="call", wait=0, window=900, call_window=900, attempts=1)

def works(failures):
    try:
        file.count(lambda: failures)
    except sqlite3.OperationalError:
        return False
    return True

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

found = [works([]), works([failure])]
other_process = sqlite3.connect(sys.argv[1])
other_process.execute("SELECT * FROM marks").fetchall()  # keeps log and index of the file alive
limit(os.path.getsize(sys.argv[1] + "-wal"))
found += [works([failure]), works([]), works([])]
limit(resource.RLIM_INFINITY)
found += [works([]), works([failure])]
print(*found)
"""


def test_disk_full(path: Path) -> None:
    """While nothing can be written an empty batch fails like a claim; then both work again."""
    process = child(FILLING, path)
    found = process.communicate()[0].split()
    assert found == ["True", "True", "False", "False", "False", "True", "True"]


async def test_under_load(file: SqliteMarks, thread: Run) -> None:
    """Closing in the middle of thousands of claims is clean: each is answered or fails."""
    store = SqliteStore(file, run=thread, clock=reactor)
    first, *claims = [store.claim(failure(f"{n}", f"call {n}")) for n in range(5000)]
    await first
    await store.close()
    outcomes: list[tuple[bool, Any]] = await DeferredList(claims, consumeErrors=True)
    for made, outcome in outcomes:
        assert isinstance(outcome, Claim) if made else outcome.check(StoreUnavailable)
    assert {made for made, _ in outcomes} == {True, False}
