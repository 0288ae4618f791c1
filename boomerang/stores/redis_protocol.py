"""The protocol of Redis (RESP2), as little of it as a client needs: commands out, replies in order.

hiredis writes and reads it. Whatever is asked in one turn of the reactor leaves in one write, which
is Twisted's own doing; replies come in the order of the questions.
"""

from __future__ import annotations

from collections import deque
from hashlib import sha1
from importlib.resources import files
from typing import Any, Final
from typing import Protocol as TypingProtocol

import hiredis
from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from boomerang.stores.interfaces import StoreUnavailable

Word = str | bytes | int
"""A word of a command; lone surrogates raise `UnicodeEncodeError`."""

_NOTHING_YET: Final = object()


class Refused(Exception):
    """What the server said instead of a reply, without the arguments that it may quote."""

    def __init__(self, words: str) -> None:
        super().__init__(words.partition(", with args")[0].strip())


class NotRedis(Exception):
    """What arrived makes no sense."""


@frozen(eq=False)
class Script:
    """A script that Redis runs, known to it by its digest once it was sent.

    ``named`` and ``told`` are the two words by which a command begins that runs it: once Redis
    knows it, and before.
    """

    text: bytes
    digest: bytes = field(init=False)
    named: bytes = field(init=False, repr=False)
    told: bytes = field(init=False, repr=False)

    @digest.default
    def _digest(self) -> bytes:
        return sha1(self.text, usedforsecurity=False).hexdigest().encode()

    @named.default
    def _named(self) -> bytes:
        return _packed(b"EVALSHA", self.digest)

    @told.default
    def _told(self) -> bytes:
        return _packed(b"EVAL", self.text)

    @classmethod
    def beside(cls, name: str) -> Script:
        """The script that lies beside this module."""
        return cls(files("boomerang.stores").joinpath(name).read_bytes())


def _packed(*words: bytes) -> bytes:
    """Words as they stand in a command."""
    return b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Waiter(TypingProtocol):
    """Whoever waits for a reply, until it has ``called`` back."""

    called: bool

    def answered(self, reply: Any) -> None:
        """Here is the reply."""

    def refused(self, error: Refused | StoreUnavailable) -> None:
        """There is none."""


class _Reply(Deferred[Any]):
    """Waits for a reply, and fires with it."""

    answered = Deferred.callback
    refused = Deferred.errback


class RedisProtocol(Protocol):
    """One connection. Replies are `bytes`, `int`, `None` or a list of them; errors are `Refused`.

    ``lost`` fires when the connection has ended, ``ended_by`` says why. Giving up a reply (to
    cancel its Deferred) ends the connection, since whoever does it has waited for too long.
    """

    def __init__(self) -> None:
        self.lost: Deferred[None] = Deferred()
        self.ended_by: BaseException | None = None
        self._asked: deque[Waiter] = deque()
        self._known: set[bytes] = set()
        self._reader = hiredis.Reader(
            protocolError=NotRedis, replyError=Refused, notEnoughData=_NOTHING_YET
        )

    def ask(self, *words: Word) -> Deferred[Any]:
        """Send a command; fires with the reply."""
        reply = _Reply(self._give_up)
        self.send(hiredis.pack_command(words), reply)  # type: ignore[arg-type]
        return reply

    def send(self, command: bytes, waiter: Waiter, script: Script | None = None) -> None:
        """Send a command that is packed; a script's begins with its name (``Script.named``).

        The first time a script's text is sent instead. The server refuses its name, in words that
        begin with NOSCRIPT, where somebody made it forget it; see ``forget``.
        """
        if self.lost.called:
            waiter.refused(StoreUnavailable("connection lost"))
            return
        if script is not None and script.digest not in self._known:
            self._known.add(script.digest)
            command = command.replace(script.named, script.told, 1)
        assert self.transport is not None
        self.transport.write(command)
        self._asked.append(waiter)

    def forget(self, script: Script) -> None:
        """Send the text of a script again the next time."""
        self._known.discard(script.digest)

    def abort(self) -> None:
        """End the connection at once."""
        transport: Any = self.transport
        transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        reader, asked = self._reader, self._asked
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not _NOTHING_YET:
                if not asked:  # a farewell, as when there are too many clients
                    self._end(reply if isinstance(reply, Refused) else NotRedis("an extra reply"))
                    return
                waiter = asked.popleft()
                if waiter.called:
                    continue
                if isinstance(reply, Refused):
                    waiter.refused(reply)
                else:
                    waiter.answered(reply)
        except NotRedis as error:
            self._end(error)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.ended_by = self.ended_by or reason.value
        self.lost.callback(None)
        for waiter in self._asked:
            if not waiter.called:
                waiter.refused(StoreUnavailable("connection lost"))
        self._asked.clear()

    def _end(self, reason: Exception) -> None:
        self.ended_by = reason
        self.abort()

    def _give_up(self, waiter: Deferred[Any]) -> None:
        self.abort()


def protocol_factory() -> Factory[Any]:
    """Makes a `RedisProtocol` for each connection."""
    factory = Factory.forProtocol(RedisProtocol)
    factory.noisy = False
    return factory


def first_error(failed: Failure) -> Failure:
    """What went wrong, out of the wrapping of `gatherResults`."""
    inner: Failure = getattr(failed.value, "subFailure", failed)
    return inner
