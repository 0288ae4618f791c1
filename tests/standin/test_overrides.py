"""Connection overrides: what the fragment of a URL means."""

from __future__ import annotations

import pytest

from boomerang.standin.failure import Failure
from boomerang.standin.overrides import Overrides, parse_overrides

CT = frozenset({"ct"})


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", Overrides()),
        ("#", Overrides()),
        ("#top", Overrides()),
        ("#rt=5000", Overrides(read=5)),
        ("#ct=100&rt=15000&tt=14999", Overrides(connect=0.1, read=15, total=14.999)),
        ("#rc=0", Overrides(retries=0)),
        ("#rc=5&rp=rt", Overrides(retries=5, retry_on=frozenset({"rt"}))),
        ("#rp=ct,rt,4xx,5xx", Overrides(retry_on=CT | {"rt", "4xx", "5xx"})),
        ("#rp=all", Overrides(retry_on=frozenset({"all"}))),
        ("#sni=n&e=dublin,ashburn&x=1", Overrides()),
        ("#ct=99", Overrides(ignored=("#ct=99 is not from 100 to 10000: ignored",))),
        ("#rt=15001", Overrides(ignored=("#rt=15001 is not from 100 to 15000: ignored",))),
        ("#tt=1e3", Overrides(ignored=("#tt=1e3 is not from 100 to 15000: ignored",))),
        ("#tt=²", Overrides(ignored=("#tt=² is not from 100 to 15000: ignored",))),
    ],
)
def test_overrides(fragment: str, expected: Overrides) -> None:
    """Times are in milliseconds, lists have commas; what is out of range has no effect."""
    assert parse_overrides(f"https://app.example.com/voice?rt=1{fragment}") == expected


@pytest.mark.parametrize(
    ("fragment", "code", "words"),
    [
        ("e=mars", 11240, "#e=mars is no edge"),
        ("e=ashburn,mars", 11240, "#e=mars is no edge"),
        ("e=london-ix", 11242, "#e=london-ix needs Interconnect"),
        ("rc=6", 11243, "#rc=6 is not from 0 to 5"),
        ("rc=-1", 11243, "#rc=-1 is not from 0 to 5"),
        ("rp=sometimes", 11243, "#rp=sometimes is no retry policy"),
    ],
)
def test_refused(fragment: str, code: int, words: str) -> None:
    """What Twilio refuses fails before anything is asked."""
    assert parse_overrides(f"https://a.example.com/#{fragment}") == Failure(code, words)


@pytest.mark.parametrize(
    ("retry_on", "policy", "expected"),
    [("ct", "ct", True), ("ct", "rt", False), ("5xx", "5xx", True), ("all", "4xx", True)],
)
def test_retries_after(retry_on: str, policy: str, expected: bool) -> None:
    """There is another try after what is named, and with ``all`` after anything."""
    assert Overrides(retry_on=frozenset({retry_on})).retries_after(policy) is expected
