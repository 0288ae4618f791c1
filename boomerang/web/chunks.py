"""A body sent in chunks (RFC 9112 §7.1)."""

from __future__ import annotations

from typing import Final

from httptools import HttpParserError, HttpRequestParser

from boomerang.web.limits import LONGEST_BODY, LONGEST_HEAD, BadMessage

_HEAD: Final = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
_LONGEST_LINE: Final = 1024


class Chunks:
    """Puts a body together. Extensions and trailers are checked, and ignored.

    llhttp is given one line or piece at a time and judges each, so that its idea of where the body
    ends cannot be another than ours.
    """

    __slots__ = ("_left", "_parser", "_trailing", "body", "complete")

    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False
        self._left = 0
        self._trailing = 0
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(_HEAD)

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        self.body += data

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.complete = True

    def feed(self, data: bytes) -> bytes:
        """Take what can be understood; return what is left over. Raises `BadMessage`."""
        place = 0
        while not self.complete and place < len(data):
            if self._left:
                end = min(place + self._left, len(data))
                self._parse(data[place:end])
                self._left -= end - place
            else:
                end = data.find(b"\r\n", place) + 2
                self._check_line((end or len(data) + 2) - place)
                if end < 2:
                    break
                self._take_line(data[place:end])
            place = end
        return data[place:]

    def _take_line(self, line: bytes) -> None:
        self._parse(line)
        if self._trailing:
            self._trailing += len(line)
            return
        size = int(line.partition(b";")[0], 16)
        if len(self.body) + size > LONGEST_BODY:
            raise BadMessage(413)
        if size:
            self._left = size + len(b"\r\n")
        else:
            self._trailing = len(line)

    def _check_line(self, length: int) -> None:
        if self._trailing + length > LONGEST_HEAD:
            raise BadMessage(431)
        if not self._trailing and length > _LONGEST_LINE:
            raise BadMessage(400)

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except HttpParserError:
            raise BadMessage(400) from None
