"""The kinds of settings: from what somebody wrote to a value, or to what was expected instead.

A kind is a function from a text (command line, environment) or a TOML value to the setting's
value. It raises `ValueError` whose message completes "expected ...".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.endpoints import serverFromString
from werkzeug.security import check_password_hash

from boomerang.stores.address import StoreAddress, parse_store
from boomerang.urls import BadUrl, parse_url, plain_host

Kind = Callable[[object], Any]

BACKLOG: Final = 4096
"""Connections that the kernel keeps for us in a burst; its own usual limit (``somaxconn``)."""


def text() -> Kind:
    """Any text but the empty one."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or not value or not value.isprintable():
            raise ValueError("a text")
        return value

    return parse


def matching(pattern: str, expected: str) -> Kind:
    """A text that fits a regular expression."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(expected)
        return value

    return parse


def password_hash() -> Kind:
    """A hash that werkzeug can compare with, which is tried: that takes some 50 ms."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"(scrypt|pbkdf2):\S+\$\S+\$\S+", value):
            raise ValueError("what boomerang hash-password prints")
        try:
            check_password_hash(value, "")
        except (ValueError, OverflowError, MemoryError):
            raise ValueError("what boomerang hash-password prints") from None
        return value

    return parse


def choice(*choices: str) -> Kind:
    """One of some words."""

    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError(" or ".join(choices))
        return str(value)

    return parse


def boolean() -> Kind:
    """True or false."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

    def parse(value: object) -> bool:
        if isinstance(value, bool):
            return value
        if not isinstance(value, str) or value.lower() not in words:
            raise ValueError("true or false")
        return words[value.lower()]

    return parse


def integer(least: int, most: int) -> Kind:
    """A whole number within bounds."""
    expected = f"a whole number from {least} to {most}" if least < most else str(least)

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,12}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(expected)
        return value

    return parse


def seconds(least: float, most: float) -> Kind:
    """Seconds within bounds, fractions allowed."""

    def parse(value: object) -> float:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                value = None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(f"seconds from {least:g} to {most:g}")
        if not least <= value <= most:
            raise ValueError(f"seconds from {least:g} to {most:g}")
        return float(value)

    return parse


def http_url() -> Kind:
    """An absolute http or https URL."""

    def parse(value: object) -> str:
        try:
            parse_url(value if isinstance(value, str) else "")
        except BadUrl:
            raise ValueError("an absolute http or https URL") from None
        return str(value)

    return parse


def origin() -> Kind:
    """Scheme and host, with a port or not; a final slash is taken off."""
    expected = "scheme and host alone, like https://boomerang.example.com"

    def parse(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(expected)
        bare = value.removesuffix("/")
        try:
            parse_url(bare)
        except BadUrl:
            raise ValueError(expected) from None
        if bare.count("/") != 2 or set("#?@") & set(bare):
            raise ValueError(expected)
        return bare

    return parse


def host_patterns() -> Kind:
    """Host names, with ``*`` for any part; in a text they are separated by commas."""

    def parse(value: object) -> tuple[str, ...]:
        patterns = tuple(_host_pattern(item) for item in items_of(value))
        if not patterns:
            raise ValueError("at least one host name (leave the setting out to allow all)")
        return patterns

    return parse


def _host_pattern(item: object) -> str:
    expected = "host names or patterns like *.example.com, without scheme or port"
    if not isinstance(item, str):
        raise ValueError(expected)
    try:
        host = plain_host(item)
    except BadUrl:
        raise ValueError(expected) from None
    if not re.fullmatch(r"[a-z0-9_.*-]+|\[[0-9a-f:.]+\]", host):
        raise ValueError(expected)
    return host


def secrets() -> Kind:
    """One secret or several; in a text they are separated by commas."""

    def parse(value: object) -> tuple[str, ...]:
        found = tuple(_secret(item) for item in items_of(value))
        if not found:
            raise ValueError("one secret or several (leave the setting out for none)")
        return found

    return parse


def _secret(item: object) -> str:
    if not isinstance(item, str) or not item or not item.isprintable() or " " in item:
        raise ValueError("one secret or several, without white space")
    return item


def texts() -> Kind:
    """Several texts, or one; in a text they are separated by commas."""

    def parse(value: object) -> tuple[str, ...]:
        items = items_of(value)
        found = tuple(
            each for each in items if isinstance(each, str) and each and each.isprintable()
        )
        if not found or len(found) < len(items):
            raise ValueError("one text or several (leave it out for none)")
        return found

    return parse


def secret_table() -> Kind:
    """Secrets by name; in a text ``name=secret``, separated by commas."""
    expected = "a table of secrets by key id (in the environment: id=secret,id=secret)"

    def parse(value: object) -> Mapping[str, str]:
        if isinstance(value, str):
            pairs = [item.strip().partition("=")[::2] for item in value.split(",") if item.strip()]
            table: Mapping[object, object] = dict(pairs)
            if len(table) != len(pairs):
                raise ValueError(expected)
        elif isinstance(value, Mapping):
            table = value
        else:
            raise ValueError(expected)
        if not table:
            raise ValueError(expected)
        for name, item in table.items():
            if not isinstance(name, str) or not name or not isinstance(item, str) or not item:
                raise ValueError(expected)
        return {str(name): str(item) for name, item in table.items()}

    return parse


def store_address() -> Kind:
    """Where claims are kept; see `boomerang.stores.address`."""

    def parse(value: object) -> StoreAddress:
        return parse_store(value if isinstance(value, str) else "")

    return parse


def listen_strings() -> Kind:
    """Endpoint strings; those that do not name a backlog get one that survives a burst.

    In a text several are separated by white space (a comma may stand within one).
    """

    def parse(value: object) -> tuple[str, ...]:
        items = value.split() if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not items:
            raise ValueError("endpoint strings like tcp:8080")
        return tuple(_listen_string(item) for item in items)

    return parse


def _listen_string(item: object) -> str:
    if not isinstance(item, str):
        raise ValueError("endpoint strings like tcp:8080")
    kind = item.partition(":")[0]
    if kind in ("tcp", "tcp6", "ssl", "unix", "tls") and ":backlog=" not in item:
        item = f"{item}:backlog={BACKLOG}"
    if kind != "systemd":  # which can be understood by the process alone that got the sockets
        try:
            serverFromString(None, item)
            _check_port(item)
        except Exception as error:  # each parser fails in its own way
            reason = str(error) or type(error).__name__
            raise ValueError(f"endpoint strings like tcp:8080 ({reason})") from None
    return item


def _check_port(endpoint: str) -> None:
    """Refuse a port that does not exist, which Twisted finds out when it listens."""
    kind, *fields = endpoint.split(":")
    if kind in ("tcp", "tcp6", "ssl"):
        named = (each.removeprefix("port=") for each in fields if each.startswith("port="))
        port = next(named, fields[0])
        if not 0 <= int(port) < 65536:
            raise ValueError("there is no such port")


def items_of(value: object) -> list[object]:
    """The items of a list, or of a text in which they are separated by commas."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    if isinstance(value, list | tuple):
        return list(value)
    return [value]
