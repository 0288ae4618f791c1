"""Whether a connection is idle, or its caller about to be heard, as far as the kernel knows."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any, Final

LONGEST_SILENCE: Final = 1.0
"""Seconds after which a connection is idle on which no request has come: time for a caller who is
busy, or whose first bytes were lost. With 0.5 a storm from an overloaded machine lost calls."""

_TIMES: Final = struct.Struct("=44xI4xI")
"""``tcpi_last_data_sent`` and ``tcpi_last_data_recv`` (ms) of the ``tcp_info`` in linux/tcp.h; both
count from the handshake as long as nothing was sent."""


def is_idle(transport: Any, rested: float) -> bool:
    """Whether no request is on its way on a connection that has rested for so many seconds.

    They count from when it was accepted, which may be late: in a flood of idle connections, those
    of each round would be spared anew, and callers behind them wait for all rounds. So its silence
    counts, too, that in the kernel's queue included. Where something has come and was not read,
    somebody is about to be heard.
    """
    opened = getattr(transport, "socket", None)
    if opened is None:  # in memory
        return rested >= LONGEST_SILENCE
    return max(rested, _silence(opened)) >= LONGEST_SILENCE and not _is_unread(opened)


def _silence(opened: socket.socket) -> float:
    """Seconds since either side has sent anything; 0 if the kernel does not know."""
    if sys.platform != "linux" or opened.family == socket.AF_UNIX:
        return 0.0
    found = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TIMES.size)
    milliseconds: tuple[int, int] = _TIMES.unpack(found)
    return min(milliseconds) / 1000


def _is_unread(opened: socket.socket) -> bool:
    """Whether something has come that has not been read, other than the end."""
    try:
        return bool(opened.recv(1, socket.MSG_PEEK))
    except OSError:  # nothing has, or the connection is broken
        return False
