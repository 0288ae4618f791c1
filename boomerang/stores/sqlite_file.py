"""The blocking half of the SQLite store: everything that happens in its one thread."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from boomerang.stores.interfaces import Claim, Failure
from boomerang.stores.marks import Mark, count_failure

SCHEMA: Final = (
    """
    CREATE TABLE marks (
        name TEXT PRIMARY KEY,
        count INTEGER NOT NULL,
        release_at REAL NOT NULL,
        expires_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX marks_by_expiry ON marks (expires_at);
    """,
)
"""Schema changes in order; ``user_version`` is how many of them a file has seen."""

_BUSY_MS: Final = 200
"""How long a transaction waits for another process; below the 250 ms that a caller has."""

_SWEEP_EVERY: Final = 1.0
_SWEEP_ROWS: Final = 5000
"""A storm of 1,250 calls a second leaves 2,500 marks a second; sweeping must keep up with it."""


class SqliteFile:
    """Marks in a file; every method blocks, and raises `sqlite3.Error` or `OSError`.

    ``wall_clock`` gives seconds since the epoch: the marks outlive the process, and processes
    of one machine share them. The statements take and give whole batches as JSON, since each step
    of a statement gives up the interpreter's lock, and a busy reactor hands it back only after
    5 ms.
    """

    def __init__(self, path: str, *, wall_clock: Callable[[], float]) -> None:
        self._path = path
        self._wall_clock = wall_clock
        self._connection: sqlite3.Connection | None = None
        self._swept_at = 0.0

    def open(self) -> sqlite3.Connection:
        """The open file; it is opened, and brought to the newest schema, where it is not."""
        if self._connection is None:
            connection = sqlite3.connect(
                self._path,
                timeout=_BUSY_MS / 1000,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                _migrate(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def close(self) -> None:
        """Close the file; it may be opened again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def count(self, failures: Sequence[Failure]) -> list[Claim]:
        """Count failures in one transaction, in their order. An empty batch proves the file."""
        try:
            return self._count(self.open(), failures)
        except sqlite3.Error:
            self.close()
            raise

    def _count(self, connection: sqlite3.Connection, failures: Sequence[Failure]) -> list[Claim]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            now = self._wall_clock()  # not before the lock: other processes may have counted
            names = {name for failure in failures for name in (failure.identity, failure.call)}
            marks = _read(connection, sorted(name for name in names if name is not None))
            changed: dict[str, Mark] = {}
            claims = [_count_one(failure, marks, changed, now) for failure in failures]
            _write(connection, changed)
            if now >= self._swept_at + _SWEEP_EVERY or now < self._swept_at:
                _sweep(connection, now)
                self._swept_at = now
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        return claims


def _count_one(
    failure: Failure, marks: dict[str, Mark], changed: dict[str, Mark], now: float
) -> Claim:
    before = (marks.get(failure.identity or ""), marks.get(failure.call or ""))
    identity, call, claim = count_failure(failure, identity=before[0], call=before[1], now=now)
    for name, mark, old in (
        (failure.identity, identity, before[0]),
        (failure.call, call, before[1]),
    ):
        if name is not None and mark is not None and mark is not old:
            marks[name] = changed[name] = mark
    return claim


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply what the file has not seen, with other processes kept out meanwhile.

    The version is written in any case: on a full disk the file cannot be opened, so that a probe
    after a failed claim fails as well.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        seen = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if seen > len(SCHEMA):
            raise sqlite3.DatabaseError("the file was written by a newer boomerang")
        for change in SCHEMA[seen:]:
            for statement in filter(str.strip, change.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(SCHEMA)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _read(connection: sqlite3.Connection, names: Iterable[str]) -> dict[str, Mark]:
    (found,) = connection.execute(
        """
        SELECT json_group_array(json_array(name, count, release_at, expires_at))
        FROM marks WHERE name IN (SELECT value FROM json_each(?))
        """,
        (json.dumps(list(names)),),
    ).fetchone()
    return {
        name: Mark(count=count, release_at=release_at, expires_at=expires_at)
        for name, count, release_at, expires_at in json.loads(found)
    }


def _write(connection: sqlite3.Connection, marks: dict[str, Mark]) -> None:
    rows = [(name, mark.count, mark.release_at, mark.expires_at) for name, mark in marks.items()]
    connection.execute(
        """
        INSERT OR REPLACE INTO marks (name, count, release_at, expires_at)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
               json_extract(value, '$[2]'), json_extract(value, '$[3]')
        FROM json_each(?)
        """,
        (json.dumps(rows),),
    )


def _sweep(connection: sqlite3.Connection, now: float) -> None:
    connection.execute(
        """
        DELETE FROM marks WHERE name IN
            (SELECT name FROM marks WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
        """,
        (now, _SWEEP_ROWS),
    )
