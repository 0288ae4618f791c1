"""The header lines of a request, as llhttp understands them (through httptools)."""

from __future__ import annotations

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from boomerang.web.limits import BadMessage

Repeated = dict[bytes, tuple[bytes, ...]]
"""All values of each header that was sent more than once, in their order."""

USUAL: Final = frozenset(
    name.encode()
    for name in (
        "Accept Accept-Encoding Accept-Language Authorization Cache-Control Connect-Time Connection"
        " Content-Length Content-Type Cookie Expect Forwarded Host I-Twilio-Idempotency-Token"
        " Total-Route-Time Transfer-Encoding User-Agent Via X-Amzn-Trace-Id X-Forwarded-For"
        " X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-Home-Region X-Real-Ip X-Request-Id"
        " X-Request-Start X-Twilio-Signature"
    ).split()
)
"""Names that are in title case as Twilio and the usual proxies send them."""


class Headers(dict[bytes, bytes]):
    """The last value of each header, behind which there may be blanks, by its name in title case.

    To be given to the parser as what it calls for each header: a function of C. Ask it by
    `get`: ``in`` takes longer for a class that is derived from a dictionary.
    """

    __slots__ = ()

    on_header = dict.setdefault


_NONE: Final[Repeated] = {}


class _Everything:
    """All values of each header, and whether the parser saw the end of them."""

    __slots__ = ("ended", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, tuple[bytes, ...]] = {}
        self.ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        name = name.title()
        self.values[name] = (*self.values.get(name, ()), value.strip())

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self.ended = True


def read_headers(lines: bytes, number: int) -> tuple[Headers, Repeated]:
    """Take so many header lines apart, and the empty one behind them. Raises `BadMessage`.

    In most heads no header is repeated. As many different ones as there are lines say so, and that
    the parser has seen the end, where it gives the last. Without a function of Python for each
    header, six of them take 18,000 instructions instead of 30,000.
    """
    headers = Headers()
    _parse(headers, lines)
    if number == 0 or len(headers) != number:
        return read_any_headers(lines)
    if USUAL.issuperset(headers):
        return headers, _NONE
    titled = Headers((name.title(), value) for name, value in headers.items())
    return (titled, _NONE) if len(titled) == number else read_any_headers(lines)


def read_any_headers(lines: bytes) -> tuple[Headers, Repeated]:
    """The same for headers that may be repeated, and for none at all."""
    found = _Everything()
    _parse(found, lines)
    if not found.ended:
        raise BadMessage(400)
    headers = Headers((name, values[-1]) for name, values in found.values.items())
    return headers, {name: values for name, values in found.values.items() if len(values) > 1}


def _parse(listener: Headers | _Everything, lines: bytes) -> None:
    """Have header lines judged, without the request line, whose own form is checked elsewhere.

    llhttp knows only the methods that have been registered, and some forms of a target: what is
    strange about those is answered by the routes, so it gets to see a plain one.
    """
    try:
        HttpRequestParser(listener).feed_data(b"POST / HTTP/1.1\r\n" + lines)
    except HttpParserUpgrade:
        pass  # an offer that nobody has to accept (RFC 9110 §7.8)
    except HttpParserError as error:
        raise BadMessage(413 if "Content-Length overflow" in str(error) else 400) from None
