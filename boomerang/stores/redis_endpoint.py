"""Where the Redis server of an address is, and how to get there: plainly, by TLS, by Sentinel."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from OpenSSL.crypto import Error as NotACertificate
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from zope.interface import implementer

from boomerang.stores.address import RedisAddress
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_protocol import protocol_factory

_CONNECT_TIMEOUT: Final = 1.0

_REPLY_TIMEOUT: Final = 1.0

_ATTEMPT_DELAY: Final = 0.05
"""Seconds before the next address of a name is tried as well. A refusal is not told before that,
and Twisted's 0.3 would be more than the 0.25 that a caller of the store waits for its reason."""

_PEM_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL
)


def endpoint_of(
    address: RedisAddress, reactor: Any, *, timeout: float = _CONNECT_TIMEOUT
) -> IStreamClientEndpoint:
    """The way to the server that the address names. Raises `OSError` for an unreadable PEM file."""
    if address.service is not None:
        return SentinelEndpoint(reactor, address.hosts, address.service)
    ((host, port),) = address.hosts
    endpoint = _plain(reactor, host, port, timeout=timeout)
    return wrapClientTLS(_tls(address, host), endpoint) if address.tls else endpoint


def _plain(
    reactor: Any, host: str, port: int, *, timeout: float = _CONNECT_TIMEOUT
) -> HostnameEndpoint:
    return HostnameEndpoint(reactor, host, port, timeout=timeout, attemptDelay=_ATTEMPT_DELAY)


def _tls(address: RedisAddress, host: str) -> Any:
    if not address.verify:
        return CertificateOptions()
    if address.authority is None:
        return optionsForClientTLS(host)
    return optionsForClientTLS(host, trustRoot=_authorities(address.authority))


def _authorities(path: str) -> Any:
    """The trust in all certificates of a PEM file; Twisted's own reading stops at the first."""
    with open(path, "rb") as pem:
        found = _PEM_CERTIFICATE.findall(pem.read())
    try:
        certificates = [Certificate.loadPEM(certificate) for certificate in found]
    except NotACertificate:
        certificates = []
    if not certificates:
        raise OSError(f"{path}: no certificates in PEM format")
    return trustRootFromCertificates(certificates)


@implementer(IStreamClientEndpoint)
class SentinelEndpoint:
    """Asks the Sentinels, one after the other, where the master is, before every connection.

    A former master is recognised by its READONLY; each connection begins with another Sentinel, so
    that one that is behind the times is left again.
    """

    def __init__(self, reactor: Any, sentinels: Sequence[tuple[str, int]], service: str) -> None:
        self._reactor = reactor
        self._sentinels = deque(sentinels)
        self._service = service

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        reasons = []
        self._sentinels.rotate(-1)
        for sentinel in tuple(self._sentinels):
            try:
                host, port = await self._ask(sentinel)
                return await _plain(self._reactor, host, port).connect(protocolFactory)
            except (CancelledError, ConnectingCancelledError):
                raise CancelledError from None
            except Exception as error:  # any of a dozen network errors: the next one may know
                reasons.append(f"{sentinel[0]}:{sentinel[1]}: {error or type(error).__name__}")
        raise StoreUnavailable("no Sentinel leads to a master: " + "; ".join(sorted(reasons)))

    async def _ask(self, sentinel: tuple[str, int]) -> tuple[str, int]:
        endpoint = _plain(self._reactor, *sentinel)
        connection: Any = await endpoint.connect(protocol_factory())
        try:
            asked = connection.ask("SENTINEL", "get-master-addr-by-name", self._service)
            reply = await asked.addTimeout(_REPLY_TIMEOUT, self._reactor)
        except TimeoutError:
            raise StoreUnavailable(f"no answer within {_REPLY_TIMEOUT:g} s") from None
        finally:
            connection.transport.loseConnection()
        if not reply:
            raise StoreUnavailable(f"knows no service {self._service}")
        return reply[0].decode(), int(reply[1])
