"""Drives a site over connections in memory: bytes in, parsed answers out, time on a clock.

What a kernel does is kept: nothing is delivered to a connection that is closing or has asked for
a pause, and the loss of a connection is told in a later turn of the reactor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlencode

from attrs import evolve, field, frozen
from klein import Klein
from twilio.request_validator import RequestValidator
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from boomerang.door import Door
from boomerang.host import Host
from boomerang.service import build
from boomerang.settings import Sources, load_settings
from boomerang.web.reply import Reply
from boomerang.web.routes import Routes, route
from boomerang.web.site import GuardedRequest, GuardedSite

ACCOUNT: Final = "AC00000000000000000000000000000001"
CALL: Final = "CA00000000000000000000000000000001"
MESSAGE: Final = "SM00000000000000000000000000000001"
APP: Final = "https://app.example.com/voice?x=1&y=2"

FIELDS: Final = {
    "AccountSid": ACCOUNT,
    "ApiVersion": "2010-04-01",
    "CallSid": CALL,
    "CallStatus": "ringing",
    "Direction": "inbound",
    "ErrorCode": "11200",
    "ErrorUrl": APP,
    "From": "+15005550006",
    "To": "+15005550001",
}
"""A fallback request of a call; twilio.md's own signature vectors are made with it."""

EPOCH: Final = 1_800_000_000.0
"""What the daemon's wall clock says when its other one stands at 0."""

STRANGER: Final = IPv4Address("TCP", "192.0.2.1", 54321)
NEIGHBOUR: Final = IPv4Address("TCP", "127.0.0.1", 54321)

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d) ([^\r\n]+)")
_HEADER: Final = re.compile(rb"([A-Za-z0-9-]+): ([^\r\n]*)")


@frozen
class Answer:
    """One HTTP answer; ``date`` is the one header whose value no test foretells."""

    status: int
    phrase: str
    headers: Mapping[str, str]
    body: bytes = b""
    date: str | None = field(default=None, eq=False)

    @property
    def text(self) -> str:
        return self.body.decode()


TEXT: Final = {"Content-Type": "text/plain; charset=utf-8"}
NO_STORE: Final = {"Cache-Control": "no-store"}


def whole(status: int, body: bytes, *headers: Mapping[str, str]) -> Answer:
    """An answer as it should be: with its usual phrase, its length, and these headers alone."""
    given = {name: value for some in headers for name, value in some.items()}
    given["Content-Length"] = str(len(body))
    return Answer(status, HTTPStatus(status).phrase, given, body)


def read_answers(raw: bytes, *, to_head: Container[int] = (), closed: bool) -> list[Answer]:
    """All answers in what was received; fails the test where that is not HTTP.

    ``to_head`` are the positions of those that answer HEAD, which have no body. Only where the
    connection is ``closed`` may an answer leave out how long it is.
    """
    answers: list[Answer] = []
    while raw:
        answer, raw = _read_head(raw)
        length = answer.headers.get("Content-Length")
        if answer.status < 200 or answer.status == 204 or len(answers) in to_head:
            size = 0
        elif length is None:
            assert closed, f"nobody can tell where {answer} ends"
            size = len(raw)
        else:
            size = int(length)
        assert len(raw) >= size, f"the body of {answer} is cut short: {raw!r}"
        answers.append(evolve(answer, body=raw[:size]))
        raw = raw[size:]
    return answers


def _read_head(raw: bytes) -> tuple[Answer, bytes]:
    head, end, rest = raw.partition(b"\r\n\r\n")
    assert end, f"the headers do not end: {raw!r}"
    first, *lines = head.split(b"\r\n")
    found = _STATUS_LINE.fullmatch(first)
    assert found, f"not a status line: {first!r}"
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        assert header, f"not a header: {line!r}"
        name = header[1].decode()
        assert name not in headers, f"{name} is given twice"
        headers[name] = header[2].decode()
    date = headers.pop("Date", None)
    return Answer(int(found[1]), found[2].decode(), headers, date=date), rest


class _Transport(StringTransport):
    """A socket: closing it is told a turn later, and once."""

    def __init__(self, clock: Clock, peer: IAddress) -> None:
        super().__init__(peerAddress=peer, lenient=True)
        self._clock = clock
        self.lost: Callable[[Exception], None] = lambda reason: None
        self.wanted: Callable[[], None] = lambda: None

    def loseConnection(self) -> None:
        self.disconnecting = True
        self._clock.callLater(0, self.lost, ConnectionDone())

    def abortConnection(self) -> None:
        self.disconnecting = True
        self._clock.callLater(0, self.lost, ConnectionAborted())

    def resumeProducing(self) -> None:
        self.producerState = "producing"
        self._clock.callLater(0, self.wanted)

    def unregisterProducer(self) -> None:
        self.producer = None


class Connection:
    """A client's end of a connection to the site."""

    def __init__(self, site: GuardedSite, clock: Clock, *, peer: IAddress = STRANGER) -> None:
        self._clock = clock
        self._transport = _Transport(clock, peer)
        self._transport.lost = self._lost
        self._transport.wanted = self._deliver
        self._undelivered = b""
        self.closed_by: type[Exception] | None = None
        self.channel: Any = site.buildProtocol(peer)
        self.channel.makeConnection(self._transport)

    @property
    def closed(self) -> bool:
        return self.closed_by is not None

    @property
    def undelivered(self) -> int:
        """Bytes that wait with the sender, since the site does not read."""
        return len(self._undelivered)

    @property
    def received(self) -> bytes:
        """All that the site has sent so far."""
        return bytes(self._transport.value())

    def answers(self, *, to_head: Container[int] = ()) -> list[Answer]:
        return read_answers(self.received, to_head=to_head, closed=self.closed)

    def answer(self) -> Answer:
        """The one answer that has come."""
        (answer,) = self.answers()
        return answer

    def send(self, data: bytes, *, cuts: Iterable[int] = ()) -> None:
        """Send in pieces, cut at the given places; each is delivered in a turn of its own."""
        edges = [0, *sorted(cuts), len(data)]
        for start, end in pairwise(edges):
            self._undelivered += data[start:end]
            self._deliver()
            self._clock.advance(0)

    def drip(self, data: bytes, *, every: float) -> None:
        """Send byte by byte, as many seconds apart."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            self._clock.advance(every)

    def hang_up(self) -> None:
        self._lost(ConnectionDone())

    def _deliver(self) -> None:
        if self.closed or self._transport.disconnecting:
            self._undelivered = b""
        elif self._undelivered and self._transport.producerState == "producing":
            data, self._undelivered = self._undelivered, b""
            self.channel.dataReceived(data)

    def _lost(self, reason: Exception) -> None:
        if not self.closed:
            self.closed_by = type(reason)
            self.channel.connectionLost(Failure(reason))


class Bench:
    """A site with Klein apps of the test's own, the refusals that it saw, and its clock."""

    def __init__(self, *apps: Klein, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.refusals: list[int] = []
        routes = Routes(apps, watch_refusal=self.refusals.append)
        self.site = GuardedSite(routes.handle, clock=self.clock, watch_refusal=self.refusals.append)

    def connect(self, *, peer: IAddress = STRANGER) -> Connection:
        return Connection(self.site, self.clock, peer=peer)

    def wait(self, seconds: float) -> None:
        """Let time pass, a quarter of a second at a time."""
        self.clock.pump([0.25] * round(seconds * 4))

    def ask(self, request: bytes, *, peer: IAddress = STRANGER) -> Answer:
        """The answer to one request on a connection of its own."""
        connection = self.connect(peer=peer)
        connection.send(request)
        (answer,) = connection.answers(to_head={0} if request.startswith(b"HEAD ") else ())
        return answer


class Echo:
    """A route for everything, that says how a request was understood."""

    app = Klein()

    @route(app, "/", "GET", "POST")
    @route(app, "/<path:rest>", "GET", "POST")
    def echo(self, request: GuardedRequest, rest: str = "") -> Reply:
        assert request.content is not None
        body = request.content.read()
        return Reply(b"%s %s %d" % (request.method, request.uri, len(body)), headers=())


class Slow:
    """A route whose answers wait until the test gives them."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Reply]] = []
        self.hung_up = 0

    app = Klein()

    @route(app, "/slow", "GET", "POST")
    async def slow(self, request: GuardedRequest) -> Reply:
        answer: Deferred[Reply] = Deferred()
        self.waiting.append(answer)
        try:
            return await answer
        except CancelledError:
            self.hung_up += 1
            raise


class Daemon(Bench):
    """The whole daemon, built from settings as the environment gives them, on a memory reactor."""

    def __init__(self, **environment: str) -> None:
        settings = load_settings(Sources(environment={"BOOMERANG_STORE": "memory:", **environment}))
        self.reactor = MemoryReactorClock()
        self.host: Host = build(settings, self.reactor, observer=None, wall_clock=self.wall_clock)
        self.host.privilegedStartService()
        self.host.startService()
        self.clock = self.reactor
        door = self.reactor.tcpServers[0][1]
        assert isinstance(door, Door)
        site = door.factory
        assert isinstance(site, GuardedSite)
        self.site = site

    def wall_clock(self) -> float:
        return EPOCH + self.reactor.seconds()

    def count(self, sample: str) -> float:
        """A number from ``/metrics``, by its name and labels as written there."""
        text = self.ask(request("GET", "/metrics"), peer=NEIGHBOUR).text
        values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(sample)]
        (value,) = values
        return float(value)


def request(
    method: str,
    target: str,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """The bytes of a request; Host and, for a body, Content-Length are added where they miss."""
    given = list(headers.items() if isinstance(headers, Mapping) else headers)
    names = {name.lower() for name, _ in given}
    if "host" not in names:
        given.insert(0, ("Host", "boomerang.example.com"))
    if body and not names & {"content-length", "transfer-encoding"}:
        given.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given)]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("utf-8", "surrogateescape") + body


def post(target: str, fields: Mapping[str, str], headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """The bytes of a form sent by POST, as Twilio does."""
    form = ("Content-Type", "application/x-www-form-urlencoded")
    return request("POST", target, [form, *headers], urlencode(fields).encode())


def get(target: str, fields: Mapping[str, str], headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """The bytes of a GET with Twilio's parameters at the end of the query."""
    joint = "&" if "?" in target else "?"
    return request("GET", f"{target}{joint}{urlencode(fields)}", headers)


def signature(url: str, fields: Mapping[str, str], *, token: str) -> tuple[str, str]:
    """The header by which Twilio shows that the request is its own."""
    return "X-Twilio-Signature", str(RequestValidator(token).compute_signature(url, fields))
