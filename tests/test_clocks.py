"""A clock that nobody sets."""

from __future__ import annotations

import time

from twisted.internet.epollreactor import EPollReactor

from boomerang.clocks import count_by_monotonic_clock


def test_reactor() -> None:
    """A reactor's seconds and its delayed calls are then those of the monotonic clock."""
    reactor = EPollReactor()
    count_by_monotonic_clock(reactor)
    before = time.monotonic()
    call = reactor.callLater(5, lambda: None)
    assert before <= call.getTime() - 5 <= reactor.seconds() <= time.monotonic()
