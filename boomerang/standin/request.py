"""Requests as values, and the bytes that are sent for one."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlencode

from attrs import field, frozen

from boomerang.standin.script import Pairs, Webhook
from boomerang.standin.signing import SIGNATURE, signature, signed_url
from boomerang.urls import parse_url

USER_AGENT: Final = "TwilioProxy/1.1"

_FORM: Final = "application/x-www-form-urlencoded; charset=UTF-8"

_AUTHORITY: Final = re.compile(r"//(?:(?P<login>[^/?#]*)@)?[^/?#]*?(?P<port>:\d+)?(?=[/?#]|\Z)")


@frozen
class Address:
    """Where a URL leads.

    ``port_shown`` is the port as the URL names it, with its colon, and empty if it names none.
    ``target`` is path and query, in ASCII. ``login`` is ``user:password``, or nothing.
    """

    scheme: str
    host: str
    port: int
    port_shown: str
    target: str
    login: str = field(repr=False)

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        return self.host + self.port_shown

    @property
    def url(self) -> str:
        """Without login and fragment."""
        return f"{self.scheme}://{self.authority}{self.target}"


@frozen
class Request:
    """One request: an address, and what is told there.

    ``results`` are those of a verb, like ``Digits``; unlike what is ``standard`` they do not
    survive every redirect. ``login``: whether the URL's name and password are shown.
    """

    webhook: Webhook
    standard: Pairs
    results: Pairs = ()
    login: bool = False

    @property
    def parameters(self) -> Pairs:
        return self.standard + self.results


@frozen
class Envelope:
    """What a request carries beside its parameters.

    ``token`` is the account's, which signs; ``delivery`` is the same for all tries of one webhook.
    """

    product: str
    token: str | None = field(repr=False)
    delivery: str
    cookies: str | None = None


def address(url: str) -> Address:
    """Take a URL apart. Raises `boomerang.urls.BadUrl` for what is no absolute web address."""
    parts = parse_url(url)
    found = _AUTHORITY.search(url)
    assert found is not None, "parse_url has seen it"
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Address(
        scheme=parts.scheme,
        host=parts.host,
        port=parts.port,
        port_shown=found["port"] or "",
        target=re.sub("[^!-~]", lambda char: quote(char[0]), target),
        login=found["login"] or "",
    )


def written(request: Request, to: Address, envelope: Envelope) -> bytes:
    """The bytes of a request."""
    parameters = urlencode(request.parameters)
    get = request.webhook.method == "GET"
    target = f"{to.target}{'&' if '?' in to.target else '?'}{parameters}" if get else to.target
    headers = {
        "Host": to.authority,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Connection": "close",
        "I-Twilio-Idempotency-Token": envelope.delivery,
    }
    if envelope.token is not None:
        url = signed_url(to.scheme, to.host, to.port_shown, target, product=envelope.product)
        form = () if get else request.parameters
        headers[SIGNATURE] = signature(envelope.token, url, form)
    if envelope.cookies:
        headers["Cookie"] = envelope.cookies
    if request.login:
        headers["Authorization"] = _basic(to.login)
    if not get:
        headers["Content-Type"] = _FORM
        headers["Content-Length"] = str(len(parameters))
    lines = [f"{request.webhook.method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""])
    return head.encode("latin-1") + (b"" if get else parameters.encode("ascii"))


def _basic(login: str) -> str:
    """The Basic authentication for ``user:password`` (RFC 7617)."""
    user, _, password = login.partition(":")
    secret = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return f"Basic {b64encode(secret).decode('ascii')}"
