"""A clock that nobody sets."""

from __future__ import annotations

import time
from typing import Any


def count_by_monotonic_clock(reactor: Any) -> None:
    """Make a reactor's seconds, and so its delayed calls, those of the monotonic clock.

    Twisted's own are those of the wall clock: whoever sets that back by an hour would hold every
    caller for an hour more, and whoever sets it forward would let all go at once. To be called
    before anything is scheduled. From then on ``reactor.seconds()`` is no instant of the calendar.
    """
    reactor.seconds = time.monotonic
