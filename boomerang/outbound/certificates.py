"""The certificates of servers: whether one may be trusted, why not, and until when."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from attrs import frozen
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, platformTrust
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

_NOT_TRUSTED: Final = "is of an authority that is not trusted here"

_EXPIRED: Final = 10

_PROBLEMS: Final = {
    9: "is not valid yet",
    _EXPIRED: "has expired",
    18: "is self-signed",
    19: _NOT_TRUSTED,
    20: _NOT_TRUSTED,
    21: _NOT_TRUSTED,
    23: "has been revoked",
}
"""By OpenSSL's numbers (``X509_V_ERR_...`` in x509_vfy.h, which will not change)."""


class Trust:
    """What servers' certificates are held against: the platform's trust roots, or others.

    There is one TLS context for all hosts, since each loads all the roots anew: some milliseconds
    and a megabyte. That is why this is not Twisted's `optionsForClientTLS`, which makes one for
    each host; what it does for a connection is done here, and the reason of a refusal kept.
    """

    def __init__(self, root: Any = None) -> None:
        options = CertificateOptions(trustRoot=platformTrust() if root is None else root)
        self._context = options.getContext()

    def creator(self, host: str, evidence: Evidence) -> IOpenSSLClientConnectionCreator:
        """Makes connections to a host (`WebUrl.host`, without brackets) for Twisted's TLS."""
        return _Creator(self._context, host, evidence)


class Evidence:
    """What a server has shown for itself.

    ``problem`` completes "the certificate ...". ``expires`` is when the first certificate of the
    chain does (seconds since the epoch), as far as the chain was looked at.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self.expires: float | None = None
        self._earliest: float | None = None

    def saw(self, certificate: X509, *, last: bool) -> None:
        """Take note of a certificate of the chain, and whether none that matters comes after it."""
        with suppress(ValueError):  # some old roots are good for OpenSSL alone
            expires = certificate.to_cryptography().not_valid_after_utc.timestamp()
            self._earliest = min(expires, expires if self._earliest is None else self._earliest)
        if last:
            self.expires = self._earliest


@implementer(IOpenSSLClientConnectionCreator)
@frozen(eq=False)
class _Creator:
    context: SSL.Context
    host: str
    evidence: Evidence

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self.context)
        if not _is_address(self.host):
            connection.set_tlsext_host_name(self.host.encode("ascii"))
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._examine)
        return connection

    def _examine(self, _: SSL.Connection, x509: X509, code: int, depth: int, ok: int) -> bool:
        """Called by OpenSSL for each certificate, from the root down, and for what is wrong.

        What is raised here fails the handshake.
        """
        self.evidence.saw(x509, last=depth == 0 or code == _EXPIRED)
        if not ok:
            self.evidence.problem = _PROBLEMS.get(code, f"is refused (OpenSSL's code {code})")
        elif depth == 0 and not _is_for(self.host, x509):
            self.evidence.problem = "is not for this host"
        return self.evidence.problem is None


def _is_for(host: str, certificate: X509) -> bool:
    """Whether a certificate names a host; one that names none, or none that can be read, no."""
    try:
        wanted = IPAddress_ID(host) if _is_address(host) else DNS_ID(host)
        verify_service_identity(extract_patterns(certificate), [wanted], [])
    except (VerificationError, CertificateError, ValueError):
        return False
    return True


def _is_address(host: str) -> bool:
    return isIPAddress(host) or isIPv6Address(host)
