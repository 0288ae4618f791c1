"""An SQLite file that is deleted, or exchanged, while it is in use."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IMODE

import pytest
from twisted.logger import LogLevel, capturedLogs

from boomerang.stores import sqlite_file
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_rescue import bring_back

NOW = 1_800_000_000.0


class User:
    """A process that uses the file."""

    def __init__(self, path: Path) -> None:
        self.file = SqliteFile(str(path), wall_clock=lambda: NOW)

    def note(self, key: str, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        def write(connection: sqlite3.Connection, now: float) -> None:
            meanwhile()
            connection.execute("INSERT INTO notes VALUES ('t', ?, 'v')", (key,))

        self.file.transact(write)

    def notes(self) -> list[str]:
        def read(connection: sqlite3.Connection, now: float) -> list[str]:
            rows = connection.execute("SELECT key FROM notes ORDER BY key")
            return [key for (key,) in rows]

        return self.file.transact(read)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "boomerang.db"


@pytest.fixture
def user(path: Path) -> Iterator[User]:
    user = User(path)
    yield user
    user.file.close()


def kept(path: Path) -> list[str]:
    """What another process finds in the file."""
    other = User(path)
    try:
        return other.notes()
    finally:
        other.file.close()


@pytest.mark.parametrize("left", [(), ("-wal",), ("-wal", "-shm"), ("-shm",)])
def test_deleted(path: Path, user: User, left: tuple[str, ...]) -> None:
    """A file that is deleted is there again with the next use, with all that was in it; what is
    left of the old one is not taken for a part of it."""
    for key in "abc":
        user.note(key)
    for end in {"", "-wal", "-shm"} - {*left}:
        Path(f"{path}{end}").unlink(missing_ok=True)
    with capturedLogs() as events:
        user.note("d")
        user.note("e")
    assert [each["log_level"] for each in events] == [LogLevel.warn]
    assert user.notes() == ["a", "b", "c", "d", "e"]
    user.file.close()
    assert kept(path) == ["a", "b", "c", "d", "e"]
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_several(path: Path, user: User) -> None:
    """Of several processes one brings it back; the others use that one."""
    other = User(path)
    user.note("a")
    other.note("b")
    path.unlink()
    with capturedLogs() as events:
        user.note("c")
        other.note("d")
    assert len(events) == 1
    assert user.notes() == other.notes() == ["a", "b", "c", "d"]
    other.file.close()


def test_another_is_at_it(path: Path, user: User) -> None:
    """While another process brings it back, nobody writes over what that one makes."""
    user.note("a")
    connection = user.file.open()
    with open(f"{path}.rescue", "w") as lock:
        path.unlink()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not bring_back(connection, str(path))
        assert not path.exists()
    assert bring_back(connection, str(path))
    assert not bring_back(connection, str(path))


def test_deleted_while_another_writes(path: Path, user: User) -> None:
    """What a process writes that began before the file was deleted is in the one that another
    brings back: that one waits for it, and keeps what it has meanwhile."""
    other = User(path)
    other.note("a")
    user.file.open()

    def meanwhile() -> None:
        path.unlink()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            user.note("refused")

    other.note("b", meanwhile=meanwhile)
    user.note("c")
    assert user.notes() == other.notes() == kept(path) == ["a", "b", "c"]
    other.file.close()


def test_deleted_before_another_writes(path: Path, user: User) -> None:
    """A process that gets the lock of the old file only after another has brought it back writes
    to the new one."""
    other = User(path)
    other.note("a")
    connection = other.file.open()

    def traced(statement: str) -> None:
        if statement.startswith("BEGIN"):
            connection.set_trace_callback(None)
            path.unlink()
            user.note("b")

    user.note("0")
    connection.set_trace_callback(traced)
    other.note("c")
    assert user.notes() == other.notes() == kept(path) == ["0", "a", "b", "c"]
    other.file.close()


def test_used_while_another_brings_it_back(
    path: Path, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one process brings it back, others are refused, whether they have the old file or
    begin only now: none writes to what will not be there."""
    other, late = User(path), User(path)
    user.note("a")
    other.note("b")
    path.unlink()
    rename = os.rename

    def interrupted(old: str, new: str) -> None:
        for each in (other, late):
            with pytest.raises(sqlite3.OperationalError, match="another process"):
                each.note("refused")
        rename(old, new)

    monkeypatch.setattr(os, "rename", interrupted)
    user.note("c")
    other.note("d")
    late.note("e")
    assert user.notes() == other.notes() == late.notes() == ["a", "b", "c", "d", "e"]
    other.file.close()
    late.file.close()


def test_another_fails_to_bring_it_back(
    path: Path, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was refused while another tried in vain still has what was in the file."""
    other = User(path)
    user.note("a")
    other.note("b")
    path.unlink()

    def failing(old: str, new: str) -> None:
        with pytest.raises(sqlite3.OperationalError, match="another process"):
            other.note("refused")
        raise OSError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", failing)
        with pytest.raises(OSError, match="out of order"):
            user.note("refused")
    user.file.close()
    other.note("c")
    assert other.notes() == kept(path) == ["a", "b", "c"]
    other.file.close()


def test_fails_at_first(path: Path, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot be brought back yet, what was in it is kept until it can."""

    def full(connection: sqlite3.Connection, path: str) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    user.note("a")
    path.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file, "bring_back", full)
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError, match="full"):
                user.note("refused")
    user.note("b")
    assert user.notes() == ["a", "b"]


def test_damaged(path: Path, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged file that is deleted is given up: the next use makes a new one."""

    def malformed(connection: sqlite3.Connection, path: str) -> bool:
        raise sqlite3.DatabaseError("database disk image is malformed")

    user.note("a")
    path.unlink()
    monkeypatch.setattr(sqlite_file, "bring_back", malformed)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        user.note("refused")
    user.note("b")
    assert user.notes() == ["b"]


def test_exchanged(path: Path, user: User, tmp_path: Path) -> None:
    """A file that an operator has put in its place, a copy of last night, is used from then on."""
    user.note("a")
    user.note("b")
    backup = User(tmp_path / "backup.db")
    backup.note("old")
    backup.file.close()
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink()
    (tmp_path / "backup.db").rename(path)
    assert user.notes() == ["old"]


def test_nowhere_to_write(path: Path, user: User) -> None:
    """Where it cannot be brought back, the store is not available: it would lose what it takes."""
    user.note("a")
    path.parent.joinpath("boomerang.db.rescued").mkdir()
    path.unlink()
    with pytest.raises(OSError, match="rescued"):
        user.note("b")
