"""What a web address must look like before it may be put into TwiML or compared with another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from attrs import frozen

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

LONGEST_URL: Final = 8000
"""Characters. Twilio itself refuses a status callback over 4000 (error 21609)."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""Control characters, line separators, surrogates and what else XML 1.0 §2.2 leaves out."""

_ABSOLUTE = re.compile(
    r"""(?P<scheme>https?)://
        (?:(?P<userinfo>[^@/?#\\ ]*)@)?
        (?P<host>\[[0-9a-f:.]+\] | [^\[\]@:/?#\\ <>"'`{}|^%&=+,;*()!$~]+)
        (?::(?P<port>\d{1,5})?)?
        (?P<path>/[^?#]*)?
        (?:\?(?P<query>[^#]*))?
        (?:\#.*)?""",
    re.VERBOSE | re.IGNORECASE,
)

_ASCII_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")
"""A host after IDNA, which turns look-alikes of ``@``, ``:`` and ``/`` into the real ones."""


class BadUrl(ValueError):
    """The text is not an absolute http or https URL; the message says why, without the text."""


@frozen
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
    if _UNPRINTABLE.search(text):
        raise BadUrl("has control characters")
    found = _ABSOLUTE.fullmatch(text)
    if found is None:
        raise BadUrl("is not an absolute http or https URL")
    scheme = found["scheme"].lower()
    host = plain_host(found["host"])
    if not _ASCII_HOST.fullmatch(host):
        raise BadUrl("has a host name that cannot be one")
    port = int(found["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise BadUrl("has a port that does not exist")
    return WebUrl(
        scheme=scheme,
        host=host,
        port=port,
        path=found["path"] or "/",
        query=found["query"] or "",
    )


def plain_host(host: str) -> str:
    """Write a host name the one way in which names are compared. Raises `BadUrl` if it is none."""
    name = host.lower().removesuffix(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise BadUrl("has a host name that cannot be written in ASCII") from None
    if not name or name.startswith(".") or ".." in name:
        raise BadUrl("has a host name with an empty part")
    return name


def without_fragment(url: str) -> str:
    """The address as a server sees it: the fragment (connection overrides) stays at Twilio."""
    return url.partition("#")[0]


def host_allowed(host: str, patterns: Iterable[str]) -> bool:
    """Whether a host, as `WebUrl` has it, fits one of the patterns (``*.example.com``)."""
    return any(fnmatchcase(host, pattern) for pattern in patterns)
