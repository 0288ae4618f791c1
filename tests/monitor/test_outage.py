"""Outages, and what of them the store keeps."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.monitor.outage import Outage, from_json, to_json
from boomerang.monitor.result import Reason

instants = st.floats(0, 10**10)
outages = st.builds(
    Outage,
    check=st.text(),
    began=instants,
    reason=st.sampled_from(Reason),
    detail=st.text(),
    affects=st.lists(st.text(), max_size=3).map(tuple),
    ended=st.none() | instants,
)

GOOD = {
    "check": "web",
    "began": 1,
    "reason": "dns",
    "detail": "",
    "affects": ["a", "b"],
    "ended": None,
}


def test_good() -> None:
    """An outage that lasts has no end, and names what depends on the check."""
    assert from_json(json.dumps(GOOD)) == Outage(
        check="web", began=1.0, reason=Reason.DNS, detail="", affects=("a", "b"), ended=None
    )


@given(outages)
def test_round_trip(outage: Outage) -> None:
    """What the store keeps of an outage is the outage."""
    text = to_json(outage)
    assert text.isascii()
    assert from_json(text) == outage


@pytest.mark.parametrize("key", GOOD)
def test_missing(key: str) -> None:
    """Each part is needed."""
    with pytest.raises(ValueError, match=key):
        from_json(json.dumps({name: value for name, value in GOOD.items() if name != key}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("check", 5),
        ("check", None),
        ("check", ["web"]),
        ("began", None),
        ("began", "1"),
        ("began", True),
        ("began", float("nan")),
        ("began", float("inf")),
        ("began", 10**400),
        ("began", 1e15),
        ("reason", "rain"),
        ("reason", None),
        ("reason", ["dns"]),
        ("detail", None),
        ("detail", {}),
        ("affects", None),
        ("affects", "ab"),
        ("affects", {"a": 1}),
        ("affects", [1]),
        ("affects", [["a"]]),
        ("ended", "1"),
        ("ended", []),
        ("ended", False),
        ("ended", float("-inf")),
    ],
)
def test_wrong(key: str, value: object) -> None:
    """What is something else than it should be is refused."""
    with pytest.raises(ValueError, match=r"\S"):
        from_json(json.dumps({**GOOD, key: value}))


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "5", "null", '"check"', '{"check"', "[" * 100_000, "{}"]
)
def test_garbage(text: str) -> None:
    """What is no outage at all is refused in the same way."""
    with pytest.raises(ValueError, match=r"\S"):
        from_json(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(GOOD)), json_values), json_values)
def test_any_json(parts: dict[str, object], other: object) -> None:
    """Whatever JSON the store has is an outage that can be kept again, or is refused."""
    for value in ({**GOOD, **parts}, other):
        with suppress(ValueError):
            outage = from_json(json.dumps(value))
            assert from_json(to_json(outage)) == outage
