"""Answers as values, and as they look on the wire."""

from __future__ import annotations

import json

import pytest
from attrs import frozen
from klein import Klein

from boomerang.web.reply import Refused, Reply, as_json, refusal
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from tests.web.driving import NO_STORE, TEXT, Answer, Bench, request, whole


@frozen(eq=False)
class Saying:
    """A route that gives the same reply to everyone."""

    reply: Reply

    app = Klein()

    @route(app, "/", "GET")
    def say(self, request: GuardedRequest) -> Reply:
        return self.reply


JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "text/xml; charset=utf-8"}
SPLIT = b"\0\xff\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (Reply(b"hi"), whole(200, b"hi", TEXT, NO_STORE)),
        (Reply(b""), whole(200, b"", TEXT, NO_STORE)),
        (Reply(SPLIT), whole(200, SPLIT, TEXT, NO_STORE)),
        (Reply(b"<x/>", content_type=XML["Content-Type"], headers=()), whole(200, b"<x/>", XML)),
        (
            Reply(b"x", status=503, headers=((b"A", b"a, b"), (b"B", b""))),
            whole(503, b"x", TEXT, {"A": "a, b", "B": ""}),
        ),
        (
            refusal(Refused(405, "use GET", headers=((b"Allow", b"GET"),))),
            whole(405, b"405 Method Not Allowed: use GET\n", TEXT, NO_STORE, {"Allow": "GET"}),
        ),
        (
            refusal(Refused(400, "grüße \udcff")),
            whole(400, "400 Bad Request: grüße \\udcff\n".encode(), TEXT, NO_STORE),
        ),
        (
            as_json({"a": [1, None], "ü": "ü"}, status=503),
            whole(
                503,
                b'{\n  "a": [\n    1,\n    null\n  ],\n  "\\u00fc": "\\u00fc"\n}\n',
                JSON,
                NO_STORE,
            ),
        ),
    ],
)
def test_on_the_wire(reply: Reply, answer: Answer) -> None:
    """A reply goes out whole: its status, its own headers once each, its length, its body."""
    given = Bench(Saying(reply).app).ask(request("GET", "/"))
    assert given == answer
    assert given.date is not None


def test_to_head() -> None:
    """The answer to HEAD is that to GET without its body; the connection can be used again."""
    bench = Bench(Saying(Reply(b"hello")).app)
    connection = bench.connect()
    connection.send(request("HEAD", "/") + request("GET", "/"))
    to_head, to_get = connection.answers(to_head={0})
    assert to_head.body == b""
    assert to_get.body == b"hello"
    assert to_head.headers == to_get.headers


def test_json_by_default() -> None:
    """JSON is an answer like others where no status is given."""
    reply = as_json({"a": 1})
    assert (reply.status, json.loads(reply.body)) == (200, {"a": 1})


def test_a_refusal_is_an_error() -> None:
    """A refusal that nobody turns into an answer says why in the log."""
    assert str(Refused(403, "no")) == "no"
