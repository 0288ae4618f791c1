"""Real web servers on sockets of 127.0.0.1 that do as a test says, and certificates for them.

A `WebServer` hands each request to a function of the test, which answers at once, later, in
pieces, wrongly or never, over the `Caller` that it is given.
"""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final, Self

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure

from tests.servers import HOST

DAY: Final = 86400.0


# Certificates


class Authority:
    """An authority, or one that another has signed."""

    def __init__(self, *, days: float = 300, parent: Authority | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"Authority {random.getrandbits(64)} of the tests")
        self._parent = parent
        issuer, key = (parent._name, parent._key) if parent else (self._name, self._key)
        self.certificate = (
            _certificate(self._name, issuer, self._key.public_key(), days=days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, SHA256())
        )

    @property
    def trust_root(self) -> Any:
        """For clients that trust this authority, and no other."""
        pem = self.certificate.public_bytes(Encoding.PEM)
        return trustRootFromCertificates([Certificate.loadPEM(pem)])

    def issue(self, *names: str, days: float = 90, since: float = -1) -> CertificateOptions:
        """What a server needs to show a certificate for host names and addresses.

        ``since`` and ``days`` are its beginning and end, in days from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _certificate(
            _name(names[0]), self._name, key.public_key(), days=days, since=since
        )
        alternatives = x509.SubjectAlternativeName([_alternative_name(name) for name in names])
        certificate = subject.add_extension(alternatives, critical=False).sign(self._key, SHA256())
        return _options(certificate, key, [self.certificate] if self._parent else [])

    def own(self) -> CertificateOptions:
        """What a server needs to show the authority's own certificate, which is for no host."""
        return _options(self.certificate, self._key, [])


def _options(certificate: Any, key: Any, above: Any) -> CertificateOptions:
    """Twisted's annotations ask for pyOpenSSL's classes, which pyOpenSSL no longer wants."""
    return CertificateOptions(privateKey=key, certificate=certificate, extraCertChain=above)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    days: float,
    since: float = -1,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=since + min(days, 0)))
        .not_valid_after(now + timedelta(days=days))
    )


def _alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


# Servers


class Caller(Protocol):
    """A connection of somebody's, as the server has it.

    ``heads`` are the requests so far, up to the empty line; ``bodies`` what came after each.
    ``gone`` fires when the connection has ended.
    """

    transport: Any

    def __init__(self, server: WebServer) -> None:
        self._server = server
        self._received = b""
        self.heads: list[str] = []
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self._server.connected(self)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        while (request := _request_in(self._received)) is not None:
            self.heads.append(request.head)
            self._received = self._received[request.size :]
            self._server.asked(self, request)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._server.callers.remove(self)
        self.gone.callback(None)

    def send(self, data: bytes) -> Self:
        """Send bytes as they are."""
        self.transport.write(data)
        return self

    def close(self) -> None:
        """Close the connection after what was sent."""
        self.transport.loseConnection()

    def reset(self) -> None:
        """Drop the connection as a crash does."""
        self.transport.abortConnection()


@frozen
class Asked:
    """A request as it arrived: ``head`` is all up to the empty line, ``size`` counts its bytes."""

    head: str
    body: bytes
    size: int

    @property
    def line(self) -> str:
        return self.head.partition("\r\n")[0]

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def headers(self) -> dict[str, str]:
        """By their names in lower case."""
        pairs = [each.partition(": ") for each in self.head.split("\r\n")[1:]]
        return {name.lower(): value for name, _, value in pairs}


def _request_in(received: bytes) -> Asked | None:
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        return None
    asked = Asked(head=head.decode("latin-1"), body=b"", size=len(head) + 4)
    length = int(asked.headers.get("content-length", 0))
    if len(rest) < length:
        return None
    return Asked(head=asked.head, body=rest[:length], size=asked.size + length)


Behaviour = Callable[[Caller, Asked], object]


class WebServer:
    """A server that does what a function of the test says; see `serving`.

    ``callers`` are those connected now, ``visits`` counts the connections so far, and ``requests``
    are those of all.
    """

    def __init__(self, behave: Behaviour, *, tls: CertificateOptions | None, host: str) -> None:
        self._behave = behave
        factory = Factory.forProtocol(lambda: Caller(self))
        factory.noisy = False
        self._scheme = "http" if tls is None else "https"
        self._host = host
        self.callers: list[Caller] = []
        self.visits = 0
        self.requests: list[Asked] = []
        self._waiting: list[Deferred[Caller]] = []
        network: Any = reactor
        if tls is None:
            self._port: Any = network.listenTCP(0, factory, backlog=1024, interface=host)
        else:
            self._port = network.listenSSL(0, factory, tls, backlog=1024, interface=host)
        self.port = int(self._port.getHost().port)

    def url(self, path: str = "/", *, host: str | None = None, login: str = "") -> str:
        """The address of something here; ``login`` is ``user:password@``."""
        host = host or (f"[{self._host}]" if ":" in self._host else self._host)
        return f"{self._scheme}://{login}{host}:{self.port}{path}"

    def next_caller(self) -> Deferred[Caller]:
        """Fires with the next who connects, whether or not anything is asked then."""
        waiting: Deferred[Caller] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def connected(self, caller: Caller) -> None:
        self.visits += 1
        self.callers.append(caller)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(caller)

    def asked(self, caller: Caller, request: Asked) -> None:
        self.requests.append(request)
        self._behave(caller, request)

    def all_gone(self) -> Deferred[Any]:
        """Fires when nobody is connected any more."""
        return gatherResults([caller.gone for caller in self.callers])

    def stop(self) -> Deferred[Any]:
        for caller in self.callers:
            caller.reset()
        return gatherResults([maybeDeferred(self._port.stopListening), self.all_gone()])


@asynccontextmanager
async def serving(
    behave: Behaviour, *, tls: CertificateOptions | None = None, host: str = HOST
) -> AsyncIterator[WebServer]:
    """A server while the block lasts."""
    server = WebServer(behave, tls=tls, host=host)
    try:
        yield server
    finally:
        await server.stop()


# Behaviours


def page(
    body: bytes = b"fine",
    *,
    status: int = 200,
    headers: Sequence[str] = (),
    length: int | None = None,
) -> bytes:
    """A whole answer; ``length`` is what it says of its body's, if that is not true."""
    lines = [
        f"HTTP/1.1 {status} Said So",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answers(answer: bytes) -> Behaviour:
    """Sends the same bytes to everyone, and keeps the connection."""
    return lambda caller, _: caller.send(answer)


def answers_and_closes(answer: bytes) -> Behaviour:
    """Sends some bytes, and closes the connection."""
    return lambda caller, _: caller.send(answer).close()


def hangs(beginning: bytes = b"") -> Behaviour:
    """Sends the beginning of an answer, and nothing more."""
    return lambda caller, _: caller.send(beginning)


def resets(caller: Caller, _: Asked) -> None:
    """Drops the connection instead of an answer."""
    caller.reset()


def redirects(**locations: str) -> Behaviour:
    """Redirects from paths (``/name``) to locations; anything else is a page named ``end``."""

    def behave(caller: Caller, request: Asked) -> None:
        location = locations.get(request.path.strip("/"))
        if location is None:
            caller.send(page(b"end"))
        else:
            caller.send(page(b"moved", status=302, headers=[f"Location: {location}"]))

    return behave


def closed_port() -> int:
    """A port of 127.0.0.1 at which nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def full_port() -> Iterator[int]:
    """A port of 127.0.0.1 at which connections are neither accepted nor refused."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen(0)
        address = listening.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        try:
            yield address[1]
        finally:
            for filler in fillers:
                filler.close()
