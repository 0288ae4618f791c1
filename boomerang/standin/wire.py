"""One request over one connection: the time limits of each phase, and what the end of it means."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from boomerang.outbound import Trouble, Unreachable
from boomerang.outbound.line import Network, Way
from boomerang.standin.answer import Answer, AnswerReader, NotHttp
from boomerang.standin.failure import NoAnswer, no_answer, too_late
from boomerang.standin.request import Address


@frozen
class Patience:
    """How long one try may take.

    ``connect`` is for TCP and TLS together, ``read`` for the answer's beginning and between its
    pieces; both are seconds, as is ``total``, which for this webhook ends at ``deadline`` (by the
    clock). ``first``: no other try was made before.
    """

    connect: float
    read: float
    total: float
    deadline: float
    first: bool


async def exchange(
    request: bytes, to: Address, patience: Patience, *, network: Network, clock: IReactorTime
) -> Answer | NoAnswer:
    """Send a request over a new connection, and read the answer; the connection is closed."""
    watch = _Watch(patience, clock)
    host = to.host.strip("[]")
    way = Way(network=network, host=host, port=to.port, tls=to.scheme == "https", journey=watch)
    try:
        return await watch.over(Deferred.fromCoroutine(_ask(way, request, watch)))
    except Unreachable as error:
        return no_answer(error.trouble, str(error), phase=watch.phase)
    except CancelledError:
        if watch.expired is None:
            raise
        return watch.expired
    finally:
        watch.stop()


async def _ask(way: Way, request: bytes, watch: _Watch) -> Answer:
    factory = Factory.forProtocol(lambda: _Conversation(way.where, watch))
    conversation: Any = await way.connect(factory)
    answer: Answer = await conversation.ask(request)
    return answer


class _Watch:
    """Looks at the clock in each phase; it is the `Journey` of a try."""

    def __init__(self, patience: Patience, clock: IReactorTime) -> None:
        self.status: int | None = None
        self.certificate_expires: float | None = None
        self.phase = "resolve"
        self.expired: NoAnswer | None = None
        self._patience = patience
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._asking: Deferred[Answer] | None = None

    def over(self, asking: Deferred[Answer]) -> Deferred[Answer]:
        """A try to be cancelled when its time is up."""
        self._asking = asking
        return asking

    def begin(self, phase: str) -> None:
        """A phase begins, and its time; that of TCP goes on with TLS."""
        self.phase = phase
        if phase != "tls":
            self.sign_of_life()

    def sign_of_life(self) -> None:
        """The phase's time begins anew."""
        left = max(0.0, self._patience.deadline - self._clock.seconds())
        allowed = self._allowed()
        self.stop()
        self._timer = self._clock.callLater(
            min(left, allowed), self._expire, seconds=allowed, total=left <= allowed
        )

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _allowed(self) -> float:
        if self.phase == "resolve":
            return self._patience.total
        return self._patience.connect if self.phase == "connect" else self._patience.read

    def _expire(self, *, seconds: float, total: bool) -> None:
        self.expired = too_late(
            phase=self.phase,
            seconds=self._patience.total if total else seconds,
            total=total,
            first=self._patience.first,
        )
        assert self._asking is not None
        self._asking.cancel()


class _Conversation(Protocol):
    """Says one thing, and listens to the answer."""

    transport: Any

    def __init__(self, where: str, watch: _Watch) -> None:
        self._where = where
        self._watch = watch
        self._reader = AnswerReader()
        self._answer: Deferred[Answer] | None = None

    def ask(self, request: bytes) -> Deferred[Answer]:
        """Fires with the answer, or fails with `Unreachable`; cancelling drops the connection."""
        answer: Deferred[Answer] = Deferred(lambda _: self._drop())
        self._answer = answer
        self.transport.write(request)
        return answer

    def dataReceived(self, data: bytes) -> None:
        if self._answer is None:
            return
        self._watch.sign_of_life()
        try:
            self._reader.feed(data)
        except NotHttp as error:
            self._settle(self._trouble(Trouble.PROTOCOL, str(error)))
            self.transport.abortConnection()
        if self._reader.done:
            self._settle(self._reader.answer)
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(ConnectionDone):
            self._reader.end()
        if self._reader.done:
            self._settle(self._reader.answer)
        elif reason.check(Unreachable):
            self._settle(reason)
        elif self._watch.phase == "transfer":
            self._settle(self._trouble(Trouble.BODY, "the connection was lost amid the answer"))
        else:
            self._settle(self._trouble(Trouble.CONNECT, "closed the connection without an answer"))

    def _settle(self, outcome: Answer | Failure) -> None:
        """Tell who asked, unless that was done or is not wanted any more."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.callback(outcome)

    def _trouble(self, trouble: Trouble, words: str) -> Failure:
        return Failure(Unreachable(trouble, f"{self._where}: {words}"))

    def _drop(self) -> None:
        self._answer = None
        self.transport.abortConnection()
