"""What is the case, in one sentence and one colour."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from boomerang.monitor.account import GAPS_FOUND, KIND
from boomerang.monitor.watched import CheckView
from boomerang.status.headline import headline
from boomerang.status.report import CircuitNow, HeldNow, Minute, RelayNow, Report, Trouble
from tests.status.telling import NOON, check, report, seen

NOW = int(NOON // 60)
LEFT = (0,) * 16


def one(report_: Report, **known: Any) -> tuple[str, str, float | None]:
    found = headline(seen(report_, **known))
    assert found.also == ()
    return found.level, found.sentence, found.since


def account(state: str, detail: str = "refused") -> CheckView:
    view = check("twilio-account", state, settings={"kind": KIND})
    return evolve(view, standing=evolve(view.standing, detail=detail))


@pytest.mark.parametrize(
    ("given", "level", "sentence", "since"),
    [
        ({}, "good", "All is well", NOON - 600),
        (
            {"minutes": {NOW - 8: Minute(lost=9)}},
            "good",
            "All is well",
            NOON - 7 * 60,
        ),
        (
            {"minutes": {NOW: Minute(lost=1_200)}},
            "bad",
            "Callers are being lost: 1,200 in the last 5 minutes",
            NOON,
        ),
        (
            {"minutes": {NOW - 4: Minute(saved=3), NOW - 8: Minute(saved=1)}},
            "warn",
            "Callers get their second chance: 0 held now, 3 saved in the last 5 minutes",
            NOON - 8 * 60,
        ),
        (
            {"minutes": {NOW: Minute(saved=1), NOW - 5: Minute(saved=1), NOW - 11: Minute(1)}},
            "warn",
            "Callers get their second chance: 0 held now, 1 saved in the last 5 minutes",
            NOON - 5 * 60,
        ),
        (
            {"held": HeldNow(2_000, LEFT)},
            "warn",
            "Callers get their second chance: 2,000 held now, 0 saved in the last 5 minutes",
            None,
        ),
        (
            {"held": HeldNow(0, LEFT, followed=1_200)},
            "warn",
            "Callers get their second chance: 0 held now, 1,200 just sent back,"
            " 0 saved in the last 5 minutes",
            None,
        ),
        (
            {"minutes": {NOW - 1: Minute(apologised=7)}},
            "warn",
            "Callers get the last resort instead of the app: 7 in the last 5 minutes",
            NOON - 60,
        ),
        (
            {"circuits": (CircuitNow("a.example.com:443", "open", "losses", NOON - 9),)},
            "warn",
            "Nothing is held for a.example.com:443: it is known to be dead",
            NOON - 9,
        ),
        (
            {"troubles": (Trouble("store", NOON - 9),)},
            "warn",
            "The store does not answer: decisions are made from memory",
            NOON - 9,
        ),
        (
            {"troubles": (Trouble("relay store", NOON - 9),)},
            "warn",
            "The relay's store does not answer: status callbacks are refused",
            NOON - 9,
        ),
        (
            {"troubles": (Trouble("relay queue", NOON - 9),)},
            "warn",
            "The relay's queue is full: status callbacks are refused",
            NOON - 9,
        ),
        (
            {"troubles": (Trouble("relay", NOON - 9),)},
            "warn",
            "Status callbacks are delivered late",
            NOON - 9,
        ),
        (
            {"relay": RelayNow(dead=1)},
            "warn",
            "Status callbacks are dead letters: 1 was given up",
            None,
        ),
        (
            {"relay": RelayNow(dead=1_500)},
            "warn",
            "Status callbacks are dead letters: 1,500 were given up",
            None,
        ),
        ({"relay": RelayNow(waiting=5, oldest=NOON - 5)}, "good", "All is well", NOON - 600),
    ],
)
def test_process(given: dict[str, Any], level: str, sentence: str, since: float | None) -> None:
    """Each thing that a process can tell."""
    assert one(report(**given)) == (level, sentence, since)


@pytest.mark.parametrize(
    ("checks", "level", "sentence", "since"),
    [
        ([check("web", "up")], "good", "All is well", NOON - 60),
        ([check("web", "unknown")], "good", "All is well", NOON - 600),
        ([check("web", "down")], "bad", "web is down", NOON - 60),
        ([check("a", "down"), check("b", "down")], "bad", "a and b are down", NOON - 60),
        (
            [check(name, "down") for name in "abc"],
            "bad",
            "a and 2 other checks are down",
            NOON - 60,
        ),
        ([check("web", "slow")], "warn", "web is slow", NOON - 60),
        ([check("web", "down", paused_until=NOON + 60)], "good", "All is well", NOON - 600),
        ([check("web", "down", causes=("cloud",))], "good", "All is well", NOON - 600),
        (
            [account("down")],
            "warn",
            "The account was not audited: refused",
            None,
        ),
        (
            [account("down", f"{GAPS_FOUND}: 2 missing")],
            "warn",
            f"Not all of the account points here: {GAPS_FOUND}: 2 missing",
            None,
        ),
    ],
)
def test_checks(checks: list[CheckView], level: str, sentence: str, since: float | None) -> None:
    """Each state of checks: what is paused or affected by another's outage is no news."""
    assert one(report(), checks=checks) == (level, sentence, since)


def test_incomplete() -> None:
    """Without the store only this process is shown, and that is said."""
    assert one(report(), incomplete=NOON - 3) == (
        "warn",
        "What is shown is this process alone: the store does not answer",
        NOON - 3,
    )


@pytest.mark.parametrize(("ago", "matters"), [(44, False), (60, True), (599, True), (601, False)])
def test_silent(ago: int, matters: bool) -> None:
    """A process that was killed is news for ten minutes; then it is taken for replaced."""
    found = headline(seen(report(), report("two", at=NOON - ago)))
    told = found.sentence == "two is silent: it was killed, or cannot reach the store"
    assert told is matters
    assert (found.level == "warn") is matters


def test_who_has_stopped() -> None:
    """A process that has stopped orderly is no news, whatever troubled it then."""
    gone = report("two", ended=True, at=NOON - 60, troubles=(Trouble("store", NOON - 90),))
    assert headline(seen(report(), gone)).sentence == "All is well"


def test_the_worst_first() -> None:
    """What is bad comes before what is not well; the rest is told, too, in its order."""
    given = report(
        held=HeldNow(3, LEFT),
        minutes={NOW: Minute(apologised=1)},
        relay=RelayNow(dead=2),
    )
    found = headline(seen(given, checks=[check("web", "down"), check("db", "slow")]))
    assert (found.level, found.sentence) == ("bad", "web is down")
    assert [each.sentence.partition(":")[0] for each in found.also] == [
        "Callers get their second chance",
        "Callers get the last resort instead of the app",
        "db is slow",
        "Status callbacks are dead letters",
    ]
