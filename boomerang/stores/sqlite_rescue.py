"""Brings an SQLite file back that somebody has deleted while it was in use.

The process goes on with what it has open, which is gone with the process: marks of calls, and
callbacks that were acknowledged.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

Identity = tuple[int, int]
"""Device and inode."""

_COMPANIONS: Final = ("-wal", "-shm")


def identity(path: str) -> Identity | None:
    """Which file is at a path; `None` if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def bring_back(connection: sqlite3.Connection, path: str) -> bool:
    """Write what a connection has to a new file at its path, from which the file is gone.

    False if another process is doing so, or has done it. Raises `sqlite3.Error` or `OSError`.
    """
    with _alone(f"{path}.rescue") as alone:
        if not alone or identity(path) is not None:
            return False
        copy = f"{path}.rescued"
        with suppress(FileNotFoundError):
            os.unlink(copy)
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        connection.execute("VACUUM INTO ?", (copy,))
        for companion in _COMPANIONS:  # a log of the old file would be taken for the new one's
            with suppress(FileNotFoundError):
                os.unlink(f"{path}{companion}")
        os.rename(copy, path)
        return True


@contextmanager
def _alone(path: str) -> Iterator[bool]:
    """Whether no other process is at it; a lock that ends with the process."""
    lock = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
        with suppress(FileNotFoundError):
            os.unlink(path)
    finally:
        os.close(lock)
