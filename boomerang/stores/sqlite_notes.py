"""Notes in an SQLite file, the one that has the claims, and in the same thread."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred

from boomerang.stores.sqlite_file import SqliteFile, as_unavailable
from boomerang.threads import Run

T = TypeVar("T")

_JOURNALS_AT_ONCE: Final = 50
"""How many are read in one go: some thousand entries, which hold the interpreter for some ms."""


class SqliteNotes:
    """A `NoteStore` in a file. Each method is one transaction, and queues behind claims."""

    def __init__(self, file: SqliteFile, *, run: Run) -> None:
        self._file = file
        self._run = run

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        return self._do(
            lambda connection, now: dict(
                _rows(
                    connection,
                    "SELECT json_group_array(json_array(key, value)) FROM notes WHERE topic = ?",
                    topic,
                )
            )
        )

    def write(self, topic: str, notes: Mapping[str, str | None]) -> Deferred[None]:
        gone = _as_json([key for key, value in notes.items() if value is None])
        kept = _as_json([[key, value] for key, value in notes.items() if value is not None])

        def write(connection: sqlite3.Connection, now: float) -> None:
            connection.execute(
                """
                DELETE FROM notes WHERE topic = ? AND key IN (SELECT value FROM json_each(?))
                """,
                (topic, gone),
            )
            connection.execute(
                """
                INSERT OR REPLACE INTO notes (topic, key, value)
                SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]')
                FROM json_each(?)
                """,
                (topic, kept),
            )

        return self._do(write)

    def append(self, entries: Mapping[str, Sequence[str]], *, keep: int) -> Deferred[None]:
        newest = {name: list(new)[-keep:] for name, new in entries.items()}
        return self._do(lambda connection, now: _append(connection, newest, keep))

    def journals(self, names: Collection[str]) -> Deferred[Mapping[str, Sequence[str]]]:
        return Deferred.fromCoroutine(self._journals(list(names)))

    async def _journals(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for first in range(0, len(names), _JOURNALS_AT_ONCE):
            some = _as_json(names[first : first + _JOURNALS_AT_ONCE])
            for name, entry in await self._do(partial(_entries, some)):
                found.setdefault(name, []).append(entry)
        return found

    def lease(self, name: str, *, holder: str, seconds: float) -> Deferred[bool]:
        if seconds <= 0:
            return self._do(lambda connection, now: _give_back(connection, name, holder))
        return self._do(lambda connection, now: _take(connection, now, name, holder, seconds))

    def _do(self, work: Callable[[sqlite3.Connection, float], T]) -> Deferred[T]:
        return self._run(lambda: self._file.transact(work)).addErrback(as_unavailable)


def _take(
    connection: sqlite3.Connection, now: float, name: str, holder: str, seconds: float
) -> bool:
    connection.execute(
        """
        INSERT INTO leases (name, holder, expires_at) VALUES (?, ?, ?)
        ON CONFLICT (name) DO UPDATE
        SET holder = excluded.holder, expires_at = excluded.expires_at
        WHERE holder = excluded.holder OR expires_at NOT BETWEEN ? AND ?
        """,
        # One that runs for longer than it can is from before the clock was set back.
        (name, holder, now + seconds, now, now + seconds + 1.0),
    )
    return _holder(connection, name) == holder


def _give_back(connection: sqlite3.Connection, name: str, holder: str) -> bool:
    connection.execute("DELETE FROM leases WHERE name = ? AND holder = ?", (name, holder))
    return _holder(connection, name) is None


def _holder(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT holder FROM leases WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def _rows(connection: sqlite3.Connection, statement: str, *values: str) -> list[Any]:
    """What a statement gives as one JSON array."""
    (found,) = connection.execute(statement, values).fetchone()
    rows: list[Any] = json.loads(found)
    return rows


def _entries(names: str, connection: sqlite3.Connection, now: float) -> list[Any]:
    return _rows(
        connection,
        """
        SELECT json_group_array(json_array(name, entry)) FROM (
            SELECT name, entry FROM journals JOIN entries ON journal = journals.id
            WHERE name IN (SELECT value FROM json_each(?)) ORDER BY journal, entries.id)
        """,
        names,
    )


def _as_json(values: Sequence[Any]) -> str:
    """A statement's batch. Lone surrogates stay in it, for SQLite to refuse: it would take their
    escapes, and then could never read them again."""
    return json.dumps(values, ensure_ascii=False)


def _append(
    connection: sqlite3.Connection, entries: Mapping[str, Sequence[str]], keep: int
) -> None:
    """Append to many journals in a few steps, and delete what falls out of each."""
    names = _as_json(list(entries))
    rows = _as_json([(name, entry) for name, new in entries.items() for entry in new])
    connection.execute(
        "INSERT OR IGNORE INTO journals (name) SELECT value FROM json_each(?)", (names,)
    )
    connection.execute(
        """
        INSERT INTO entries (journal, entry)
        SELECT (SELECT id FROM journals WHERE name = json_extract(value, '$[0]')),
               json_extract(value, '$[1]')
        FROM json_each(?) ORDER BY key
        """,
        (rows,),
    )
    connection.execute(
        """
        DELETE FROM entries WHERE id IN (
            SELECT old.id FROM journals JOIN entries AS old
            ON old.journal = journals.id AND old.id <= (
                SELECT id FROM entries WHERE journal = journals.id
                ORDER BY id DESC LIMIT 1 OFFSET ?)
            WHERE journals.name IN (SELECT value FROM json_each(?)))
        """,
        (keep, names),
    )
