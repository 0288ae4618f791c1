"""One request, as the routes see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, ISSLTransport

from boomerang.web.framing import Message
from boomerang.web.headers import Headers
from boomerang.web.reply import Reply, head, stream_head
from boomerang.web.tcp_info import look

if TYPE_CHECKING:
    from boomerang.web.channel import GuardedChannel

_FORGOTTEN: Final = Message(b"", b"", Headers(), {}, close=False)


class GuardedRequest:
    """A request that is counted, and whose handler is told when the client goes away.

    ``answer`` is what the handler works at; it is cancelled when the client hangs up. Methods of
    `twisted.web.iweb.IRequest` have their names from there.
    """

    __slots__ = ("_channel", "_message", "answer", "method", "path", "streaming", "under_way")

    def __init__(self, channel: GuardedChannel, message: Message) -> None:
        self._channel = channel
        self._message = message
        self.method = message.method
        self.path = message.target.partition(b"?")[0]
        self.answer: Deferred[Any] | None = None
        self.under_way = True
        self.streaming = False

    @property
    def uri(self) -> bytes:
        """The request target as it was sent, usually path and query."""
        return self._message.target

    @property
    def body(self) -> bytes:
        return self._message.body

    def single(self, name: bytes) -> str | None:
        """The value of a header that is given once, `None` if it is missing or repeated.

        ``name`` is in title case. Bytes that are not UTF-8 become lone surrogates.
        """
        value = self._message.single(name)
        return None if value is None else value.decode("utf-8", "surrogateescape")

    @property
    def content_type(self) -> str | None:
        """The type of the body, `None` if none is given."""
        value = self._message.headers.get(b"Content-Type")
        return None if value is None else value.strip().decode("utf-8", "surrogateescape")

    def getHeader(self, name: str) -> str | None:
        """The last value of a header. Bytes that are not UTF-8 become lone surrogates."""
        value = self._message.headers.get(name.title().encode("ascii"))
        return None if value is None else value.strip().decode("utf-8", "surrogateescape")

    def header_names(self) -> list[str]:
        """The names of all headers, in lower case."""
        return [name.decode("ascii").lower() for name in self._message.headers]

    def isSecure(self) -> bool:
        """Whether it came by TLS that ends here."""
        return ISSLTransport(self._channel.transport, None) is not None

    def getClientAddress(self) -> IAddress:
        address: IAddress = self._channel.transport.getPeer()
        return address

    def waited(self) -> float:
        """Seconds for which the request has been here, most of them before anybody read it.

        To be asked as it is handled: what comes after it on its connection makes it younger.
        """
        return look(self._channel.transport).received

    def forget_parameters(self) -> None:
        """Let go of what was sent, so that it takes no memory while the request is held."""
        self._message = _FORGOTTEN

    def answer_with(self, reply: Reply) -> None:
        """Send a whole answer, and end the request.

        Head and body are put together here and written as one: objects for each header, as Twisted
        has them, would take 20 µs more of CPU for every request.
        """
        channel = self._channel
        raw = head(reply, date=channel.site.date(), close=not channel.persistent)
        channel.write(raw if self.method == b"HEAD" else raw + reply.body)
        channel.request_done()
        self._left()

    def begin_stream(self, reply: Reply) -> None:
        """Answer without an end: the head now, and the reply's body; what comes then is `send`.

        The client is told by the connection's end that there is no more. From here on the request
        is not waited for when the process stops.
        """
        self.streaming = True
        self._left()
        raw = stream_head(reply, date=self._channel.site.date())
        is_head = self.method == b"HEAD"
        self._channel.begin_stream(raw if is_head else raw + reply.body)
        if is_head or self._channel.site.draining:
            self.end_stream()

    def send(self, data: bytes) -> None:
        """Send a piece of a stream; nothing happens once that is over.

        A client that does not read, while `limits.MOST_BEHIND` bytes wait for it, is cut off.
        """
        if self.streaming:
            self._channel.send(data)

    def end_stream(self) -> None:
        """Send what is left, and close; nothing happens if there is no stream."""
        if self.streaming:
            self.streaming = False
            self._channel.close()

    def connectionLost(self) -> None:
        """The client has hung up, or was cut off."""
        self.streaming = False
        self._left()
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.cancel()

    def _left(self) -> None:
        if self.under_way:
            self.under_way = False
            self._channel.site.left()
