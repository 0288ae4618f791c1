"""What is sent to the server to try its limits, which stand here as README has them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from tests.web.driving import TEXT, Answer, request, whole

LONGEST_BODY = 65536
LONGEST_HEAD = 65536
MOST_HEADER_LINES = 100
SENDING_TIME = 15.0
IDLE_TIME = 95
LINGER = 1.0
CLOSE = {"Connection": "close"}


def echoed(text: str, *headers: Mapping[str, str]) -> Answer:
    return whole(200, text.encode(), TEXT, *headers)


def refused(status: int) -> Answer:
    """What a client is told that never got as far as a route."""
    return whole(status, f"{status} {HTTPStatus(status).phrase}\n".encode(), TEXT, CLOSE)


def chunked(*sizes: int) -> bytes:
    head = request("POST", "/", {"Transfer-Encoding": "chunked"})
    chunks = b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for size in sizes)
    return head + chunks + b"0\r\n\r\n"


def head_of(size: int) -> bytes:
    """A request whose lines have so many bytes, line ends aside."""
    bare = b"GET / HTTP/1.1\r\nFiller: \r\n\r\n"
    return bare.replace(b"Filler: ", b"Filler: " + b"x" * (size - len(bare) + 6))


def head_with(lines: int) -> bytes:
    """A request with so many lines, the first one and the empty one included."""
    return b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (lines - 2) + b"\r\n"
