"""Commands to Redis, whatever they are for: what goes wrong is `StoreUnavailable`."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import txredisapi
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure

from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_connection import RedisConnection

_NOT_OUR_MASTER: Final = ("READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED", "NOAUTH")
"""Errors of a server that is not, or no longer, the one to write to: connect anew."""


def script(name: str) -> str:
    """The text of a script that lies beside this module."""
    return files("boomerang.stores").joinpath(name).read_text()


class RedisCommands:
    """Commands on one connection, on which they are pipelined."""

    def __init__(self, connection: RedisConnection) -> None:
        self.connection = connection

    def do(self, command: str, *args: Any, **options: Any) -> Deferred[Any]:
        """A command of txredisapi's, by its name there."""
        protocol = self.connection.protocol
        if protocol is None:
            return fail(StoreUnavailable(f"Redis: {self.connection.trouble}"))
        try:
            reply: Deferred[Any] = getattr(protocol, command)(*args, **options)
        except txredisapi.RedisError as error:
            return fail(StoreUnavailable(f"Redis: {error}"))
        return reply.addErrback(self._unavailable)

    def _unavailable(self, trouble: Failure) -> Failure:
        if trouble.check(CancelledError):  # too late: whatever hangs, a new connection may not
            self.connection.reconnect()
            return trouble
        trouble.trap(txredisapi.RedisError)
        reason = trouble.getErrorMessage()
        if reason.startswith(_NOT_OUR_MASTER):
            self.connection.reconnect()
        return Failure(StoreUnavailable(f"Redis: {reason}"))


def first_error(failed: Failure) -> Failure:
    """What went wrong, out of the wrapping of `gatherResults`."""
    inner: Failure = getattr(failed.value, "subFailure", failed)
    return inner
