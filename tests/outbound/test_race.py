"""The race of connections to a host's addresses, on a reactor that stands still."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionRefusedError, NoRouteError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from boomerang.outbound.race import HEAD_START, first_connection


def address(host: str) -> IPv4Address | IPv6Address:
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, 0)


class FirstConnectionTests(SynchronousTestCase):
    """`first_connection`."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()

    def race(self, *hosts: str) -> Any:
        factory = Factory.forProtocol(Protocol)
        return first_connection(self.reactor, [address(host) for host in hosts], 80, factory)

    def tried(self) -> list[str]:
        return [client[0] for client in self.reactor.tcpClients]

    def fails(self, number: int, why: Exception) -> None:
        factory = self.reactor.tcpClients[number][2]
        factory.clientConnectionFailed(self.reactor.connectors[number], Failure(why))

    def connects(self, number: int) -> None:
        protocol = self.reactor.tcpClients[number][2].buildProtocol(None)
        protocol.makeConnection(StringTransport())

    def given_up(self) -> list[bool]:
        return [connector.stoppedConnecting for connector in self.reactor.connectors]

    def test_one(self) -> None:
        """A single address that answers is the one."""
        racing = self.race("192.0.2.1")
        self.assertNoResult(racing)
        self.connects(0)
        assert isinstance(self.successResultOf(racing), Protocol)
        assert self.reactor.getDelayedCalls() == []

    def test_one_refused(self) -> None:
        """A single address that refuses is told at once."""
        racing = self.race("192.0.2.1")
        self.fails(0, ConnectionRefusedError(111))
        self.failureResultOf(racing, ConnectionRefusedError)
        assert self.reactor.getDelayedCalls() == []

    def test_next_after_a_refusal(self) -> None:
        """An address that refuses is followed by the next at once."""
        racing = self.race("192.0.2.1", "192.0.2.2")
        assert self.tried() == ["192.0.2.1"]
        self.fails(0, ConnectionRefusedError(111))
        assert self.tried() == ["192.0.2.1", "192.0.2.2"]
        self.connects(1)
        self.successResultOf(racing)

    def test_next_after_the_head_start(self) -> None:
        """An address that does not answer is followed by the next, and goes on; who is first wins,
        and the others are given up."""
        racing = self.race("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
        self.reactor.advance(HEAD_START * 0.9)
        assert len(self.tried()) == 1
        self.reactor.advance(HEAD_START * 0.1)
        assert len(self.tried()) == 2
        self.reactor.advance(HEAD_START)
        assert len(self.tried()) == 3
        self.connects(0)
        self.successResultOf(racing)
        assert self.given_up() == [False, True, True]
        assert self.reactor.getDelayedCalls() == []

    def test_all_fail(self) -> None:
        """When all have failed, and not before, the first reason is told."""
        racing = self.race("192.0.2.1", "192.0.2.2")
        self.reactor.advance(HEAD_START)
        self.fails(0, ConnectionRefusedError(111))
        self.assertNoResult(racing)
        self.reactor.advance(HEAD_START)
        self.fails(1, NoRouteError(113))
        self.failureResultOf(racing, ConnectionRefusedError)
        assert self.reactor.getDelayedCalls() == []

    def test_families_alternate(self) -> None:
        """Addresses of both families are tried in turn, beginning with the one given first."""
        self.race("2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1")
        for _ in range(3):
            self.reactor.advance(HEAD_START)
        assert self.tried() == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]

    def test_cancelled(self) -> None:
        """Cancelling gives up all attempts, and begins no others."""
        racing = self.race("192.0.2.1", "192.0.2.2", "192.0.2.3")
        self.reactor.advance(HEAD_START)
        racing.cancel()
        self.failureResultOf(racing, CancelledError)
        assert self.given_up() == [True, True]
        self.reactor.advance(10 * HEAD_START)
        assert len(self.tried()) == 2
        assert self.reactor.getDelayedCalls() == []
