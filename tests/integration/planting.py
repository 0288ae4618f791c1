"""Secrets planted where one can be, and how they are found in whatever a run has put out."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

PLACES: Final = (
    *("auth-token", "old-auth-token", "shared-key", "status-password", "store-password"),
    *("librato-token", "librato-service", "otlp-login", "otlp-header", "notify-login"),
    *("notify-query", "heartbeat-path", "api-secret", "check-login", "check-query"),
    *("check-header", "probe-query", "fallback-query", "rule-query"),
    *("request-authorization", "request-cookie", "request-field", "request-header"),
    *("error-url-login", "error-url-query", "error-url-fragment", "fallback-url-query"),
    *("relay-url-login", "relay-url-query", "relay-field", "event-query", "event-field"),
    *("continuation", "visitor-password", "stray-query"),
)

PLANTED: Final[Mapping[str, str]] = {place: f"Pl4nted+{place}/x~7Q" for place in PLACES}
"""A secret for each place. It has characters that are written otherwise in a URL."""


def _percent(secret: str) -> str:
    return "".join(f"%{byte:02X}" for byte in secret.encode())


def _base64(secret: str, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """What base64 makes of it, wherever it stands in what is encoded: beside the letters at both
    ends that depend on its neighbours."""
    for before in range(3):
        encoded = encode(b"\0" * before + secret.encode()).decode().rstrip("=")
        rest = (before + len(secret)) % 3
        yield encoded[(0, 2, 3)[before] : len(encoded) - (1 if rest else 0)]


def forms(secret: str) -> Iterator[str]:
    """The ways in which a secret may be written."""
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret, safe="/")
    yield quote(quote(secret, safe=""), safe="")
    yield _percent(secret)
    yield _percent(secret).lower()
    yield json.dumps(secret).replace("/", "\\/").strip('"')
    yield secret.encode().hex()
    yield from _base64(secret, b64encode)
    yield from _base64(secret, urlsafe_b64encode)


FORMS: Final = {form: place for place, secret in PLANTED.items() for form in forms(secret)}


def places(output: str) -> set[str]:
    """Where the secrets were planted that are in an output."""
    return {place for form, place in FORMS.items() if form in output}


def leaks(output: str) -> list[str]:
    """The lines of an output that have a planted secret, with the place that it was planted at."""
    found = []
    for line in output.splitlines():
        found += [f"{place}: {line[:400]}" for form, place in FORMS.items() if form in line]
    return found
