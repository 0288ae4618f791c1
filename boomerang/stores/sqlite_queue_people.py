"""The queue in an SQLite file as people see and mend it, and how it is kept small."""

from __future__ import annotations

from collections.abc import Collection
from sqlite3 import Connection
from typing import Final

from boomerang.relay.callback import Queued
from boomerang.stores.queue import REMEMBERED, Filter, Stats
from boomerang.stores.sqlite_queue_table import as_json, notice_time, one, read, refresh

PORTION: Final = 1000
"""How many rows one transaction forgets: some milliseconds, for claims wait behind it."""


def look(
    connection: Connection, now: float, which: Filter, *, most: int, after: int
) -> list[Queued]:
    """Callbacks by number."""
    wanted = {
        "number > ?": after,
        "number IN (SELECT value FROM json_each(?))": (
            None if which.numbers is None else as_json([*which.numbers])
        ),
        "state = ?": which.state and which.state.value,
        "? IN (origin, rtrim(rtrim(origin, '0123456789'), ':'))": which.host,
        "endpoint = ?": which.endpoint,
        "line = ? || ' ' || origin": which.order,
        "received_at < ?": None if which.older_than is None else now - which.older_than,
        "received_at > ?": None if which.younger_than is None else now - which.younger_than,
    }
    given = {clause: value for clause, value in wanted.items() if value is not None}
    numbers = one(
        connection,
        f"""
        SELECT json_group_array(number) FROM (
            SELECT number FROM callbacks WHERE {" AND ".join(given)} ORDER BY number LIMIT ?)
        """,
        *given.values(),
        most,
    )
    return read(connection, numbers)


def replay(connection: Connection, now: float, numbers: Collection[int]) -> int:
    """Make callbacks due now."""
    notice_time(connection, now)
    batch = as_json([*numbers])
    lines = _lines_of(connection, batch)
    done = connection.execute(
        """
        UPDATE callbacks SET state = 'waiting', attempts = 0, due_at = ?, died_at = NULL
        WHERE number IN (SELECT value FROM json_each(?))
        """,
        (now, batch),
    )
    connection.execute(  # a dead letter comes before those of its line that came after it
        """
        UPDATE callbacks SET ready_at = NULL
        WHERE line IN (SELECT value FROM json_each(?)) AND state = 'waiting'
        """,
        (as_json(lines),),
    )
    refresh(connection, lines)
    return done.rowcount


def drop(connection: Connection, numbers: Collection[int]) -> int:
    """Forget callbacks; the next of their lines are the first then."""
    batch = as_json([*numbers])
    lines = _lines_of(connection, batch)
    done = connection.execute(
        "DELETE FROM callbacks WHERE number IN (SELECT value FROM json_each(?))", (batch,)
    )
    refresh(connection, lines)
    return done.rowcount


def _lines_of(connection: Connection, batch: str) -> list[str]:
    """The lines that callbacks stand in."""
    lines: list[str] = one(
        connection,
        """
        SELECT json_group_array(DISTINCT line) FROM callbacks
        WHERE number IN (SELECT value FROM json_each(?))
        """,
        batch,
    )
    return lines


def sweep_dead(
    connection: Connection, now: float, *, retention: float, most_bytes: int
) -> dict[str, int]:
    """Forget a portion of the dead letters that are too old, or too many."""
    oldest = one(
        connection,
        """
        SELECT json_group_array(json_array(number, size, died_at)) FROM (
            SELECT number, size, died_at FROM callbacks WHERE state = 'dead'
            ORDER BY died_at LIMIT ?)
        """,
        PORTION,
    )
    left = stats(connection).dead_bytes
    forgotten, numbers = {"age": 0, "size": 0}, []
    for number, size, died_at in oldest:
        old = died_at <= now - retention
        if not old and left <= most_bytes:
            break
        forgotten["age" if old else "size"] += 1
        numbers.append(number)
        left -= size
    if numbers:
        drop(connection, numbers)
    return forgotten


def sweep_keys(connection: Connection, now: float, *, most_keys: int) -> int:
    """Forget a portion of the keys that are too old, or too many, and leases that have ended."""
    connection.execute("DELETE FROM queue_leases WHERE ends_at <= ?", (now,))
    count: int = connection.execute("SELECT count(*) FROM queue_keys").fetchone()[0]
    done = connection.execute(
        """
        DELETE FROM queue_keys WHERE name IN (
            SELECT name FROM queue_keys WHERE seen_at NOT BETWEEN ? AND ? LIMIT ?)
        """,
        (now - REMEMBERED, now + REMEMBERED, PORTION),
    )
    more = min(PORTION, count - done.rowcount - most_keys)
    if more > 0:
        connection.execute(
            """
            DELETE FROM queue_keys WHERE name IN (
                SELECT name FROM queue_keys ORDER BY seen_at LIMIT ?)
            """,
            (more,),
        )
    return done.rowcount + max(0, more)


def stats(connection: Connection) -> Stats:
    """How the queue stands."""
    waiting, waiting_bytes, dead, dead_bytes, oldest = one(
        connection,
        """
        SELECT json_array(waiting.count, waiting.bytes, dead.count, dead.bytes,
            (SELECT min(received_at) FROM callbacks WHERE state = 'waiting'))
        FROM queue_totals AS waiting, queue_totals AS dead
        WHERE waiting.state = 'waiting' AND dead.state = 'dead'
        """,
    )
    return Stats(
        waiting=waiting,
        waiting_bytes=waiting_bytes,
        dead=dead,
        dead_bytes=dead_bytes,
        oldest=oldest,
    )
