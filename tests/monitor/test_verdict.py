"""Up, slow or down, by the results in a row."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.monitor.result import Reason, Result
from boomerang.monitor.verdict import Standing, State, judge
from boomerang.settings.checks import Check

CHECK = Check(name="web", url="https://app.example.com/", slow=5.0, failures=3, successes=2)

LETTERS = {State.UNKNOWN: "?", State.UP: "U", State.SLOW: "S", State.DOWN: "D"}


def result(sort: str, at: float) -> Result:
    """``.`` is fast, ``s`` slow, ``x`` a refused connection, ``t`` a timeout."""
    match sort:
        case ".":
            return Result(at=at, seconds=0.1)
        case "s":
            return Result(at=at, seconds=5.5)
        case "x":
            return Result(at=at, seconds=0.001, reason=Reason.CONNECT, detail=f"refused at {at:g}")
        case _:
            return Result(at=at, seconds=10.0, reason=Reason.TIMEOUT, detail="no answer")


def standings(sorts: str, check: Check = CHECK) -> list[Standing]:
    """How the check stands after each of these results, a minute apart."""
    found: list[Standing] = []
    for number, sort in enumerate(sorts):
        before = found[-1] if found else Standing()
        found.append(judge(before, result(sort, 60.0 * number), check))
    return found


@pytest.mark.parametrize(
    ("sorts", "states"),
    [
        (".", "U"),
        ("s", "S"),
        ("xx", "??"),
        ("xxx", "??D"),
        ("ttt", "??D"),
        ("xx.", "??U"),
        (".xx.xx.", "UUUUUUU"),
        (".xxx", "UUUD"),
        (".xtx", "UUUD"),
        (".xxx.", "UUUDD"),
        (".xxx..", "UUUDDU"),
        (".xxx.x.x..", "UUUDDDDDDU"),
        (".xxx.s", "UUUDDS"),
        (".xxxs.", "UUUDDU"),
        (".ss.ss.", "UUUUUUU"),
        (".sss", "UUUS"),
        (".ssx", "UUUU"),
        (".ssxs", "UUUUS"),
        (".xxs", "UUUS"),
        ("s.", "SS"),
        ("s..", "SSU"),
        ("s.s.s..", "SSSSSSU"),
        ("sxxx", "SSSD"),
        ("sxxx..", "SSSDDU"),
    ],
)
def test_states(sorts: str, states: str) -> None:
    """Three in a row put it down or make it slow, two in a row end that."""
    assert "".join(LETTERS[each.state] for each in standings(sorts)) == states


@pytest.mark.parametrize(
    ("sorts", "since"),
    [
        ("xx", None),
        ("..", 0.0),
        (".xx..", 0.0),
        ("..xxx", 120.0),
        ("..xxxxxx", 120.0),
        ("xxx", 0.0),
        ("xxx.", 0.0),
        ("xxx..", 180.0),
        ("xxx.x..", 300.0),
        ("..sss", 120.0),
        ("ss..", 120.0),
    ],
)
def test_since(sorts: str, since: float | None) -> None:
    """It stands so since the first result of those that made it so."""
    assert standings(sorts)[-1].since == since


def test_one_is_enough() -> None:
    """With one failure and one success asked for, each result counts at once."""
    check = Check(name="web", url="https://app.example.com/", failures=1, successes=1)
    states = "".join(LETTERS[each.state] for each in standings(".x.sx.", check))
    assert states == "UDUSDU"


def test_reason() -> None:
    """While it is down, the last failure's reason is told, also after a success in between."""
    down = standings(".xxxtx.")[-1]
    assert (down.reason, down.detail) == (Reason.CONNECT, "refused at 300")
    assert standings(".xxxt")[-1].reason is Reason.TIMEOUT


def test_reason_is_forgotten() -> None:
    """What is well again has no reason, and tells when it recovered."""
    up = standings(".xxx..")[-1]
    assert (up.reason, up.detail, up.recovered) == (None, "", 240.0)
    assert standings("...")[-1].recovered is None


def test_threshold() -> None:
    """An answer that took exactly as long as is allowed is not slow."""
    exact = judge(Standing(), Result(at=0.0, seconds=5.0), CHECK)
    beyond = judge(Standing(), Result(at=0.0, seconds=5.000001), CHECK)
    assert (exact.state, beyond.state) == (State.UP, State.SLOW)


def test_suspect() -> None:
    """A check that has begun to fail is suspect, one that is down is not: that is clear."""
    assert [each.suspect for each in standings(".xx.xxx")] == [
        False, True, True, False, True, True, False,
    ]  # fmt: skip


@given(st.text(".sxt", min_size=1, max_size=60))
def test_never_hasty(sorts: str) -> None:
    """It is down if and only if three failures came in a row, and not two successes since."""
    last_fall = max((i + 3 for i in range(len(sorts) - 2) if _failed(sorts[i : i + 3])), default=0)
    since = sorts[last_fall:]
    rose = any(not _failed(c) and not _failed(d) for c, d in pairwise(since))
    state = standings(sorts)[-1].state
    assert (state is State.DOWN) == (last_fall > 0 and not rose)


def _failed(sorts: str) -> bool:
    return all(each in "xt" for each in sorts)
