"""Whatever bytes come, in whatever pieces: HTTP goes back, or nothing; and nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import quote
from xml.etree import ElementTree

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs, formatEvent

from boomerang.retry.outcomes import FOLLOWED, SWEEP_EVERY
from boomerang.web.limits import LONGEST_HEAD
from tests.web.driving import APP, FIELDS, Answer, Connection, Daemon, get, post, request

LONGEST_LIFE = 200
"""Seconds in which any connection of these tests must have come to its end by itself."""

STATUSES = {100, 200, 302, 400, 403, 404, 405, 408, 413, 431, 500}


@cache
def daemon(**environment: str) -> Daemon:
    """One daemon for all examples of a test: what they leave behind would meet the next."""
    return Daemon(**environment)


@contextmanager
def nothing_left(host: Daemon) -> Iterator[Connection]:
    """A connection which must end by itself, and leave neither a trace nor a traceback."""
    before = len(host.clock.getDelayedCalls())
    with capturedLogs() as events:
        connection = host.connect()
        yield connection
        for _ in range(LONGEST_LIFE):
            host.clock.advance(0 if connection.closed else 1)
    assert connection.closed
    assert host.site.under_way == 0
    assert host.site.channels == set()
    host.clock.pump([SWEEP_EVERY] * round(FOLLOWED / SWEEP_EVERY + 2))  # what became of it
    assert len(host.clock.getDelayedCalls()) == before
    critical = [formatEvent(event) for event in events if event["log_level"] is LogLevel.critical]
    assert critical == []


def check(answers: list[Answer]) -> None:
    for answer in answers:
        assert answer.status in STATUSES
        assert not 300 <= answer.status < 400 or answer.headers["Location"].startswith("https://")


VALID = [
    get("/retry", FIELDS),
    post("/retry?FallbackUrl=https://static.example.com/sorry.xml", FIELDS),
    post("/retry", {**FIELDS, "ErrorCode": "12100"}),
    post("/retry/continue?token=x", FIELDS),
    get("/retry/continue", FIELDS),
    request("GET", "/health"),
    request("GET", "/", {"Connection": "close"}),
    request("POST", "/nowhere", body=b"x" * 300),
    request("PUT", "/retry", {"Expect": "100-continue"}, b"hello"),
    request("POST", "/retry", {"Transfer-Encoding": "chunked"}) + b"3\r\nabc\r\n0\r\n\r\n",
    request("POST", "/health", {"Transfer-Encoding": "chunked"})
    + b"1;x=y\r\na\r\n0\r\nA: b\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\n\r\n",
]

TOKENS = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"\t",
    b"\0",
    b"%",
    b"%00",
    b"\xff",
    b"\xc3",
    b"&",
    b"=",
    b"//",
    b"0\r\n\r\n",
    b"ffffffff\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999999999\r\n",
    b"Content-Length: " + b"9" * 5000 + b"\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Host: \xff\r\n",
    b"X-Twilio-Signature: \xff\r\n",
    b"Content-Type: \xff\r\n",
    b"Authorization: Basic \xff\r\n",
    b"A: b\r\n" * 120,
    b"x" * 17000,
    b"HTTP/1.0",
    b"POST",
    b"GET /",
]

Change = Callable[[bytes], bytes]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """One change at a place of any message, given as a share of its length."""
    share = draw(st.floats(0, 1))
    length = draw(st.integers(0, 20))
    what = draw(st.sampled_from(["cut", "twice", "token", "bytes", "end"]))
    token = draw(st.sampled_from(TOKENS)) if what == "token" else draw(st.binary(max_size=8))

    def change(data: bytes) -> bytes:
        place = int(share * len(data))
        before, part, after = data[:place], data[place : place + length], data[place + length :]
        match what:
            case "cut":
                return before + after
            case "twice":
                return before + part + part + after
            case "token":
                return before + token + part + after
            case "bytes":
                return before + token + after
            case _:
                return before

    return change


cuts = st.lists(st.floats(0, 1), max_size=6)


def places(shares: list[float], data: bytes) -> list[int]:
    return [int(share * len(data)) for share in shares]


@settings(max_examples=200)
@given(st.binary(max_size=400), cuts)
@example(b"\r\n" * 100, [0.5])
@example(b"x" * 70000, [])
@example(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [])
@example(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [])
@example(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 120 + b"x" * 17000, [])
def test_any_bytes(data: bytes, shares: list[float]) -> None:
    """No bytes make it fail, or keep a connection beyond its limits."""
    with nothing_left(daemon()) as connection:
        connection.send(data, cuts=places(shares, data))
    check(connection.answers())


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(VALID), min_size=1, max_size=4).map(b"".join),
    st.lists(changes(), max_size=4),
    cuts,
)
def test_damaged_requests(data: bytes, damages: list[Change], shares: list[float]) -> None:
    """Requests that were damaged on the way are answered or refused."""
    for damage in damages:
        data = damage(data)
    with nothing_left(daemon(TWILIO_AUTH_TOKEN="12345")) as connection:
        connection.send(data, cuts=places(shares, data))
    check(connection.answers())


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(VALID), min_size=1, max_size=4).map(b"".join),
    st.lists(changes(), max_size=2),
    st.floats(0, 1),
    st.sampled_from([0.0, 1.0, 8.0, 16.0]),
)
def test_hanging_up_anywhere(
    data: bytes, damages: list[Change], share: float, after: float
) -> None:
    """A client may go away after any byte and at any time."""
    for damage in damages:
        data = damage(data)
    host = daemon()
    with nothing_left(host) as connection:
        connection.send(data[: int(share * len(data))])
        host.clock.advance(after)
        connection.hang_up()


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from([one for one in VALID if b"close" not in one and b"1.0" not in one]),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
)
def test_pieces_do_not_matter(requests: list[bytes], shares: list[float]) -> None:
    """The answers are the same however the requests are cut; only their time is another."""
    data = b"".join(requests)

    def answers(edges: list[int]) -> list[tuple[int, str | None]]:
        with nothing_left(Daemon(BOOMERANG_RETRY_WAIT="0")) as connection:
            connection.send(data, cuts=edges)
        given = connection.answers()
        return [
            (answer.status, answer.headers.get("Boomerang-Decision"))
            for answer in given
            if answer.status != 100
        ]

    whole = answers([])
    assert len(whole) == len(requests)
    assert answers(places(shares, data)) == whole


odd_text = st.text(max_size=30) | st.sampled_from(
    [APP, "", "11200", "12100", "GET", "post", "https://a.example.com/#x", "https://[::1]/", "//a"]
)
odd_fields = st.dictionaries(
    st.sampled_from([*FIELDS, "MessageSid", "SmsSid", "FallbackUrl", "Method", "FallbackMethod"]),
    odd_text,
)


@settings(max_examples=400)
@given(odd_fields, odd_fields, st.sets(st.sampled_from(sorted(FIELDS))), st.booleans())
def test_odd_parameters(
    form: dict[str, str], query: dict[str, str], missing: set[str], posted: bool
) -> None:
    """Whatever the parameters say, Twilio gets TwiML, a reason or its 500, never a 3xx."""
    sent = {name: value for name, value in FIELDS.items() if name not in missing} | form
    target = get("/retry", query).split(b" ")[1].decode()
    data = post(target, sent) if posted else get(target, sent)
    with nothing_left(daemon(BOOMERANG_RETRY_WAIT="0")) as connection:
        connection.send(data)
    answer = connection.answer()
    assert answer.status in (200, 400, 500)
    assert ("Boomerang-Decision" in answer.headers) is (answer.status != 400)
    if answer.status == 200:
        (verb,) = ElementTree.fromstring(answer.body)
        assert verb.tag == "Redirect"
        assert verb.get("method") in ("GET", "POST")
        assert verb.text in {sent["ErrorUrl"], query.get("FallbackUrl"), sent.get("FallbackUrl")}


@cache
def patient() -> tuple[Daemon, str]:
    """A daemon that holds calls in turns, and the target of a call that is to come back."""
    host = daemon(
        BOOMERANG_RETRY_PROBE="http://127.0.0.1:1/",
        BOOMERANG_RETRY_HOLD_LIMIT="20",
        BOOMERANG_RETRY_HOLD_MESSAGE="One moment, please.",
    )
    with nothing_left(host) as connection:
        connection.send(post("/retry", FIELDS))
    *_, back = ElementTree.fromstring(connection.answer().body)
    assert back.text is not None
    return host, back.text.partition("example.com")[2]


@settings(max_examples=300)
@given(st.text(max_size=30), st.lists(changes(), max_size=2), odd_fields, st.booleans())
@example("", [], {}, True)
@example("", [], {}, False)
def test_odd_returns(
    made_up: str, damages: list[Change], fields: dict[str, str], posted: bool
) -> None:
    """Whoever comes back with whatever token gets what was promised to the call, or the reason."""
    host, target = patient()
    promised = target.partition("token=")[2].encode()
    token = made_up.encode("utf-8", "surrogatepass") or promised
    for damage in damages:
        token = damage(token)
    sent = {"CallSid": FIELDS["CallSid"], **fields}
    target = f"/retry/continue?token={quote(token)}"
    asked = post(target, sent) if posted else get(target, sent)
    with nothing_left(host) as connection:
        connection.send(asked)
    answer = connection.answer()
    if answer.status == 431:  # a damage may make a token longer than a head may be
        assert len(asked.partition(b"\r\n\r\n")[0]) > LONGEST_HEAD
        return
    assert answer.status in (200, 400, 403)
    if answer.status == 200:
        assert token == promised
        assert sent["CallSid"] == FIELDS["CallSid"]
        (verb,) = ElementTree.fromstring(answer.body)
        assert verb.text == APP
    elif not (made_up or damages or fields):
        raise AssertionError("a call that keeps its promise is refused")
