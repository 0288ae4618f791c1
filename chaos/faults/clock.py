"""The clock is set, for the daemon alone and never for the machine.

With Redis by libfaketime, which shifts what the system says. Beside SQLite's thread libfaketime
0.9.10 itself stops the process for seconds, also where it shifts nothing; there it is Python's
`time.time` that is shifted (`chaos.shifted`). The monotonic clock goes on in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from chaos.fault import Fault
from chaos.judge import Promise
from chaos.scene import Scene
from tests.integration.daemon import ROOT, Daemon, eventually

_HOUR: Final = 3600

_STAMP: Final = re.compile(r"^(\S+T\S+\+0000) \[", re.MULTILINE)


def library() -> str:
    """Where libfaketime is; empty if it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else ""


def needs() -> str:
    return "" if library() else "libfaketime is not installed"


def set_beside_redis(seconds: int, scene: Scene) -> None:
    file = scene.directory / "time"
    faked = {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    _set(scene, seconds, file, store=scene.redis().url(), more=faked)


def set_beside_sqlite(seconds: int, scene: Scene) -> None:
    file = scene.directory / "time"
    shifted = {
        "PYTHONPATH": f"{ROOT / 'chaos/shifted'}:{ROOT}",
        "SHIFTED_BY": str(file),
    }
    _set(scene, seconds, file, store=None, more=shifted)


def _set(
    scene: Scene, seconds: int, file: Path, *, store: str | None, more: Mapping[str, str]
) -> None:
    file.write_text(_shift(0))
    daemon = scene.start(store=store, more=more)

    def set_clock() -> None:
        before = _clock_of(daemon)
        with file.open("r+b", buffering=0) as out:  # at no moment is it empty
            out.write(_shift(seconds).encode())
        eventually(lambda: abs(_clock_of(daemon) - before - seconds) < 60)

    scene.injure(set_clock)
    scene.mend()


def _clock_of(daemon: Daemon) -> float:
    """What time it is, by the last line of the daemon's log: it says something of every call."""
    return datetime.fromisoformat(_STAMP.findall(daemon.log())[-1]).timestamp()


def _shift(seconds: int) -> str:
    return f"{seconds:+06d}\n"


KEPT: Final = Promise(recovered=10)
"""Callbacks that wait seem an hour old, and the relay behind, until they have been delivered."""


def _faults(direction: str, seconds: int) -> tuple[Fault, Fault]:
    done = f"the clock is set {direction} an hour, and stays so"
    return (
        Fault(
            f"clock {direction}, redis",
            partial(set_beside_redis, seconds),
            f"{done} (libfaketime)",
            KEPT,
            needs=needs,
        ),
        Fault(
            f"clock {direction}, sqlite",
            partial(set_beside_sqlite, seconds),
            f"{done} (`time.time` shifted)",
            KEPT,
        ),
    )


FAULTS: Final = (*_faults("back", -_HOUR), *_faults("forward", _HOUR))
