"""From the bytes of a connection to whole requests (RFC 9112), without a connection.

Where a request ends is said twice, here and by llhttp (through httptools), and what they do not
agree on is refused: a request that could be read in two ways is how others are smuggled in.
"""

from __future__ import annotations

import re
from typing import Final

from boomerang.web.chunks import Chunks
from boomerang.web.headers import Headers, Repeated, read_headers
from boomerang.web.limits import LONGEST_BODY, LONGEST_HEAD, MOST_HEADER_LINES, BadMessage

_REQUEST_LINE: Final = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.([01])\r\n"
)
_FIRST_LETTER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]")


class Message:
    """A request as it was sent; ``close`` says that it is to be the last of its connection."""

    __slots__ = ("body", "close", "headers", "method", "repeated", "target")

    def __init__(
        self, method: bytes, target: bytes, headers: Headers, repeated: Repeated, close: bool
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.repeated = repeated
        self.close = close
        self.body = b""

    def single(self, name: bytes) -> bytes | None:
        """The value of a header that is given once; its name is in title case."""
        value = self.headers.get(name)
        return None if value is None or name in self.repeated else value.strip()


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
        message = self._message
        if message is None:
            if not self._buffer:
                return None
            message = self._message = self._read_head()
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
        if not self._blank and buffer.startswith(b"\r\n"):  # old clients send one after a body
            buffer = self._buffer = buffer[2:]
            self._blank = True
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._check_beginning()
            return None
        line_ends = buffer.count(b"\r\n", 0, end)
        _check_size(end - 2 * line_ends, line_ends + 2)
        found = _REQUEST_LINE.match(buffer)
        if found is None:
            raise BadMessage(400)
        method, target, minor = found.groups()
        is_old = minor == b"0"
        headers, repeated = read_headers(buffer[found.end() : end + 4], line_ends)
        message = Message(
            method, target, headers, repeated, is_old or _asks_to_close(headers, repeated)
        )
        self._buffer = buffer[end + 4 :]
        self._expect_body(message, is_old)
        return message

    def _check_beginning(self) -> None:
        """Refuse what can no more become a head: one too long, or TLS where plain text is due."""
        buffer = self._buffer
        if not buffer or (buffer == b"\r" and not self._blank):
            return
        if not _FIRST_LETTER.match(buffer):
            raise BadMessage(400)
        line_ends = buffer.count(b"\r\n")
        _check_size(len(buffer) - buffer.endswith(b"\r") - 2 * line_ends, line_ends + 1)

    def _expect_body(self, message: Message, is_old: bool) -> None:
        find = message.headers.get
        self._left = 0
        length = find(b"Content-Length")
        if find(b"Transfer-Encoding") is not None:
            coding = message.single(b"Transfer-Encoding")
            if length is not None or is_old or coding is None or coding.lower() != b"chunked":
                raise BadMessage(400)
            self._chunks = Chunks()
        elif length is not None:
            length = length.strip()
            if b"Content-Length" in message.repeated or not length.isdigit():
                raise BadMessage(400)
            self._left = int(length)
            if self._left > LONGEST_BODY:
                raise BadMessage(413)
        self._asked = (
            find(b"Expect") is not None
            and not is_old
            and (message.single(b"Expect") or b"").lower() == b"100-continue"
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


def _check_size(size: int, lines: int) -> None:
    """The size of a head is that of its lines, without their ends."""
    if size > LONGEST_HEAD or lines > MOST_HEADER_LINES:
        raise BadMessage(431)


def _asks_to_close(headers: Headers, repeated: Repeated) -> bool:
    name = b"Connection"
    last = headers.get(name)
    if last is None:
        return False
    values = repeated.get(name, (last,))
    return any(option.strip() == b"close" for each in values for option in each.lower().split(b","))
