"""One SQLite file: opened when it is needed, brought to the newest schema, used in one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from boomerang.stores.interfaces import StoreUnavailable

T = TypeVar("T")

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
    """
    CREATE TABLE notes (
        topic TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (topic, key)
    ) WITHOUT ROWID;
    CREATE TABLE journals (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    );
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        journal INTEGER NOT NULL REFERENCES journals,
        entry TEXT NOT NULL
    );
    CREATE INDEX entries_by_journal ON entries (journal, id);
    CREATE TABLE leases (
        name TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        expires_at REAL NOT NULL
    ) WITHOUT ROWID;
    """,
)
"""Schema changes in order; ``user_version`` is how many of them a file has seen."""

_BUSY_MS: Final = 200
"""How long a transaction waits for another process; below the 250 ms that a caller has."""


class Runner(Protocol):
    """Runs a blocking function elsewhere: in one thread, or at once (`maybeDeferred`) in tests."""

    def __call__(self, work: Callable[[], T], /) -> Deferred[T]: ...


class SqliteFile:
    """A file; every method blocks, and raises `sqlite3.Error` or `OSError`.

    ``wall_clock`` gives seconds since the epoch: what is in the file outlives the process, and
    processes of one machine share it. Statements take and give whole batches as JSON, since each
    step of a statement gives up the interpreter's lock, and a busy reactor hands it back only
    after 5 ms.
    """

    def __init__(self, path: str, *, wall_clock: Callable[[], float]) -> None:
        self._path = path
        self._wall_clock = wall_clock
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    def open(self) -> sqlite3.Connection:
        """The open file; it is opened, and brought to the newest schema, where it is not."""
        if self._closed:
            raise sqlite3.ProgrammingError("closed")
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
        """Close the file for good: what still waits for the thread must not open it again."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def transact(self, work: Callable[[sqlite3.Connection, float], T]) -> T:
        """Run work within one transaction that writes; it is given the time, too.

        After an error of SQLite's the file is opened anew, in case it is another one now.
        """
        try:
            return self._transact(self.open(), work)
        except sqlite3.Error:
            self._drop()
            raise

    def _transact(
        self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection, float], T]
    ) -> T:
        connection.execute("BEGIN IMMEDIATE")
        try:
            now = self._wall_clock()  # not before the lock: other processes may have written
            done = work(connection, now)
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        return done


def as_unavailable(trouble: Failure) -> Failure:
    """What goes wrong with a file, as the features know it."""
    trouble.trap(sqlite3.Error, OSError, UnicodeEncodeError)
    return Failure(StoreUnavailable(f"SQLite: {trouble.getErrorMessage()}"))


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
