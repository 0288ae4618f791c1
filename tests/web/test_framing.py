"""Where requests begin and end, compared with what twisted.web makes of the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as TwistedRequest

from boomerang.web.framing import Reader
from boomerang.web.limits import LONGEST_HEAD, BadMessage
from tests.web.test_fuzz import VALID, Change, changes

Seen = tuple[bytes, bytes, bytes, dict[bytes, list[bytes]]]
"""Method, target, body and headers of a request, as a server understood it."""

CHUNKED = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def seen_here(pieces: Sequence[bytes]) -> tuple[list[Seen], bool]:
    """The requests in what was sent, and whether the rest was refused."""
    reader = Reader()
    found: list[Seen] = []
    for piece in pieces:
        reader.feed(piece)
        try:
            while (message := reader.next()) is not None:
                headers = {
                    name.lower(): list(message.repeated.get(name, (value.strip(),)))
                    for name, value in message.headers.items()
                }
                found.append((message.method, message.target, message.body, headers))
                if message.close:
                    return found, False
        except BadMessage:
            return found, True
    return found, False


def seen_by_twisted(data: bytes) -> tuple[list[Seen], bool]:
    """The same, as twisted.web sees it."""
    found: list[Seen] = []

    class Noting(TwistedRequest):
        def __init__(self, channel: Any, *args: Any) -> None:
            super().__init__(channel, parsePOSTFormSubmission=False)

        def process(self) -> None:
            headers = {
                name.lower(): list(values)
                for name, values in self.requestHeaders.getAllRawHeaders()
            }
            assert self.content is not None
            found.append((self.method, self.uri, self.content.read(), headers))
            self.finish()

    channel: Any = HTTPChannel()
    channel.requestFactory = Noting
    channel.timeOut = None
    channel.MAX_LENGTH = channel.totalHeadersSize = LONGEST_HEAD
    transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 1), lenient=True)
    channel.makeConnection(transport)
    channel.dataReceived(data)
    return found, b"400 Bad Request" in transport.value()


TABLE = [
    *VALID,
    b"".join(one for one in VALID if b"close" not in one and b"1.0" not in one),
    b"GET / HTTP/1.1\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\n\r\n",
    b"BREW /pot?a=b#c HTTP/1.1\r\nA:b\r\nA:  c \t\r\nEmpty:\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"CONNECT a.example.com:443 HTTP/1.1\r\n\r\n",
    b"GET http://a.example.com/b HTTP/1.1\r\nHost: c\r\n\r\n",
    b"POST / HTTP/1.1\r\ncontent-length: 0003\r\n\r\nabcGET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nOdd: \xff\xc3\r\n\r\n",
    b"GET / HTTP/1.1\r\nTab: a\tb\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\nx",
    CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
    CHUNKED + b"3;a=b\r\nabc\r\n000A\r\n0123456789\r\n0\r\n\r\nGET /next HTTP/1.1\r\n\r\n",
    CHUNKED + b"2\r\n\r\n\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\nGET /next HTTP/1.1\r\n\r\n",
    CHUNKED.replace(b"chunked", b"Chunked") + b"0\r\n\r\n",
]


@pytest.mark.parametrize("data", TABLE)
def test_as_twisted_web(data: bytes) -> None:
    """What is fine is understood as twisted.web understands it, header for header."""
    found, refused = seen_here([data])
    assert not refused
    assert found
    assert (found, refused) == seen_by_twisted(data)


@pytest.mark.parametrize("data", TABLE)
def test_cut_anywhere(data: bytes) -> None:
    """Requests are the same however their bytes come."""
    whole = seen_here([data])
    assert seen_here([data[place : place + 1] for place in range(len(data))]) == whole
    for place in range(0, len(data), 7):
        assert seen_here([data[:place], data[place:]]) == whole


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(TABLE), min_size=1, max_size=3).map(b"".join),
    st.lists(changes(), min_size=1, max_size=3),
)
def test_never_more_than_twisted_web(data: bytes, damages: list[Change]) -> None:
    """Of damaged bytes no request is made that twisted.web would not have made of them.

    There may be fewer: what is refused here is refused from there on.
    """
    for damage in damages:
        data = damage(data)
    found, _ = seen_here([data])
    try:
        theirs, _ = seen_by_twisted(data)
    except ValueError:  # a Content-Length of more digits than Python makes a number of
        return
    assert found == theirs[: len(found)]


def test_nothing_is_left_behind() -> None:
    """After a request nothing of it stays, and nothing has begun."""
    reader = Reader()
    for data in TABLE[:5]:
        reader.feed(data)
        assert reader.begun
        assert reader.next() is not None
        assert (reader.begun, reader.buffered) == (False, 0)


@pytest.mark.parametrize(
    ("sent", "begun"),
    [(b"", False), (b"\r\n", False), (b"\r", True), (b"G", True), (CHUNKED, True)],
)
def test_begun(sent: bytes, begun: bool) -> None:
    """A request has begun with its first byte, which an empty line before it is not."""
    reader = Reader()
    reader.feed(sent)
    assert reader.next() is None
    assert reader.begun is begun
