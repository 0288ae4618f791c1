"""Claims in Redis, shared by all instances that use it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from twisted.internet.defer import Deferred, gatherResults

from boomerang.stores.interfaces import Claim, Failure, Marked
from boomerang.stores.redis_commands import RedisCommands
from boomerang.stores.redis_protocol import Script, first_error

_CLAIM: Final = Script.beside("claim.lua")
_RELEASE: Final = Script.beside("release.lua")

_CLAIM_OF_TWO: Final = f"*10\r\n{_CLAIM.named.decode()}$1\r\n2\r\n"
"""How the command begins that counts a failure of a call: in ten words, of which two are keys."""


class RedisStore:
    """A `ClaimStore` in Redis 6 or newer.

    A key is the prefix, the call's digest in braces (the hash tag: both keys of a claim live on
    one shard), and for an identity its own digest.
    """

    def __init__(self, commands: RedisCommands, *, prefix: str) -> None:
        self._commands = commands
        self._prefix = prefix

    def open(self) -> Deferred[None]:
        return self._commands.connection.open()

    def claim(self, failure: Failure) -> Deferred[Claim]:
        """Count a failure in one atomic step.

        The ten words are written here, in 11,000 instructions; hiredis alone takes 16,000 for that.
        """
        shard = f"{self._prefix}{{{failure.call}}}"
        identity = f"{shard}:{failure.identity}"
        wait = str(_ms(failure.wait))
        terms = _terms(failure.window, failure.call_window, failure.attempts, failure.only_again)
        command = (
            f"{_CLAIM_OF_TWO}${len(identity)}\r\n{identity}\r\n${len(shard)}\r\n{shard}\r\n"
            f"${len(wait)}\r\n{wait}\r\n{terms}"
        )
        if failure.call and command.isascii():  # so that each length is that in bytes
            return self._commands.send(shard, command.encode(), _CLAIM, _as_claim)
        return self._claim_of_any(failure)

    def _claim_of_any(self, failure: Failure) -> Deferred[Claim]:
        """The same for names and prefixes of any kind, and for a failure of no call."""
        keys = [self._identity_key(failure.identity, failure.call)]
        if failure.call is not None:
            keys.append(f"{self._prefix}{{{failure.call}}}")
        arguments = (
            _ms(failure.wait),
            max(1, _ms(failure.window)),
            max(1, _ms(failure.call_window)),
            failure.attempts,
            int(failure.only_again),
        )
        return self._commands.run(_CLAIM, keys, *arguments, read=_as_claim)

    def release(self, marked: Sequence[Marked]) -> Deferred[None]:
        done = [self._commands.run(_RELEASE, [key]) for key in self._keys(marked)]
        return gatherResults(done, consumeErrors=True).addCallbacks(_nothing, first_error)

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]:
        # Not by MGET: the keys of several calls may be on several servers of a cluster.
        asked = [self._commands.ask(key, "GET", key) for key in self._keys(marked)]
        return gatherResults(asked, consumeErrors=True).addCallbacks(_as_counts, first_error)

    def _keys(self, marked: Sequence[Marked]) -> list[str]:
        return [self._identity_key(each.identity, each.call) for each in marked]

    def _identity_key(self, identity: str, call: str | None) -> str:
        return f"{self._prefix}{{{call or identity}}}:{identity}"

    def probe(self) -> Deferred[None]:
        keys = [f"{self._prefix}probe{end}" for end in self._commands.probes()]
        asked = [self._commands.ask(key, "SET", key, 1, "PX", 1000) for key in keys]
        return gatherResults(asked, consumeErrors=True).addCallbacks(_nothing, first_error)

    def close(self) -> Deferred[None]:
        return self._commands.connection.close()


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


@lru_cache(maxsize=1024)  # of an endpoint there are few
def _terms(window: float, call_window: float, attempts: int, only_again: bool) -> str:
    """What all failures of an endpoint have in common, as it stands in a command."""
    numbers = (max(1, _ms(window)), max(1, _ms(call_window)), attempts, int(only_again))
    return "".join(f"${len(str(number))}\r\n{number}\r\n" for number in numbers)


def _as_claim(reply: list[int]) -> Claim:
    attempt, hold, rounds, after = reply
    return Claim(attempt, hold / 1000, rounds, after / 1000 if after >= 0 else None)


def _as_counts(marks: list[bytes | None]) -> list[int]:
    return [int(mark.partition(b":")[0]) if mark else 0 for mark in marks]


def _nothing(_: object) -> None:
    return None
