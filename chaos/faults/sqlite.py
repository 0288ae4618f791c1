"""What may happen to the SQLite file."""

from __future__ import annotations

import random
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from attrs import evolve

from chaos.fault import Fault
from chaos.judge import STORE, Promise
from chaos.machine import may_mount
from chaos.scene import Scene

_SMALL: Final = 16 * 1024 * 1024
"""Bytes of a disk that is soon full."""

_TIMES: Final = 5
_BETWEEN: Final = 0.05
"""How often a file is overwritten, and the seconds in between."""


def disk_full(scene: Scene) -> None:
    hurt, heal = _small_disk(scene) if may_mount() else _limited_file(scene)
    scene.injure(hurt)
    scene.mend(heal)


def _small_disk(scene: Scene) -> tuple[Callable[[], object], Callable[[], object]]:
    """A disk of its own, that something else fills."""
    disk = scene.enter(_disk(scene.directory / "disk"))
    scene.start(store=f"sqlite:{disk / 'boomerang.db'}")
    other = disk / "other"

    def fill() -> None:
        with suppress(OSError), other.open("wb", buffering=0) as out:
            for size in (65536, 512, 1):
                with suppress(OSError):
                    while True:
                        out.write(bytes(size))

    return fill, other.unlink


@contextmanager
def _disk(path: Path) -> Iterator[Path]:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SMALL}", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _limited_file(scene: Scene) -> tuple[Callable[[], object], Callable[[], object]]:
    """The kernel refuses to let the process's files grow."""
    daemon = scene.start()
    _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
    scene.remarks.append("no disk of its own may be mounted: a limit of the file's size instead")

    def limit(size: int) -> None:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    return lambda: limit(max(each.stat().st_size for each in _files(scene))), lambda: limit(hard)


def deleted(scene: Scene) -> None:
    daemon = scene.start()

    def delete() -> None:
        for each in _files(scene):
            each.unlink()

    def start_anew() -> None:
        daemon.kill()
        scene.restart(abrupt=True)

    scene.injure(delete)
    scene.mend(start_anew)


def locked(scene: Scene) -> None:
    scene.start()
    other = sqlite3.connect(scene.file, isolation_level=None, check_same_thread=False)
    scene.injure(lambda: other.execute("BEGIN IMMEDIATE"))
    scene.mend(lambda: other.execute("ROLLBACK"))
    other.close()


def corrupted(scene: Scene) -> None:
    scene.start()
    chance = random.Random(1)

    def spoil() -> None:
        # More than once: SQLite has all in memory that is asked of it here, and a transaction that
        # is just under way writes anew what it would notice the damage by.
        for _ in range(_TIMES):
            for each in _files(scene):
                # What is mapped into memory keeps its size; whoever sees the damage may close the
                # file, and so delete what is kept beside it.
                with suppress(FileNotFoundError), each.open("r+b") as file:
                    file.write(chance.randbytes(each.stat().st_size))
            time.sleep(_BETWEEN)

    def move_away() -> None:
        for each in _files(scene):
            with suppress(FileNotFoundError):
                each.rename(f"{each}.broken")

    scene.injure(spoil)
    scene.mend(move_away)


def _files(scene: Scene) -> list[Path]:
    """The file and those that SQLite keeps beside it."""
    return list(scene.directory.glob(f"{scene.file.name}*"))


AWAY: Final = Promise(degraded=frozenset({STORE}), recovered=7)

FAULTS: Final = (
    Fault("sqlite disk full", disk_full, "the disk of the file is full for a while", AWAY),
    Fault(
        "sqlite deleted",
        deleted,
        "the file is deleted; some time later `kill -9`, and a new start",
        Promise(cut=True, recovered=2),
    ),
    Fault("sqlite locked", locked, "another process keeps the file to itself", AWAY),
    Fault(
        "sqlite corrupted",
        corrupted,
        "the file is overwritten, and moved away later",
        evolve(AWAY, missing=None),
    ),
)
