"""Commands to Redis, whatever they are for: what goes wrong is `StoreUnavailable`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_connection import Link, RedisConnection
from boomerang.stores.redis_protocol import RedisProtocol, Refused, Script, Word

_NOT_OUR_MASTER: Final = ("READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED", "NOAUTH", "CLUSTERDOWN")
"""Errors of a server that is not, or no longer, the one to write to: connect anew."""

_MOST_REPEATS: Final = 12
"""Of one command, whose slot of a cluster moves: a caller has a quarter of a second."""

Reading = Callable[[Any], Any]

_Question = tuple[str, Script | None, tuple[Word, ...], Reading]
"""A key, a script or none, the words, and what makes a result of the reply."""


def as_it_is(reply: Any) -> Any:
    """The reply itself, which has `bytes` for texts."""
    return reply


class RedisCommands:
    """Commands on one link, on which they are pipelined.

    ``read`` makes the result of a reply; a callback of its own would take 6,000 instructions.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self.connection = connection

    def ask(self, key: str, *words: Word, read: Reading = as_it_is) -> Deferred[Any]:
        """Send a command to the server that has a key. The words of the command name it, too."""
        return self._send((key, None, words, read))

    def run(
        self, script: Script, keys: Sequence[str], *arguments: Word, read: Reading = as_it_is
    ) -> Deferred[Any]:
        """Run a script, whose keys share a hash tag."""
        return self._send((keys[0], script, (len(keys), *keys, *arguments), read))

    def probes(self) -> list[str]:
        """Ends of keys, such that there is one for each server."""
        link = self.connection.link
        return [""] if link is None else link.probes()

    def _send(self, question: _Question) -> Deferred[Any]:
        link = self.connection.link
        if link is None:
            return fail(self.connection.unavailable())
        return self._send_to(link.at(question[0]), link, question, _MOST_REPEATS)

    def _send_to(
        self, protocol: RedisProtocol, link: Link, question: _Question, repeats: int
    ) -> Deferred[Any]:
        _, script, words, read = question
        try:
            reply = protocol.ask(*words) if script is None else protocol.run(script, *words)
        except UnicodeEncodeError as error:
            return fail(StoreUnavailable(f"Redis: {error.reason}"))
        around = (protocol, link, question, repeats)
        return reply.addCallbacks(read, self._failed, errbackArgs=around)

    def _failed(
        self,
        trouble: Failure,
        protocol: RedisProtocol,
        link: Link,
        question: _Question,
        repeats: int,
    ) -> Failure | Deferred[Any]:
        if trouble.check(CancelledError):
            return trouble
        trouble.trap(Refused, StoreUnavailable)
        said = str(trouble.value)
        if repeats and trouble.check(Refused):
            forgot = said.startswith("NOSCRIPT")
            other = succeed(protocol) if forgot else link.redirected(question[0], said)
            if other is not None:
                other.addCallback(self._repeat, link, question, repeats - 1)
                return other.addErrback(_as_ours)
        if said.startswith(_NOT_OUR_MASTER):
            link.abort()
        return Failure(StoreUnavailable(f"Redis: {said}"))

    def _repeat(
        self, protocol: RedisProtocol, link: Link, question: _Question, repeats: int
    ) -> Deferred[Any]:
        script = question[1]
        if script is not None:  # a second NOSCRIPT would cost another repeat
            protocol.forget(script)
        return self._send_to(protocol, link, question, repeats)


def _as_ours(trouble: Failure) -> Failure:
    """What goes wrong on the way to another server begins like all that does with Redis."""
    if trouble.check(StoreUnavailable) and not str(trouble.value).startswith("Redis: "):
        return Failure(StoreUnavailable(f"Redis: {trouble.value}"))
    return trouble
