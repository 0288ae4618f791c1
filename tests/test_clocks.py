"""A clock that nobody sets."""

from __future__ import annotations

import time

from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import MemoryReactorClock
from zope.interface.verify import verifyObject

from boomerang.clocks import MonotonicClock


def test_seconds() -> None:
    """Its seconds are those since the machine was started, whatever the reactor says."""
    reactor = MemoryReactorClock()
    before = time.monotonic()
    between = MonotonicClock(reactor).seconds()
    reactor.advance(1_000_000)
    assert before <= between <= MonotonicClock(reactor).seconds() <= time.monotonic()


def test_calls() -> None:
    """Its delayed calls are the reactor's."""
    reactor = MemoryReactorClock()
    clock = MonotonicClock(reactor)
    called: list[int] = []
    call = clock.callLater(5, called.append, 1)
    assert verifyObject(IReactorTime, clock)
    assert clock.getDelayedCalls() == reactor.getDelayedCalls() == [call]
    reactor.advance(5)
    assert called == [1]
