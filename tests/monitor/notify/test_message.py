"""What people are told."""

from __future__ import annotations

import pytest
from attrs import evolve

from boomerang.monitor.notify.message import message_of
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason
from boomerang.settings.checks import Check

BEGAN = 1_800_000_005.4
"""2027-01-15, 08:00:05 UTC."""

WEB = Check(name="web", url="https://app.example.com/?key=hush", headers={"X-Key": "hush"})
DOWN = Outage("web", BEGAN, Reason.TIMEOUT, "no answer within 10 s (connect)")


def test_begins() -> None:
    """A message says what is down, since when and why, whom it affects and what to do."""
    check = evolve(WEB, runbook_url="https://wiki.example.com/web")
    message = message_of(evolve(DOWN, affects=("api", "jobs")), check, environment="production")
    assert message.title == "[production] web is down"
    assert message.body == (
        "web has been down since 2027-01-15 08:00:05 UTC: no answer within 10 s (connect) (timeout)"
        "\nAffected: api, jobs"
        "\nEnvironment: production"
        "\nWhat to do: https://wiki.example.com/web"
    )
    assert message.kind == "failure"


def test_ends() -> None:
    """One of the end says how long it lasted; nothing is to be done any more."""
    check = evolve(WEB, runbook_url="https://wiki.example.com/web")
    message = message_of(evolve(DOWN, ended=BEGAN + 725), check, environment="staging")
    assert message.title == "[staging] web is up again"
    assert message.body == (
        "web was down for 12 min 5 s, from 2027-01-15 08:00:05 UTC to 2027-01-15 08:12:10 UTC:"
        " no answer within 10 s (connect) (timeout)"
        "\nEnvironment: staging"
    )
    assert message.kind == "success"


def test_short() -> None:
    """What there is not is not mentioned."""
    message = message_of(evolve(DOWN, detail=""), WEB, environment="e")
    assert message.body == (
        "web has been down since 2027-01-15 08:00:05 UTC: timeout\nEnvironment: e"
    )


def test_taken_out() -> None:
    """A check that was taken out of the settings while it was down is not said to be up."""
    message = message_of(evolve(DOWN, ended=BEGAN + 60), None, environment="e")
    assert message.title == "[e] web is no longer checked"
    assert message.body.startswith("web was down for 1 min 0 s, from")


def test_many_affected() -> None:
    """Of very many affected checks some are named, and all counted."""
    names = tuple(f"check{number}" for number in range(500))
    body = message_of(evolve(DOWN, affects=names), WEB, environment="e").body
    assert "check0, check1, " in body
    assert "check19 and 480 more\n" in body
    assert "check20" not in body
    twenty = message_of(evolve(DOWN, affects=names[:20]), WEB, environment="e").body
    assert "check19\n" in twenty


@pytest.mark.parametrize("ended", [None, BEGAN + 1])
def test_no_secrets(ended: float | None) -> None:
    """Neither the URL that is checked nor the headers of the request are told."""
    assert "hush" not in str(message_of(evolve(DOWN, ended=ended), WEB, environment="e"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (0.6, "1 s"),
        (59.4, "59 s"),
        (60, "1 min 0 s"),
        (725, "12 min 5 s"),
        (3600, "1 h 0 min"),
        (10_925, "3 h 2 min"),
        (86_400, "1 d 0 h"),
        (187_199, "2 d 3 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """A duration is told in its two largest units."""
    message = message_of(evolve(DOWN, ended=BEGAN + seconds), WEB, environment="e")
    assert f"down for {text}, from" in message.body
