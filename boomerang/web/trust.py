"""Whom boomerang serves: signed requests, and those to allowed hosts."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import quote

from attrs import frozen

from boomerang.relay.resign import Signer
from boomerang.retry.request import FailedRequest, Target
from boomerang.urls import DEFAULT_PORTS, BadUrl, host_allowed, parse_url
from boomerang.values import Fields
from boomerang.web.reply import Refused
from boomerang.web.request import GuardedRequest
from boomerang.web.signature import SETTINGS, SIGNATURE, Keys, Signed, signer_of

_SIGNATURE: Final = SIGNATURE.encode()
_SETTINGS: Final = SETTINGS.encode()


@frozen
class Trust:
    """Checks of a request. All raise `Refused` with 403."""

    keys: Keys
    public_url: str | None
    allowed_hosts: tuple[str, ...]

    def check_signature(
        self, request: GuardedRequest, form: Fields, body: bytes = b""
    ) -> Signer | None:
        """Refuse what Twilio did not sign, if there is a key to tell it by.

        ``body`` is only needed where it is no form. Returns what it was signed with.
        """
        if not self.keys:
            return None
        bases = (self.public_url,) if self.public_url else _bases(host_header(request))
        login = request.single(b"Authorization")
        if login:
            bases = (*_with_login(bases, login), *bases)
        target = request.uri.decode("utf-8", "surrogateescape")
        signature, settings = request.single(_SIGNATURE), request.single(_SETTINGS)
        signed = Signed(bases, target, form, body, signature, settings)
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
        """Whose request this is, for what is shared out: the account's that it names, if signed.

        Who does not sign can name any account. What such a one cannot choose is the address that
        it comes from, the proxy's if there is one: forwarding headers can be made up.
        """
        if self.keys:
            return account_sid
        return neighbourhood(getattr(request.getClientAddress(), "host", None) or "")

    def own_origins(self, request: GuardedRequest) -> frozenset[tuple[str, int]]:
        """The addresses by which this host is known: ``public_url``, else what was asked for.

        Behind the usual port of the one scheme and of the other there is the same host.
        """
        if self.public_url is None:
            return _origins(_bases(host_header(request)))
        return _origins_of(self.public_url)

    def own_address(self, request: GuardedRequest) -> str | None:
        """Scheme and host by which Twilio reaches this host again: ``public_url``, else a guess.

        What was asked for without TLS was asked for by http, unless a proxy says otherwise.
        """
        if self.public_url is not None:
            return self.public_url
        host = host_header(request)
        forwarded = request.single(b"X-Forwarded-Proto") or ""
        secure = request.isSecure() or forwarded.partition(",")[0].strip().lower() == "https"
        base = f"{'https' if secure else 'http'}://{host}"
        return base if _origins((base,)) else None


def host_header(request: GuardedRequest) -> str:
    """The name that the client called this host by, empty if it named none or several."""
    return request.single(b"Host") or ""


@lru_cache(maxsize=1024)
def neighbourhood(host: str) -> str:
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


def _with_login(bases: Sequence[str], header: str) -> Iterator[str]:
    """The addresses with the name and password that were sent (RFC 7617), as they may be signed.

    Twilio takes them from the URL that it was given, where they may be escaped.
    """
    scheme, _, sent = header.partition(" ")
    if scheme.lower() != "basic":
        return
    try:
        login = b64decode(sent, validate=True).decode()
    except ValueError:
        return
    name, _, password = login.partition(":")
    escaped = f"{quote(name, safe='')}:{quote(password, safe='')}"
    for spelling in dict.fromkeys((login, escaped)):
        yield from (base.replace("://", f"://{spelling}@", 1) for base in bases)


@lru_cache(maxsize=16)
def _origins_of(base: str) -> frozenset[tuple[str, int]]:
    """Those of an address, and of the same host by the other scheme if both have usual ports."""
    url = parse_url(base)
    twins = _bases(url.host) if url.port == DEFAULT_PORTS[url.scheme] else ()
    return _origins((base, *twins))


@lru_cache(maxsize=256)
def _origins(bases: tuple[str, ...]) -> frozenset[tuple[str, int]]:
    origins = set()
    for base in bases:
        try:
            origins.add(parse_url(base).origin)
        except BadUrl:
            continue
    return frozenset(origins)
