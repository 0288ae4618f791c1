"""What workers write, on its way into the supervisor's log file: whole lines, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

LONGEST: Final = 64 * 1024
"""Bytes that are kept of a line whose end has not come; longer ones are passed on in pieces."""

Write = Callable[[bytes], None]


class Lines:
    """Makes lines of the pieces that a pipe gives: those of other pipes are not to cut them."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._begun = b""

    def add(self, piece: bytes) -> None:
        whole, end, rest = piece.rpartition(b"\n")
        if end:
            self._write(self._begun + whole + end)
            self._begun = rest
        else:
            self._begun += piece
        if len(self._begun) > LONGEST:
            self._write(self._begun)
            self._begun = b""

    def close(self) -> None:
        """Write what has no end, and one."""
        if self._begun:
            self._write(self._begun + b"\n")
            self._begun = b""


def tolerant(file: Any) -> Write:
    """A way to write to a `LogFile` that never fails: what cannot be written now is dropped.

    An error would make Twisted close the pipe that the lines come by, and all later ones be lost.
    """

    def write(data: bytes) -> None:
        with suppress(OSError):
            try:
                file.write(data)
            except ValueError:  # a rotation that failed has left the file closed
                file._openFile()  # `reopen` would not try twice
                file.size = 0  # so that this one is written, and the rotation tried again later
                file.write(data)

    return write
