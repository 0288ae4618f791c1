"""Which outages begin and end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from boomerang.monitor.alarm import Seen, news
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.tree import ancestors
from boomerang.monitor.verdict import Standing, judge
from boomerang.settings.checks import Check

NEEDS = {"cloud": (), "heroku": ("cloud",), "web": ("heroku", "redis"), "redis": ()}


def seen(histories: Mapping[str, str], paused: Sequence[str] = ()) -> dict[str, Seen]:
    """The checks of `NEEDS` after these results a minute apart; ``_`` is a minute without."""
    above = ancestors(NEEDS)
    found = {}
    for name, needs in NEEDS.items():
        check = Check(name=name, url="https://example.com/", depends_on=needs)
        results = [
            Result(at=60.0 * n, seconds=0.1, reason=Reason.CONNECT if sort == "x" else None)
            for n, sort in enumerate(histories.get(name, "." * 12))
            if sort != "_"
        ]
        standing = Standing()
        for result in results:
            standing = judge(standing, result, check)
        found[name] = Seen(
            check=check,
            standing=standing,
            results=results,
            paused=name in paused,
            above=above[name],
            below=tuple(other for other in NEEDS if name in above[other]),
        )
    return found


def told(
    histories: Mapping[str, str], *, lasting: Sequence[str] = (), paused: Sequence[str] = ()
) -> list[str]:
    """The outages that begin (+) and end (-) in this minute."""
    known = {name: Outage(name, 60.0, Reason.CONNECT, "") for name in lasting}
    return [
        ("+" if each.ended is None else "-") + each.check
        for each in news(NEEDS, seen(histories, paused), known)
    ]


@pytest.mark.parametrize(
    ("histories", "expected"),
    [
        ({}, []),
        ({"web": ".xx"}, []),
        ({"web": ".xxx"}, ["+web"]),
        ({"web": ".xxxxxxx"}, ["+web"]),
        ({"cloud": ".xxx", "heroku": ".xxx", "web": ".xxx"}, ["+cloud"]),
        ({"heroku": ".xxx", "web": ".xxx"}, ["+heroku"]),
        ({"redis": ".xxx", "heroku": ".xxx", "web": ".xxx"}, ["+heroku", "+redis"]),
        ({"cloud": ".xxx", "heroku": ".....", "web": ".xxx"}, ["+cloud"]),
    ],
)
def test_only_causes_begin(histories: Mapping[str, str], expected: list[str]) -> None:
    """Whatever depends on something that is down is not to blame."""
    assert told(histories) == expected


@pytest.mark.parametrize(
    ("histories", "expected"),
    [
        ({"redis": "..x", "web": ".xxx"}, []),
        ({"redis": "..xx.", "web": ".xxxx"}, ["+web"]),
        ({"redis": "x", "web": ".xxx"}, []),
        ({"redis": ".x.x.x.x", "web": ".xxxxx"}, []),
        ({"redis": ".x.x.x.x", "web": ".xxxxxx"}, ["+web"]),
    ],
)
def test_waits_for_what_is_unclear(histories: Mapping[str, str], expected: list[str]) -> None:
    """While what it depends on has begun to fail, a check waits, at most for as long again."""
    assert told(histories) == expected


@pytest.mark.parametrize(
    ("histories", "expected"),
    [
        ({"redis": ".xxx..", "web": ".xxxx_"}, []),
        ({"redis": ".xxx..", "web": ".xxxxx"}, []),
        ({"redis": ".xxx....", "web": ".xxxxxxx"}, ["+web"]),
        ({"redis": ".xxx..", "web": "......"}, []),
    ],
)
def test_recovers_after_its_cause(histories: Mapping[str, str], expected: list[str]) -> None:
    """After a cause has gone, what followed from it gets a row of failures of its own first."""
    assert told(histories, lasting=[]) == expected


@pytest.mark.parametrize(
    ("histories", "expected"),
    [
        ({"web": ".xxx"}, []),
        ({"web": ".xxx."}, []),
        ({"web": ".xxx.."}, ["-web"]),
        ({"web": ".xxx", "redis": ".xxx"}, ["+redis"]),
        ({"web": ".xxx..", "redis": ".xxxxx"}, ["-web", "+redis"]),
    ],
)
def test_ends(histories: Mapping[str, str], expected: list[str]) -> None:
    """An outage that was told of ends with the check's recovery, and is not told of again."""
    assert told(histories, lasting=["web"]) == expected


@pytest.mark.parametrize(
    ("histories", "lasting", "paused", "expected"),
    [
        ({"web": ".xxx"}, [], ["web"], []),
        ({"web": ".xxx.."}, ["web"], ["web"], []),
        ({"redis": ".xxx", "web": ".xxx"}, [], ["redis"], ["+web"]),
        ({"redis": "..x", "web": ".xxx"}, [], ["redis"], ["+web"]),
    ],
)
def test_pauses(
    histories: Mapping[str, str], lasting: list[str], paused: list[str], expected: list[str]
) -> None:
    """A paused check neither begins nor ends an outage, nor excuses anything else."""
    assert told(histories, lasting=lasting, paused=paused) == expected


def test_what_is_told() -> None:
    """An outage has its first failure's instant, its reason, and names what it affects."""
    (outage,) = news(NEEDS, seen({"cloud": "..xxxx"}), {})
    assert outage == Outage(
        check="cloud", began=120.0, reason=Reason.CONNECT, detail="", affects=("heroku", "web")
    )


def test_when_it_ended() -> None:
    """An outage ends with the first of the successes."""
    known = {"web": Outage("web", 60.0, Reason.CONNECT, "refused")}
    (outage,) = news(NEEDS, seen({"web": ".xxx.."}), known)
    assert (outage.began, outage.ended, outage.detail) == (60.0, 240.0, "refused")


def test_concerned_only() -> None:
    """Only the named checks are asked."""
    assert list(news(["cloud"], seen({"redis": ".xxx"}), {})) == []
