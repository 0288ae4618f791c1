"""The hot path of the queue in an SQLite file: what one transaction does, given its connection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import Final

from attrs import frozen

from boomerang.relay.callback import Queued
from boomerang.stores.queue import (
    REMEMBERED,
    Bounds,
    QueueFull,
    check_room,
)
from boomerang.stores.queue_record import words
from boomerang.stores.sqlite_queue_table import as_json, notice_time, one, read, refresh


@frozen
class New:
    """A callback that is to be accepted; ``name`` is what its key is remembered as."""

    name: str
    line: str
    origin: str
    endpoint: str
    received_at: float
    record: bytes


@frozen
class Outcome:
    """What became of a callback: ``kind`` is delivered, put_off or bury, ``pause`` in seconds."""

    kind: str
    holder: str
    number: int
    pause: float = 0.0
    last: str = ""


def accept(
    connection: Connection, now: float, news: Sequence[New], bounds: Bounds
) -> list[bool | Exception]:
    """Store callbacks; whether each is new, or `QueueFull` where it does not fit."""
    notice_time(connection, now)
    known, newest, waiting, size = one(
        connection,
        """
        SELECT json_array(
            json((SELECT json_group_array(name) FROM queue_keys
                  WHERE name IN (SELECT value FROM json_each(?)) AND seen_at BETWEEN ? AND ?)),
            newest, count, bytes)
        FROM queue, queue_totals WHERE state = 'waiting'
        """,
        as_json([new.name for new in news]),
        now - REMEMBERED,
        now + REMEMBERED,
    )
    names = {*known}
    results: list[bool | Exception] = []
    stored: list[New] = []
    for new in news:
        if new.name in names:
            results.append(False)
            continue
        try:
            check_room(waiting, size, len(new.record), bounds)
        except QueueFull as full:
            results.append(full)
            continue
        names.add(new.name)
        waiting, size = waiting + 1, size + len(new.record)
        results.append(True)
        stored.append(new)
    if stored:
        _insert(connection, now, stored, after=newest)
    return results


def _insert(connection: Connection, now: float, news: Sequence[New], *, after: int) -> None:
    rows, end = [], 0
    for number, new in enumerate(news, start=after + 1):
        size = len(new.record)
        rows.append(
            (number, new.line, new.origin, new.endpoint, new.received_at, size, end + 1, new.name)
        )
        end += size
    batch = as_json(rows)
    connection.execute(
        """
        INSERT INTO callbacks
            (number, line, origin, endpoint, received_at, size, state, attempts, due_at, last)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
               json_extract(value, '$[2]'), json_extract(value, '$[3]'),
               json_extract(value, '$[4]'), json_extract(value, '$[5]'), 'waiting', 0, ?, ''
        FROM json_each(?)
        """,
        (now, batch),
    )
    connection.execute(
        """
        INSERT INTO records (number, record)
        SELECT json_extract(value, '$[0]'),
               substr(?, json_extract(value, '$[6]'), json_extract(value, '$[5]'))
        FROM json_each(?)
        """,
        (b"".join(new.record for new in news), batch),
    )
    connection.execute(
        """
        INSERT OR REPLACE INTO queue_keys (name, seen_at)
        SELECT json_extract(value, '$[7]'), ? FROM json_each(?)
        """,
        (now, batch),
    )
    connection.execute("UPDATE queue SET newest = ?", (after + len(news),))
    refresh(connection, {new.line for new in news})


def take(
    connection: Connection,
    now: float,
    holder: str,
    *,
    most: int,
    lease: float,
    per_origin: int,
    origins: Mapping[str, int],
) -> list[Queued]:
    """Lease what is due."""
    notice_time(connection, now)
    found = one(
        connection,
        """
        WITH RECURSIVE found (origin) AS (
            SELECT min(origin) FROM callbacks WHERE ready_at IS NOT NULL
            UNION ALL
            SELECT (SELECT min(origin) FROM callbacks
                    WHERE ready_at IS NOT NULL AND callbacks.origin > found.origin)
            FROM found WHERE found.origin IS NOT NULL)
        SELECT json_group_array(json_array(origin, json((
            SELECT json_group_array(json_array(ready_at, number)) FROM (
                SELECT ready_at, number FROM callbacks
                WHERE origin = found.origin AND ready_at <= ?
                ORDER BY ready_at, number LIMIT ?)))))
        FROM found WHERE origin IS NOT NULL AND origin NOT IN (SELECT value FROM json_each(?))
        """,
        now,
        most,
        as_json([origin for origin, room in origins.items() if room <= 0]),
    )
    due = []
    for origin, heads in found:
        due += heads[: origins.get(origin, per_origin)]
    numbers = [number for _, number in sorted(due)[:most]]
    return _lease(connection, holder, numbers, until=now + lease) if numbers else []


def _lease(
    connection: Connection, holder: str, numbers: Sequence[int], *, until: float
) -> list[Queued]:
    batch = as_json(numbers)
    connection.execute(
        """
        INSERT OR REPLACE INTO queue_leases (line, number, holder, ends_at)
        SELECT line, number, ?, ? FROM callbacks
        WHERE number IN (SELECT value FROM json_each(?))
        """,
        (holder, until, batch),
    )
    connection.execute(
        """
        UPDATE callbacks SET ready_at = ? WHERE number IN (SELECT value FROM json_each(?))
        """,
        (until, batch),
    )
    return read(connection, numbers)


def renew(
    connection: Connection, now: float, holder: str, numbers: Collection[int], *, lease: float
) -> set[int]:
    """Keep leases; which of them there are."""
    notice_time(connection, now)
    found = one(
        connection,
        """
        SELECT json_group_array(json_array(number, line)) FROM queue_leases
        WHERE holder = ? AND ends_at > ? AND number IN (SELECT value FROM json_each(?))
        """,
        holder,
        now,
        as_json([*numbers]),
    )
    lines = [line for _, line in found]
    connection.execute(
        "UPDATE queue_leases SET ends_at = ? WHERE line IN (SELECT value FROM json_each(?))",
        (now + lease, as_json(lines)),
    )
    refresh(connection, lines)
    return {number for number, _ in found}


def settle(connection: Connection, now: float, outcomes: Sequence[Outcome]) -> list[bool]:
    """Record what became of callbacks, and end their leases; whether each was still there."""
    notice_time(connection, now)
    batch = as_json([(each.number, each.holder, each.kind) for each in outcomes])
    found = one(
        connection,
        """
        SELECT json_group_array(json_array(asked.key, callbacks.line))
        FROM json_each(?) AS asked
        JOIN callbacks ON callbacks.number = json_extract(asked.value, '$[0]')
        LEFT JOIN queue_leases AS lease ON lease.line = callbacks.line
        WHERE json_extract(asked.value, '$[2]') = 'delivered' OR (
            callbacks.state = 'waiting' AND (lease.holder IS NULL OR lease.ends_at <= ?
                OR lease.holder = json_extract(asked.value, '$[1]')))
        """,
        batch,
        now,
    )
    valid = dict(found)
    for kind, change in (("put_off", _put_off), ("bury", _bury), ("delivered", _delivered)):
        some = [each for n, each in enumerate(outcomes) if n in valid and each.kind == kind]
        if some:
            change(connection, now, some)
    end_leases(connection, [(each.number, each.holder) for each in outcomes], lines=valid.values())
    return [n in valid for n, _ in enumerate(outcomes)]


def _put_off(connection: Connection, now: float, outcomes: Sequence[Outcome]) -> None:
    rows = [(each.number, now + each.pause, words(each.last)) for each in outcomes]
    connection.execute(
        f"""
        INSERT INTO callbacks ({_COLUMNS}) SELECT {_SAME} FROM json_each(?) AS asked
        JOIN callbacks ON number = json_extract(asked.value, '$[0]') WHERE true
        ON CONFLICT (number) DO UPDATE SET
            attempts = attempts + 1, due_at = excluded.due_at, last = excluded.last
        """,
        (as_json(rows),),
    )


def _bury(connection: Connection, now: float, outcomes: Sequence[Outcome]) -> None:
    rows = [(each.number, now, words(each.last)) for each in outcomes]
    connection.execute(
        f"""
        INSERT INTO callbacks ({_COLUMNS}) SELECT {_SAME} FROM json_each(?) AS asked
        JOIN callbacks ON number = json_extract(asked.value, '$[0]') WHERE true
        ON CONFLICT (number) DO UPDATE SET
            attempts = attempts + 1, state = 'dead', died_at = excluded.due_at, ready_at = NULL,
            last = excluded.last
        """,
        (as_json(rows),),
    )


_COLUMNS: Final = "number, line, origin, endpoint, received_at, size, state, attempts, due_at, last"
_SAME: Final = """
    number, line, origin, endpoint, received_at, size, state, attempts,
    json_extract(asked.value, '$[1]'), json_extract(asked.value, '$[2]')"""
"""A row as it is, but for an instant and the last words. An "upsert" changes many rows, each to
values of its own, in one step that is linear; UPDATE FROM needs SQLite 3.33."""


def _delivered(connection: Connection, now: float, outcomes: Sequence[Outcome]) -> None:
    connection.execute(
        "DELETE FROM callbacks WHERE number IN (SELECT value FROM json_each(?))",
        (as_json([each.number for each in outcomes]),),
    )


def end_leases(
    connection: Connection, leases: Sequence[tuple[int, str]], *, lines: Iterable[str] = ()
) -> None:
    """End leases, by number and holder; ``lines`` are others that have changed."""
    batch = as_json(leases)
    where = """
        WHERE (number, holder) IN (
            SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
        """
    ended = one(connection, f"SELECT json_group_array(line) FROM queue_leases {where}", batch)
    connection.execute(f"DELETE FROM queue_leases {where}", (batch,))
    refresh(connection, {*ended, *lines})
