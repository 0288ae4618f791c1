"""A store that fails costs no caller the answer, whichever way it fails."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, Daemons, eventually
from tests.integration.twilio import Answer, FailedCall, answers, untimely
from tests.servers import RedisServer, SentinelGroup

WAIT = 0.3

LONGER = 0.7
"""Seconds of waiting where something is to happen meanwhile."""

FIRST, SECOND, THIRD = "retry; attempt=1", "give-up; attempt=2", "give-up; attempt=3"


def in_time(found: Sequence[Answer], *, wait: float = WAIT) -> bool:
    """Whether each caller got a second chance, held as long as ever."""
    return all(answer.decision == FIRST for answer in found) and not untimely(found, wait)


def new_calls(number: int = 30) -> list[FailedCall]:
    return [FailedCall() for _ in range(number)]


def becomes(daemon: Daemon, status: str) -> bool:
    """Whether ``/health`` says so before long, answering with 200 all the time."""
    return eventually(lambda: daemon.status() == status)


def serves_without_store(daemon: Daemon, *, wait: float = WAIT) -> FailedCall:
    """Prove that calls are answered, and second failures recognised; returns one that was."""
    failed = new_calls()
    assert in_time(daemon.rescue_all(failed), wait=wait)
    assert {answer.decision for answer in daemon.rescue_all(failed)} == {SECOND}
    assert daemon.health()["degraded"][0]["part"] == "store"
    assert "degraded=yes" in daemon.log()
    return failed[0]


def uses_its_store(daemon: Daemon) -> bool:
    """Whether a new claim is made in the store."""
    failed = FailedCall()
    assert daemon.rescue(failed).decision == FIRST
    (line,) = [line for line in daemon.log().splitlines() if failed.sid in line]
    return line.endswith("degraded=no")


@pytest.mark.parametrize("hanging", [False, True], ids=["down", "hanging"])
def test_redis_is_not_there_at_the_start(daemons: Daemons, tmp_path: Path, hanging: bool) -> None:
    """Without Redis it starts and serves; once Redis is there it is used, and nothing forgotten."""
    with RedisServer(tmp_path) as server:
        (server.pause if hanging else server.kill)()
        daemon = daemons.start(store=server.url(path="/1"), wait=WAIT)
        assert becomes(daemon, "degraded")
        failed = serves_without_store(daemon)

        (server.resume if hanging else server.start)()

        assert becomes(daemon, "ok")
        assert daemon.rescue(failed).decision == THIRD
        assert uses_its_store(daemon)
        assert "db1:keys=" in server.command("INFO", "keyspace")


def test_redis_crashes(daemons: Daemons, tmp_path: Path) -> None:
    """Calls are held and answered through a crash of Redis, and failures before it are known."""
    with RedisServer(tmp_path) as server:
        daemon = daemons.start(store=server.url(), wait=LONGER)
        failed = FailedCall()
        daemon.rescue(failed)
        held = daemon.hold(new_calls())

        server.kill()

        assert in_time(answers(held), wait=LONGER)
        assert daemon.rescue(failed).decision == SECOND
        assert becomes(daemon, "degraded")
        serves_without_store(daemon, wait=LONGER)
        server.start()
        assert becomes(daemon, "ok")
        assert uses_its_store(daemon)


def test_redis_hangs(daemons: Daemons, tmp_path: Path) -> None:
    """A Redis that accepts commands and answers none costs nobody more than a moment."""
    with RedisServer(tmp_path) as server:
        daemon = daemons.start(store=server.url(), wait=WAIT)
        failed = FailedCall()
        daemon.rescue(failed)

        server.pause()

        assert in_time(daemon.rescue_all(new_calls(200)))
        assert daemon.rescue(failed).decision == SECOND
        assert becomes(daemon, "degraded")
        serves_without_store(daemon)
        server.resume()
        assert becomes(daemon, "ok")
        assert uses_its_store(daemon)


def test_redis_hangs_while_stopping(daemons: Daemons, tmp_path: Path) -> None:
    """A Redis that hangs does not keep the process from its end."""
    with RedisServer(tmp_path) as server:
        daemon = daemons.start(store=server.url(), wait=LONGER)
        held = daemon.hold(new_calls())
        server.pause()

        daemon.process.terminate()

        assert in_time(answers(held), wait=LONGER)
        assert daemon.exit_status(within=4) == 0


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ],
)
def test_redis_refuses_to_write(
    daemons: Daemons, tmp_path: Path, trouble: str, remedy: str
) -> None:
    """A Redis that is full, or no longer the master, is one that is not there."""
    with RedisServer(tmp_path, config=["maxmemory-policy noeviction"]) as server:
        daemon = daemons.start(store=server.url(), wait=WAIT)
        server.command(*trouble.split())

        assert in_time(daemon.rescue_all(new_calls()))
        assert becomes(daemon, "degraded")
        serves_without_store(daemon)

        server.command(*remedy.split())
        assert becomes(daemon, "ok")
        assert uses_its_store(daemon)


def test_wrong_password(daemons: Daemons, tmp_path: Path) -> None:
    """With a wrong password it serves, and says once what is wrong, but not the password."""
    with RedisServer(tmp_path, password="right-one") as server:
        daemon = daemons.start(store=server.url(password="0ther-0ne"), wait=WAIT)

        assert becomes(daemon, "degraded")
        serves_without_store(daemon)

        lines = [line for line in daemon.log().splitlines() if "WRONGPASS" in line]
        assert len(lines) == 1
        assert "0ther-0ne" not in daemon.log()
        server.command("CONFIG", "SET", "requirepass", "0ther-0ne")
        assert becomes(daemon, "ok")


def marks(server: RedisServer) -> set[str]:
    """The keys of what was counted: in braces there is a digest, and not what else is kept."""
    keys: list[str] = server.command("KEYS", "*")
    return {key for key in keys if re.match(r"boomerang:\{[0-9a-f]{36}\}", key)}


def test_failover(daemons: Daemons, tmp_path: Path) -> None:
    """When the master dies, calls are answered all the time, and claims go to its successor."""
    with SentinelGroup(tmp_path) as group:
        daemon = daemons.start(store=group.url(), wait=LONGER)
        old = group.master()
        failed = FailedCall()
        daemon.rescue(failed)
        held = daemon.hold(new_calls())

        old.kill()

        assert in_time(answers(held), wait=LONGER)
        assert daemon.rescue(failed).decision == SECOND
        assert becomes(daemon, "degraded")
        eventually(
            lambda: (
                in_time(daemon.rescue_all(new_calls(5)), wait=LONGER) and group.master() is not old
            )
        )
        assert becomes(daemon, "ok")
        before = marks(group.master())
        assert uses_its_store(daemon)
        assert len(marks(group.master()) - before) == 2


def test_file_cannot_be_had(daemons: Daemons, tmp_path: Path) -> None:
    """An SQLite file in a directory that does not exist: it serves, and uses it once it does."""
    directory = tmp_path / "not" / "there"
    daemon = daemons.start(store=f"sqlite:{directory / 'b.db'}", wait=WAIT)
    assert becomes(daemon, "degraded")
    failed = serves_without_store(daemon)

    directory.mkdir(parents=True)

    assert becomes(daemon, "ok")
    assert daemon.rescue(failed).decision == THIRD
    assert uses_its_store(daemon)


def test_file_is_no_database(daemons: Daemons, tmp_path: Path) -> None:
    """A file that is something else is left alone, and nobody waits for it."""
    other = tmp_path / "letter.txt"
    other.write_text("Dear operator,\n" * 1000)
    for path in (other, other / "boomerang.db"):
        daemon = daemons.start(store=f"sqlite:{path}", wait=WAIT)
        assert becomes(daemon, "degraded")
        serves_without_store(daemon)
    assert other.read_text() == "Dear operator,\n" * 1000


def test_file_is_locked(daemons: Daemons, tmp_path: Path) -> None:
    """While another program keeps the file to itself, calls are answered from memory."""
    path = tmp_path / "boomerang.db"
    daemon = daemons.start(store=f"sqlite:{path}", wait=WAIT)
    failed = FailedCall()
    daemon.rescue(failed)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert in_time(daemon.rescue_all(new_calls()))
    assert daemon.rescue(failed).decision == SECOND
    assert becomes(daemon, "degraded")
    serves_without_store(daemon)

    other.execute("ROLLBACK")
    other.close()
    assert becomes(daemon, "ok")
    assert uses_its_store(daemon)


def test_file_is_deleted(daemons: Daemons, tmp_path: Path) -> None:
    """When somebody deletes the file, calls are answered all the same."""
    path = tmp_path / "boomerang.db"
    daemon = daemons.start(store=f"sqlite:{path}", wait=WAIT)
    failed = FailedCall()
    daemon.rescue(failed)

    for file in tmp_path.glob("boomerang.db*"):
        file.unlink()

    assert in_time(daemon.rescue_all(new_calls()))
    assert daemon.rescue(failed).decision == SECOND
