"""One connection to Redis that always comes back: from a crash, a hang, a failover.

Our own loop around a protocol of txredisapi (1.6), instead of its factory: that one stops for ever
after a failed handshake, keeps every lost connection in a queue, calls a connection usable before
the server has said a word, which lets a failed TLS handshake be repeated ten times a second, and
tells nobody why it cannot connect.
"""

from __future__ import annotations

from typing import Any, Final

import txredisapi
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure as Trouble

from boomerang.stores.address import RedisAddress
from boomerang.stores.interfaces import StoreUnavailable

HANDSHAKE_TIMEOUT: Final = 1.0
"""Seconds to each reply until the connection is in use, TLS included."""

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class RedisProtocol(txredisapi.RedisProtocol):  # type: ignore[misc]
    """txredisapi's protocol, which sees its own end coming and tells of it."""

    def __init__(self) -> None:
        # Numbers would be guessed from replies otherwise: "+15551234567" would be an integer.
        super().__init__(replyTimeout=HANDSHAKE_TIMEOUT, convertNumbers=False)
        self.lost: Deferred[None] = Deferred()
        self.ended_by: BaseException | None = None

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        try:
            super().dataReceived(data, unpause)
        except txredisapi.InvalidData as error:  # not a Redis; nobody else would catch it
            self.ended_by = error
            self.transport.abortConnection()

    def connectionLost(self, why: Trouble) -> None:
        self.ended_by = self.ended_by or why.value
        super().connectionLost(why)
        self.lost.callback(None)


def protocol_factory() -> Factory[Any]:
    """Makes a `RedisProtocol` for each connection."""
    factory = Factory.forProtocol(RedisProtocol)
    factory.noisy = False
    return factory


async def connect(
    address: RedisAddress,
    endpoint: IStreamClientEndpoint,
    *,
    timeout: float | None = HANDSHAKE_TIMEOUT,
) -> Any:
    """A connection over which the server has answered; whoever gets it must close it.

    ``timeout`` is in seconds, to each reply; `None` leaves it to the caller. Raises
    `StoreUnavailable`, with what ended the connection as its cause, errors of txredisapi for what
    the server refuses, and those of the endpoint.
    """
    protocol: Any = await endpoint.connect(protocol_factory())
    protocol.replyTimeout = timeout
    try:
        if address.password is not None:
            await protocol.auth(address.password, address.username)
        if address.database is not None:
            await protocol.select(address.database)
        await protocol.ping()
    except BaseException as error:
        protocol.transport.abortConnection()
        if isinstance(error, txredisapi.ConnectionError) and protocol.ended_by:
            raise StoreUnavailable(str(protocol.ended_by)) from protocol.ended_by
        raise
    protocol.replyTimeout = None  # a timer per claim is dear; see `RedisStore` on late replies
    return protocol


class RedisConnection:
    """Keeps one connection to the server at ``endpoint``, as soon as it was opened.

    ``protocol`` is the connection, `None` while there is none; ``trouble`` says why there is none.
    """

    def __init__(
        self, address: RedisAddress, endpoint: IStreamClientEndpoint, *, clock: IReactorTime
    ) -> None:
        self._log = Logger(namespace="boomerang.stores.redis")
        self.protocol: Any = None
        self.trouble = "not connected"
        self._address = address
        self._endpoint = endpoint
        self._clock = clock
        self._waiting: list[Deferred[None]] = []
        self._keeping: Deferred[None] | None = None
        self._closed = False

    def open(self) -> Deferred[None]:
        """Begin to connect; fires once connected, or fails when an attempt did.

        Further attempts are made all the same. Cancelling the Deferred does not stop them.
        """
        if self._closed:
            return fail(StoreUnavailable("Redis: closed"))
        if self.protocol is not None:
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        if self._keeping is None:
            self._keeping = Deferred.fromCoroutine(self._keep_connected())
        return waiter

    def reconnect(self) -> None:
        """Drop the connection, for a new one to wherever the endpoint then leads."""
        if self.protocol is not None:
            self.protocol.transport.abortConnection()

    def close(self) -> Deferred[None]:
        """Drop the connection for good."""
        self._closed = True
        keeping, self._keeping = self._keeping, None
        if keeping is None:
            return succeed(None)
        if self.protocol is None:
            self._disconnected("closed")
            keeping.cancel()
        else:
            self.reconnect()
        return keeping.addErrback(_only_cancelled)

    async def _keep_connected(self) -> None:
        """Connect, wait until the connection is lost, begin anew; closing ends it."""
        pause = _FIRST_PAUSE
        while True:
            try:
                protocol = await connect(self._address, self._endpoint)
            except Exception as error:  # any of a dozen network errors, all to be tried again
                if not self._closed:
                    self._failed(str(error) or type(error).__name__)
            else:
                pause = _FIRST_PAUSE
                self._connected(protocol)
                await protocol.lost
                self._disconnected("closed" if self._closed else "connection lost")
            if self._closed:
                return
            await deferLater(self._clock, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _connected(self, protocol: Any) -> None:
        self.protocol = protocol
        self.trouble = ""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def _failed(self, reason: str) -> None:
        if reason != self.trouble:  # each reason is logged once
            self._log.warn("Redis: {reason}", reason=reason)
        self._disconnected(reason)

    def _disconnected(self, reason: str) -> None:
        self.protocol = None
        self.trouble = reason
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(StoreUnavailable(f"Redis: {reason}"))


def _only_cancelled(trouble: Trouble) -> None:
    trouble.trap(CancelledError)
