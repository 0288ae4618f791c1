"""One SQLite file: opened when it is needed, brought to the newest schema, used in one thread."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.sqlite_rescue import Identity, bring_back, create, identity

T = TypeVar("T")

_log = Logger()

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
    """
    CREATE TABLE callbacks (
        number INTEGER PRIMARY KEY,
        line TEXT NOT NULL,
        origin TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        received_at REAL NOT NULL,
        size INTEGER NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        due_at REAL NOT NULL,
        ready_at REAL,
        died_at REAL,
        last TEXT NOT NULL
    );
    CREATE INDEX callbacks_by_line ON callbacks (line, number) WHERE state = 'waiting';
    CREATE INDEX callbacks_ready ON callbacks (origin, ready_at) WHERE ready_at IS NOT NULL;
    CREATE INDEX callbacks_waiting ON callbacks (received_at) WHERE state = 'waiting';
    CREATE INDEX callbacks_dead ON callbacks (died_at) WHERE state = 'dead';
    CREATE TABLE records (
        number INTEGER PRIMARY KEY REFERENCES callbacks,
        record BLOB NOT NULL
    );
    CREATE TABLE queue_keys (
        name TEXT PRIMARY KEY,
        seen_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX queue_keys_by_age ON queue_keys (seen_at);
    CREATE TABLE queue_leases (
        line TEXT PRIMARY KEY,
        number INTEGER NOT NULL,
        holder TEXT NOT NULL,
        ends_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE queue (
        newest INTEGER NOT NULL,
        seen_at REAL NOT NULL
    );
    INSERT INTO queue VALUES (0, 0);
    CREATE TABLE queue_totals (
        state TEXT PRIMARY KEY,
        count INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) WITHOUT ROWID;
    INSERT INTO queue_totals VALUES ('waiting', 0, 0), ('dead', 0, 0);
    CREATE TRIGGER callback_came AFTER INSERT ON callbacks BEGIN
        UPDATE queue_totals SET count = count + 1, bytes = bytes + new.size
        WHERE state = new.state;
    END;
    CREATE TRIGGER callback_went AFTER DELETE ON callbacks BEGIN
        UPDATE queue_totals SET count = count - 1, bytes = bytes - old.size
        WHERE state = old.state;
        DELETE FROM records WHERE number = old.number;
    END;
    CREATE TRIGGER callback_changed AFTER UPDATE OF state ON callbacks
    WHEN old.state <> new.state BEGIN
        UPDATE queue_totals SET count = count - 1, bytes = bytes - old.size
        WHERE state = old.state;
        UPDATE queue_totals SET count = count + 1, bytes = bytes + new.size
        WHERE state = new.state;
    END;
    """,
    # A line was an order, whatever the origin: leases on it end, their callbacks come once more.
    """
    DELETE FROM queue_leases;
    UPDATE callbacks SET line = line || ' ' || origin;
    UPDATE callbacks SET ready_at = due_at WHERE number IN (
        SELECT min(number) FROM callbacks WHERE state = 'waiting' GROUP BY line);
    """,
    # Marks are named after their call now; those that are named otherwise are read until they end.
    """
    ALTER TABLE marks RENAME TO former_marks;
    CREATE TABLE marks (
        name TEXT PRIMARY KEY,
        count INTEGER NOT NULL,
        release_at REAL NOT NULL,
        expires_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX marks_by_end ON marks (expires_at);
    """,
    # What a call fails with first, and most fail with nothing else, stands in the call's own row.
    """
    ALTER TABLE marks ADD COLUMN first_identity TEXT;
    ALTER TABLE marks ADD COLUMN first_count INTEGER;
    ALTER TABLE marks ADD COLUMN first_release_at REAL;
    ALTER TABLE marks ADD COLUMN first_expires_at REAL;
    DROP INDEX marks_by_end;
    CREATE INDEX marks_by_end ON marks (max(expires_at, coalesce(first_expires_at, 0)));
    """,
)
"""Schema changes in order; ``user_version`` is how many of them a file has seen."""

_CHECKPOINT_PAGES: Final = 4000
"""Size of the log (16 MB) at which it is written to the file. Calls have random names, so that each
is on another page; with SQLite's 1000 a page is written more often, 50 µs a claim instead of 38."""

_TEMPORARY_IN_MEMORY: Final = "PRAGMA temp_store = MEMORY"
"""Before a statement changes a page SQLite notes what was there, to be able to undo this statement
alone; from 64 KiB on it does so in a temporary file. A claim in a batch takes 29 µs in the thread
instead of 40 without that file, and a full disk of temporary files fails none. Not for a change of
the schema: an index of a million marks is better sorted in a file."""

_PATIENCE: Final = 0.2
"""Seconds that a transaction waits for other processes; below the 250 ms that a caller has."""

_LOOK_AGAIN: Final = 0.0005
"""Seconds between two looks whether they are done."""


class _Elsewhere(Exception):
    """The open file is no longer the one at its path; nothing was done."""


class SqliteFile:
    """A file; every method blocks, and raises `sqlite3.Error` or `OSError`.

    ``wall_clock`` gives seconds since the epoch: what is in the file outlives the process, and
    processes of one machine share it. ``pause`` waits for some seconds. Statements take and give
    whole batches, since each step of a statement gives up the interpreter's lock, and a busy
    reactor hands it back only after 5 ms.
    """

    def __init__(
        self,
        path: str,
        *,
        wall_clock: Callable[[], float],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._wall_clock = wall_clock
        self._pause = pause
        self._connection: sqlite3.Connection | None = None
        self._durable = False
        self._identity: Identity | None = None
        self._closed = False

    def open(self) -> sqlite3.Connection:
        """The open file; it is opened, and brought to the newest schema, where it is not."""
        if self._closed:
            raise sqlite3.ProgrammingError("closed")
        if self._connection is None:
            create(self._path)
            self._identity = identity(self._path)
            connection = sqlite3.connect(
                self._path,
                timeout=0,  # we wait ourselves, see `_patiently`
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._patiently(connection, "PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
                self._patiently(connection, "BEGIN IMMEDIATE")
                _migrate(connection)
                connection.execute(_TEMPORARY_IN_MEMORY)
            except BaseException:
                connection.close()
                raise
            self._connection, self._durable = connection, False
        return self._connection

    def _follow(self, connection: sqlite3.Connection) -> None:
        """Bring the open file back, or let go of it for the one that is there now.

        Where that fails for now it stays open: nobody else may have what is in it. What is damaged
        is given up, for whoever deletes that wants a new one.
        """
        try:
            brought_back = bring_back(connection, self._path)
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                self._drop()
            raise
        if brought_back:
            _log.warn("SQLite: {path} was deleted, and is brought back", path=self._path)
        elif identity(self._path) is None:
            raise sqlite3.OperationalError("another process brings the deleted file back")
        self._drop()

    def close(self) -> None:
        """Close the file for good: what still waits for the thread must not open it again."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def transact(
        self, work: Callable[[sqlite3.Connection, float], T], *, durable: bool = False
    ) -> T:
        """Run work within one transaction that writes; it is given the time, too.

        What is ``durable`` is on disk afterwards, as is all that was written before; anything else
        outlives the process, but not a power cut. A file that was deleted is brought back, one that
        was exchanged is used from now on. After an error of SQLite's the file is opened anew, in
        case it is another one now; but not where it was only locked, for if it has been deleted
        nobody could bring back what nobody has open.
        """
        while True:
            connection = self.open()
            try:
                return self._transact(connection, work, durable)
            except _Elsewhere:
                self._follow(connection)
            except sqlite3.Error as error:
                if not _only_locked(error):
                    self._drop()
                raise

    def _transact(
        self,
        connection: sqlite3.Connection,
        work: Callable[[sqlite3.Connection, float], T],
        durable: bool,
    ) -> T:
        if durable is not self._durable:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        self._patiently(connection, "BEGIN IMMEDIATE")
        try:
            # Not before the lock: another process may have brought the file back meanwhile.
            if self._identity is None or identity(self._path) != self._identity:
                raise _Elsewhere
            now = self._wall_clock()  # nor this: other processes may have written
            done = work(connection, now)
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        return done

    def _patiently(self, connection: sqlite3.Connection, statement: str) -> None:
        """Run a statement as soon as no other process keeps us from it.

        SQLite's own waiting looks at ever longer intervals, up to 100 ms: two processes that write
        one batch after the other kept one of them out for more than 200 ms in two of 15 runs. Of
        two that open a new file at once it turns one away without waiting.
        """
        give_up_at = time.monotonic() + _PATIENCE
        while True:
            try:
                connection.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if not _only_locked(error) or time.monotonic() >= give_up_at:
                    raise
            self._pause(_LOOK_AGAIN)


def _only_locked(error: sqlite3.Error) -> bool:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # not all have one
    return code & 0xFF == sqlite3.SQLITE_BUSY  # the rest says more about it


def as_unavailable(trouble: Failure) -> Failure:
    """What goes wrong with a file, as the features know it."""
    trouble.trap(sqlite3.Error, OSError, UnicodeEncodeError)
    return Failure(StoreUnavailable(f"SQLite: {trouble.getErrorMessage()}"))


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would commit."""
    statement = ""
    for piece in script.split(";")[:-1]:
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):  # not within a trigger
            yield statement
            statement = ""


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply what the file has not seen, in a transaction that has begun: others are kept out.

    The version is written in any case: on a full disk the file cannot be opened, so that a probe
    after a failed claim fails as well.
    """
    try:
        seen = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if seen > len(SCHEMA):
            raise sqlite3.DatabaseError("the file was written by a newer boomerang")
        for change in SCHEMA[seen:]:
            for statement in _statements(change):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(SCHEMA)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
