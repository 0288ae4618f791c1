"""Claims in Redis, shared by all instances that use it: through txredisapi.

One connection, spoken to directly: commands are pipelined on it. txredisapi is untyped; nothing
else in the house imports it, except `boomerang.stores.redis_connection`.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import txredisapi
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure as Trouble

from boomerang.stores.interfaces import Claim, Failure, StoreUnavailable
from boomerang.stores.redis_connection import RedisConnection

_SCRIPT: Final = files("boomerang.stores").joinpath("claim.lua").read_text()

_NOT_OUR_MASTER: Final = ("READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED", "NOAUTH")
"""Errors of a server that is not, or no longer, the one to write to: connect anew."""


class RedisStore:
    """A `ClaimStore` in Redis 6 or newer.

    A key is the prefix, the call's digest in braces (the hash tag: both keys of a claim live on
    one shard), and for an identity its own digest.
    """

    def __init__(self, connection: RedisConnection, *, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix

    def open(self) -> Deferred[None]:
        return self._connection.open()

    def claim(self, failure: Failure) -> Deferred[Claim]:
        tag = f"{self._prefix}{{{failure.call or failure.identity}}}"
        keys, which = [], "call"
        if failure.identity is not None:
            keys.append(f"{tag}:{failure.identity}")
            which = "identity" if failure.call is None else "both"
        if failure.call is not None:
            keys.append(tag)
        arguments = [_ms(failure.wait), max(1, _ms(failure.window)), failure.attempts, which]
        return self._do("eval", _SCRIPT, keys, arguments).addCallback(_as_claim)

    def probe(self) -> Deferred[None]:
        return self._do("set", f"{self._prefix}probe", "1", pexpire=1000).addCallback(_nothing)

    def close(self) -> Deferred[None]:
        return self._connection.close()

    def _do(self, command: str, *args: Any, **options: Any) -> Deferred[Any]:
        protocol = self._connection.protocol
        if protocol is None:
            return fail(StoreUnavailable(f"Redis: {self._connection.trouble}"))
        try:
            reply: Deferred[Any] = getattr(protocol, command)(*args, **options)
        except txredisapi.RedisError as error:
            return fail(StoreUnavailable(f"Redis: {error}"))
        return reply.addErrback(self._unavailable)

    def _unavailable(self, trouble: Trouble) -> Trouble:
        if trouble.check(CancelledError):  # too late: whatever hangs, a new connection may not
            self._connection.reconnect()
            return trouble
        trouble.trap(txredisapi.RedisError)
        reason = trouble.getErrorMessage()
        if reason.startswith(_NOT_OUR_MASTER):
            self._connection.reconnect()
        return Trouble(StoreUnavailable(f"Redis: {reason}"))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _as_claim(reply: list[int]) -> Claim:
    attempt, hold, round_ = reply
    return Claim(attempt=attempt, hold=hold / 1000, round=round_)


def _nothing(_: object) -> None:
    return None
