"""How connections end: clients hang up, newcomers wait, the server drains."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

from boomerang.web.limits import FIRST_BYTES
from boomerang.web.reply import Reply
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from tests.web.driving import Bench, Connection, Echo, Slow, request
from tests.web.sending import (
    CLOSE,
    chunked,
    echoed,
    head_with,
)


def _in_head(connection: Connection) -> None:
    connection.send(b"GET /sl")


def _in_body(connection: Connection) -> None:
    connection.send(request("POST", "/slow", {"Content-Length": "9"}) + b"x")


def _in_chunks(connection: Connection) -> None:
    connection.send(chunked(5)[:-8])


def _waiting(connection: Connection) -> None:
    connection.send(request("GET", "/slow"))


def _waiting_with_more(connection: Connection) -> None:
    connection.send(request("GET", "/slow") * 2 + b"GET /")


def _answered(connection: Connection) -> None:
    connection.send(request("GET", "/nothing"))


def _closing(connection: Connection) -> None:
    connection.send(request("GET", "/nothing", {"Connection": "close"}))


def _refused(connection: Connection) -> None:
    connection.send(head_with(300))


class TestHangUp:
    @pytest.mark.parametrize(
        "begin",
        [
            lambda connection: None,
            _in_head,
            _in_body,
            _in_chunks,
            _waiting,
            _waiting_with_more,
            _answered,
            _closing,
            _refused,
        ],
    )
    def test_nothing_is_left(self, begin: Callable[[Connection], None]) -> None:
        """Whenever a client goes away, no timer, no connection and no request of it stays."""
        slow = Slow()
        bench = Bench(slow.app)
        connection = bench.connect()
        begin(connection)
        said = connection.received
        connection.hang_up()
        assert connection.received == said
        assert slow.hung_up == len(slow.waiting)
        assert bench.clock.getDelayedCalls() == []
        assert bench.site.under_way == 0
        assert bench.site.channels == set()

    def test_the_handler_is_told_at_once(self) -> None:
        """Whoever works at the answer is cancelled when the client is gone."""
        slow = Slow()
        bench = Bench(slow.app)
        first, second = bench.connect(), bench.connect()
        first.send(request("GET", "/slow"))
        second.send(request("GET", "/slow"))
        first.hang_up()
        assert slow.hung_up == 1
        assert bench.site.under_way == 1
        slow.waiting[1].callback(Reply(b"still here"))
        assert second.answer().body == b"still here"
        assert slow.hung_up == 1


class TestNewcomers:
    """Connections on which a request may be about to come."""

    def test_until_something_is_asked(self) -> None:
        """A connection is new for a moment, unless something has been asked for on it."""
        bench = Bench(Echo().app)
        assert not bench.site.has_newcomers
        connection = bench.connect()
        assert bench.site.has_newcomers
        connection.send(request("GET", "/"))
        assert not bench.site.has_newcomers

    def test_not_for_ever(self) -> None:
        """One on which nothing comes is not waited for."""
        bench = Bench(Echo().app)
        bench.connect()
        bench.clock.advance(FIRST_BYTES + 0.01)
        assert not bench.site.has_newcomers

    def test_gone(self) -> None:
        """Who hangs up is not, either."""
        bench = Bench(Echo().app)
        bench.connect().hang_up()
        assert not bench.site.has_newcomers


class TestDrain:
    def drained(self, bench: Bench) -> list[None]:
        done: list[None] = []
        bench.site.drain().addCallback(done.append)
        bench.clock.advance(0)
        return done

    def test_nobody_there(self) -> None:
        """Without a request under way it is over at once."""
        assert self.drained(Bench(Echo().app)) == [None]

    def test_resting_connections(self) -> None:
        """Connections on which nothing happens are closed, new ones and kept ones."""
        bench = Bench(Echo().app)
        fresh, kept, strayed = (bench.connect() for _ in range(3))
        kept.send(request("GET", "/"))
        strayed.send(request("GET", "/") + b"\r\n")
        assert self.drained(bench) == [None]
        assert [one.closed_by for one in (fresh, kept, strayed)] == [ConnectionDone] * 3

    def test_requests_under_way(self) -> None:
        """It fires with the last answer; each says that the connection ends, and ends it."""
        slow = Slow()
        bench = Bench(slow.app)
        connections = [bench.connect(), bench.connect()]
        for connection in connections:
            connection.send(request("GET", "/slow"))
        done = self.drained(bench)
        for waiting, connection in zip(slow.waiting, connections, strict=True):
            assert not done
            assert not connection.closed
            waiting.callback(Reply(b"bye"))
            bench.clock.advance(0)
            assert connection.answer().headers["Connection"] == "close"
            assert connection.closed_by is ConnectionDone
        assert done == [None]

    def test_hanging_up_is_an_end_too(self) -> None:
        """A client that does not wait for its answer is not waited for."""
        bench = Bench(Slow().app)
        connection = bench.connect()
        connection.send(request("GET", "/slow"))
        done = self.drained(bench)
        connection.hang_up()
        assert done == [None]

    @pytest.mark.parametrize("cut", [1, 4, 16, 30, -5, -1])
    @pytest.mark.parametrize("before", [b"", request("GET", "/")], ids=["new", "kept"])
    def test_requests_that_are_arriving(self, before: bytes, cut: int) -> None:
        """What has begun to arrive is answered if the rest comes, and the connection is closed."""
        bench = Bench(Echo().app)
        connection = bench.connect()
        sent = request("POST", "/", body=b"hello")
        connection.send(before + sent[:cut])
        self.drained(bench)
        connection.send(sent[cut:] + request("GET", "/ignored"))
        assert connection.answers()[-1:] == [echoed("POST / 5", CLOSE)]
        assert len(connection.answers()) == 1 + bool(before)
        assert connection.closed_by is ConnectionDone

    def test_requests_behind_one_under_way(self) -> None:
        """What was sent too early on a connection that is closed is not begun."""
        slow = Slow()
        bench = Bench(slow.app)
        connection = bench.connect()
        connection.send(request("GET", "/slow") * 2)
        done = self.drained(bench)
        slow.waiting[0].callback(Reply(b"bye"))
        assert done == [None]
        assert len(slow.waiting) == 1
        assert connection.answer().body == b"bye"

    def test_twice(self) -> None:
        """Who asks again waits for the same end, and one after it does not wait."""
        slow = Slow()
        bench = Bench(slow.app)
        bench.connect().send(request("GET", "/slow"))
        first, second = self.drained(bench), self.drained(bench)
        slow.waiting[0].callback(Reply(b"bye"))
        assert (first, second, self.drained(bench)) == ([None], [None], [None])

    def test_given_up(self) -> None:
        """Answers that come after nobody waits for the end any more still go out."""
        slow = Slow()
        bench = Bench(slow.app)
        connection = bench.connect()
        connection.send(request("GET", "/slow"))
        end = bench.site.drain()
        end.addErrback(lambda failure: None)
        end.cancel()
        slow.waiting[0].callback(Reply(b"late"))
        assert connection.answer().body == b"late"

    def test_a_connection_from_the_queue(self) -> None:
        """A connection that came just before the socket closed is served, and then closed."""
        bench = Bench(Echo().app)
        self.drained(bench)
        assert bench.ask(request("GET", "/")) == echoed("GET / 0", CLOSE)


class Looking:
    """A route that shows its request to a function, and waits."""

    def __init__(self, look: Callable[[GuardedRequest], None]) -> None:
        self.look = look
        self.answer: Deferred[Reply] = Deferred()

    app = Klein()

    @route(app, "/", "GET", "POST")
    def looking(self, request: GuardedRequest) -> Deferred[Reply]:
        self.look(request)
        return self.answer


@pytest.mark.parametrize("hang_up", [True, False])
def test_a_request_can_forget_what_was_sent(hang_up: bool) -> None:
    """A request that has let go of form and headers can still be answered, or hung up on."""
    requests: list[GuardedRequest] = []
    looking = Looking(requests.append)
    bench = Bench(looking.app)
    connection = bench.connect()
    connection.send(request("POST", "/?c=d", {"Cookie": "a=b"}, body=b"hello"))
    for _ in range(2):
        requests[0].forget_parameters()
    assert requests[0].getHeader("Cookie") is None
    assert (requests[0].uri, requests[0].body, requests[0].header_names()) == (b"", b"", [])
    if hang_up:
        connection.hang_up()
    else:
        looking.answer.callback(Reply(b"ok"))
        assert connection.answer().body == b"ok"
    assert bench.site.under_way == 0


@pytest.mark.parametrize("value", ["ü", "\udcff", "a\udcc3", "", "plain"])
def test_headers_of_any_bytes(value: str) -> None:
    """A header can be read whatever bytes it has, and however its name is written."""
    found: list[str | None] = []

    def look(request: GuardedRequest) -> None:
        found.extend([request.getHeader("odd"), request.getHeader("ODD"), request.single(b"Odd")])
        found.extend([request.getHeader("missing"), request.single(b"Missing")])

    Bench(Looking(look).app).connect().send(request("GET", "/", {"Odd": value}))
    assert found == [value, value, value, None, None]


def test_headers_that_are_given_twice() -> None:
    """The last value counts, or none where there must be no doubt."""
    found: list[str | None] = []

    def look(request: GuardedRequest) -> None:
        found.extend([request.getHeader("Odd"), request.single(b"Odd")])

    sent = request("GET", "/", [("Odd", "a"), ("oDD", "b")])
    Bench(Looking(look).app).connect().send(sent)
    assert found == ["b", None]
