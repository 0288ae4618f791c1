"""The kinds of settings that only second chances have."""

from __future__ import annotations

import re

import pytest

from boomerang.endpoints.fallback import FallbackText
from boomerang.endpoints.patterns import EXPECTED
from boomerang.settings.endpoint_kinds import error_codes, fallback, path_pattern, rate
from boomerang.settings.kinds import Kind

CODES = "error codes like 11200"
NO_CODES = f"{CODES} (for no second chance at all: retry = false)"
RATE = "a number from 0 to 100"
FALLBACK = (
    'TwiML, file:NAME, an http(s) URL, "apology", or a table of voice and messaging with one each'
)
SORRY = "<Response/>"


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (path_pattern(), "/a/:id?", "/a/:id?"),
        (error_codes(), [11200, "11205"], ("11200", "11205")),
        (error_codes(), "11200, 11205", ("11200", "11205")),
        (error_codes(), 11200, ("11200",)),
        (error_codes(), [100001], ("100001",)),
        (rate(100), 0, 0.0),
        (rate(100), 2.5, 2.5),
        (rate(100), "100", 100.0),
        (fallback(), "apology", FallbackText(either="apology")),
        (fallback(), f"\n{SORRY}\n", FallbackText(either=SORRY)),
        (fallback(), {"voice": "apology"}, FallbackText(voice="apology")),
        (
            fallback(),
            {"voice": f"{SORRY}\n", "messaging": "file:a"},
            FallbackText(voice=SORRY, messaging="file:a"),
        ),
    ],
)
def test_good(kind: Kind, raw: object, value: object) -> None:
    """A good value is understood, from a text and from the file."""
    assert kind(raw) == value


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        (path_pattern(), "a", EXPECTED),
        (path_pattern(), 1, EXPECTED),
        (path_pattern(), ["/a"], EXPECTED),
        (error_codes(), [], NO_CODES),
        (error_codes(), "", NO_CODES),
        (error_codes(), ["busy"], CODES),
        (error_codes(), [0], CODES),
        (error_codes(), [-11200], CODES),
        (error_codes(), ["011200"], CODES),
        (error_codes(), [11200.0], CODES),
        (error_codes(), [True], CODES),
        (error_codes(), [1234567890], CODES),
        (error_codes(), ["\uff11\uff11\uff12\uff10\uff10"], CODES),
        (rate(100), -1, RATE),
        (rate(100), 101, RATE),
        (rate(100), 10**400, RATE),
        (rate(100), "1" * 5000, RATE),
        (rate(100), "nan", RATE),
        (rate(100), "many", RATE),
        (rate(100), True, RATE),
        (rate(100), None, RATE),
        (fallback(), "", FALLBACK),
        (fallback(), "sorry.xml", FALLBACK),
        (fallback(), 1, FALLBACK),
        (fallback(), ["apology"], FALLBACK),
        (fallback(), {}, FALLBACK),
        (fallback(), {"fax": "apology"}, FALLBACK),
        (fallback(), {"voice": 1}, FALLBACK),
        (fallback(), {"voice": "apology", "messaging": "sorry"}, FALLBACK),
    ],
)
def test_bad(kind: Kind, raw: object, expected: str) -> None:
    """A bad value is refused, and what was expected is said."""
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        kind(raw)
