"""One request over one connection: what its end means, and the time limits of its phases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater

from boomerang.outbound.certificates import Trust
from boomerang.outbound.line import Network
from boomerang.outbound.lookups import Lookups
from boomerang.standin.answer import Answer
from boomerang.standin.failure import NoAnswer
from boomerang.standin.request import address
from boomerang.standin.wire import Patience, exchange
from tests.outbound.clients import Names
from tests.servers import HOST
from tests.standin.driving import eventually
from tests.web_servers import (
    Authority,
    Behaviour,
    WebServer,
    answers,
    answers_and_closes,
    closed_port,
    full_port,
    hangs,
    page,
    resets,
    serving,
)

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Wire:
    """Exchanges over the real network, by a clock that stands still."""

    def __init__(self, authority: Authority | None = None, names: Names | None = None) -> None:
        self.clock = Clock()
        self._network = Network(
            reactor=reactor,
            lookups=Lookups(names or Names()),
            trust=Trust(authority.trust_root if authority else None),
        )

    def begin(
        self, url: str, *, total: float = 15, first: bool = True
    ) -> Deferred[Answer | NoAnswer]:
        patience = Patience(
            connect=5, read=8, total=total, deadline=self.clock.seconds() + total, first=first
        )
        return Deferred.fromCoroutine(
            exchange(REQUEST, address(url), patience, network=self._network, clock=self.clock)
        )


@asynccontextmanager
async def wire(
    authority: Authority | None = None, names: Names | None = None
) -> AsyncIterator[Wire]:
    """A wire that must not leave anything to be done later."""
    await deferLater(reactor, 0)
    made = Wire(authority, names)
    yield made
    assert made.clock.getDelayedCalls() == []


async def outcome(behave: Behaviour) -> Answer | NoAnswer:
    """What becomes of an exchange with a server that does not take its time."""
    async with wire() as made, serving(behave) as server:
        return await made.begin(server.url())


async def asked(server: WebServer) -> None:
    """Return when the request has arrived."""
    await eventually(lambda: server.requests)


async def piece(made: Wire, server: WebServer, data: bytes) -> None:
    """Let the server send something; returns when it has arrived, and time counts anew."""
    before = list(made.clock.getDelayedCalls())
    server.callers[0].send(data)
    await eventually(lambda: made.clock.getDelayedCalls() != before)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


async def test_answer() -> None:
    """The request arrives as it is, the answer comes back, and the connection is closed."""
    async with wire() as made, serving(answers(page(b"fine", headers=["X-A: b"]))) as server:
        found = await made.begin(server.url())
        assert isinstance(found, Answer)
        assert (found.status, found.header("x-a"), found.body) == (200, "b", b"fine")
        assert [asked.head.encode() + b"\r\n\r\n" for asked in server.requests] == [REQUEST]
        await server.all_gone()


async def test_till_end() -> None:
    """An answer may end with the connection."""
    found = await outcome(answers_and_closes(b"HTTP/1.1 200 OK\r\n\r\nfine"))
    assert isinstance(found, Answer)
    assert found.body == b"fine"


async def test_long_answer() -> None:
    """Of a long answer the beginning is enough; the connection is closed."""
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000
    async with wire() as made, serving(answers(endless)) as server:
        found = await made.begin(server.url())
        assert isinstance(found, Answer)
        assert found.truncated
        await server.all_gone()


@pytest.mark.parametrize(
    ("behave", "code", "words", "policy"),
    [
        (resets, 11200, "closed the connection without an answer", "all"),
        (answers_and_closes(b""), 11200, "closed the connection without an answer", "all"),
        (
            answers_and_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"),
            11200,
            "the connection was lost amid the answer",
            None,
        ),
        (answers(b"SSH-2.0-OpenSSH\r\n"), 11206, "does not answer in HTTP", "all"),
        (answers(b"HTTP/1.1 OK\r\n\r\n"), 11206, "the answer has no status line of HTTP", "all"),
    ],
)
async def test_no_answer(behave: Behaviour, code: int, words: str, policy: str | None) -> None:
    """What is no answer has its code and its words."""
    found = await outcome(behave)
    assert isinstance(found, NoAnswer)
    assert (found.code, found.policy) == (code, policy)
    assert found.words.endswith(f": {words}")


async def test_lost_before_the_end() -> None:
    """An answer that would end with the connection does not end with a crash."""
    async with wire() as made, serving(hangs()) as server:
        exchanging = made.begin(server.url())
        await asked(server)
        await piece(made, server, b"HTTP/1.1 200 OK\r\n\r\nfi")
        server.callers[0].reset()
        found = await exchanging
    assert found == NoAnswer(
        11200, f"{HOST}:{server.port}: the connection was lost amid the answer", None
    )


async def test_refused() -> None:
    """A port that nobody listens at refuses."""
    port = closed_port()
    async with wire() as made:
        found = await made.begin(f"http://{HOST}:{port}/")
    assert found == NoAnswer(11202, f"{HOST}:{port}: connection refused", "ct")


async def test_no_name() -> None:
    """A name without an address cannot be asked."""
    async with wire() as made:
        found = await made.begin("http://nowhere.example.com/")
    assert isinstance(found, NoAnswer)
    assert (found.code, found.policy) == (11210, "all")


# Time limits


@pytest.mark.parametrize(
    ("total", "seconds", "expected"),
    [
        (15, 5, NoAnswer(11201, "no connection within 5 s", "ct")),
        (3, 3, NoAnswer(11201, "no connection within 3 s", "ct")),
    ],
)
async def test_no_connection(total: float, seconds: float, expected: NoAnswer) -> None:
    """TCP has its own time, and never more than there is for all."""
    with full_port() as port:
        async with wire() as made:
            exchanging = made.begin(f"http://{HOST}:{port}/", total=total)
            made.clock.advance(seconds - 0.01)
            assert not exchanging.called
            made.clock.advance(0.01)
            assert await exchanging == expected


async def test_no_look_up() -> None:
    """The look-up of a name may take all the time there is, and no more."""
    names = Names(hanging=["slow.example.com"])
    async with wire(names=names) as made:
        exchanging = made.begin("http://slow.example.com/")
        made.clock.advance(15)
        assert await exchanging == NoAnswer(11210, "the name was not looked up within 15 s", "all")


@pytest.mark.parametrize(
    ("total", "first", "seconds", "expected"),
    [
        (15, True, 8, NoAnswer(11205, "no answer within 8 s", "rt")),
        (6, True, 6, NoAnswer(11205, "no answer within 6 s", "rt")),
        (6, False, 6, NoAnswer(11203, "no answer in the time for all tries", "rt")),
    ],
)
async def test_silent(total: float, first: bool, seconds: float, expected: NoAnswer) -> None:
    """An answer must begin in time; then the connection is dropped."""
    async with wire() as made, serving(hangs()) as server:
        exchanging = made.begin(server.url(), total=total, first=first)
        await asked(server)
        made.clock.advance(seconds - 0.01)
        assert not exchanging.called
        made.clock.advance(0.01)
        assert await exchanging == expected
        await server.all_gone()


async def test_slow_pieces() -> None:
    """Between the pieces of an answer as much time may pass again."""
    async with wire() as made, serving(hangs()) as server:
        exchanging = made.begin(server.url(), total=60)
        await asked(server)
        for data in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 2\r\n", b"\r\n", b"o"):
            made.clock.advance(7)
            await piece(made, server, data)
        made.clock.advance(8)
        assert await exchanging == NoAnswer(11205, "the answer stalled for 8 s", None)


async def test_given_up() -> None:
    """Whoever stops waiting leaves nothing behind."""
    async with wire() as made, serving(hangs()) as server:
        exchanging = made.begin(server.url())
        await asked(server)
        exchanging.cancel()
        with pytest.raises(CancelledError):
            await exchanging
        await server.all_gone()


# TLS


async def test_tls(authority: Authority) -> None:
    """An address with https is asked over TLS."""
    async with (
        wire(authority) as made,
        serving(answers(page(b"fine")), tls=authority.issue(HOST)) as server,
    ):
        found = await made.begin(server.url())
    assert isinstance(found, Answer)
    assert found.body == b"fine"


@pytest.mark.parametrize(
    ("name", "days", "code"), [("other.example.com", 90, 11235), (HOST, -1, 11236)]
)
async def test_bad_certificate(authority: Authority, name: str, days: float, code: int) -> None:
    """A certificate that is not good has a code of its own."""
    async with (
        wire(authority) as made,
        serving(answers(page()), tls=authority.issue(name, days=days)) as server,
    ):
        found = await made.begin(server.url())
        assert server.requests == []
    assert isinstance(found, NoAnswer)
    assert (found.code, found.policy) == (code, "ct")


async def test_unknown_authority(authority: Authority) -> None:
    """So has one of an authority that nobody knows."""
    async with (
        wire(Authority()) as made,
        serving(answers(page()), tls=authority.issue(HOST)) as server,
    ):
        found = await made.begin(server.url())
    assert isinstance(found, NoAnswer)
    assert found.code == 11237


class _Mute(Protocol):
    """Listens, and says nothing."""

    def __init__(self) -> None:
        self.heard: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        heard, self.heard = self.heard, Deferred()
        heard.callback(None)


async def test_no_tls(authority: Authority) -> None:
    """A server that says nothing in the handshake has as long as for the connection."""
    mute = _Mute()
    heard = mute.heard
    network: Any = reactor
    port = network.listenTCP(0, Factory.forProtocol(lambda: mute), interface=HOST)
    async with wire(authority) as made:
        exchanging = made.begin(f"https://{HOST}:{port.getHost().port}/")
        await heard
        made.clock.advance(5)
        assert await exchanging == NoAnswer(11205, "no TLS within 5 s", "ct")
    await port.stopListening()
