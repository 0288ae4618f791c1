"""Commands to Redis, whatever they are for: what goes wrong is `StoreUnavailable`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure

from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_connection import Link, RedisConnection
from boomerang.stores.redis_protocol import RedisProtocol, Refused, Script, Word

_NOT_OUR_MASTER: Final = ("READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED", "NOAUTH", "CLUSTERDOWN")
"""Errors of a server that is not, or no longer, the one to write to: connect anew."""

_MOST_REPEATS: Final = 12
"""Of one command: that many slots of a cluster may move, or be moving, in a quarter of a second."""


class RedisCommands:
    """Commands on one link, on which they are pipelined; replies have `bytes` for texts."""

    def __init__(self, connection: RedisConnection) -> None:
        self.connection = connection

    def ask(self, key: str, *words: Word) -> Deferred[Any]:
        """Send a command to the server that has a key. The command has the key in its words."""
        return self._send(key, None, words)

    def run(self, script: Script, keys: Sequence[str], *arguments: Word) -> Deferred[Any]:
        """Run a script, whose keys share a hash tag."""
        return self._send(keys[0], script, (len(keys), *keys, *arguments))

    def probes(self) -> list[str]:
        """Ends of keys, such that there is one for each server."""
        link = self.connection.link
        return [""] if link is None else link.probes()

    def _send(self, key: str, script: Script | None, words: tuple[Word, ...]) -> Deferred[Any]:
        link = self.connection.link
        if link is None:
            return fail(self.connection.unavailable())
        return self._send_to(link.at(key), link, script, words, _MOST_REPEATS)

    def _send_to(
        self,
        protocol: RedisProtocol,
        link: Link,
        script: Script | None,
        words: tuple[Word, ...],
        repeats: int,
    ) -> Deferred[Any]:
        try:
            reply = protocol.ask(*words) if script is None else protocol.run(script, *words)
        except UnicodeEncodeError as error:
            return fail(StoreUnavailable(f"Redis: {error.reason}"))
        return reply.addErrback(self._failed, protocol, link, script, words, repeats)

    def _failed(
        self,
        trouble: Failure,
        protocol: RedisProtocol,
        link: Link,
        script: Script | None,
        words: tuple[Word, ...],
        repeats: int,
    ) -> Failure | Deferred[Any]:
        if trouble.check(CancelledError):
            return trouble
        trouble.trap(Refused, StoreUnavailable)
        said = str(trouble.value)
        if repeats and trouble.check(Refused):
            other = succeed(protocol) if said.startswith("NOSCRIPT") else link.redirected(said)
            if other is not None:
                return other.addCallback(self._repeat, link, script, words, repeats - 1)
        if said.startswith(_NOT_OUR_MASTER):
            link.abort()
        return Failure(StoreUnavailable(f"Redis: {said}"))

    def _repeat(
        self,
        protocol: RedisProtocol,
        link: Link,
        script: Script | None,
        words: tuple[Word, ...],
        repeats: int,
    ) -> Deferred[Any]:
        if script is not None:  # a second NOSCRIPT would cost another repeat
            protocol.forget(script)
        return self._send_to(protocol, link, script, words, repeats)
