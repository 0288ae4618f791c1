"""The listening sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import define
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactor
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from boomerang.door import Door
from boomerang.listening import CannotListen, Listening, endpoints
from boomerang.logs import message

DOOR = Door(Clock(), room=lambda: 10)


@implementer(IListeningPort)
@define(eq=False)
class Port:
    """A listening socket that takes its time to close."""

    address: IAddress
    closed: Deferred[None] | None = None

    def startListening(self) -> None: ...

    def stopListening(self) -> Deferred[None]:
        self.closed = Deferred()
        return self.closed

    def getHost(self) -> IAddress:
        return self.address


@implementer(IStreamServerEndpoint)
@define(eq=False)
class Endpoint:
    """An endpoint that gives one port, or none."""

    result: Port | Exception
    factory: object = None

    def listen(self, factory: Any) -> Deferred[IListeningPort]:
        self.factory = factory
        if isinstance(self.result, Exception):
            return fail(self.result)
        return succeed(self.result)


def tcp(port: int) -> Port:
    return Port(IPv4Address("TCP", "127.0.0.1", port))


class ListeningTests(SynchronousTestCase):
    """`Listening` between start and stop."""

    def test_all(self) -> None:
        """All endpoints are bound before privileges are dropped, with one factory."""
        factory = Factory()
        found = [Endpoint(tcp(1)), Endpoint(tcp(2))]
        service = Listening([("one", found[0]), ("two", found[1])], factory, door=DOOR)
        assert service.ports == []
        service.privilegedStartService()
        assert service.ports == [endpoint.result for endpoint in found]
        assert [endpoint.factory for endpoint in found] == [factory, factory]

    def test_stop(self) -> None:
        """The end is when all sockets are closed."""
        ports = [tcp(1), tcp(2)]
        service = Listening([(str(port), Endpoint(port)) for port in ports], Factory(), door=DOOR)
        service.privilegedStartService()
        service.startService()
        stopped = service.stopService()
        assert not service.running
        assert service.ports == []
        first, second = (port.closed for port in ports)
        assert first is not None
        assert second is not None
        first.callback(None)
        self.assertNoResult(stopped)
        second.callback(None)
        assert self.successResultOf(stopped) is None

    def test_stop_twice(self) -> None:
        """Stopping again, or before the start, is no mistake."""
        service = Listening([("one", Endpoint(tcp(1)))], Factory(), door=DOOR)
        self.successResultOf(service.stopService())
        service.privilegedStartService()
        port = service.ports[0]
        stopped = service.stopService()
        self.successResultOf(service.stopService())
        assert isinstance(port, Port)
        assert port.closed is not None
        port.closed.callback(None)
        self.successResultOf(stopped)

    def test_taken(self) -> None:
        """A socket that cannot be had ends the start, in one line that names it."""
        taken = Endpoint(CannotListenError("127.0.0.1", 2, OSError("in use")))
        service = Listening([("tcp:1", Endpoint(tcp(1))), ("tcp:2", taken)], Factory(), door=DOOR)
        with capturedLogs() as events, pytest.raises(SystemExit) as error:
            service.privilegedStartService()
        expected = "boomerang: cannot listen on tcp:2: Couldn't listen on 127.0.0.1:2: in use."
        assert str(error.value) == expected
        assert events == []

    def test_told(self) -> None:
        """The log says where it listens, for each kind of address."""
        reactor = MemoryReactor()
        strings = ["tcp:8080", "tcp:8081:interface=\\:\\:1", "unix:/run/boomerang.sock"]
        service = Listening(endpoints(reactor, strings), Factory(), door=DOOR)
        with capturedLogs() as events:
            service.privilegedStartService()
        assert [message(event) for event in events] == [
            "listening on 0.0.0.0:8080",
            "listening on [::1]:8081",
            "listening on unix:/run/boomerang.sock",
        ]

    def test_told_of_abstract(self) -> None:
        """The name of an abstract socket does not garble the log."""
        service = Listening(
            [("", Endpoint(Port(UNIXAddress(b"\0boomerang"))))], Factory(), door=DOOR
        )
        with capturedLogs() as events:
            service.privilegedStartService()
        assert [message(event) for event in events] == ["listening on unix:\\x00boomerang"]


def test_endpoints() -> None:
    """Endpoint strings become endpoints, each beside its string, and keep their backlog."""
    reactor = MemoryReactor()
    strings = ["tcp:8080:backlog=4096", "unix:/run/boomerang.sock:backlog=7"]
    found = endpoints(reactor, strings)
    assert [string for string, _ in found] == strings
    factory = Factory()
    for _, endpoint in found:
        endpoint.listen(factory)
    assert reactor.tcpServers == [(8080, factory, 4096, "")]
    assert [(path, backlog) for path, _, backlog, *_ in reactor.unixServers] == [
        ("/run/boomerang.sock", 7)
    ]


@pytest.mark.parametrize(
    ("string", "reason"),
    [
        ("systemd:domain=INET:index=0", "systemd passed no such socket"),
        ("systemd:domain=INET:name=http", "systemd passed no such socket"),
        ("nonsense:1", "Unknown endpoint type: 'nonsense'"),
        ("tcp:http", "invalid literal for int() with base 10: 'http'"),
    ],
)
def test_no_endpoint(string: str, reason: str) -> None:
    """A string of which nothing can be made is named, with the reason."""
    with pytest.raises(CannotListen) as error:
        endpoints(MemoryReactor(), ["tcp:1", string])
    assert str(error.value) == f"cannot listen on {string}: {reason}"


def test_missing_certificate(tmp_path: Path) -> None:
    """A certificate that is not there is one of those reasons."""
    string = f"ssl:443:privateKey={tmp_path}/none.pem"
    with pytest.raises(CannotListen, match="No such file or directory"):
        endpoints(MemoryReactor(), [string])
