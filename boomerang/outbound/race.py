"""The first connection to any of a host's addresses.

Twisted's own `HostnameEndpoint` tries the next address only after a fixed time, even when the one
before was refused at once, and tells no refusal earlier: that would be measured as the server's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure

from boomerang.outbound.lookups import Addresses

HEAD_START: Final = 0.25
"""Seconds that an address has before the next is tried as well (RFC 8305 §8)."""

_ATTEMPT_TIMEOUT: Final = 600
"""Seconds; whoever asks has a shorter deadline of its own, or trusts the system's."""


def first_connection(
    reactor: Any, addresses: Addresses, port: int, factory: IProtocolFactory
) -> Deferred[IProtocol]:
    """Connect to the addresses, each a little after the one before (RFC 8305 §5).

    Fires with the first protocol to be connected, and fails, as the first attempt did, when all
    have. Cancelling it leaves nothing behind.
    """
    endpoints = (_endpoint(reactor, address, port) for address in _alternating(addresses))
    race = _Race(reactor, endpoints, factory)
    race.start_next()
    return race.won


def _alternating(addresses: Addresses) -> Iterator[IPv4Address | IPv6Address]:
    """Both families in turn, so that one that leads nowhere costs one head start (RFC 8305 §4)."""
    first = [address for address in addresses if type(address) is type(addresses[0])]
    second = [address for address in addresses if type(address) is not type(addresses[0])]
    for pair in zip_longest(first, second):
        yield from filter(None, pair)


def _endpoint(reactor: Any, address: IPv4Address | IPv6Address, port: int) -> IStreamClientEndpoint:
    kind = TCP6ClientEndpoint if isinstance(address, IPv6Address) else TCP4ClientEndpoint
    return kind(reactor, address.host, port, timeout=_ATTEMPT_TIMEOUT)


class _Race:
    """The attempts to connect."""

    def __init__(
        self, reactor: Any, endpoints: Iterator[IStreamClientEndpoint], factory: IProtocolFactory
    ) -> None:
        self.won: Deferred[IProtocol] = Deferred(lambda _: self._stop())
        self._reactor = reactor
        self._endpoints = endpoints
        self._factory = factory
        self._running: list[Deferred[IProtocol]] = []
        self._timer: IDelayedCall | None = None
        self._trouble: Failure | None = None
        self._over = False

    def start_next(self) -> None:
        self._stop_timer()
        endpoint = next(self._endpoints, None)
        if endpoint is not None:
            attempt = endpoint.connect(self._factory)
            self._running.append(attempt)
            self._timer = self._reactor.callLater(HEAD_START, self._time_is_up)
            attempt.addBoth(self._ended, attempt)
        elif not self._running and self._trouble is not None:
            self._over = True
            self.won.errback(self._trouble)

    def _time_is_up(self) -> None:
        self._timer = None
        self.start_next()

    def _ended(self, outcome: IProtocol | Failure, attempt: Deferred[IProtocol]) -> None:
        if self._over:
            return
        self._running.remove(attempt)
        if isinstance(outcome, Failure):
            self._trouble = self._trouble or outcome
            self.start_next()
        else:
            self._stop()
            self.won.callback(outcome)

    def _stop(self) -> None:
        self._over = True
        self._stop_timer()
        for attempt in self._running:
            attempt.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
