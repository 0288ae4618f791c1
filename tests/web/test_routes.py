"""The way from a request to its handler, and from what that does to an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from klein import Klein
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent

from boomerang.web.reply import Refused, Reply
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from tests.web.driving import NO_STORE, TEXT, Answer, Bench, Daemon, request, whole


class Reading:
    """Routes of every kind."""

    app = Klein()

    @route(app, "/a", "GET")
    def a(self, request: GuardedRequest) -> Reply:
        return Reply(b"a")

    @route(app, "/slash/", "GET")
    def slash(self, request: GuardedRequest) -> Reply:
        return Reply(b"slash")

    @route(app, "/item/<name>", "GET")
    async def item(self, request: GuardedRequest, name: str) -> Reply:
        return Reply(f"item {name}".encode())

    @route(app, "/", "GET")
    def home(self, request: GuardedRequest) -> Reply:
        return Reply(b"home")


class Writing:
    """Another app with one path in common, and one of its own."""

    app = Klein()

    @route(app, "/a", "POST")
    def a(self, request: GuardedRequest) -> Reply:
        return Reply(b"written")

    @route(app, "/b", "GET", "POST")
    def b(self, request: GuardedRequest) -> Deferred[Reply]:
        answer: Deferred[Reply] = Deferred()
        answer.callback(Reply(b"b"))
        return answer


def ok(body: bytes) -> Answer:
    return whole(200, body, TEXT, NO_STORE)


def not_allowed(methods: str) -> Answer:
    text = f"405 Method Not Allowed: use {methods}\n"
    return whole(405, text.encode(), TEXT, NO_STORE, {"Allow": methods})


NOTHING = whole(404, b"404 Not Found: there is nothing at this address\n", TEXT, NO_STORE)


def without_body(answer: Answer) -> Answer:
    return Answer(answer.status, answer.phrase, answer.headers)


@pytest.mark.parametrize(
    ("method", "target", "answer"),
    [
        ("GET", "/a", ok(b"a")),
        ("GET", "/a?x=/b", ok(b"a")),
        ("GET", "/a?", ok(b"a")),
        ("HEAD", "/a", without_body(ok(b"a"))),
        ("POST", "/a", ok(b"written")),
        ("POST", "/b", ok(b"b")),
        ("GET", "/b", ok(b"b")),
        ("GET", "/", ok(b"home")),
        ("GET", "/?x", ok(b"home")),
        ("GET", "/slash/", ok(b"slash")),
        ("GET", "/item/one", ok(b"item one")),
        ("PUT", "/a", not_allowed("GET, HEAD, POST")),
        ("OPTIONS", "/a", not_allowed("GET, HEAD, POST")),
        ("BREW", "/a", not_allowed("GET, HEAD, POST")),
        ("POST", "/", not_allowed("GET, HEAD")),
        ("DELETE", "/item/one", not_allowed("GET, HEAD")),
        ("PROPFIND", "/b", not_allowed("GET, HEAD, POST")),
        ("GET", "/c", NOTHING),
        ("HEAD", "/c", without_body(NOTHING)),
        ("BREW", "/c", NOTHING),
        ("OPTIONS", "*", NOTHING),
        ("GET", "/a/", NOTHING),
        ("GET", "/a/b", NOTHING),
        ("GET", "/A", NOTHING),
        ("GET", "/%61", NOTHING),
        ("GET", "/./a", NOTHING),
        ("GET", "/a;b", NOTHING),
        ("GET", "/a|GET", NOTHING),
        ("GET", "/item", NOTHING),
        ("GET", "/item/", NOTHING),
        ("GET", "/item/one/two", NOTHING),
        ("GET", "/%ff", NOTHING),
        ("GET", "http://a.example.com/a", NOTHING),
        ("GET", "/slash", NOTHING),
        ("GET", "//a", NOTHING),
        ("GET", "/////////a", NOTHING),
        ("GET", "a", NOTHING),
        ("GET", "//", NOTHING),
        ("get", "/a", not_allowed("GET, HEAD, POST")),
        ("Post", "/a", not_allowed("GET, HEAD, POST")),
    ],
)
def test_table(method: str, target: str, answer: Answer) -> None:
    """Each path and method has its answer, the same at the first look-up and at later ones."""
    bench = Bench(Reading().app, Writing().app)
    for _ in range(3):
        assert bench.ask(request(method, target)) == answer
    assert bench.refusals == ([] if answer.status == 200 else [answer.status] * 3)


def test_arguments_are_not_mixed_up() -> None:
    """A path with an argument is looked up each time."""
    bench = Bench(Reading().app)
    for name in ("one", "two", "one", "%2F", "a%20b"):
        assert bench.ask(request("GET", f"/item/{name}")) == ok(f"item {name}".encode())


def test_methods_are_not_mixed_up() -> None:
    """What was remembered for one method is not given to another."""
    bench = Bench(Reading().app, Writing().app)
    bodies = [bench.ask(request(method, "/a")).body for method in ("GET", "POST", "GET", "POST")]
    assert bodies == [b"a", b"written", b"a", b"written"]


def test_instances_are_not_mixed_up() -> None:
    """Two hosts in one process do not share what they remember."""

    class Named:
        app = Klein()

        def __init__(self, name: bytes) -> None:
            self.name = name

        @route(app, "/", "GET")
        def who(self, request: GuardedRequest) -> Reply:
            return Reply(self.name)

    benches = [Bench(Named(name).app) for name in (b"one", b"two")]
    for _ in range(2):
        assert [bench.ask(request("GET", "/")).body for bench in benches] == [b"one", b"two"]


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/%ff", 404),
        ("GET", "//retry//", 404),
        ("GET", "/statuses", 404),
        ("PUT", "/retry", 405),
        ("HEAD", "/retry", 405),
        ("OPTIONS", "/retry", 405),
        ("POST", "/health", 405),
        ("DELETE", "/metrics", 405),
        ("BREW", "/", 405),
    ],
)
def test_the_daemon_counts_refusals(method: str, target: str, status: int) -> None:
    """The daemon answers every path and method, and counts what it refuses."""
    daemon = Daemon()
    answer = daemon.ask(request(method, target))
    assert answer.status == status
    assert daemon.count(f'boomerang_refused_requests_total{{status="{status}"}}') == 1


def test_the_daemon_says_what_retry_takes() -> None:
    """Twilio sends GET or POST, and nothing else is taken."""
    daemon = Daemon()
    for method in ("PUT", "OPTIONS", "HEAD"):
        allowed = daemon.ask(request(method, "/retry")).headers["Allow"]
        assert {"GET", "POST"} <= set(allowed.split(", "))


class Acting:
    """A route that does what the test says."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    app = Klein()

    @route(app, "/act", "GET")
    def handle(self, request: GuardedRequest) -> Any:
        return self.act()


def _raise(error: BaseException) -> Any:
    raise error


async def _raise_later(error: BaseException) -> Reply:
    raise error


def _failing(error: BaseException) -> Deferred[Reply]:
    answer: Deferred[Reply] = Deferred()
    answer.errback(error)
    return answer


WAYS = pytest.mark.parametrize("way", [_raise, _raise_later, _failing])


class TestRefused:
    @WAYS
    def test_refused(self, way: Callable[[BaseException], Any]) -> None:
        """A handler refuses by raising, at once or later."""
        bench = Bench(Acting(lambda: way(Refused(413, "no", headers=((b"A", b"b"),)))).app)
        answer = bench.ask(request("GET", "/act"))
        assert answer.status == 413
        assert answer.text.endswith(": no\n")
        assert answer.headers["A"] == "b"
        assert bench.refusals == [413]


class TestFailures:
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged, and each test says what."""

    failed = whole(
        500,
        b"500 Internal Server Error: boomerang itself failed; its log says why\n",
        TEXT,
        NO_STORE,
    )

    def critical(self, events: Any) -> list[tuple[str, type[BaseException]]]:
        found: list[LogEvent] = [e for e in events if e["log_level"] is LogLevel.critical]
        return [(formatEvent(event), event["log_failure"].type) for event in found]

    @WAYS
    @pytest.mark.parametrize("error", [ValueError("secret"), KeyError("k"), CancelledError()])
    def test_failed(self, way: Callable[[BaseException], Any], error: Exception) -> None:
        """A handler that fails costs its request a 500 and a line in the log, and no more."""
        bench = Bench(Acting(lambda: way(error)).app)
        connection = bench.connect()
        with capturedLogs() as events:
            connection.send(request("GET", "/act") + request("GET", "/other"))
        assert connection.answers() == [self.failed, NOTHING]
        assert self.critical(events) == [("a request to /act failed", type(error))]
        assert bench.site.under_way == 0

    def waiting(self, ending: Callable[[], Awaitable[Reply]]) -> list[Any]:
        """What is logged critically where a handler ends like this when it is cancelled."""

        async def act() -> Reply:
            try:
                await Deferred()
            except CancelledError:
                return await ending()
            raise AssertionError

        bench = Bench(Acting(act).app)
        connection = bench.connect()
        connection.send(request("GET", "/act"))
        with capturedLogs() as events:
            connection.hang_up()
        assert connection.received == b""
        assert bench.site.under_way == 0
        return self.critical(events)

    def test_failed_after_the_client_had_gone(self) -> None:
        """A failure that nobody can be told any more is logged all the same."""
        logged = self.waiting(lambda: _raise_later(ValueError()))
        assert logged == [("a request to /act failed", ValueError)]

    def test_answered_after_the_client_had_gone(self) -> None:
        """An answer that nobody waits for any more is thrown away, without a word."""

        async def answer() -> Reply:
            return Reply(b"too late")

        assert self.waiting(answer) == []

    def test_cancelled(self) -> None:
        """Being cancelled is no failure."""
        assert self.waiting(lambda: _raise_later(CancelledError())) == []

    def test_refused_after_the_client_had_gone(self) -> None:
        """Nor is a refusal."""
        assert self.waiting(lambda: _raise_later(Refused(403, "no"))) == []

    def test_no_reply(self) -> None:
        """A route that returns something else is a mistake of ours, and answered all the same."""
        bench = Bench(Acting(lambda: None).app)
        with capturedLogs() as events:
            assert bench.ask(request("GET", "/act")) == self.failed
        assert self.critical(events) == [("a request to /act failed", TypeError)]
