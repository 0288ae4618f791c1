"""One link to Redis that always comes back: from a crash, a hang, a failover.

Our own loop: those of libraries stop for ever after a failed handshake, call a connection usable
before the server has said a word, which lets a failed TLS handshake be repeated ten times a second,
or tell nobody why they cannot connect.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from attrs import frozen
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,
    fail,
    gatherResults,
    succeed,
)
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure as Trouble

from boomerang.stores.address import RedisAddress
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_protocol import RedisProtocol, Refused, first_error, protocol_factory

HANDSHAKE_TIMEOUT: Final = 1.0
"""Seconds from the connection's being there until the server has answered, TLS included."""

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class Link(Protocol):
    """Connections to one server, or to those of a cluster; ``lost`` fires when they are gone."""

    @property
    def lost(self) -> Deferred[None]: ...

    def at(self, key: str) -> RedisProtocol:
        """The connection to whoever has a key."""

    def redirected(self, key: str, said: str) -> Deferred[RedisProtocol] | None:
        """Where to ask again at once what a server refused with these words; `None`: nowhere."""

    def probes(self) -> list[str]:
        """Ends of keys, one for each server."""

    def abort(self) -> None:
        """End it at once."""


@frozen
class OneServer:
    """The `Link` to a single server."""

    protocol: RedisProtocol

    @property
    def lost(self) -> Deferred[None]:
        return self.protocol.lost

    def at(self, key: str) -> RedisProtocol:
        return self.protocol

    def redirected(self, key: str, said: str) -> None:
        return None

    def probes(self) -> list[str]:
        return [""]

    def abort(self) -> None:
        self.protocol.abort()


async def connect(
    address: RedisAddress,
    endpoint: IStreamClientEndpoint,
    *,
    clock: IReactorTime,
    timeout: float | None = HANDSHAKE_TIMEOUT,
) -> RedisProtocol:
    """A connection over which the server has answered; whoever gets it must close it.

    ``timeout`` is in seconds; `None` leaves it to the caller. Raises `StoreUnavailable`, with what
    ended the connection as its cause, `Refused`, and the errors of the endpoint.
    """
    protocol: Any = await endpoint.connect(protocol_factory())
    asked = [protocol.ask(*words) for words in _greeting(address)]
    answered = gatherResults(asked, consumeErrors=True).addErrback(first_error)
    if timeout is not None:
        answered.addTimeout(timeout, clock)
    try:
        await answered
    except BaseException as error:
        protocol.abort()
        if isinstance(error, TimeoutError):
            raise StoreUnavailable(f"no answer within {timeout:g} s") from None
        if isinstance(error, Refused) and address.password is not None:
            raise Refused(str(error).replace(address.password, "***")) from None
        if isinstance(error, StoreUnavailable) and protocol.ended_by:
            raise StoreUnavailable(str(protocol.ended_by)) from protocol.ended_by
        raise
    connected: RedisProtocol = protocol
    return connected


def _greeting(address: RedisAddress) -> list[tuple[str | int, ...]]:
    """What is said first, all at once."""
    greeting: list[tuple[str | int, ...]] = []
    if address.password is not None:
        user = () if address.username is None else (address.username,)
        greeting.append(("AUTH", *user, address.password))
    if address.database is not None:
        greeting.append(("SELECT", address.database))
    return [*greeting, ("PING",)]


class Troubles:
    """Tells operators of the trouble of several links to the same servers, each once."""

    def __init__(self) -> None:
        self._log = Logger(namespace="boomerang.stores.redis")
        self._current: dict[object, str] = {}

    def has(self, link: object, reason: str) -> None:
        """Log a reason, unless a link has it already."""
        if reason not in self._current.values():
            self._log.warn("Redis: {reason}", reason=reason)
        self._current[link] = reason

    def ended(self, link: object) -> None:
        """Forget the trouble of a link, which is well again."""
        self._current.pop(link, None)


class RedisConnection:
    """Keeps one link, as soon as it was opened; ``connect`` makes another when it is lost.

    ``link`` is `None` while there is none; ``trouble`` says why there is none.
    """

    def __init__(
        self,
        connect: Callable[[], Coroutine[Deferred[Any], Any, Link]],
        *,
        clock: IReactorTime,
        troubles: Troubles,
    ) -> None:
        self.link: Link | None = None
        self.trouble = "not connected"
        self._connect = connect
        self._clock = clock
        self._troubles = troubles
        self._waiting: list[Deferred[None]] = []
        self._keeping: Deferred[None] | None = None
        self._closed = False

    def unavailable(self) -> StoreUnavailable:
        """Why there is no link, which the log has already."""
        return StoreUnavailable(f"Redis: {self.trouble}", brief="Redis: not connected")

    def open(self) -> Deferred[None]:
        """Begin to connect; fires once connected, or fails when an attempt did.

        Further attempts are made all the same. Cancelling the Deferred does not stop them.
        """
        if self._closed:
            return fail(StoreUnavailable("Redis: closed"))
        if self.link is not None:
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        if self._keeping is None:
            self._keeping = Deferred.fromCoroutine(self._keep_connected())
        return waiter

    def reconnect(self) -> None:
        """Drop the link, for a new one to wherever that then leads."""
        if self.link is not None:
            self.link.abort()

    def close(self) -> Deferred[None]:
        """Drop the link for good."""
        self._closed = True
        keeping, self._keeping = self._keeping, None
        if keeping is None:
            return succeed(None)
        if self.link is None:
            self._disconnected("closed")
            keeping.cancel()
        else:
            self.reconnect()
        return keeping.addErrback(_only_cancelled)

    async def _keep_connected(self) -> None:
        """Connect, wait until the link is lost, begin anew; closing ends it."""
        pause = _FIRST_PAUSE
        while True:
            try:
                link = await self._connect()
            except Exception as error:  # any of a dozen network errors, all to be tried again
                if not self._closed:
                    self._failed(str(error) or type(error).__name__)
            else:
                pause = _FIRST_PAUSE
                self._connected(link)
                await link.lost
                self._disconnected("closed" if self._closed else "connection lost")
            if self._closed:
                return
            await deferLater(self._clock, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _connected(self, link: Link) -> None:
        self.link = link
        self.trouble = ""
        self._troubles.ended(self)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def _failed(self, reason: str) -> None:
        self._troubles.has(self, reason)
        self._disconnected(reason)

    def _disconnected(self, reason: str) -> None:
        self.link = None
        self.trouble = reason
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(self.unavailable())


def _only_cancelled(trouble: Trouble) -> None:
    trouble.trap(CancelledError)
