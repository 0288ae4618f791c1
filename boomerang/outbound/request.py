"""Requests as values: what is sent for one, and which one a redirect asks for."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urljoin

from attrs import evolve, field, frozen
from twisted.web.http_headers import Headers

from boomerang import __version__
from boomerang.outbound.troubles import Trouble, Unreachable
from boomerang.urls import DEFAULT_PORTS, WebUrl, parse_url

USER_AGENT: Final = f"boomerang/{__version__}"

_REDIRECTS: Final = (301, 302, 303, 307, 308)

_FOR_ANYONE: Final = ("accept", "accept-encoding", "accept-language", "cache-control", "user-agent")
"""Headers that a redirect may carry to another server; any other could hold a secret."""

_OF_THE_BODY: Final = ("content-encoding", "content-language", "content-type")


@frozen
class Request:
    """A request. Raises `boomerang.urls.BadUrl` for a URL that is not one of the web.

    The name and password in the URL are sent as Basic authentication, unless the headers have
    another one.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    target: WebUrl = field(init=False, repr=False)

    @target.default
    def _parsed(self) -> WebUrl:
        return parse_url(self.url)

    @property
    def where(self) -> str:
        """The server's name, as messages have it."""
        host, port = self.target.origin
        return host if port == DEFAULT_PORTS[self.target.scheme] else f"{host}:{port}"

    @property
    def uri(self) -> bytes:
        """The URL in ASCII, with its port and without secrets, as Twisted's `Agent` takes it."""
        target = self.target
        query = f"?{target.query}" if target.query else ""
        path = re.sub("[^!-~]", lambda found: quote(found[0]), f"{target.path}{query}")
        return f"{target.scheme}://{target.host}:{target.port}{path}".encode("ascii")

    def sent_headers(self) -> Headers:
        """All headers but those that the connection needs."""
        headers = Headers({name: [value] for name, value in self.headers.items()})
        defaults = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        login = _login(self.url)
        if login is not None:
            defaults["Authorization"] = login
        for name, value in defaults.items():
            if not headers.hasHeader(name):
                headers.setRawHeaders(name, [value])
        return headers


def _login(url: str) -> str | None:
    """The Basic authentication for the name and password in a URL (RFC 7617)."""
    authority = re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]
    userinfo, at, _ = authority.rpartition("@")
    if not at:
        return None
    user, _, password = userinfo.partition(":")
    secret = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return f"Basic {b64encode(secret).decode('ascii')}"


def is_redirect(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer asks for another request (RFC 9110 §15.4)."""
    return status in _REDIRECTS and "location" in headers


def redirected(request: Request, status: int, location: str) -> Request:
    """The request that an answer asks for: to another server it carries no secrets.

    Raises `Unreachable` when the location is no web address.
    """
    try:
        moved = evolve(request, url=urljoin(request.url, location))
    except ValueError:
        words = f"{request.where}: redirects to what is no web address"
        raise Unreachable(Trouble.REDIRECT, words) from None
    if request.method == "POST" and status in (301, 302, 303):
        moved = evolve(moved, method="GET", body=None, headers=_without(moved, _OF_THE_BODY))
    if _origin(moved.target) != _origin(request.target):
        moved = evolve(moved, headers=_only(moved, _FOR_ANYONE))
    return moved


def _origin(url: WebUrl) -> tuple[str, str, int]:
    return url.scheme, *url.origin


def _only(request: Request, names: tuple[str, ...]) -> Mapping[str, str]:
    return {name: value for name, value in request.headers.items() if name.lower() in names}


def _without(request: Request, names: tuple[str, ...]) -> Mapping[str, str]:
    return {name: value for name, value in request.headers.items() if name.lower() not in names}
