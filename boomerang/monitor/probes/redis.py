"""Checks of kind ``redis``: a server answers PING, and is reached as the store reaches its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import frozen
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IProtocolFactory, ISSLTransport, IStreamClientEndpoint
from zope.interface import implementer

from boomerang.monitor.probes.reach import TracedReactor, place, reaching
from boomerang.monitor.result import CheckFailed, Reason
from boomerang.monitor.run import Trace
from boomerang.settings.checks import Check
from boomerang.stores.address import RedisAddress, parse_store
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_connection import connect
from boomerang.stores.redis_endpoint import endpoint_of
from boomerang.stores.redis_protocol import NotRedis, Refused


@frozen(eq=False)
class RedisProbe:
    """Connects to the server of the URL, after AUTH and SELECT if need be asks PING, and leaves."""

    reactor: Any

    async def __call__(self, check: Check, trace: Trace) -> None:
        address = parse_store(check.url)
        assert isinstance(address, RedisAddress)  # the settings are checked
        with _speaking(), reaching(place(*address.hosts[0]), trace):
            endpoint = _OneConnection(
                endpoint_of(address, TracedReactor(self.reactor, trace), timeout=check.timeout),
                trace,
            )
            try:
                await connect(address, endpoint, clock=self.reactor, timeout=None)
                trace.end()
                trace.certificate_expires = endpoint.certificate_expires()
            finally:
                await endpoint.close()


@implementer(IStreamClientEndpoint)
class _OneConnection:
    """An endpoint that keeps the connection it made, to close it however the run has ended."""

    def __init__(self, endpoint: IStreamClientEndpoint, trace: Trace) -> None:
        self._endpoint = endpoint
        self._trace = trace
        self._protocol: Any = None

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        return self._endpoint.connect(protocolFactory).addCallback(self._connected)

    def _connected(self, protocol: Any) -> Any:
        self._trace.begin("first_byte")
        self._protocol = protocol
        return protocol

    def certificate_expires(self) -> float | None:
        """When the server's certificate does, in seconds since the epoch; `None` without TLS."""
        transport: Any = self._protocol.transport
        if not ISSLTransport.providedBy(transport):
            return None
        certificate: Any = transport.getPeerCertificate()
        return float(certificate.to_cryptography().not_valid_after_utc.timestamp())

    async def close(self) -> None:
        if self._protocol is not None:
            self._protocol.transport.abortConnection()
            await self._protocol.lost


@contextmanager
def _speaking() -> Iterator[None]:
    """Make a `CheckFailed` of what goes wrong in the conversation with the server."""
    try:
        yield
    except StoreUnavailable as error:
        raise _connection_failed(error) from None
    except Refused as error:
        raise CheckFailed(Reason.STATUS, str(error)) from None
    except (OSError, ValueError) as error:
        # Besides what makes no sense: a PEM file that is not there, a name that no host can have.
        raise CheckFailed(Reason.ERROR, str(error)) from None


def _connection_failed(error: StoreUnavailable) -> CheckFailed:
    """What a check says of a connection, by what ended it."""
    match error.__cause__:
        case VerificationError():
            return CheckFailed(Reason.CERTIFICATE, "the certificate is for another host")
        case SSL.Error() as trouble:
            reasons = ", ".join(each[-1] for each in trouble.args[0]) if trouble.args else ""
            untrusted = "certificate verify failed" in reasons
            return CheckFailed(Reason.CERTIFICATE if untrusted else Reason.TLS, reasons)
        case NotRedis() as trouble:
            return CheckFailed(Reason.ERROR, f"does not speak Redis: {trouble}")
        case ConnectionClosed():
            return CheckFailed(Reason.CONNECT, "closed the connection without an answer")
    return CheckFailed(Reason.CONNECT, str(error))  # of the Sentinels
