"""What only the queue in an SQLite file can show: that a file of an older version is used on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from time import time

from twisted.internet import reactor

from boomerang.stores.address import SqliteAddress
from boomerang.stores.opening import make_stores
from tests.relay.callbacks import a_callback

LINES_BY_ORDER = 3
"""Schema changes of a file whose lines were orders, whatever the origin."""


async def test_file_with_lines_by_order(tmp_path: Path) -> None:
    """Callbacks of one order that stood in one line stand in one for each origin afterwards."""
    path = tmp_path / "boomerang.db"
    urls = [f"https://{host}.example.com/ended" for host in ("one", "one", "two")]
    callbacks = [a_callback(n, order="CA9", url=url) for n, url in enumerate(urls, start=1)]
    stores = make_stores(SqliteAddress(str(path)), reactor)
    for callback in callbacks:
        assert await stores.queue.accept(callback)
    await stores.queue.close()
    await stores.claims.close()
    with closing(sqlite3.connect(path)) as older:
        older.executescript("DROP TABLE marks; ALTER TABLE former_marks RENAME TO marks;")
        older.execute("UPDATE callbacks SET line = 'CA9', ready_at = iif(number = 1, due_at, NULL)")
        older.execute("INSERT INTO queue_leases VALUES ('CA9', 1, 'another', ?)", [time() + 60])
        older.execute(f"PRAGMA user_version = {LINES_BY_ORDER}")
        older.commit()

    stores = make_stores(SqliteAddress(str(path)), reactor)
    taken = await stores.queue.take("one", most=9, lease=60, per_origin=9, origins={})
    await stores.queue.close()
    await stores.claims.close()

    assert [queued.callback.key for queued in taken] == [callbacks[0].key, callbacks[2].key]
