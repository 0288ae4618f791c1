"""The kinds of settings that only second chances have; see `boomerang.settings.kinds`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Final

from boomerang.endpoints.fallback import PRODUCTS, FallbackText, is_fallback
from boomerang.endpoints.patterns import parse_path
from boomerang.settings.kinds import Kind, items_of

_CODES: Final = "error codes like 11200"

_FALLBACK: Final = (
    'TwiML, file:NAME, an http(s) URL, "apology", or a table of voice and messaging with one each'
)


def path_pattern() -> Kind:
    """A path as operators write it; see `boomerang.endpoints.patterns.parse_path`."""

    def parse(value: object) -> str:
        text = value if isinstance(value, str) else ""
        parse_path(text)
        return text

    return parse


def error_codes() -> Kind:
    """Twilio's error codes, each as the text that it sends; separated by commas in a text."""

    def parse(value: object) -> tuple[str, ...]:
        codes = tuple(_code(item) for item in items_of(value))
        if not codes:
            raise ValueError(f"{_CODES} (for no second chance at all: retry = false)")
        return codes

    return parse


def _code(item: object) -> str:
    text = str(item) if isinstance(item, int | str) and not isinstance(item, bool) else ""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError(_CODES)
    return text


def rate(most: float) -> Kind:
    """How many in a second, 0 for any number."""

    def parse(value: object) -> float:
        try:
            number = float(value) if isinstance(value, int | float | str) else -1.0
        except (ValueError, OverflowError):
            number = -1.0
        if isinstance(value, bool) or not isfinite(number) or not 0 <= number <= most:
            raise ValueError(f"a number from 0 to {most:g}")
        return number

    return parse


def fallback() -> Kind:
    """A last resort, of which only the form is looked at here; files are read later."""

    def parse(value: object) -> FallbackText:
        if isinstance(value, str):
            return FallbackText(either=_fallback(value))
        if not isinstance(value, Mapping) or not value or not value.keys() <= set(PRODUCTS):
            raise ValueError(_FALLBACK)
        return FallbackText(**{product: _fallback(text) for product, text in value.items()})

    return parse


def _fallback(text: object) -> str:
    if not isinstance(text, str) or not is_fallback(text.strip()):
        raise ValueError(_FALLBACK)
    return text.strip()
