"""The machine's clock is set, for the daemon alone (libfaketime)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from chaos.fault import Fault
from chaos.judge import Promise
from chaos.scene import Scene
from tests.integration.daemon import eventually

_HOUR: Final = 3600


def library() -> str:
    """Where libfaketime is; empty if it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return str(found[0]) if found else ""


def needs() -> str:
    return "" if library() else "libfaketime is not installed"


def set_by(seconds: int, scene: Scene) -> None:
    file = scene.directory / "time"
    file.write_text("+0\n")
    faked = {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    daemon = scene.start(more=faked)

    def set_clock() -> None:
        before = daemon.health()["uptime_seconds"]
        file.write_text(f"{seconds:+d}\n")
        after = eventually(daemon.health)["uptime_seconds"]
        assert abs(after - before - seconds) < 60, "the clock was not set"

    scene.injure(set_clock)
    scene.mend()


FAULTS: Final = tuple(
    Fault(
        f"clock {direction}",
        partial(set_by, seconds),
        f"the clock is set {direction} an hour, and stays so",
        Promise(),
        needs=needs,
    )
    for direction, seconds in (("back", -_HOUR), ("forward", _HOUR))
)
