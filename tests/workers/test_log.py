"""Workers' lines on their way into the supervisor's log file."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path

import pytest
from twisted.python.logfile import LogFile

from boomerang.workers.log import LONGEST, Lines, tolerant

FULL = OSError(errno.ENOSPC, "No space left on device")


class Troubled(LogFile):
    """A file that cannot be written, or after a rotation not be opened, while it is told so."""

    def __init__(self, path: Path, *, rotate_at: int = 1000) -> None:
        self.failing = False
        self.opening_fails = False
        super().__init__(path.name, str(path.parent), rotateLength=rotate_at)

    def write(self, data: bytes) -> None:
        if self.failing:
            raise FULL
        super().write(data)

    def rotate(self) -> None:
        if not self.opening_fails:
            super().rotate()
        else:
            self._file.close()
            raise FULL

    def _openFile(self) -> None:
        if self.opening_fails:
            raise FULL
        super()._openFile()


def passed_on(pieces: Iterable[bytes], *, closed: bool = False) -> list[bytes]:
    """What is written of pieces, write by write."""
    written: list[bytes] = []
    lines = Lines(written.append)
    for piece in pieces:
        lines.add(piece)
    if closed:
        lines.close()
    return written


@pytest.mark.parametrize(
    ("pieces", "written"),
    [
        ([b"one\n"], [b"one\n"]),
        ([b"one\ntwo\n"], [b"one\ntwo\n"]),
        ([b"o", b"n", b"e\n"], [b"one\n"]),
        ([b"one\ntw", b"o\nthr"], [b"one\n", b"two\n"]),
        ([b"one", b"\n"], [b"one\n"]),
        ([b"one"], []),
        ([b""], []),
    ],
)
def test_whole_lines(pieces: list[bytes], written: list[bytes]) -> None:
    """However a pipe cuts lines, they are written whole, as soon as they are."""
    assert passed_on(pieces) == written


def test_close() -> None:
    """Of a worker that dies within a line it is known how far it came, and the next line of
    another one is a line of its own."""
    assert passed_on([b"one\ntw", b"o"], closed=True) == [b"one\n", b"two\n"]
    assert passed_on([b"one\n"], closed=True) == [b"one\n"]


def test_no_end() -> None:
    """What has no end takes no more memory than it may; the next line is whole again."""
    half = b"x" * (LONGEST // 2)
    assert passed_on([half, half]) == []
    assert passed_on([half, half, b"yz", b"\none\n"]) == [half + half + b"yz", b"\none\n"]


def test_full_disk(tmp_path: Path) -> None:
    """What there is no space for is lost, and nothing else."""
    path = tmp_path / "log"
    file = Troubled(path)
    write = tolerant(file)
    write(b"one\n")
    file.failing = True
    write(b"two\n")
    file.failing = False
    write(b"three\n")
    assert path.read_bytes() == b"one\nthree\n"


def test_rotation_without_a_new_file(tmp_path: Path) -> None:
    """After a rotation that left no open file it is opened again, as soon as that can be done."""
    path = tmp_path / "log"
    file = Troubled(path, rotate_at=8)
    write = tolerant(file)
    write(b"one, two\n")
    file.opening_fails = True
    write(b"lost\n")
    write(b"lost\n")
    file.opening_fails = False
    write(b"three\n")
    assert path.read_bytes() == b"one, two\nthree\n"


def test_rotation_that_cannot_be_done(tmp_path: Path) -> None:
    """Where the file cannot be renamed it is written on, and only one line is lost."""
    path = tmp_path / ("x" * 255)  # there is no longer name
    write = tolerant(LogFile(path.name, str(tmp_path), rotateLength=8))
    for line in (b"one, two\n", b"lost\n", b"three\n", b"four\n"):
        write(line)
    assert path.read_bytes() == b"one, two\nthree\nfour\n"
