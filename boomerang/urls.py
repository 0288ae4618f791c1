"""What a web address must look like before it may be put into TwiML or compared with another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Final

import idna

from boomerang.values import quick_frozen

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

LONGEST_URL: Final = 16_000
"""Characters. Twilio itself refuses a status callback over 4000 (error 21609); but behind the URL
of a GET it puts its parameters, and 1,600 characters of a text may take 14,400 in escapes."""

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""Control characters, line separators, surrogates and what else XML 1.0 §2.2 leaves out."""

_ABSOLUTE: Final = re.compile(
    r"""(?P<scheme>https?)://
        (?:(?P<userinfo>[^@/?#\\ ]*+)@)?
        (?P<host>\[[0-9a-f:.]+\] | [^\[\]@:/?#\\ <>"'`{}|^%&=+,;*()!$~]++)
        (?::(?P<port>\d{1,5})?+)?+
        (?P<path>/[^?#]*+)?+
        (?:\?(?P<query>[^#]*+))?+
        (?:\#.*)?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
"""No part can end in two ways, so none is tried again (``++``): half as long for what matches."""

_DOTS: Final = re.compile("[.\u3002\uff0e\uff61]")

_LOGIN: Final = re.compile(
    r"(?P<before>\A(?>(?:[a-z][a-z0-9+.-]*:)?(?://)?)) (?: [^/]* | [^/@]*:/.* )@",
    re.VERBOSE | re.IGNORECASE,
)
"""Up to the last @ of an authority, even if a password has an @ or begins with a slash."""


class BadUrl(ValueError):
    """The text is not an absolute http or https URL; the message says why, without the text."""


@quick_frozen
class WebUrl:
    """The parts of an absolute web address that boomerang compares.

    ``host`` is lower case, in its ASCII (IDNA) form and without a final dot; ``port`` is always
    given; ``path`` is at least ``/``; ``query`` is what stands after the question mark.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> tuple[str, int]:
        """Host and port: two addresses with the same origin are answered by the same server."""
        return self.host, self.port


def parse_url(text: str) -> WebUrl:
    """Take an absolute web address apart.

    Raises `BadUrl` for anything that is not ``http://`` or ``https://`` with a host, that has
    control characters, or whose host could be read in two ways (a backslash).
    """
    if len(text) > LONGEST_URL:
        raise BadUrl(f"is longer than {LONGEST_URL} characters")
    if not (text.isascii() and text.isprintable()) and _UNPRINTABLE.search(text):
        raise BadUrl("has control characters")
    found = _ABSOLUTE.fullmatch(text)
    if found is None:
        raise BadUrl("is not an absolute http or https URL")
    scheme, _, host, port_given, path, query = found.groups()
    scheme = scheme.lower()
    host = plain_host(host)
    port = int(port_given or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise BadUrl("has a port that does not exist")
    return WebUrl(scheme, host, port, path or "/", query or "")


def plain_host(host: str) -> str:
    """Write a host name the one way in which names are compared. Raises `BadUrl` if it is none."""
    name = host.lower()
    if not name.isascii():
        try:
            name = ".".join(_ascii_label(label) for label in _DOTS.split(name))
        except idna.IDNAError:
            raise BadUrl("has a host name that cannot be written in ASCII") from None
    if not name or name.startswith(".") or ".." in name:
        raise BadUrl("has a host name with an empty part")
    return name.removesuffix(".")


def _ascii_label(label: str) -> str:
    return label if label.isascii() else idna.encode(label).decode("ascii")


def is_loopback(host: str) -> bool:
    """Whether a host, as `WebUrl` has it, is this machine."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)


def without_secrets(url: str) -> str:
    """A URL of any scheme as it may be shown: no user, no password, no values in its query."""
    address, mark, query = url.partition("#")[0].partition("?")
    return _LOGIN.sub(r"\g<before>", address) + (f"{mark}..." if query else "")


def without_fragment(url: str) -> str:
    """The address as a server sees it: the fragment (connection overrides) stays at Twilio."""
    return url.partition("#")[0]


def host_allowed(host: str, patterns: Iterable[str]) -> bool:
    """Whether a host, as `WebUrl` has it, fits one of the patterns (``*.example.com``)."""
    return any(
        host == pattern if pattern.startswith("[") else fnmatchcase(host, pattern)
        for pattern in patterns
    )
