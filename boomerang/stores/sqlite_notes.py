"""Notes in an SQLite file, the one that has the claims, and in the same thread."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from boomerang.stores.sqlite_file import Runner, SqliteFile, as_unavailable

T = TypeVar("T")


class SqliteNotes:
    """A `NoteStore` in a file. Each method is one transaction, and queues behind claims."""

    def __init__(self, file: SqliteFile, *, run: Runner) -> None:
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
        wanted = _as_json(list(names))

        def read(connection: sqlite3.Connection, now: float) -> Mapping[str, Sequence[str]]:
            found: dict[str, list[str]] = {}
            for name, _, entry in sorted(
                _rows(
                    connection,
                    """
                    SELECT json_group_array(json_array(name, place, entry)) FROM journals
                    WHERE name IN (SELECT value FROM json_each(?))
                    """,
                    wanted,
                )
            ):
                found.setdefault(name, []).append(entry)
            return found

        return self._do(read)

    def lease(self, name: str, *, holder: str, seconds: float) -> Deferred[bool]:
        def take(connection: sqlite3.Connection, now: float) -> bool:
            connection.execute(
                """
                INSERT INTO leases (name, holder, expires_at) VALUES (?, ?, ?)
                ON CONFLICT (name) DO UPDATE
                SET holder = excluded.holder, expires_at = excluded.expires_at
                WHERE holder = excluded.holder OR expires_at <= ?
                """,
                (name, holder, now + seconds, now),
            )
            (now_held_by,) = connection.execute(
                "SELECT holder FROM leases WHERE name = ?", (name,)
            ).fetchone()
            if now_held_by == holder and seconds <= 0:
                connection.execute("DELETE FROM leases WHERE name = ?", (name,))
            return bool(now_held_by == holder)

        return self._do(take)

    def _do(self, work: Callable[[sqlite3.Connection, float], T]) -> Deferred[T]:
        return self._run(lambda: self._file.transact(work)).addErrback(as_unavailable)


def _rows(connection: sqlite3.Connection, statement: str, *values: str) -> list[Any]:
    """What a statement gives as one JSON array."""
    (found,) = connection.execute(statement, values).fetchone()
    rows: list[Any] = json.loads(found)
    return rows


def _as_json(values: Sequence[Any]) -> str:
    """A statement's batch. Lone surrogates stay in it, for SQLite to refuse: it would take their
    escapes, and then could never read them again."""
    return json.dumps(values, ensure_ascii=False)


def _append(
    connection: sqlite3.Connection, entries: Mapping[str, Sequence[str]], keep: int
) -> None:
    """Append to many journals in a few steps, and delete what falls out of each."""
    last = dict(
        _rows(
            connection,
            """
            SELECT json_group_array(json_array(value,
                (SELECT coalesce(max(place), 0) FROM journals WHERE name = value)))
            FROM json_each(?)
            """,
            _as_json(list(entries)),
        )
    )
    rows, fallen = [], []
    for name, new in entries.items():
        rows += [(name, last[name] + place, entry) for place, entry in enumerate(new, start=1)]
        fallen.append((name, last[name] + len(new) - keep))
    connection.execute(
        """
        INSERT INTO journals (name, place, entry)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
               json_extract(value, '$[2]')
        FROM json_each(?)
        """,
        (_as_json(rows),),
    )
    connection.execute(
        """
        DELETE FROM journals WHERE (name, place) IN
            (SELECT name, place FROM json_each(?) AS fallen CROSS JOIN journals
             ON name = json_extract(fallen.value, '$[0]')
             AND place <= json_extract(fallen.value, '$[1]'))
        """,
        (_as_json(fallen),),
    )
