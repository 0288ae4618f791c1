"""HTTP answers as values, and how one is read from the bytes that arrive.

Twisted's own client would hide what matters here: whether a broken answer had begun, and with what
framing an empty one came.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from attrs import field, frozen

LONGEST_BODY: Final = 64 * 1024
"""Bytes; Twilio takes no longer document (https://www.twilio.com/docs/api/errors/11750)."""

_STATUS_LINE: Final = re.compile(rb"HTTP/\d\.\d ([1-5]\d\d)(?: [^\r\n]*)?")
_LENGTH: Final = re.compile("[0-9]{1,15}")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_LONGEST_LINE: Final = 4096
_WITHOUT_BODY: Final = (204, 304)


class NotHttp(Exception):
    """What came is no answer in HTTP; the text says why."""


@frozen
class Answer:
    """An HTTP answer. The names of headers are in lower case, in the order in which they came.

    ``truncated``: the body is longer than `LONGEST_BODY`, and only its beginning was read.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    truncated: bool = False

    def header(self, name: str) -> str | None:
        """The first header of that name (in lower case)."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def is_chunked(self) -> bool:
        return (self.header("transfer-encoding") or "").lower().endswith("chunked")


class AnswerReader:
    """Reads one answer from the pieces in which it arrives; interim answers (1xx) are skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body = bytearray()
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._wanted = 0
        self._step: Callable[[], bool] | None = self._head

    @property
    def done(self) -> bool:
        """Whether the answer is all there, or all of it that is wanted."""
        return self._step is None

    @property
    def answer(self) -> Answer:
        """The answer, once it is all there."""
        body = bytes(self._body[:LONGEST_BODY])
        return Answer(self._status, self._headers, body, len(self._body) > LONGEST_BODY)

    def feed(self, data: bytes) -> None:
        """Take what has arrived. Raises `NotHttp`."""
        self._buffer += data
        while self._step is not None and self._step():
            pass

    def end(self) -> None:
        """The connection was closed, which may be how an answer ends; see `done` then."""
        if self._step == self._till_end:
            self._step = None

    def _head(self) -> bool:
        """Every step returns whether there may be enough for the next one."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        status_line, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        found = _STATUS_LINE.fullmatch(status_line)
        if found is None:
            raise NotHttp("the answer has no status line of HTTP")
        self._status = int(found[1])
        self._headers = tuple(map(_header, lines))
        if self._status >= 200:
            self._step = self._framing()
        return True

    def _framing(self) -> Callable[[], bool] | None:
        """How the body ends (RFC 9112 §6.3)."""
        head = Answer(self._status, self._headers)
        length = head.header("content-length")
        if self._status in _WITHOUT_BODY:
            return None
        if head.is_chunked:
            return self._chunk_size
        if length is None:
            return self._till_end
        if _LENGTH.fullmatch(length) is None:
            raise NotHttp("the answer's Content-Length is no number")
        self._wanted = int(length)
        return self._counted

    def _counted(self) -> bool:
        self._take(self._wanted)
        if self._wanted == 0:
            self._step = None
        return False

    def _till_end(self) -> bool:
        self._take(len(self._buffer))
        return False

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise NotHttp("the answer's chunks are not what HTTP calls so")
        self._wanted = int(found[1], 16)
        self._step = self._chunk if self._wanted else self._trailer
        return True

    def _chunk(self) -> bool:
        self._take(self._wanted)
        if self._wanted or self._step is None:
            return False
        self._step = self._chunk_end
        return True

    def _chunk_end(self) -> bool:
        line = self._line()
        if line:
            raise NotHttp("the answer's chunks are not what HTTP calls so")
        if line is None:
            return False
        self._step = self._chunk_size
        return True

    def _trailer(self) -> bool:
        line = self._line()
        if line == b"":
            self._step = None
        return bool(line)

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0 and len(self._buffer) > _LONGEST_LINE:
            raise NotHttp("the answer's chunks are not what HTTP calls so")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self, most: int) -> None:
        """Move so much of the body as is there; what is more than the longest is not awaited."""
        taken = self._buffer[:most]
        del self._buffer[:most]
        self._body += taken
        self._wanted = max(0, self._wanted - len(taken))
        if len(self._body) > LONGEST_BODY:
            self._step = None


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon or not name or name != name.strip():
        raise NotHttp("the answer's headers are not what HTTP calls so")
    return name.lower(), value.strip()
