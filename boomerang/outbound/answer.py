"""Answers as values, and how much of one is read."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse


@frozen
class Answer:
    """An answer. The names of headers are in lower case; of several, values are joined by commas.

    ``truncated``: the body is longer than the cap, and only its beginning was read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    truncated: bool = False


def headers_of(response: IResponse) -> Mapping[str, str]:
    """An answer's headers, as `Answer` has them."""
    return {
        name.decode("latin-1").lower(): ", ".join(value.decode("latin-1") for value in values)
        for name, values in response.headers.getAllRawHeaders()
        if any(values)  # the encoding of what has been decoded is still there, empty
    }


def read_body(response: IResponse, cap: int) -> Deferred[tuple[bytes, bool]]:
    """Read a body of at most ``cap`` bytes, and tell whether there was more.

    In that case the connection is closed, as it is when the Deferred is cancelled.
    """
    body = _Body(cap)
    response.deliverBody(body)
    return body.read


def leave_body(response: IResponse) -> None:
    """Close the connection, unless all that it brings has come already."""
    response.deliverBody(_Leaving())


class _Leaving(Protocol):
    """Does not want a body."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class _Body(Protocol):
    """Collects a body."""

    def __init__(self, cap: int) -> None:
        self.read: Deferred[tuple[bytes, bool]] = Deferred(lambda _: self._leave())
        self._room = cap
        self._chunks: list[bytes] = []
        self._left = False

    def dataReceived(self, data: bytes) -> None:
        if self._left:
            return
        self._chunks.append(data[: self._room])
        if len(data) > self._room:
            self._leave()
            self.read.callback((b"".join(self._chunks), True))
        self._room -= len(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._left:
            return
        self._left = True
        if reason.check(ResponseDone, PotentialDataLoss):
            self.read.callback((b"".join(self._chunks), False))
        else:
            self.read.errback(reason)

    def _leave(self) -> None:
        self._left = True
        assert self.transport is not None
        self.transport.loseConnection()
