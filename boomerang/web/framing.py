"""From the bytes of a connection to whole requests (RFC 9112), without a connection.

Where a request ends is said twice, here and by llhttp (through httptools), and what they do not
agree on is refused: a request that could be read in two ways is how others are smuggled in.
"""

from __future__ import annotations

import re
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from boomerang.web.chunks import Chunks
from boomerang.web.limits import LONGEST_BODY, LONGEST_HEAD, MOST_HEADER_LINES, BadMessage

Headers = dict[bytes, tuple[bytes, ...]]
"""The values of each header in their order; names are in lower case."""

_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.([01])")
_FIRST_LETTER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]")


class Message:
    """A request as it was sent; ``close`` says that it is to be the last of its connection."""

    __slots__ = ("_complete", "body", "close", "headers", "method", "target")

    def __init__(self, method: bytes = b"", target: bytes = b"", *, close: bool = False) -> None:
        self.method = method
        self.target = target
        self.close = close
        self.headers: Headers = {}
        self.body = b""
        self._complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        name = name.lower()
        headers, values = self.headers, (value.strip(b" \t"),)
        headers[name] = headers[name] + values if name in headers else values

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._complete = True

    def parse_headers(self, lines: bytes) -> None:
        """Take in what stands behind the request line, whose own form is checked elsewhere.

        llhttp knows only the methods that have been registered, and some forms of a target: what
        is strange about those is answered by the routes, so it gets to see a plain one.
        """
        try:
            HttpRequestParser(self).feed_data(b"POST / HTTP/1.1" + lines)
        except HttpParserUpgrade:
            pass  # an offer that nobody has to accept (RFC 9110 §7.8)
        except HttpParserError as error:
            raise BadMessage(413 if "Content-Length overflow" in str(error) else 400) from None
        if not self._complete:
            raise BadMessage(400)


class Reader:
    """Takes the bytes of one connection as they come, and gives requests as they are complete."""

    __slots__ = ("_asked", "_blank", "_buffer", "_chunks", "_left", "_message")

    def __init__(self) -> None:
        self._buffer = b""
        self._blank = False
        self._asked = False
        self._message: Message | None = None
        self._chunks: Chunks | None = None
        self._left = 0

    @property
    def buffered(self) -> int:
        """Bytes that have come, and belong to no complete request yet."""
        return len(self._buffer)

    @property
    def begun(self) -> bool:
        """Whether a part of a request has come."""
        return self._message is not None or self._buffer != b""

    def feed(self, data: bytes) -> None:
        """Take what has come; `next` gives the requests in it."""
        self._buffer = self._buffer + data if self._buffer else data

    def next(self) -> Message | None:
        """The next request, or `None` if it is not there yet. Raises `BadMessage`."""
        if self._message is None:
            self._message = self._read_head()
        message = self._message
        if message is None or not self._read_body(message):
            return None
        self._message = self._chunks = None
        self._blank = False
        return message

    def take_expectation(self) -> bool:
        """Whether the client waits to be told to send its body; true once for each request."""
        asked, self._asked = self._asked, False
        return asked and not self._buffer

    def _read_head(self) -> Message | None:
        buffer = self._buffer
        if buffer.startswith(b"\r\n") and not self._blank:  # old clients send one after a body
            buffer = self._buffer = buffer[2:]
            self._blank = True
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._check_beginning()
            return None
        line_ends = buffer.count(b"\r\n", 0, end)
        _check_size(end - 2 * line_ends, lines=line_ends + 2)
        message, is_old = _parsed(buffer[: end + 4])
        self._buffer = buffer[end + 4 :]
        self._expect_body(message.headers, is_old=is_old)
        return message

    def _check_beginning(self) -> None:
        """Refuse what can no more become a head: one too long, or TLS where plain text is due."""
        buffer = self._buffer
        if not buffer or (buffer == b"\r" and not self._blank):
            return
        if not _FIRST_LETTER.match(buffer):
            raise BadMessage(400)
        line_ends = buffer.count(b"\r\n")
        _check_size(len(buffer) - buffer.endswith(b"\r") - 2 * line_ends, lines=line_ends + 1)

    def _expect_body(self, headers: Headers, *, is_old: bool) -> None:
        self._left = 0
        length = headers.get(b"content-length")
        coding = headers.get(b"transfer-encoding")
        if coding is not None:
            if length is not None or is_old or len(coding) != 1 or coding[0].lower() != b"chunked":
                raise BadMessage(400)
            self._chunks = Chunks()
        elif length is not None:
            if len(length) != 1 or not length[0].isdigit():
                raise BadMessage(400)
            self._left = int(length[0])
            if self._left > LONGEST_BODY:
                raise BadMessage(413)
        expectation = headers.get(b"expect")
        self._asked = (
            expectation is not None
            and not is_old
            and [each.lower() for each in expectation] == [b"100-continue"]
        )

    def _read_body(self, message: Message) -> bool:
        """Whether the body is complete."""
        buffer, length = self._buffer, self._left
        if self._chunks is not None:
            self._buffer = self._chunks.feed(buffer)
            message.body = bytes(self._chunks.body)
            return self._chunks.complete
        if len(buffer) < length:
            return False
        if length:
            message.body = buffer[:length]
            self._buffer = buffer[length:]
        return True


def _check_size(size: int, *, lines: int) -> None:
    """The size of a head is that of its lines, without their ends."""
    if size > LONGEST_HEAD or lines > MOST_HEADER_LINES:
        raise BadMessage(431)


def _parsed(head: bytes) -> tuple[Message, bool]:
    """The head of a request, and whether it is of HTTP/1.0."""
    line_end = head.index(b"\r\n")
    found = _REQUEST_LINE.fullmatch(head, 0, line_end)
    if found is None:
        raise BadMessage(400)
    method, target, minor = found.groups()
    message = Message(method, target, close=minor == b"0")
    message.parse_headers(head[line_end:])
    connection = message.headers.get(b"connection")
    if connection is not None and _asks_to_close(connection):
        message.close = True
    return message, minor == b"0"


def _asks_to_close(values: tuple[bytes, ...]) -> bool:
    return any(option.strip() == b"close" for each in values for option in each.lower().split(b","))
