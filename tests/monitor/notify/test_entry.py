"""Messages as they are kept in the store."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from boomerang.monitor.notify.entry import Entry, entry_key, from_json, to_json
from boomerang.monitor.notify.message import Message

NOW = 1_800_000_000.0
ENTRY = Entry("k", "slack", NOW, Message("[e] web is down", "wéb…\nhas been", "failure"))


def test_there_and_back() -> None:
    """An entry comes back from the store as it was, and says who delivers it."""
    assert from_json("k", to_json(ENTRY, holder="one")) == (ENTRY, "one")


@given(some.lists(some.tuples(some.floats(0, 1e11), some.sampled_from("ab")), max_size=5))
def test_keys(written: list[tuple[float, str]]) -> None:
    """Keys are in the order of time, then of numbers, whatever the address."""
    keys = [
        (round(at * 1000), number, entry_key(at, number, to))
        for number, (at, to) in enumerate(written)
    ]
    assert sorted(keys) == sorted(keys, key=lambda each: each[2])
    assert len({key for _, _, key in keys}) == len(keys)


GOOD: dict[str, Any] = json.loads(to_json(ENTRY, holder="one"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        "7",
        *(json.dumps({k: v for k, v in GOOD.items() if k != left_out}) for left_out in GOOD),
        json.dumps({**GOOD, "at": "soon"}),
        json.dumps({**GOOD, "at": None}),
        json.dumps({**GOOD, "message": "x"}),
        json.dumps({**GOOD, "message": {"title": "x"}}),
        json.dumps({**GOOD, "message": {**GOOD["message"], "kind": "riddle"}}),
        "[" * 100_000,
    ],
)
def test_nonsense(text: str) -> None:
    """What is no entry is a `ValueError`, whatever it is."""
    with pytest.raises(ValueError):  # noqa: PT011
        from_json("k", text)
