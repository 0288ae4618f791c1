"""The way to a server: name looked up, connection made, TLS agreed upon; each step is told."""

from __future__ import annotations

from typing import Any, Final, Protocol

from attrs import frozen
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import (
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from boomerang.outbound.certificates import Evidence, Trust
from boomerang.outbound.lookups import Lookups
from boomerang.outbound.race import first_connection
from boomerang.outbound.troubles import Trouble, Unreachable, explained, tls_words

LONGEST_HEAD: Final = 64 * 1024
"""Bytes of status and headers; with more the connection is dropped."""


class Journey(Protocol):
    """Whoever wants to know how far a request comes; a `boomerang.monitor.run.Trace` is one.

    ``begin`` is called with ``resolve``, ``connect``, ``tls``, ``first_byte``, ``transfer``, as
    each begins; with redirects, for each request. ``status`` and ``certificate_expires`` are set
    as soon as they are known, the latter for a certificate that is refused, too.
    """

    status: int | None
    certificate_expires: float | None

    def begin(self, phase: str) -> None: ...


class Unwatched:
    """The journey that nobody asks about."""

    status: int | None = None
    certificate_expires: float | None = None

    def begin(self, phase: str) -> None: ...


@frozen(eq=False)
class Network:
    """What all ways need."""

    reactor: Any
    lookups: Lookups
    trust: Trust


@implementer(IAgentEndpointFactory)
@frozen(eq=False)
class Ways:
    """Tells an `Agent` how to reach a server."""

    network: Network
    journey: Journey

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        return Way(
            network=self.network,
            host=uri.host.decode("ascii"),
            port=uri.port,
            tls=uri.scheme == b"https",
            journey=self.journey,
        )


@implementer(IStreamClientEndpoint)
@frozen(eq=False)
class Way:
    """Connects to one server; fails with `Unreachable`, or as cancelled if it is."""

    network: Network
    host: str
    port: int
    tls: bool
    journey: Journey

    def __repr__(self) -> str:
        return f"<Way to {self.where}>"

    @property
    def where(self) -> str:
        """The server's name, as messages have it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(_Lines(protocolFactory, self)))

    async def _connect(self, lines: _Lines) -> IProtocol:
        self.journey.begin("resolve")
        addresses = await self.network.lookups.addresses(self.host)
        self.journey.begin("connect")
        evidence = Evidence()
        factory = self._encrypting(lines, evidence) if self.tls else lines
        try:
            connected: Any = await first_connection(
                self.network.reactor, addresses, self.port, factory
            )
        except Exception as error:
            raise explained(error, self.where) from None
        line: Line = connected.wrappedProtocol if self.tls else connected
        if self.tls:
            self.journey.begin("tls")
            await self._handshake(line, evidence)
        self.journey.begin("first_byte")
        return line.wrappedProtocol

    def _encrypting(self, lines: _Lines, evidence: Evidence) -> IProtocolFactory:
        creator = self.network.trust.creator(self.host, evidence)
        return TLSMemoryBIOFactory(creator, True, lines, clock=self.network.reactor)

    async def _handshake(self, line: Line, evidence: Evidence) -> None:
        """Nothing is sent before the server has shown a certificate that is good."""
        try:
            await line.handshake()
        except (SSL.Error, ConnectionClosed) as error:
            if evidence.problem is not None:
                words = f"{self.where}: the certificate {evidence.problem}"
                raise Unreachable(Trouble.CERTIFICATE, words) from None
            why = f"failed{tls_words(error)}" if isinstance(error, SSL.Error) else "broke off"
            raise Unreachable(Trouble.TLS, f"{self.where}: the TLS handshake {why}") from None
        finally:
            if evidence.expires is not None:
                self.journey.certificate_expires = evidence.expires


class _Lines(WrappingFactory["Line"]):
    """Makes the line beneath each of a web client's protocols."""

    noisy = False

    def __init__(self, factory: IProtocolFactory, way: Way) -> None:
        super().__init__(factory)
        self.protocol = Line
        self.way = way

    def doStart(self) -> None:
        """Do not tell the client's own factory, which would log it for each connection."""

    def doStop(self) -> None:
        """As above."""


@implementer(IHandshakeListener)
class Line(ProtocolWrapper):
    """A connection, beneath the web client's protocol: sees when and how an answer begins.

    It looks at the first answer only, if there are several.
    """

    def __init__(self, factory: _Lines, wrapped: IProtocol) -> None:
        super().__init__(factory, wrapped)
        self._way = factory.way
        self._shaken: Deferred[None] | None = None
        self._head: bytes | None = b""
        self._problem: Unreachable | None = None

    def handshake(self) -> Deferred[None]:
        """Fires when TLS is agreed upon; to be called as soon as connected.

        Fails as the connection does; cancelling it drops the connection.
        """
        self._shaken = Deferred(lambda _: self._drop())
        return self._shaken

    def handshakeCompleted(self) -> None:
        if self._shaken is not None:
            shaken, self._shaken = self._shaken, None
            shaken.callback(None)

    def dataReceived(self, data: bytes) -> None:
        if self._head is not None and not self._plausible(data):
            self._drop()
        else:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        reason = reason if self._problem is None else Failure(self._problem)
        if self._shaken is not None:
            shaken, self._shaken = self._shaken, None
            shaken.errback(reason)
        super().connectionLost(reason)

    def loseConnection(self) -> None:
        """Say goodbye, but do not wait until the other side has, as TLS would, maybe for ever."""
        super().loseConnection()
        if isinstance(self.transport, TLSMemoryBIOProtocol):
            self.transport.transport.loseConnection()

    def _plausible(self, data: bytes) -> bool:
        """Whether the answer so far may be one; what a web client's parser would wait for is not.

        That one would collect headers without end, and bytes without a line's end.
        """
        assert self._head is not None
        if not self._head:
            self._way.journey.begin("transfer")
        self._head += data
        problem = None
        if not b"HTTP/".startswith(self._head[:5]):
            problem = "does not answer in HTTP"
        elif b"\r\n\r\n" in self._head or b"\n\n" in self._head:
            self._head = None
        elif len(self._head) > LONGEST_HEAD:
            problem = "answers with headers without end"
        if problem is not None:
            self._problem = Unreachable(Trouble.PROTOCOL, f"{self._way.where}: {problem}")
        return problem is None

    def _drop(self) -> None:
        self._shaken = None
        self.abortConnection()
