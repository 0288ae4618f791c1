"""An SQLite file that is deleted, or exchanged, while it is in use."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest
from twisted.logger import LogLevel, capturedLogs

from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_rescue import bring_back

NOW = 1_800_000_000.0


class User:
    """A process that uses the file."""

    def __init__(self, path: Path) -> None:
        self.file = SqliteFile(str(path), wall_clock=lambda: NOW)

    def note(self, key: str) -> None:
        def write(connection: sqlite3.Connection, now: float) -> None:
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
