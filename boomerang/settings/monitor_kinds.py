"""The kinds of settings that only checks and reports have; see `boomerang.settings.kinds`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from boomerang.settings.kinds import Kind, items_of
from boomerang.urls import parse_url

_OF_THE_CONNECTION: Final = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers that say how a request is sent: whoever sends it writes them (RFC 9110 §7.6.1)."""

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110 §5.6.2)."""

_HEADER_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")

_APPRISE: Final = re.compile(r"[A-Za-z0-9]{1,32}://[!-~]*")
"""What Apprise itself takes for a URL; what is not ASCII has to be percent-encoded."""

_SEPARATOR: Final = re.compile(r"[\s,]+(?=[A-Za-z0-9]{1,32}://)")

_STATUSES: Final = "HTTP statuses like 200 or 2xx"


def status_patterns() -> Kind:
    """HTTP statuses, alone (200) or by their hundreds (2xx)."""

    def parse(value: object) -> tuple[str, ...]:
        patterns = tuple(_status_pattern(item) for item in items_of(value))
        if not patterns:
            raise ValueError(_STATUSES)
        return patterns

    return parse


def _status_pattern(item: object) -> str:
    if isinstance(item, int) and 100 <= item <= 599:
        item = str(item)
    if not isinstance(item, str) or not re.fullmatch(r"[1-5]([0-9][0-9]|xx)", item.lower()):
        raise ValueError(_STATUSES)
    return item.lower()


def string_table() -> Kind:
    """Texts by name, as in a file's table."""

    def parse(value: object) -> Mapping[str, str]:
        expected = "a table of texts by name"
        if not isinstance(value, Mapping):
            raise ValueError(expected)
        for name, item in value.items():
            if not isinstance(name, str) or not name or not isinstance(item, str):
                raise ValueError(expected)
            if not name.isprintable() or not item.isprintable():
                raise ValueError(f"{expected}, without control characters")
        return dict(value)

    return parse


def http_headers() -> Kind:
    """Headers of a request by name; in a text ``name=value``, separated by commas."""
    expected = "a table of headers by name (in the environment: name=value,name=value)"

    def parse(value: object) -> Mapping[str, str]:
        if isinstance(value, str):
            pairs = [[part.strip() for part in str(item).split("=", 1)] for item in items_of(value)]
            if not pairs or not all(len(pair) == 2 for pair in pairs):
                raise ValueError(expected)
        elif isinstance(value, Mapping):
            pairs = [[name, item] for name, item in value.items()]
        else:
            raise ValueError(expected)
        for name, item in pairs:
            _check_header(name, item)
        if len({name.lower() for name, _ in pairs}) < len(pairs):
            raise ValueError("each header once (letter case does not count)")
        return dict(pairs)

    return parse


def _check_header(name: object, value: object) -> None:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise ValueError("names of headers, without white space or colon")
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        raise ValueError("values of headers to be texts of printable ASCII characters")
    if name.lower() in _OF_THE_CONNECTION:
        raise ValueError(f"no {name} among the headers, which depends on how they are sent")


def base_url(*, login: bool = True) -> Kind:
    """An absolute http or https URL that paths are appended to; final slashes are taken off.

    ``login`` says whether user and password may stand in it.
    """
    expected = "an absolute http or https URL without query" + ("" if login else " or login")

    def parse(value: object) -> str:
        try:
            parse_url(value if isinstance(value, str) else "")
            url = str(value)
            host = urlsplit(url).netloc  # a password that is not percent-encoded may be refused
        except ValueError:
            raise ValueError(expected) from None
        if set("?#") & set(url) or ("@" in host and not login):
            raise ValueError(expected)
        return url.rstrip("/")

    return parse


def apprise_urls() -> Kind:
    """URLs for Apprise; in a text they are separated by white space, or by a comma.

    A comma may stand within one, where no ``scheme://`` follows.
    """

    def parse(value: object) -> tuple[str, ...]:
        items = _SEPARATOR.split(value.strip(" ,")) if isinstance(value, str) else items_of(value)
        found = tuple(each for each in items if isinstance(each, str) and _APPRISE.fullmatch(each))
        if not found or len(found) < len(items):
            raise ValueError("URLs for Apprise, like mailto://... (leave it out for none)")
        return found

    return parse
