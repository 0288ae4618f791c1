"""How much of the last day and week a check was well."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from boomerang.monitor.result import Reason, Result
from boomerang.monitor.uptime import Uptime

NOON = 1_800_000_000.0
HOUR = 3600.0
DAY = 86_400.0


def uptime(*runs: tuple[float, bool]) -> Uptime:
    found = Uptime()
    for at, well in runs:
        found.add(Result(at=at, seconds=0.1, reason=None if well else Reason.CONNECT))
    return found


def shares(found: Uptime, now: float = NOON) -> tuple[float | None, float | None]:
    return found.day(now=now), found.week(now=now)


def every(
    seconds: float, *, since: float, until: float, well: bool
) -> Iterable[tuple[float, bool]]:
    at = since
    while at < until:
        yield at, well
        at += seconds


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], (None, None)),
        ([(NOON, True)], (1.0, 1.0)),
        ([(NOON, False)], (0.0, 0.0)),
        ([(NOON, True), (NOON, False)], (0.5, 0.5)),
        ([(NOON - 22 * HOUR, False), (NOON, True)], (0.5, 0.5)),
        ([(NOON - 25 * HOUR, False), (NOON, True)], (1.0, 0.5)),
        ([(NOON - 8 * DAY, False), (NOON, True)], (1.0, 1.0)),
        ([(NOON - 3 * DAY, True)], (None, 1.0)),
    ],
)
def test_shares(
    runs: list[tuple[float, bool]], expected: tuple[float | None, float | None]
) -> None:
    """Each run counts alike; what is older does not count."""
    assert shares(uptime(*runs)) == expected


def test_bounded() -> None:
    """A month of runs takes no more room than a week of them, and says the same."""
    month = uptime(*every(600, since=NOON - 30 * DAY, until=NOON, well=True))
    week = uptime(*every(600, since=NOON - 9 * DAY, until=NOON, well=True))
    assert month == week
    assert len(month.to_json()) < 1000


def test_a_clock_set_back() -> None:
    """What was counted while the clock was wrong is pushed out in time, not kept for ever."""
    found = uptime((NOON + 2 * DAY, True), *every(600, since=NOON, until=NOON + DAY, well=False))
    assert found.day(now=NOON + DAY) == pytest.approx(0.0, abs=0.01)


def test_merged() -> None:
    """What two processes have counted is added up."""
    found = uptime((NOON, True), (NOON - 2 * DAY, True))
    found.merge(uptime((NOON, False), (NOON - DAY, True)))
    assert shares(found) == (0.5, 0.75)


def test_kept() -> None:
    """What is written is read again."""
    found = uptime((NOON, True), (NOON - 2 * DAY, False))
    assert Uptime.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    "text",
    ["", "7", "[]", "[[], [], []]", "[[[1, 2]], []]", '[[["x", [1, 1]]], []]', "{}", "[" * 9999],
)
def test_nonsense(text: str) -> None:
    """What is none is told from one."""
    with pytest.raises(ValueError, match="not an uptime"):
        Uptime.from_json(text)
