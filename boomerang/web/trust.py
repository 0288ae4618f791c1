"""Whom boomerang serves: signed requests, allowed hosts, and people on this machine."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

from attrs import field, frozen
from twisted.internet.interfaces import IAddress

from boomerang.relay.resign import Signer
from boomerang.retry.request import FailedRequest, Target
from boomerang.urls import BadUrl, host_allowed, parse_url
from boomerang.web.reply import Refused
from boomerang.web.signature import SETTINGS, SIGNATURE, Keys, Signed, signer_of
from boomerang.web.site import GuardedRequest

_FORWARDING: Final = frozenset(
    {"forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip", "x-client-ip"}
)


@frozen
class Trust:
    """Checks of a request. All raise `Refused` with 403."""

    keys: Keys
    public_url: str | None
    allowed_hosts: tuple[str, ...]

    def check_signature(
        self, request: GuardedRequest, form: Sequence[tuple[str, str]], body: bytes = b""
    ) -> Signer | None:
        """Refuse what Twilio did not sign, if there is a key to tell it by.

        ``body`` is only needed where it is no form. Returns what it was signed with.
        """
        if not self.keys:
            return None
        signed = Signed(
            bases=(self.public_url,) if self.public_url else _bases(host_header(request)),
            target=request.uri.decode("utf-8", "surrogateescape"),
            form=form,
            body=body,
            signature=_only(request, SIGNATURE),
            settings=_only(request, SETTINGS),
        )
        signer = signer_of(signed, self.keys)
        if signer is None:
            raise Refused(
                403,
                f"the {SIGNATURE} is missing or wrong. If Twilio sent this, check auth_token, and"
                " that public_url is how Twilio reaches this host",
            )
        return signer

    def check_hosts(self, failed: FailedRequest) -> None:
        """Refuse to send a call to a host that is not on the allow-list, if there is one."""
        self._check_host("ErrorUrl", failed.error)
        if failed.fallback is not None:
            self._check_host("FallbackUrl", failed.fallback)

    def _check_host(self, name: str, target: Target) -> None:
        self.check_host(name, target.parts.host)

    def check_host(self, name: str, host: str) -> None:
        """Refuse a host that is not on the allow-list, if there is one."""
        if not self.allows(host):
            raise Refused(403, f"the host of {name} is not one of allowed_hosts")

    def allows(self, host: str) -> bool:
        """Whether a host may be sent anything."""
        return not self.allowed_hosts or host_allowed(host, self.allowed_hosts)

    def party(self, request: GuardedRequest, account_sid: str) -> str:
        """Whose request this is, for what is shared out: the account's that signed it.

        Who does not sign can name any account. What such a one cannot choose is the address that
        it comes from, the proxy's if there is one: forwarding headers can be made up.
        """
        if self.keys:
            return account_sid
        return _neighbourhood(getattr(request.getClientAddress(), "host", None) or "")

    def own_origins(self, request: GuardedRequest) -> frozenset[tuple[str, int]]:
        """The addresses by which this host is known: ``public_url``, else what was asked for."""
        bases = (self.public_url,) if self.public_url else _bases(host_header(request))
        return _origins(bases)

    def own_address(self, request: GuardedRequest) -> str | None:
        """Scheme and host by which Twilio reaches this host again: ``public_url``, else a guess.

        What was asked for without TLS was asked for by http, unless a proxy says otherwise.
        """
        if self.public_url is not None:
            return self.public_url
        host = host_header(request)
        forwarded = _only(request, "X-Forwarded-Proto") or ""
        secure = request.isSecure() or forwarded.partition(",")[0].strip().lower() == "https"
        base = f"{'https' if secure else 'http'}://{host}"
        return base if _origins((base,)) else None


@frozen
class Visitors:
    """Who may see what is for operators: whoever knows the password, else who sits here."""

    user: str | None
    password: str | None = field(repr=False)

    def check(self, request: GuardedRequest) -> None:
        """Raise `Refused` (401 or 403) for everyone else."""
        if self.password is None:
            if not _sits_here(request):
                raise Refused(
                    403, "only direct connections from this machine, or set [status] password"
                )
        elif not self._knows(request.getHeader("authorization") or ""):
            challenge = ((b"WWW-Authenticate", b'Basic realm="boomerang", charset="UTF-8"'),)
            raise Refused(401, "user and password of [status] are needed", headers=challenge)

    def _knows(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = b64decode(credentials.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, f"{self.user}:{self.password}".encode())


def host_header(request: GuardedRequest) -> str:
    """The name that the client called this host by, empty if it named none or several."""
    return _only(request, "Host") or ""


def _only(request: GuardedRequest, name: str) -> str | None:
    values = request.requestHeaders.getRawHeaders(name.encode("ascii"), [])
    return values[0].decode("utf-8", "surrogateescape") if len(values) == 1 else None


def _sits_here(request: GuardedRequest) -> bool:
    for name, _ in request.requestHeaders.getAllRawHeaders():
        lower = name.decode("latin-1").lower()
        if lower in _FORWARDING or lower.startswith("x-forwarded-"):
            return False
    return _is_loopback(request.getClientAddress())


def _is_loopback(address: IAddress) -> bool:
    try:
        found = ip_address(getattr(address, "host", ""))
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


@lru_cache(maxsize=1024)
def _neighbourhood(host: str) -> str:
    """An address; of IPv6 its first 64 bits, all of which one customer has."""
    try:
        found = ip_address(host)
    except ValueError:
        return host
    if found.version == 4 or found.ipv4_mapped is not None:
        return host
    return str(ip_network((found, 64), strict=False))


@lru_cache(maxsize=256)
def _bases(host: str) -> tuple[str, ...]:
    """Without ``public_url``: the host as asked for; TLS may have ended before us, or not."""
    return (f"https://{host}", f"http://{host}") if host else ()


@lru_cache(maxsize=256)
def _origins(bases: tuple[str, ...]) -> frozenset[tuple[str, int]]:
    origins = set()
    for base in bases:
        try:
            origins.add(parse_url(base).origin)
        except BadUrl:
            continue
    return frozenset(origins)
