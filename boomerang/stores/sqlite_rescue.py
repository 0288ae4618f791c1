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


def create(path: str) -> None:
    """Make a new file, its owner's alone, where there is none: SQLite would let others read it,
    callbacks and all. Raises `sqlite3.OperationalError` while a process brings an old one back.

    One that is there is never opened so: to close it would end SQLite's own locks on it
    (https://www.sqlite.org/howtocorrupt.html, 2.2). What is wrong, SQLite says better.
    """
    if identity(path) is not None:
        return
    with suppress(OSError), _lock(path, fcntl.LOCK_SH) as nobody_at_it:
        if nobody_at_it:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        elif identity(path) is None:
            raise sqlite3.OperationalError("another process brings the deleted file back")


def bring_back(connection: sqlite3.Connection, path: str) -> bool:
    """Write what a connection has to a new file at its path, from which the file is gone.

    False if another process is doing so, or has done it. Raises `sqlite3.Error` or `OSError`.

    The copy is whole: all who write look for the file once they have its lock, and so has who calls
    this. Who looked before it was gone has written by then, and who comes later writes nothing.
    """
    with _lock(path, fcntl.LOCK_EX) as alone:
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
def _lock(path: str, kind: int) -> Iterator[bool]:
    """Whether there is the lock on what is at a path: exclusive for who brings a file back, shared
    by those who make a new one. It ends with the process."""
    name = f"{path}.rescue"
    lock = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
        with suppress(FileNotFoundError):
            os.unlink(name)
    finally:
        os.close(lock)
