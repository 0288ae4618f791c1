"""One question to a name server: by UDP, and by TCP where the answer does not fit a datagram.

The messages are those of twisted.names. Its client is left aside (26.10): cancelled, it leaves
timers and connections behind, by TCP it may ask another server than the one whose answer was cut
short, it never hears that a server refuses, and each question is four lines in the log.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, Final, Self

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import Factory, connectionDone
from twisted.names import dns
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

Server = tuple[str, int]
"""The address (not the name) of a name server, and its port."""

_LARGEST_DATAGRAM: Final = 65535


class NoSense(Exception):
    """What came is no answer to the question."""


async def ask(
    reactor: Any, servers: Sequence[Server], query: dns.Query, *, timeout: float
) -> dns.Message:
    """The first answer that one of the servers gives, whatever it says.

    Each server is asked twice, since datagrams get lost, with three times as much patience the
    second time; all of it takes ``timeout`` seconds. Raises `OSError` or an error of Twisted's
    endpoints where a server cannot be reached, `NoSense`, or else `TimeoutError`.
    """
    question = dns.Message(dns.randomSource(), recDes=1)
    question.queries = [query]
    patience = timeout / (4 * len(servers))
    trouble: Exception = TimeoutError()
    for seconds in (patience, 3 * patience):
        for server in servers:
            asking = Deferred.fromCoroutine(_ask_by_udp(reactor, server, question))
            try:
                answer = await asking.addTimeout(seconds, reactor)
            except TimeoutError:
                continue
            except OSError as error:
                trouble = error
                continue
            return await _ask_by_tcp(reactor, server, question) if answer.trunc else answer
    raise trouble


async def _ask_by_udp(reactor: Any, server: Server, question: dns.Message) -> dns.Message:
    with _Datagrams(reactor, server) as datagrams:
        datagrams.send(question.toStr())
        while True:
            answer = _decoded(await datagrams.receive())
            if _is_answer(answer, question):
                return answer


async def _ask_by_tcp(reactor: Any, server: Server, question: dns.Message) -> dns.Message:
    endpoint = TCP6ClientEndpoint if ":" in server[0] else TCP4ClientEndpoint
    factory = Factory.forProtocol(_Conversation)
    factory.noisy = False
    conversation: Any = await endpoint(reactor, *server).connect(factory)
    try:
        conversation.sendString(question.toStr())
        answer = _decoded(await conversation.received)
    finally:
        conversation.transport.abortConnection()
        await conversation.lost
    if not _is_answer(answer, question):
        raise NoSense("the answer is to another question")
    return answer


def _decoded(data: bytes) -> dns.Message:
    message = dns.Message()
    try:
        message.fromStr(data)
    except Exception as error:  # of many kinds, and each record has its own
        raise NoSense(f"the answer cannot be read ({type(error).__name__})") from error
    return message


def _is_answer(message: dns.Message, question: dns.Message) -> bool:
    """Whether it answers this question; servers that fail may leave the question out."""
    return bool(
        message.answer
        and message.id == question.id
        and (message.queries == question.queries or not message.queries)
    )


@implementer(IReadDescriptor)
class _Datagrams:
    """A socket for datagrams to and from one server, closed when its ``with`` block is left.

    Being connected, it takes nothing from others, and is told when the server refuses.
    """

    def __init__(self, reactor: Any, server: Server) -> None:
        self._reactor = reactor
        self._server = server
        self._receiving: Deferred[bytes] | None = None
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM
        )

    def __enter__(self) -> Self:
        try:
            self._socket.setblocking(False)
            self._socket.connect(self._server)
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._reactor.removeReader(self)
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send a datagram. Raises `OSError`."""
        self._socket.send(data)

    def receive(self) -> Deferred[bytes]:
        """The next datagram; fails with `OSError`, like `ConnectionRefusedError`."""
        self._receiving = Deferred()
        self._reactor.addReader(self)
        return self._receiving

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "boomerang.monitor.dns"

    def doRead(self) -> None:
        try:
            data = self._socket.recv(_LARGEST_DATAGRAM)
        except BlockingIOError:  # a datagram with a wrong checksum is announced, and withdrawn
            return
        except OSError:
            self._done(Failure())
        else:
            self._done(data)

    def connectionLost(self, reason: Failure) -> None:
        self.doRead()  # a refusal is an error to be read, for which reactors have but this word
        self._done(reason)

    def _done(self, result: bytes | Failure) -> None:
        self._reactor.removeReader(self)
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            receiving.callback(result)  # a Failure makes it fail


class _Conversation(Int16StringReceiver):
    """The form that messages have by TCP."""

    def __init__(self) -> None:
        self.received: Deferred[bytes] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def stringReceived(self, string: bytes) -> None:
        if not self.received.called:
            self.received.callback(string)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.received.called:
            self.received.errback(reason)
        self.lost.callback(None)
