"""Checks of kind ``tcp``: somebody listens at a port. Nothing is sent."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from boomerang.monitor.probes.reach import place, reaching
from boomerang.monitor.run import Trace
from boomerang.outbound.lookups import Lookups
from boomerang.outbound.race import first_connection
from boomerang.settings.checks import Check, tcp_target


@frozen(eq=False)
class TcpProbe:
    """Connects to the host and port of the URL, and hangs up."""

    reactor: Any
    lookups: Lookups

    async def __call__(self, check: Check, trace: Trace) -> None:
        target = tcp_target(check.url)
        assert target is not None  # the settings are checked
        host, port = target
        factory = Factory.forProtocol(_Visit)
        factory.noisy = False
        with reaching(place(host, port), trace):
            trace.begin("resolve")
            addresses = await self.lookups.addresses(host)
            trace.begin("connect")
            visit: Any = await first_connection(self.reactor, addresses, port, factory)
        trace.end()
        await visit.over


class _Visit(Protocol):
    """Leaves as soon as it has come."""

    def __init__(self) -> None:
        self.over: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over.callback(None)
