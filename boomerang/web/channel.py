"""A connection of the HTTP server: HTTP/1.1 on httptools, with limits.

twisted.web's channel and request took 38 µs of CPU for a request that is answered at once, these
take 11 (benchmarks/README.md), and it bounds neither a body nor the time that a sender takes.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from boomerang.web.framing import Message, Reader
from boomerang.web.limits import LINGER, MOST_AHEAD, MOST_BEHIND, SENDING_TIME, BadMessage
from boomerang.web.request import GuardedRequest

if TYPE_CHECKING:
    from boomerang.web.site import GuardedSite


@implementer(IPushProducer)
class GuardedChannel(Protocol):
    """Reads requests, one at a time, and begins each when the one before it has been answered.

    ``persistent`` says whether the connection is kept after the answer, ``request`` is the one
    under way.
    """

    # Without a dictionary of its own a connection takes less memory while its request is held.
    __slots__ = (
        "_asked",
        "_beginning",
        "_behind",
        "_deadline",
        "_direct",
        "_held_back",
        "_linger",
        "_over",
        "_piling_up",
        "_reader",
        "connected",
        "persistent",
        "request",
        "site",
        "transport",
    )

    transport: Any

    def __init__(self, site: GuardedSite) -> None:
        self.site = site
        self.request: GuardedRequest | None = None
        self.persistent = True
        self._reader = Reader()
        self._over = False  # nothing more is read: refused, closing, or streaming
        self._asked = False
        self._beginning = False
        self._held_back = False  # we do not read
        self._piling_up = False  # the client does not read
        self._behind = 0
        self._direct = False  # nothing waits in the transport's buffer
        self._deadline: IDelayedCall | None = None
        self._linger: IDelayedCall | None = None

    # What the transport calls

    def connectionMade(self) -> None:
        self._direct = isinstance(self.transport, Connection)
        self.transport.registerProducer(self, True)
        self.site.channels.add(self)
        self.site.resters.add(self)

    def dataReceived(self, data: bytes) -> None:
        self.site.before_reading()
        if self._over:
            return
        self._reader.feed(data)
        self._begin_requests()
        waiting = (self.request is not None or self._piling_up) and not self._over
        if waiting and not self._held_back and self._reader.buffered > MOST_AHEAD:
            self._held_back = True
            self.transport.pauseProducing()

    def pauseProducing(self) -> None:
        """The client reads its answers more slowly than they are made: begin no further one."""
        self._piling_up = True

    def resumeProducing(self) -> None:
        self._piling_up = False
        self._behind = 0
        self._begin_requests()

    def stopProducing(self) -> None:
        """The connection is lost, which is told by `connectionLost`."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._over = True
        self.site.channels.discard(self)
        self._stop_watching()
        self.site.resters.stop_if_empty()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        request, self.request = self.request, None
        if request is not None:
            request.connectionLost()

    # What the request calls

    def write(self, data: bytes) -> None:
        """Send at once what the socket takes; the transport looks after the rest.

        The transport itself would wait for the next turn of the reactor, and ask the kernel twice
        whether it may write: for every answer 20 µs of CPU more. What is not a plain socket (TLS)
        is left to its transport, and so is all that follows something that did not go at once.
        """
        if self._direct:
            sent = self.transport.writeSomeData(data)
            if sent == len(data):
                return
            self._direct = False
            if isinstance(sent, int) and sent > 0:
                data = data[sent:]
        self.transport.write(data)

    def request_done(self) -> None:
        """The request under way has been answered."""
        self.request = None
        if self.persistent:
            self._begin_requests()
        else:
            self.close()

    def begin_stream(self, data: bytes) -> None:
        """Send the beginning of an answer that goes on; it is the last of the connection."""
        self._over = True
        self.write(data)
        self._read_on()

    def send(self, data: bytes) -> None:
        """Send more of it, or cut off a client that does not read."""
        if self._piling_up:
            self._behind += len(data)
            if self._behind > MOST_BEHIND:
                self.transport.abortConnection()
                return
        self.write(data)

    # What ends the connection

    def close(self) -> None:
        """Send what waits to be sent, and close.

        TLS waits for the client's goodbye then, which may never come.
        """
        self._over = True
        self._stop_watching()
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        if not self._direct and ISSLTransport(self.transport, None) and self._linger is None:
            abort = self.transport.abortConnection
            self._linger = self.site.clock.callLater(SENDING_TIME, abort)

    @property
    def is_new(self) -> bool:
        """Whether the client has not asked for anything yet, and may be about to."""
        return not self._asked and not self._over

    def close_when_idle(self) -> None:
        """Close after the answer under way, or now if there is none (shutting down).

        On a connection where a request is arriving that one is still answered.
        """
        if self.request is not None:
            self.persistent = False
            self.request.end_stream()
        elif not self._reader.begun and not self._over:
            self.close()

    def refuse(self, status: int) -> None:
        """Answer, listen no more, and close once the client has had time to read it."""
        self._over = True
        self._stop_watching()
        self.site.watch_refusal(status)
        text = f"{status} {HTTPStatus(status).phrase}"
        self.write(
            f"HTTP/1.1 {text}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(text) + 1}\r\n\r\n{text}\n".encode()
        )
        self._read_on()
        self._linger = self.site.clock.callLater(LINGER, self.transport.abortConnection)

    # From bytes to requests

    def _begin_requests(self) -> None:
        """Begin the requests that are there, one after the other, as far as they can be answered.

        A request that is answered at once comes back here, and leaves the next to the loop.
        """
        if self._beginning or self._over:
            return
        self._beginning = True
        try:
            while self.request is None and not (self._piling_up or self._over):
                message = self._reader.next()
                if message is None:
                    break
                self._begin(message)
        except BadMessage as bad:
            self.refuse(bad.status)
        finally:
            self._beginning = False
        if not self._over:
            self._watch()

    def _begin(self, message: Message) -> None:
        self._stop_watching()
        self._asked = True
        if message.close or self.site.draining:
            self.persistent = False
        self.request = request = GuardedRequest(self, message)
        self.site.entered()
        self.site.handle(request)

    def _watch(self) -> None:
        """Let the right clock run: that of a sender, or that of a connection at rest."""
        if self._held_back and self._reader.buffered <= MOST_AHEAD:
            self._read_on()
        if self.request is not None:
            return
        if self._reader.begun and not self._piling_up:
            self.site.resters.discard(self)
            if self._deadline is None:
                late = partial(self.refuse, HTTPStatus.REQUEST_TIMEOUT)
                self._deadline = self.site.clock.callLater(SENDING_TIME, late)
            if self._reader.take_expectation():
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        else:
            if self._deadline is not None:
                self._stop_deadline(self._deadline)
            self.site.resters.add(self)

    def _stop_watching(self) -> None:
        self.site.resters.discard(self)
        if self._deadline is not None:
            self._stop_deadline(self._deadline)

    def _stop_deadline(self, deadline: IDelayedCall) -> None:
        self._deadline = None
        if deadline.active():
            deadline.cancel()

    def _read_on(self) -> None:
        if self._held_back:
            self._held_back = False
            self.transport.resumeProducing()
