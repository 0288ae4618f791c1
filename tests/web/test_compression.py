"""Answers made smaller for whoever can read them so."""

from __future__ import annotations

from gzip import decompress

import pytest
from klein import Klein

from boomerang.web.compression import LEAST, gzipped, suited, takes_gzip
from boomerang.web.reply import Reply
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from tests.web.driving import Bench, request

LONG = b"x" * (LEAST + 1)


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("br, zstd", False),
        ("deflate", False),
        ("gzip;q=0.001", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip ;q=0, deflate", False),
        ("gzip;Q=0", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0, gzip", True),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("identity;q=0, *;q=0.5", True),
        ("gzip;q=1.5", False),
        ("gzip;q=often", False),
        ("gzip,", True),
        (", ,", False),
        ('"gzip', False),
        ("gzipped", False),
        ("\udcff", False),
    ],
)
def test_accepted(accepted: str | None, expected: bool) -> None:
    """Gzip is sent to who takes it, and does not like the body as it is better."""
    assert takes_gzip(accepted) is expected


class Route:
    """Answers with the body that it was made of."""

    app = Klein()

    def __init__(self, body: bytes, ready: bytes | None = None) -> None:
        self._body = body
        self._ready = ready

    @route(app, "/", "GET")
    def answer(self, request: GuardedRequest) -> Reply:
        return suited(Reply(self._body), request, ready=self._ready)


@pytest.mark.parametrize(("length", "encoding"), [(LEAST, None), (LEAST + 1, "gzip")])
def test_length(length: int, encoding: str | None) -> None:
    """Only what is longer than a packet is compressed."""
    asked = request("GET", "/", {"Accept-Encoding": "gzip"})
    answer = Bench(Route(b"x" * length).app).ask(asked)
    assert answer.headers.get("Content-Encoding") == encoding


def test_ready() -> None:
    """What is compressed already is not compressed again."""
    ready = gzipped(b"the same, compressed once")
    asked = request("GET", "/", {"Accept-Encoding": "gzip"})
    answer = Bench(Route(LONG, ready).app).ask(asked)
    assert decompress(answer.body) == b"the same, compressed once"


def test_repeated() -> None:
    """A header that is given twice, and may contradict itself, is not relied on."""
    headers = [("Accept-Encoding", "gzip"), ("Accept-Encoding", "gzip;q=0")]
    answer = Bench(Route(LONG).app).ask(request("GET", "/", headers))
    assert answer.body == LONG
    assert answer.headers["Vary"] == "Accept-Encoding"
