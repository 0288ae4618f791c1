"""The table of the queue in an SQLite file.

A callback is a row of ``callbacks``, and its record one of ``records``. The first that waits in
each line (`Callback.line`) has ``ready_at``, when it may be taken: when it is due, or when the
lease on its line ends; those behind have none. Triggers keep ``queue_totals``, and drop records.
Each statement takes and gives a whole batch (see `boomerang.stores.sqlite_file.SqliteFile`);
records go in as one long blob, of which each row cuts its part, and come out in hexadecimal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from boomerang.relay.callback import Queued, State
from boomerang.stores.queue import SLACK
from boomerang.stores.queue_record import decode


def refresh(connection: Connection, lines: Iterable[str]) -> None:
    """Say anew when the first of each line is ready."""
    connection.execute(
        """
        UPDATE callbacks SET ready_at = max(due_at, ifnull(
            (SELECT ends_at FROM queue_leases AS lease WHERE lease.line = callbacks.line), 0))
        WHERE number IN (
            SELECT (SELECT min(number) FROM callbacks WHERE line = value AND state = 'waiting')
            FROM json_each(?))
        """,
        (as_json([*lines]),),
    )


def notice_time(connection: Connection, now: float) -> None:
    """Move all that was to be later when the clock was set back."""
    (seen,) = connection.execute("SELECT seen_at FROM queue").fetchone()
    back = seen - now
    if back > SLACK:
        connection.execute(
            """
            UPDATE callbacks SET due_at = due_at - :back, ready_at = ready_at - :back
            WHERE state = 'waiting'
            """,
            {"back": back},
        )
        connection.execute("UPDATE queue_leases SET ends_at = ends_at - ?", (back,))
    if abs(back) > SLACK / 4:  # not each time: it would be a write where there is none
        connection.execute("UPDATE queue SET seen_at = ?", (now,))


def read(connection: Connection, numbers: Sequence[int]) -> list[Queued]:
    """Callbacks, in the order of the numbers."""
    found = one(
        connection,
        """
        SELECT json_group_array(
            json_array(number, state, attempts, due_at, last, (
                SELECT hex(record) FROM records WHERE records.number = callbacks.number)))
        FROM callbacks WHERE number IN (SELECT value FROM json_each(?))
        """,
        as_json(numbers),
    )
    place = {number: place for place, number in enumerate(numbers)}
    return sorted((_queued(*row) for row in found), key=lambda queued: place[queued.number])


def _queued(
    number: int, state: str, attempts: int, due_at: float, last: str, record: str
) -> Queued:
    return Queued(
        number=number,
        callback=decode(bytes.fromhex(record)),
        state=State(state),
        attempts=attempts,
        due_at=due_at,
        last=last,
    )


def one(connection: Connection, statement: str, *values: object) -> Any:
    """What a statement gives as one JSON value."""
    (found,) = connection.execute(statement, values).fetchone()
    return json.loads(found)


def as_json(values: Sequence[Any]) -> str:
    """A statement's batch."""
    return json.dumps(values, ensure_ascii=False)
