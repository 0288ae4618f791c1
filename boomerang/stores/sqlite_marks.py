"""The marks of failures in an SQLite file: the blocking half of `boomerang.stores.sqlite`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
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
        self._has_former = False  # see `SCHEMA`: not for longer than a window after an upgrade

    def count(self, failures: Callable[[], Sequence[Failure]]) -> list[Claim]:
        """Count failures in one transaction, in their order. An empty batch proves the file.

        They are asked for when it begins: others may have had the file locked until then.
        """
        return self._file.transact(lambda connection, now: self._count(connection, now, failures()))

    def release(self, marked: Sequence[Marked]) -> None:
        """End the holds of these."""
        names = _names(marked)

        def end(connection: sqlite3.Connection, now: float) -> None:
            for table, held in (("marks", list(names)), ("former_marks", list(names.values()))):
                connection.execute(
                    f"""
                    UPDATE {table} SET release_at = min(release_at, ?)
                    WHERE name IN (SELECT value FROM json_each(?))
                    """,
                    (now, json.dumps(held)),
                )

        self._file.transact(end)

    def attempts(self, marked: Sequence[Marked]) -> list[int]:
        """How often each of these has failed."""

        def read(connection: sqlite3.Connection, now: float) -> list[int]:
            marks = self._known(connection, now, _names(marked))
            found = [marks.get(_name(each.identity, each.call)) for each in marked]
            return [0 if mark is None or mark.expires_at <= now else mark.count for mark in found]

        return self._file.transact(read)

    def close(self) -> None:
        self._file.close()

    def _count(
        self, connection: sqlite3.Connection, now: float, failures: Sequence[Failure]
    ) -> list[Claim]:
        names = _names(failures)
        names.update((each.call, each.call) for each in failures if each.call is not None)
        marks = self._known(connection, now, names)
        changed: dict[str, Mark] = {}
        claims = [_count_one(failure, marks, changed, now) for failure in failures]
        _write(connection, changed)
        return claims

    def _known(
        self, connection: sqlite3.Connection, now: float, names: Mapping[str, str]
    ) -> dict[str, Mark]:
        """The marks that there are by such names, which come with those that they had formerly."""
        self._sweep(connection, now)
        marks = _read(connection, "marks", sorted(names))
        if self._has_former:
            missing = {name: former for name, former in names.items() if name not in marks}
            found = _read(connection, "former_marks", sorted(set(missing.values())))
            marks |= {name: found[former] for name, former in missing.items() if former in found}
        return marks

    def _sweep(self, connection: sqlite3.Connection, now: float) -> None:
        """Delete what is over, once a second."""
        if self._swept_at <= now < self._swept_at + _SWEEP_EVERY:
            return
        self._swept_at = now
        for table in ("marks", "former_marks"):
            _sweep(connection, table, now)
        (self._has_former,) = connection.execute(
            "SELECT EXISTS (SELECT 1 FROM former_marks)"
        ).fetchone()


def _name(identity: str, call: str | None) -> str:
    """The name of an identity's mark: it stands beside that of its call, on the same page.

    With 100,000 marks a claim in a batch of 24 takes 36 µs so, instead of 50.
    """
    return identity if call is None else f"{call}:{identity}"


def _names(marked: Sequence[Failure | Marked]) -> dict[str, str]:
    """The names of the identities' marks, with those that they had formerly."""
    return {_name(each.identity, each.call): each.identity for each in marked}


def _count_one(
    failure: Failure, marks: dict[str, Mark], changed: dict[str, Mark], now: float
) -> Claim:
    name = _name(failure.identity, failure.call)
    before = (marks.get(name), marks.get(failure.call or ""))
    identity, call, claim = count_failure(failure, identity=before[0], call=before[1], now=now)
    for each, mark, old in ((name, identity, before[0]), (failure.call, call, before[1])):
        if each is not None and mark is not None and mark is not old:
            marks[each] = changed[each] = mark
    return claim


def _read(connection: sqlite3.Connection, table: str, names: Sequence[str]) -> dict[str, Mark]:
    (found,) = connection.execute(
        f"""
        SELECT json_group_array(json_array(name, count, release_at, expires_at))
        FROM {table} WHERE name IN ({",".join("?" * len(names))})
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


def _sweep(connection: sqlite3.Connection, table: str, now: float) -> None:
    connection.execute(
        f"""
        DELETE FROM {table} WHERE name IN
            (SELECT name FROM {table} WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
        """,
        (now, _SWEEP_ROWS),
    )
