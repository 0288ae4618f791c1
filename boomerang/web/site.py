"""The HTTP server's own limits: body, headers, slow senders, and the count of requests under way.

twisted.web bounds neither the size of a body nor the time that a sender takes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, AnyStr, BinaryIO, Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString
from twisted.web.http_headers import Headers
from twisted.web.server import Request, Site

from boomerang.web.reply import Reply, head, stream_head

LONGEST_BODY: Final = 65536
LONGEST_HEAD: Final = 16384
MOST_HEADER_LINES: Final = 100
SENDING_TIME: Final = 15.0
"""Seconds from the first byte of a request to its last."""

IDLE_TIME: Final = 95
"""Seconds that a connection may rest between requests; Heroku's router keeps its own for 90, and
a server that closes first makes it fail (H13, H18)."""

MOST_UNREAD: Final = 262_144
"""Bytes of a stream that a client may leave unread."""

_LINGER: Final = 1.0
"""Seconds in which what a refused client still sends is thrown away, so that it sees the answer."""


class GuardedRequest(Request):
    """A request that is counted, and whose handler is told when the client goes away."""

    site: GuardedSite
    channel: Any
    content: BinaryIO | None
    under_way = False
    _streams = False
    _unread = 0
    answer: Deferred[Any] | None = None

    def __init__(self, channel: Any, *args: Any) -> None:
        super().__init__(channel, parsePOSTFormSubmission=False)

    def handleContentChunk(self, data: bytes) -> None:
        if self.channel.refused or self.content is None:
            return
        if self.content.tell() + len(data) > LONGEST_BODY:
            self.channel.refuse(413)
        else:
            super().handleContentChunk(data)

    def getHeader(self, key: AnyStr) -> AnyStr | None:
        """The last value of a header, whatever its bytes: those that are not UTF-8 become lone
        surrogates. Twisted's own `getHeader` fails, and anyone may send them."""
        if isinstance(key, bytes):
            return super().getHeader(key)
        value = super().getHeader(key.encode("ascii"))
        return None if value is None else value.decode("utf-8", "surrogateescape")

    def process(self) -> None:
        site = self.site = self.channel.site
        self.under_way = True
        site.entered(self)
        site.handle(self)

    def answer_with(self, reply: Reply) -> None:
        """Send a whole answer, and end the request.

        Head and body are put together here and written as one: Twisted's way, through objects for
        each header, takes 20 µs more of CPU for every request.
        """
        close = not self.channel.persistent
        body = b"" if self.method == b"HEAD" else reply.body
        self.startedWriting = 1
        self.channel.write(head(reply, date=self.site.date(), close=close) + body)
        self.finish()

    def begin_stream(self, reply: Reply) -> None:
        """Send the head of an answer that goes on until one of the two goes away.

        It is not counted as under way: whoever stops the process need not wait for it.
        """
        self._left()
        self.startedWriting = 1
        self._streams = True
        self.site.streams.add(self)
        self.channel.write(stream_head(reply, date=self.site.date()))

    def send(self, data: bytes) -> None:
        """Send more of a stream; a client that does not read is let go of."""
        if not self._streams:
            return
        self._unread = self._unread + len(data) if self.channel.paused else 0
        if self._unread > MOST_UNREAD:
            self.channel.transport.abortConnection()
        else:
            self.channel.write(data)

    def end_stream(self) -> None:
        if self._streams:
            self._streams = False
            self.site.streams.discard(self)
            self.channel.loseConnection()

    def finish(self) -> None:
        super().finish()
        self._left()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        if self._streams:
            self._streams = False
            self.site.streams.discard(self)
        self._left()
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.cancel()

    def forget_parameters(self) -> None:
        """Let go of what was sent, so that it takes no memory while the request is held."""
        self.args = {}
        content, self.content = self.content, None
        if content is not None:
            content.close()
        self.requestHeaders = self.responseHeaders = _NO_HEADERS
        self.received_cookies = _NO_COOKIES
        self.client = self.host = None

    def _left(self) -> None:
        if self.under_way:
            self.under_way = False
            self.site.left()


class GuardedChannel(HTTPChannel):
    """A connection whose requests must be of a reasonable size, and arrive in reasonable time."""

    MAX_LENGTH = LONGEST_HEAD
    totalHeadersSize = 2 * LONGEST_HEAD
    maxHeaders = 2 * MOST_HEADER_LINES
    # Attributes that are named here do not fill up the instance's dictionary, which would double
    # in size: of the memory of a held request this saves 1 KiB.
    __slots__ = (
        "_answering",
        "_deadline",
        "_head_lines",
        "_head_size",
        "_linger",
        "_receiving",
        "callLater",
        "refused",
        "requestFactory",
        "site",
        "timeOut",
    )

    site: GuardedSite
    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.refused = False
        self._receiving = False
        self._answering = False
        self._head_size = 0
        self._head_lines = 0
        self._deadline: IDelayedCall | None = None
        self._linger: IDelayedCall | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.channels.add(self)

    def dataReceived(self, data: bytes) -> None:
        if self.refused:
            return
        super().dataReceived(data)
        if self._buffer and not self._answering:  # the beginning of a line
            self._receiving = True
        self._watch_sender()

    def lineReceived(self, line: bytes) -> None:
        if self.refused:
            return
        # An empty line before a request is tolerated, and begins none.
        self._receiving = bool(line or self._head_lines)
        self._head_size += len(line)
        self._head_lines += 1
        if self._head_size > LONGEST_HEAD or self._head_lines > MOST_HEADER_LINES:
            self.refuse(431)
            return
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse(431)

    def headerReceived(self, line: bytes) -> bool:
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a Content-Length of more digits than Python makes a number of
            self.refuse(413)
            return False

    def allHeadersReceived(self) -> None:
        if self.length is not None and self.length > LONGEST_BODY:
            self.refuse(413)
        else:
            super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> None:
        if not self.refused:
            super().rawDataReceived(data)

    def allContentReceived(self) -> None:
        if self.refused:
            return
        self._receiving = False
        self._answering = True
        self._head_size = self._head_lines = 0
        self._stop_watching()
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        self._answering = False
        super().requestDone(request)

    def pauseProducing(self) -> None:
        """The client reads its answers more slowly than they are made: begin no further one."""
        self.paused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        super().resumeProducing()
        if self._buffer and not self._answering:
            self.dataReceived(b"")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.site.channels.discard(self)
        self._stop_watching()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        super().connectionLost(reason)

    def close_when_idle(self) -> None:
        """Close after the answer under way, or now if there is none (shutting down).

        A request that is arriving is not told: Twisted drops what comes on a connection that is not
        persistent, and `GuardedSite.entered` sees to it once the request is there.
        """
        if self._answering:
            self.persistent = False
        elif not self._receiving:
            self.loseConnection()

    def refuse(self, status: int) -> None:
        """Answer, listen no more, and close once the client has had time to read it."""
        if self.refused:
            return
        self.refused = True
        self.site.watch_refusal(status)
        text = f"{status} {HTTPStatus(status).phrase}"
        self.transport.write(
            f"HTTP/1.1 {text}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(text) + 1}\r\n\r\n{text}\n".encode()
        )
        self._linger = self.callLater(_LINGER, self.transport.abortConnection)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Refuse like all else: Twisted's own way counts nothing, and may cut its answer off."""
        self.refuse(400)

    def _watch_sender(self) -> None:
        """Let the clock run while a request has begun to arrive, and has not yet ended."""
        if not self._receiving or self._answering or self.refused:
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.callLater(SENDING_TIME, partial(self.refuse, 408))

    def _stop_watching(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()


class GuardedSite(Site):
    """A site that hands each request to ``handle``, and knows how many are under way.

    ``watch_refusal`` is called with the status of each request that never became one.
    """

    noisy = False
    protocol = cast(Any, GuardedChannel)
    requestFactory = cast(Any, GuardedRequest)

    def __init__(
        self,
        handle: Callable[[GuardedRequest], None],
        *,
        clock: IReactorTime,
        watch_refusal: Callable[[int], None],
    ) -> None:
        super().__init__(None, timeout=IDLE_TIME, reactor=clock)
        self.handle = handle
        self.watch_refusal = watch_refusal
        self.channels: set[GuardedChannel] = set()
        self.streams: set[GuardedRequest] = set()
        self.under_way = 0
        self._clock = clock
        self._dated, self._date = -1, b""
        self._draining: Deferred[None] | None = None

    def log(self, request: object) -> None:
        """No access log: the decisions are logged, one line each."""

    def date(self) -> bytes:
        """The instant for a Date header, made once a second."""
        now = int(self._clock.seconds())
        if now != self._dated:
            self._dated, self._date = now, datetimeToString()
        return self._date

    def entered(self, request: GuardedRequest) -> None:
        self.under_way += 1
        if self._draining is not None:
            request.channel.persistent = False

    def left(self) -> None:
        self.under_way -= 1
        if not self.under_way and self._draining is not None and not self._draining.called:
            self._draining.callback(None)

    def drain(self) -> Deferred[None]:
        """Close what rests; fires when the requests under way have been answered."""
        if self._draining is None:
            self._draining = Deferred()
            for stream in tuple(self.streams):
                stream.end_stream()
            for channel in tuple(self.channels):
                channel.close_when_idle()
            if not self.under_way:
                self._draining.callback(None)
        return self._draining


_NO_COOKIES: Final[dict[bytes, bytes]] = {}
_NO_HEADERS: Final = Headers()
