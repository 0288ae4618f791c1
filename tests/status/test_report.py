"""What one process tells, in the store and out of it."""

from __future__ import annotations

import json

import pytest

from boomerang.status.report import (
    CircuitNow,
    HeldNow,
    Minute,
    RelayNow,
    Report,
    Trouble,
    from_json,
    to_json,
)
from tests.status.telling import NOON, report, told

FULL = report(
    ended=True,
    held=HeldNow(count=3, left=(1, 0, 2, *[0] * 13), followed=4),
    troubles=(Trouble("store", NOON),),
    circuits=(CircuitNow("app.example.com:443", "open", "losses", NOON),),
    relay=RelayNow(waiting=2, dead=1, oldest=NOON - 9),
    minutes={30_000_000: Minute(saved=1, apologised=2, lost=3)},
    decisions=(told(outcome="saved"),),
    failures={"menu": (told(degraded=True),)},
)


@pytest.mark.parametrize("given", [report(), FULL])
def test_kept(given: Report) -> None:
    """What is written is read again."""
    assert from_json(to_json(given)) == given


def test_short() -> None:
    """What is as ever takes no room."""
    assert set(json.loads(to_json(report()))) == {"instance", "name", "version", "started", "at"}


def test_a_newer_boomerang() -> None:
    """What a newer boomerang tells beside it is passed over."""
    text = json.dumps({**json.loads(to_json(report())), "mood": "good"})
    assert from_json(text) == report()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{}", '{"instance": "a"}', "[" * 100_000, '{"at": "x"}', "7", '"x"']
    + [json.dumps({**json.loads(to_json(FULL)), "held": wrong}) for wrong in (7, None)]
    + [json.dumps({**json.loads(to_json(FULL)), "minutes": {"x": {}}})]
    + [to_json(report()).replace("1800000000.0", at) for at in ("1e15", "1e999", "NaN", '"1"')],
)
def test_nonsense(text: str) -> None:
    """What is no report is told from one."""
    with pytest.raises(ValueError, match="not a report"):
        from_json(text)


def test_minutes_add_up() -> None:
    """Minutes of several processes are added."""
    assert Minute(1, 2, 3) + Minute(10, 20, 30) == Minute(11, 22, 33)
