"""What is seen of a daemon from outside: its health all the time, its descriptors and memory."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from attrs import frozen

_EVERY: Final = 0.1
_PATIENCE: Final = 3.0


@frozen
class Look:
    """What ``/health`` said at an instant; ``degraded`` is `None` where nothing was said."""

    at: float
    degraded: frozenset[str] | None


class Watch:
    """Asks ``/health`` again and again, in a thread, until it is stopped."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopping = threading.Event()
        self.looks: list[Look] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def is_well(self) -> bool:
        """Whether all was well when it looked last."""
        return bool(self.looks) and self.looks[-1].degraded == frozenset()

    def _watch(self) -> None:
        while not self._stopping.wait(_EVERY):
            degraded = _ask(self._port)
            self.looks.append(Look(time.monotonic(), degraded))


def _ask(port: int) -> frozenset[str] | None:
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/health")
        answer = json.loads(connection.getresponse().read())
        return frozenset(each["part"] for each in answer["degraded"])
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()


def recovered(looks: Sequence[Look], *, mended: float) -> float | None:
    """Seconds from an instant until all was well for good; `None` if it is not."""
    well_since = None
    for look in looks:
        if look.degraded != frozenset():
            well_since = None
        elif well_since is None:
            well_since = look.at
    return None if well_since is None else max(0.0, well_since - mended)


def degraded(looks: Sequence[Look], *, since: float) -> frozenset[str]:
    """All that was said to be degraded since an instant."""
    said = (look.degraded or frozenset() for look in looks if look.at >= since)
    return frozenset().union(*said)


def descriptors(*pids: int) -> int:
    """How many descriptors processes have."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)


def kib(*pids: int) -> int:
    """How much memory processes take (KiB, resident)."""
    return sum(map(_kib, pids))


def _kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])
