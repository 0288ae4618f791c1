"""One connection to Redis that always comes back: from a crash, a hang, a failover.

Measured facts about txredisapi 1.6 behind the choices here: a failed handshake stops its
reconnecting for ever unless `stopTrying` is overridden; numbers are guessed from replies unless
``convertNumbers`` is off; a reply timeout aborts the connection, which is what a hung server needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import txredisapi
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS
from twisted.logger import Logger
from zope.interface import implementer

from boomerang.stores.address import RedisAddress
from boomerang.stores.interfaces import StoreUnavailable

REPLY_TIMEOUT: Final = 0.2
"""Seconds to a reply; below the 250 ms of a claim, so that a hung connection is replaced."""

_CONNECT_TIMEOUT: Final = 1.0


class _Factory(txredisapi.RedisFactory):  # type: ignore[misc]
    """Connects again and again, whatever went wrong, and says each reason once."""

    initialDelay, maxDelay = 0.1, 2.0
    _log = Logger(namespace="boomerang.stores.redis")
    _said = ""

    def stopTrying(self) -> Deferred[None]:
        """A failed handshake is tried again like a failed connection."""
        return succeed(None)

    def connectionError(self, why: object) -> None:
        reason = str(why)
        if reason != self._said:
            self._said = reason
            self._log.warn("{reason}", reason=reason)


class RedisConnection:
    """Keeps one connection to the server at ``endpoint``."""

    def __init__(self, address: RedisAddress, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint
        self._make_factory = partial(
            _Factory,
            uuid=str(address),
            dbid=address.database,
            poolsize=1,
            charset="utf-8",
            username=address.username,
            password=address.password,
            replyTimeout=REPLY_TIMEOUT,
            convertNumbers=False,
        )
        self._factory: _Factory | None = None

    @property
    def protocol(self) -> Any:
        """The connection, `None` while there is none."""
        return self._factory.pool[0] if self._factory is not None and self._factory.pool else None

    def open(self) -> Deferred[None]:
        """Begin to connect; fires once connected. Cancelling it does not stop the attempts."""
        if self._factory is None:
            self._factory = self._make_factory()
            self._factory.startConnecting(self._endpoint)
        opened: Deferred[None] = Deferred()
        if self._factory.deferred is None:
            opened.callback(None)
        else:
            self._factory.deferred.addCallback(partial(_tell, opened))
        return opened

    def reconnect(self) -> None:
        """Drop the connection, for a new one to wherever the endpoint then leads."""
        if self.protocol is not None:
            self.protocol.transport.abortConnection()

    def close(self) -> Deferred[None]:
        factory, self._factory = self._factory, None
        if factory is None:
            return succeed(None)
        closed: Deferred[None] = factory.disconnect()
        return closed


def _tell(waiter: Deferred[None], handler: object) -> object:
    if not waiter.called:
        waiter.callback(None)
    return handler


def endpoint_of(address: RedisAddress, reactor: Any) -> IStreamClientEndpoint:
    """The way to the server that the address names. Raises `OSError` for an unreadable PEM file."""
    if address.service is not None:
        return SentinelEndpoint(reactor, address.hosts, address.service)
    ((host, port),) = address.hosts
    endpoint = HostnameEndpoint(reactor, host, port, timeout=_CONNECT_TIMEOUT)
    return wrapClientTLS(_tls(address, host), endpoint) if address.tls else endpoint


def _tls(address: RedisAddress, host: str) -> Any:
    if not address.verify:
        return CertificateOptions()
    if address.authority is None:
        return optionsForClientTLS(host)
    with open(address.authority, "rb") as pem:
        return optionsForClientTLS(host, trustRoot=Certificate.loadPEM(pem.read()))


@implementer(IStreamClientEndpoint)
class SentinelEndpoint:
    """Asks the Sentinels, one after the other, where the master is, before every connection.

    Own code, for txredisapi's discovery takes ten seconds when no Sentinel answers, and leaves
    failures of its role check unhandled. A former master is recognised by its READONLY.
    """

    def __init__(self, reactor: Any, sentinels: Sequence[tuple[str, int]], service: str) -> None:
        self._reactor = reactor
        self._sentinels = tuple(sentinels)
        self._service = service

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        reasons = []
        for sentinel in self._sentinels:
            try:
                host, port = await self._ask(sentinel)
                return await self._endpoint(host, port).connect(protocolFactory)
            except Exception as error:  # any of a dozen network errors: the next one may know
                reasons.append(f"{sentinel[0]}:{sentinel[1]}: {error or type(error).__name__}")
        raise StoreUnavailable("no Sentinel leads to a master: " + "; ".join(reasons))

    async def _ask(self, sentinel: tuple[str, int]) -> tuple[str, int]:
        make: Callable[[], Any] = partial(
            txredisapi.RedisProtocol, replyTimeout=_CONNECT_TIMEOUT, convertNumbers=False
        )
        connection: Any = await self._endpoint(*sentinel).connect(_factory_for(make))
        try:
            reply = await connection.execute_command(
                "SENTINEL", "get-master-addr-by-name", self._service
            )
        finally:
            connection.transport.loseConnection()
        if not reply:
            raise StoreUnavailable(f"knows no service {self._service}")
        return str(reply[0]), int(reply[1])

    def _endpoint(self, host: str, port: int) -> HostnameEndpoint:
        return HostnameEndpoint(self._reactor, host, port, timeout=_CONNECT_TIMEOUT)


def _factory_for(make: Callable[[], Any]) -> Factory:
    factory = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda address: make()  # type: ignore[method-assign]
    return factory
