"""What the kernel knows of a connection that we do not: when something last went over it."""

from __future__ import annotations

import math
import socket
import struct
import sys
import time
from functools import cache
from typing import Any, Final

from boomerang.values import quick_frozen

_TIMES: Final = struct.Struct("=44xI4xI")
"""``tcpi_last_data_sent`` and ``tcpi_last_data_recv`` (ms) of the ``tcp_info`` in linux/tcp.h; both
count from the handshake as long as nothing was sent."""


@quick_frozen
class Since:
    """Seconds since something was last sent to the other side, and since something came from it.

    The kernel counts in steps (4 ms, mostly): these are what has surely passed.
    """

    sent: float
    received: float


UNKNOWN: Final = Since(0.0, 0.0)

_MONOTONIC_COARSE: Final = 6
"""The clock of linux/time.h that goes by the kernel's steps, as the times above do."""


def look(transport: Any) -> Since:
    """When something last went over a connection; `UNKNOWN` where there is no TCP, or no Linux.

    A packet counts from when the kernel has it, not from when somebody reads it.
    """
    opened = getattr(transport, "socket", None)
    if opened is None or opened.family == socket.AF_UNIX or sys.platform != "linux":
        return UNKNOWN
    found = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TIMES.size)
    sent, received = _TIMES.unpack(found)
    step = _step()
    return Since(max(0.0, sent / 1000 - step), max(0.0, received / 1000 - step))


@cache
def _step() -> float:
    return math.ceil(time.clock_getres(_MONOTONIC_COARSE) * 1000) / 1000
