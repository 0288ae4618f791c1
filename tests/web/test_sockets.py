"""The server on real sockets: TCP, Unix and TLS; answers that a socket does not take at once."""

from __future__ import annotations

import gc
import socket
import ssl
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from boomerang.door import Door
from boomerang.web.limits import SENDING_TIME
from boomerang.web.quiet import LONGEST_SILENCE
from boomerang.web.reply import Reply
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import Routes, route
from boomerang.web.site import GuardedSite
from tests.web_servers import Authority

LARGE = bytes(range(256)) * 40_000
"""Ten megabytes, which no socket takes at once."""


class Sizes:
    """Answers of several sizes, and who asks how."""

    def __init__(self) -> None:
        self.gone: Deferred[None] = Deferred()

    app = Klein()

    @route(app, "/large", "GET")
    def large(self, request: GuardedRequest) -> Reply:
        return Reply(LARGE)

    @route(app, "/how", "POST")
    def how(self, request: GuardedRequest) -> Reply:
        kind = type(request.getClientAddress()).__name__
        return Reply(b"%d %s %d" % (request.isSecure(), kind.encode(), len(request.body)))

    @route(app, "/stream", "GET")
    def stream(self, request: GuardedRequest) -> Deferred[None]:
        request.begin_stream(Reply(b""))
        for place in range(0, 200_000, 1000):
            request.send(LARGE[place : place + 1000])
        request.end_stream()
        return self.gone

    @route(app, "/flood", "GET")
    def flood(self, request: GuardedRequest) -> Deferred[None]:
        request.begin_stream(Reply(b""))
        for _ in range(100):
            request.send(LARGE[:1_000_000])
        over: Deferred[None] = Deferred(lambda _: self.gone.callback(None))
        return over


Connect = Callable[[], socket.socket]


class Served:
    """A site on a real socket of one kind, and a way to connect to it."""

    def __init__(self, kind: str, directory: Path, clock: IReactorTime | None = None) -> None:
        self.sizes = Sizes()
        self.site = GuardedSite(
            Routes([self.sizes.app], watch_refusal=lambda status: None).handle,
            clock=clock or IReactorTime(reactor),
            watch_refusal=lambda status: None,
        )
        self.kind = kind
        self._directory = directory
        self._authority = Authority()
        self._port: Any = None

    async def listen(self) -> None:
        network: Any = reactor
        if self.kind == "tls":
            tls = self._authority.issue("127.0.0.1")
            self._port = network.listenSSL(0, self.site, tls, interface="127.0.0.1")
        else:
            unix = f"unix:{self._directory}/socket"
            string = unix if self.kind == "unix" else "tcp:0:interface=127.0.0.1"
            self._port = await serverFromString(network, string).listen(self.site)
        Door(IReactorTime(reactor), room=lambda: 10_000).keep(self._port)

    def connect(self, protocols: Sequence[str] = ()) -> socket.socket:
        """A new connection, which offers to speak ``protocols`` (ALPN) if it is by TLS."""
        if self.kind == "unix":
            found = socket.socket(socket.AF_UNIX)
            found.connect(f"{self._directory}/socket")
        else:
            found = socket.create_connection(("127.0.0.1", self._port.getHost().port))
        found.settimeout(20)
        if self.kind != "tls":
            return found
        context = ssl.create_default_context(
            cadata=self._authority.certificate.public_bytes(Encoding.PEM).decode()
        )
        if protocols:
            context.set_alpn_protocols(protocols)
        return context.wrap_socket(found, server_hostname="127.0.0.1")

    async def ask(self, sent: bytes) -> bytes:
        """All that comes back to one who sends, and reads until the end."""

        def talk() -> bytes:
            with self.connect() as connection:
                connection.sendall(sent)
                return b"".join(iter(lambda: connection.recv(1_000_000), b""))

        received: bytes = await deferToThread(talk)
        return received

    async def close(self) -> None:
        await self.site.drain()
        await self._port.stopListening()


KINDS = pytest.mark.parametrize("kind", ["tcp", "unix", "tls"])


def asking(method: str, path: str, body: bytes = b"", *, last: bool = True) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
    close = "Connection: close\r\n" if last else ""
    return f"{head}{close}\r\n".encode() + body


@KINDS
async def test_requests(kind: str, tmp_path: Path) -> None:
    """Requests that are sent together are answered in their order, and know how they came."""
    served = Served(kind, tmp_path)
    await served.listen()
    first, last = asking("POST", "/how", b"x", last=False), asking("POST", "/how", b"xy" * 20_000)
    received = await served.ask(first + last)
    how = {"tcp": b"0 IPv4Address", "unix": b"0 UNIXAddress", "tls": b"1 IPv4Address"}[kind]
    head, one, two = (*received.split(b"\r\n\r\n"),)
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert one.startswith(how + b" 1")
    assert two == how + b" 40000"
    await served.close()


@pytest.mark.parametrize(
    ("offered", "spoken"),
    [
        ((), None),
        (("http/1.1",), "http/1.1"),
        (("h2", "http/1.1"), "http/1.1"),
        (("http/1.0",), "http/1.0"),
    ],
)
async def test_protocols(offered: Sequence[str], spoken: str | None, tmp_path: Path) -> None:
    """Over TLS, who says which versions of HTTP it speaks (RFC 7301) is answered in one of them."""
    served = Served("tls", tmp_path)
    await served.listen()

    def talk() -> tuple[str | None, bytes]:
        with served.connect(offered) as connection:
            assert isinstance(connection, ssl.SSLSocket)
            connection.sendall(asking("POST", "/how", b"x"))
            received = b"".join(iter(lambda: connection.recv(1000), b""))
            return connection.selected_alpn_protocol(), received

    chosen, received = await deferToThread(talk)
    assert chosen == spoken
    assert received.endswith(b"1 IPv4Address 1")
    await served.close()


@KINDS
async def test_large_answers(kind: str, tmp_path: Path) -> None:
    """What the socket does not take at once follows, whole and in order, before anything else."""
    served = Served(kind, tmp_path)
    await served.listen()
    received = await served.ask(
        asking("GET", "/large", last=False) * 2 + asking("POST", "/how", b"x")
    )
    bodies = received.split(b"\r\n\r\n", 1)[1]
    assert bodies.startswith(LARGE + b"HTTP/1.1 200 OK")
    assert received.count(LARGE) == 2
    assert received.endswith(b"Address 1")
    await served.close()


@KINDS
async def test_streams(kind: str, tmp_path: Path) -> None:
    """A stream arrives whole, and ends."""
    served = Served(kind, tmp_path)
    await served.listen()
    received = await served.ask(asking("GET", "/stream"))
    assert received.partition(b"\r\n\r\n")[2] == LARGE[:200_000]
    await served.close()


@KINDS
async def test_a_stream_that_nobody_reads(kind: str, tmp_path: Path) -> None:
    """A client that does not read is cut off, however much is sent to it."""
    served = Served(kind, tmp_path)
    await served.listen()
    connection = await deferToThread(served.connect)
    await deferToThread(connection.sendall, asking("GET", "/flood"))
    await served.sizes.gone
    assert served.site.channels == set()
    connection.close()
    await served.close()


async def _turns(count: int) -> None:
    for _ in range(count):
        turn: Deferred[None] = Deferred()
        IReactorTime(reactor).callLater(0, turn.callback, None)
        await turn


async def test_a_storm_of_connections(tmp_path: Path) -> None:
    """Whoever waits in the kernel's queue is accepted at once, even after quiet times."""
    served = Served("tcp", tmp_path)
    await served.listen()
    await served.ask(asking("POST", "/how"))
    connections = [served.connect() for _ in range(40)]  # the reactor does not run meanwhile
    await _turns(2)
    assert len(served.site.channels) == 40
    for connection in connections:
        connection.close()
    await served.close()


async def test_nothing_waits_for_the_collector(tmp_path: Path) -> None:
    """A connection that is over is freed at once: the collector of a busy process runs seldom."""
    served = Served("tcp", tmp_path)
    await served.listen()
    connections = [await deferToThread(served.connect) for _ in range(3)]
    gc.disable()
    try:
        for connection, sent in zip(
            connections,
            (asking("POST", "/how", last=False), b"nonsense\r\n\r\n", b"GET /"),
            strict=True,
        ):
            connection.sendall(sent)
        await _turns(5)
        seen = [weakref.ref(channel) for channel in served.site.channels]
        assert len(seen) == 3
        for connection in connections:
            connection.close()
        while served.site.channels:
            await _turns(1)
        await _turns(2)
        assert [ref() for ref in seen] == [None, None, None]
    finally:
        gc.enable()
    await served.close()


async def test_no_goodbye(tmp_path: Path) -> None:
    """Over TLS, a client that has its answer and never says goodbye keeps no descriptor."""
    clock = Clock()
    served = Served("tls", tmp_path, clock)
    await served.listen()
    connection = await deferToThread(served.connect)

    def ask() -> bytes:
        connection.sendall(asking("POST", "/how", b"x"))
        return connection.recv(1000)

    assert b"Connection: close" in await deferToThread(ask)
    await _turns(20)
    assert len(served.site.channels) == 1
    clock.advance(SENDING_TIME)
    while served.site.channels:
        await _turns(1)
    assert not clock.getDelayedCalls()
    connection.close()
    await served.close()


@KINDS
async def test_room_is_made(kind: str, tmp_path: Path) -> None:
    """Idle connections are closed when room is needed, and gone at once whatever their clients do;
    who has asked for something stays."""
    served = Served(kind, tmp_path)
    await served.listen()
    began = time.monotonic()
    idle = [await deferToThread(served.connect) for _ in range(5)]
    caller = await deferToThread(served.connect)

    def ask() -> bytes:
        caller.sendall(asking("POST", "/how", b"hello", last=False))
        return caller.recv(1000)

    while time.monotonic() < began + LONGEST_SILENCE / 2:
        assert served.site.resters.make_room(3) == 0
        await _turns(1)
    assert b"200 OK" in await deferToThread(ask)
    closed = 0
    while closed < len(idle):
        closed += served.site.resters.make_room(3)
        await _turns(1)
    assert closed == len(idle)
    while len(served.site.channels) > 1:
        await _turns(1)
    assert b"200 OK" in await deferToThread(ask)
    for connection in (*idle, caller):
        connection.close()
    await served.close()
