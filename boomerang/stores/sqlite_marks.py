"""The marks of failures in an SQLite file: the blocking half of `boomerang.stores.sqlite`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from boomerang.stores.interfaces import Claim, Failure, Marked
from boomerang.stores.marks import Mark, count_failure
from boomerang.stores.sqlite_file import SqliteFile

_SWEEP_EVERY: Final = 1.0
_SWEEP_ROWS: Final = 5000
"""A storm of 1,250 calls a second leaves 2,500 marks a second; sweeping must keep up with it."""


class SqliteMarks:
    """Marks in a file; every method blocks, and raises `sqlite3.Error` or `OSError`."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._swept_at = 0.0

    def count(self, failures: Callable[[], Sequence[Failure]]) -> list[Claim]:
        """Count failures in one transaction, in their order. An empty batch proves the file.

        They are asked for when it begins: others may have had the file locked until then.
        """
        return self._file.transact(lambda connection, now: self._count(connection, now, failures()))

    def release(self, marked: Sequence[Marked]) -> None:
        """End the holds of these."""
        names = json.dumps([each.identity for each in marked])
        self._file.transact(
            lambda connection, now: connection.execute(
                """
                UPDATE marks SET release_at = min(release_at, ?)
                WHERE name IN (SELECT value FROM json_each(?))
                """,
                (now, names),
            )
        )

    def attempts(self, marked: Sequence[Marked]) -> list[int]:
        """How often each of these has failed."""
        names = [each.identity for each in marked]

        def read(connection: sqlite3.Connection, now: float) -> list[int]:
            marks = _read(connection, names)
            living = {name: mark.count for name, mark in marks.items() if mark.expires_at > now}
            return [living.get(name, 0) for name in names]

        return self._file.transact(read)

    def close(self) -> None:
        self._file.close()

    def _count(
        self, connection: sqlite3.Connection, now: float, failures: Sequence[Failure]
    ) -> list[Claim]:
        names = {name for failure in failures for name in (failure.identity, failure.call)}
        marks = _read(connection, sorted(name for name in names if name is not None))
        changed: dict[str, Mark] = {}
        claims = [_count_one(failure, marks, changed, now) for failure in failures]
        _write(connection, changed)
        if now >= self._swept_at + _SWEEP_EVERY or now < self._swept_at:
            _sweep(connection, now)
            self._swept_at = now
        return claims


def _count_one(
    failure: Failure, marks: dict[str, Mark], changed: dict[str, Mark], now: float
) -> Claim:
    before = (marks.get(failure.identity), marks.get(failure.call or ""))
    identity, call, claim = count_failure(failure, identity=before[0], call=before[1], now=now)
    for name, mark, old in (
        (failure.identity, identity, before[0]),
        (failure.call, call, before[1]),
    ):
        if name is not None and mark is not None and mark is not old:
            marks[name] = changed[name] = mark
    return claim


def _read(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, Mark]:
    (found,) = connection.execute(
        f"""
        SELECT json_group_array(json_array(name, count, release_at, expires_at))
        FROM marks WHERE name IN ({",".join("?" * len(names))})
        """,
        names,
    ).fetchone()
    return {
        name: Mark(count=count, release_at=release_at, expires_at=expires_at)
        for name, count, release_at, expires_at in json.loads(found)
    }


def _write(connection: sqlite3.Connection, marks: dict[str, Mark]) -> None:
    """Write in the order of the names, so that those of one page come together.

    Values of their own cost half of what a batch as JSON does, although each size of a batch is
    another statement; the module keeps the 128 that were used last.
    """
    if not marks:
        return
    values: list[str | float] = []
    for name in sorted(marks):
        mark = marks[name]
        values += (name, mark.count, mark.release_at, mark.expires_at)
    connection.execute(
        f"""
        INSERT OR REPLACE INTO marks (name, count, release_at, expires_at)
        VALUES {",".join(["(?, ?, ?, ?)"] * len(marks))}
        """,
        values,
    )


def _sweep(connection: sqlite3.Connection, now: float) -> None:
    connection.execute(
        """
        DELETE FROM marks WHERE name IN
            (SELECT name FROM marks WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
        """,
        (now, _SWEEP_ROWS),
    )
