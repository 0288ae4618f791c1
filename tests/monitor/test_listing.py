"""The checks as a table for a terminal."""

from __future__ import annotations

from collections import Counter
from math import inf

import pytest

from boomerang.monitor.listing import listing
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.verdict import Standing, State
from boomerang.monitor.watched import CheckView
from boomerang.settings.checks import Check

NOON = 1_800_014_400.0
"""2027-01-15 12:00:00 UTC."""


def view(
    *results: Result,
    standing: Standing = Standing(state=State.UP, since=NOON - 3600),  # noqa: B008
    causes: tuple[str, ...] = (),
    paused_until: float | None = None,
) -> CheckView:
    return CheckView(
        check=Check(name="web", url="https://app.example.com/"),
        standing=standing,
        causes=causes,
        paused_until=paused_until,
        results=results,
        failures=Counter(),
    )


DOWN = Standing(state=State.DOWN, since=NOON - 90, reason=Reason.CONNECT, detail="no")
GOOD = Result(at=NOON - 12, seconds=0.1234)
BAD = Result(at=NOON - 12, seconds=0.001, reason=Reason.CONNECT, detail="no")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (view(GOOD), "web up 2027-01-15 11:00:00 12 s ago 0.123 s"),
        (view(standing=Standing()), "web unknown - never -"),
        (view(BAD, standing=DOWN), "web down 2027-01-15 11:58:30 12 s ago 0.001 s connect: no"),
        (
            view(BAD),
            "web up 2027-01-15 11:00:00 12 s ago 0.001 s last run failed, connect: no",
        ),
        (
            view(BAD, standing=DOWN, causes=("cloud", "redis")),
            "web affected 2027-01-15 11:58:30 12 s ago 0.001 s down: cloud, redis; connect: no",
        ),
        (
            view(GOOD, paused_until=inf),
            "web paused 2027-01-15 11:00:00 12 s ago 0.123 s until it is resumed",
        ),
        (
            view(GOOD, paused_until=NOON + 1800),
            "web paused 2027-01-15 11:00:00 12 s ago 0.123 s until 2027-01-15 12:30:00",
        ),
        (
            view(Result(at=NOON - 500, seconds=1.0)),
            "web up 2027-01-15 11:00:00 8 min ago (stale) 1.000 s",
        ),
        (
            view(Result(at=NOON - 90000, seconds=1.0)),
            "web up 2027-01-15 11:00:00 25 h ago (stale) 1.000 s",
        ),
        (view(Result(at=NOON + 3, seconds=1.0)), "web up 2027-01-15 11:00:00 0 s ago 1.000 s"),
    ],
)
def test_row(shown: CheckView, expected: str) -> None:
    """A row tells the state, since when, when it last ran, how long that took, and why."""
    head, row = listing([shown], now=NOON)
    assert head.split() == ["CHECK", "STATE", "SINCE", "(UTC)", "LAST", "RUN", "TOOK", "WHY"]
    assert " ".join(row.split()) == expected


def test_columns() -> None:
    """Columns are as wide as their widest cell, and nothing trails."""
    lines = list(listing([view(GOOD), view(BAD, standing=DOWN)], now=NOON))
    assert len({line.index("2027") for line in lines[1:]}) == 1
    assert [line.rstrip() for line in lines] == lines
