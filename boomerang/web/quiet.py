"""Whether a connection is idle, or its caller about to be heard, as far as the kernel knows."""

from __future__ import annotations

import socket
from typing import Any, Final

from boomerang.web.tcp_info import look

LONGEST_SILENCE: Final = 1.0
"""Seconds after which a connection is idle on which no request has come: time for a caller who is
busy, or whose first bytes were lost. With 0.5 a storm from an overloaded machine lost calls."""


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
    since = look(transport)
    silence = min(since.sent, since.received)
    return max(rested, silence) >= LONGEST_SILENCE and not _is_unread(opened)


def _is_unread(opened: socket.socket) -> bool:
    """Whether something has come that has not been read, other than the end."""
    try:
        return bool(opened.recv(1, socket.MSG_PEEK))
    except OSError:  # nothing has, or the connection is broken
        return False
