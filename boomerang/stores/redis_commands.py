"""Commands to Redis, whatever they are for: what goes wrong is `StoreUnavailable`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hiredis import pack_command
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from boomerang.stores.direct import Direct
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_connection import Link, RedisConnection
from boomerang.stores.redis_protocol import RedisProtocol, Refused, Script, Word

_NOT_OUR_MASTER: Final = ("READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED", "NOAUTH", "CLUSTERDOWN")
"""Errors of a server that is not, or no longer, the one to write to: connect anew."""

_MOST_REPEATS: Final = 12
"""Of one command, whose slot of a cluster moves: a caller has a quarter of a second."""

Reading = Callable[[Any], Any]


def as_it_is(reply: Any) -> Any:
    """The reply itself, which has `bytes` for texts."""
    return reply


class RedisCommands:
    """Commands on one link, on which they are pipelined; ``read`` makes the result of a reply."""

    def __init__(self, connection: RedisConnection) -> None:
        self.connection = connection

    def ask(self, key: str, *words: Word, read: Reading = as_it_is) -> Deferred[Any]:
        """Send a command to the server that has a key. The words of the command name it, too."""
        return self._pack(key, words, None, read)

    def run(
        self, script: Script, keys: Sequence[str], *arguments: Word, read: Reading = as_it_is
    ) -> Deferred[Any]:
        """Run a script, whose keys share a hash tag."""
        words = ("EVALSHA", script.digest, len(keys), *keys, *arguments)
        return self._pack(keys[0], words, script, read)

    def probes(self) -> list[str]:
        """Ends of keys, such that there is one for each server."""
        link = self.connection.link
        return [""] if link is None else link.probes()

    def _pack(
        self, key: str, words: tuple[Word, ...], script: Script | None, read: Reading
    ) -> Deferred[Any]:
        try:
            command = pack_command(words)  # type: ignore[arg-type]
        except UnicodeEncodeError as error:
            return fail(StoreUnavailable(f"Redis: {error.reason}"))
        return self.send(key, command, script, read)

    def send(self, key: str, command: bytes, script: Script | None, read: Reading) -> Deferred[Any]:
        """Send a command that is packed already, as `RedisProtocol.send` wants it."""
        link = self.connection.link
        if link is None:
            return fail(self.connection.unavailable())
        question = _Question(_give_up)
        question.key = key
        question.command = command
        question.script = script
        question.read = read
        question.link = link
        question.ask(link.at(key))
        return question


class _Question(Direct[Any]):
    """A command on its way, which fires with the result.

    It is itself what waits for the reply: a callback for that takes 8,000 instructions.
    """

    key: str
    command: bytes
    script: Script | None
    read: Reading
    link: Link
    asked: RedisProtocol
    repeats = _MOST_REPEATS
    redirected: Deferred[RedisProtocol] | None = None

    def ask(self, protocol: RedisProtocol) -> None:
        self.asked = protocol
        protocol.send(self.command, self, self.script)

    def answered(self, reply: Any) -> None:
        try:
            result = self.read(reply)
        except Exception:  # the reply makes no sense
            self.errback()
        else:
            self.callback(result)

    def refused(self, error: Refused | StoreUnavailable) -> None:
        said = str(error)
        try:
            if self.repeats and isinstance(error, Refused) and self._repeated(said):
                return
        except Exception:  # what redirects us makes no sense
            self.errback()
            return
        if said.startswith(_NOT_OUR_MASTER):
            self.link.abort()
        self.errback(StoreUnavailable(f"Redis: {said}"))

    def _repeated(self, said: str) -> bool:
        """Ask again, if that may help."""
        if said.startswith("NOSCRIPT"):
            self._repeat(self.asked)
            return True
        redirected = self.link.redirected(self.key, said)
        if redirected is None:
            return False
        self.redirected = redirected
        redirected.addCallback(self._repeat).addErrback(self._not_repeated)
        return True

    def _repeat(self, protocol: RedisProtocol) -> None:
        self.redirected = None
        self.repeats -= 1
        if self.script is not None:  # a second NOSCRIPT would cost another repeat
            protocol.forget(self.script)
        self.ask(protocol)

    def _not_repeated(self, trouble: Failure) -> None:
        """What goes wrong on the way to another server begins like all that does with Redis."""
        said = str(trouble.value)
        if trouble.check(StoreUnavailable) and not said.startswith("Redis: "):
            trouble = Failure(StoreUnavailable(f"Redis: {said}"))
        self.errback(trouble)


def _give_up(question: Deferred[Any]) -> None:
    """What cancelling does: whoever cancels has waited for too long."""
    assert isinstance(question, _Question)
    if question.redirected is not None:
        question.redirected.cancel()
    else:
        question.asked.abort()
