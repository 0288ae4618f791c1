"""Answers without an end."""

from __future__ import annotations

from typing import Any

import pytest
from klein import Klein
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.logger import capturedLogs

from boomerang.web.reply import NO_STORE, Refused, Reply
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from tests.web.driving import Answer, Bench, Connection, request

MOST_BEHIND = 262_144
HEAD = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class Events:
    """A route that streams what the test says, for as long as it says."""

    def __init__(self) -> None:
        self.streams: list[GuardedRequest] = []
        self.over: list[Deferred[None]] = []
        self.hung_up = 0

    app = Klein()

    @route(app, "/events", "GET")
    async def events(self, request: GuardedRequest) -> None:
        request.begin_stream(
            Reply(b"hello\n", content_type="text/event-stream", headers=(NO_STORE,))
        )
        over: Deferred[None] = Deferred()
        self.streams.append(request)
        self.over.append(over)
        try:
            await over
        except CancelledError:
            self.hung_up += 1
            raise


def begun(*, method: str = "GET", version: bytes = b"1.1") -> tuple[Events, Bench, Connection]:
    """A stream that has begun, and what is around it."""
    events = Events()
    bench = Bench(events.app)
    connection = bench.connect()
    connection.send(request(method, "/events").replace(b"HTTP/1.1", b"HTTP/" + version))
    return events, bench, connection


def body(connection: Connection) -> bytes:
    return connection.received.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_stream(version: bytes) -> None:
    """The head comes at once and tells no length, each piece when it is sent, and then the end."""
    events, bench, connection = begun(version=version)
    (stream,) = events.streams
    assert body(connection) == b"hello\n"
    bench.wait(1000)
    for piece in (b"one\n", b"", b"two\n"):
        stream.send(piece)
    assert body(connection) == b"hello\none\ntwo\n"
    assert not connection.closed
    stream.end_stream()
    bench.clock.advance(0)
    assert connection.closed_by is ConnectionDone
    assert connection.answer() == Answer(200, "OK", HEAD, b"hello\none\ntwo\n")
    assert bench.clock.getDelayedCalls() == []


def test_the_handler_ends_it() -> None:
    """A stream is over when its handler is."""
    events, bench, connection = begun()
    events.over[0].callback(None)
    bench.clock.advance(0)
    assert connection.closed_by is ConnectionDone
    assert events.hung_up == 0


class TestFailing:
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged, and the test says what."""

    def test_a_handler_that_fails(self) -> None:
        """A handler that fails ends its stream, which is logged; no second answer is sent."""
        events, bench, connection = begun()
        with capturedLogs() as logged:
            events.over[0].errback(ValueError("x"))
        bench.clock.advance(0)
        assert [event["log_format"] for event in logged] == ["a request to {path} failed"]
        assert connection.closed
        assert body(connection) == b"hello\n"


def test_a_handler_that_refuses_too_late() -> None:
    """After the head nothing can be refused; the stream ends."""
    events, bench, connection = begun()
    events.over[0].errback(Refused(403, "no"))
    bench.clock.advance(0)
    assert connection.closed
    assert body(connection) == b"hello\n"
    assert bench.refusals == []


def test_head() -> None:
    """HEAD is told what a stream would begin with, and no more."""
    events, bench, connection = begun(method="HEAD")
    events.streams[0].send(b"ignored")
    bench.clock.advance(0)
    (answer,) = connection.answers(to_head={0})
    assert answer == Answer(200, "OK", HEAD)
    assert connection.closed_by is ConnectionDone


def test_it_is_not_waited_for() -> None:
    """A stream is no request under way: shutting down ends it at once."""
    events, bench, connection = begun()
    assert bench.site.under_way == 0
    done: list[Any] = []
    bench.site.drain().addCallback(done.append)
    assert done == [None]
    events.streams[0].send(b"too late")
    bench.clock.advance(0)
    assert connection.closed_by is ConnectionDone
    assert body(connection) == b"hello\n"
    assert events.hung_up == 1


def test_one_that_begins_while_shutting_down() -> None:
    """Who asks for a stream after that gets its beginning, and the end."""
    events = Events()
    bench = Bench(events.app)
    connection = bench.connect()
    connection.send(b"GET /ev")
    bench.site.drain()
    connection.send(b"ents HTTP/1.1\r\n\r\n")
    bench.clock.advance(0)
    assert connection.closed_by is ConnectionDone
    assert body(connection) == b"hello\n"


def test_hanging_up() -> None:
    """The handler is cancelled when the client goes away, and what it sends then goes nowhere."""
    events, bench, connection = begun()
    connection.hang_up()
    assert events.hung_up == 1
    events.streams[0].send(b"to nobody")
    events.streams[0].end_stream()
    assert body(connection) == b"hello\n"
    assert bench.site.channels == set()
    assert bench.clock.getDelayedCalls() == []


def test_what_the_client_sends_meanwhile() -> None:
    """A stream is the last answer of its connection: what follows is read, and thrown away."""
    events, bench, connection = begun()
    for _ in range(10):
        connection.send(request("GET", "/events") + b"x" * 60_000)
    assert len(events.streams) == 1
    assert connection.undelivered == 0
    assert bench.refusals == []


def test_behind_a_lot_that_was_sent_too_early() -> None:
    """A connection that was not read for a while is read again, so that its end is seen."""
    events = Events()
    bench = Bench(events.app)
    connection = bench.connect()
    connection.send(request("GET", "/events") + b"x" * 60_000)
    connection.send(b"x")
    assert connection.undelivered == 0


def test_a_client_that_does_not_read() -> None:
    """What waits for a client is bounded: beyond 256 KiB it is cut off, and its handler told."""
    events, bench, connection = begun()
    (stream,) = events.streams
    connection.channel.pauseProducing()  # as the socket does when too much waits to be sent
    for _ in range(MOST_BEHIND // 1024):
        stream.send(b"x" * 1024)
    bench.clock.advance(0)
    assert not connection.closed
    stream.send(b"x")
    bench.clock.advance(0)
    assert connection.closed_by is ConnectionAborted
    assert events.hung_up == 1
    assert len(body(connection)) == len(b"hello\n") + MOST_BEHIND


def test_a_client_that_reads_now_and_then() -> None:
    """Who has caught up may fall behind again."""
    events, bench, connection = begun()
    (stream,) = events.streams
    for _ in range(5):
        connection.channel.pauseProducing()
        stream.send(b"x" * MOST_BEHIND)
        connection.channel.resumeProducing()
    stream.send(b"x" * 10 * MOST_BEHIND)
    bench.clock.advance(0)
    assert not connection.closed
