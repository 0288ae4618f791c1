"""Answers as values."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from attrs import field, frozen

Headers = tuple[tuple[bytes, bytes], ...]

_PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}

NO_STORE: Final = (b"Cache-Control", b"no-store")


@frozen
class Reply:
    """A whole answer; ``headers`` come beside Content-Type and Content-Length."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: Headers = field(default=(NO_STORE,))


class Refused(Exception):
    """A request that is not served: the status, and the reason for a person to read."""

    def __init__(self, status: int, reason: str, *, headers: Headers = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


def refusal(refused: Refused) -> Reply:
    """The answer that says so."""
    phrase = HTTPStatus(refused.status).phrase
    return Reply(
        f"{refused.status} {phrase}: {refused.reason}\n".encode("utf-8", "backslashreplace"),
        status=refused.status,
        headers=(NO_STORE, *refused.headers),
    )


def as_json(data: object, *, status: int = 200, indent: int | None = 2) -> Reply:
    """Data as a JSON document; without an indent in one line, for programs."""
    text = json.dumps(data, indent=indent) + "\n"
    return Reply(text.encode(), content_type="application/json", status=status)


def head(reply: Reply, *, date: bytes, close: bool) -> bytes:
    """Status line and headers. The length is given, so that nothing needs to be chunked.

    204 has no content, and so neither its type nor its length (RFC 9110 §8.6).
    """
    lines = _beginning(reply, date)
    if reply.status != HTTPStatus.NO_CONTENT:
        lines.append(b"Content-Type: " + reply.content_type.encode())
        lines.append(b"Content-Length: %d" % len(reply.body))
    lines += (name + b": " + value for name, value in reply.headers)
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def stream_head(reply: Reply, *, date: bytes) -> bytes:
    """Status line and headers of an answer whose end is that of the connection."""
    lines = _beginning(reply, date)
    lines.append(b"Content-Type: " + reply.content_type.encode())
    lines += (name + b": " + value for name, value in reply.headers)
    lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _beginning(reply: Reply, date: bytes) -> list[bytes]:
    return [
        b"HTTP/1.1 %d %s" % (reply.status, _PHRASES.get(reply.status, b"Unknown")),
        b"Date: " + date,
    ]
