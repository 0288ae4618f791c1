"""How the requests of each endpoint are rescued."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from boomerang.endpoints.fallback import Document, Fallback, Redirect
from boomerang.endpoints.rules import EndpointRules, RuleBook, notes, rules_for
from boomerang.settings import RetrySettings
from boomerang.settings.endpoints import Endpoint
from boomerang.urls import parse_url

SORRY = Document(b"<Response><Say>Sorry.</Say></Response>")
AWAY = Redirect("https://cdn.example.org/sorry.xml")
REPLY = Document(b"<Response/>")
PROBE = "https://me:hunter2@app.example.com/health"

RETRY = RetrySettings(
    wait=1.0,
    window=2.0,
    attempts=3,
    rounds=4,
    method="GET",
    codes=("11200", "11205"),
    probe=PROBE,
    hold_limit=60.0,
    release_rate=50.0,
    circuit=True,
    fallback=Fallback(voice=SORRY, messaging=REPLY),
)

GENERAL = EndpointRules(
    name="unknown",
    mode="sync",
    retry=True,
    wait=1.0,
    window=2.0,
    attempts=3,
    rounds=4,
    call_window=2.0,
    method="GET",
    codes=frozenset({"11200", "11205"}),
    probe=PROBE,
    hold_limit=60.0,
    release_rate=50.0,
    circuit=True,
    fallback=Fallback(voice=SORRY, messaging=REPLY),
)


def endpoint(name: str = "e", match: str = "/e", **keys: Any) -> Endpoint:
    return Endpoint(name=name, match=match, **keys)


def test_defaults() -> None:
    """With no configuration at all, a second chance is a matter of 8 seconds and nothing more."""
    assert rules_for(None, RetrySettings()) == EndpointRules(
        name="unknown",
        mode="sync",
        retry=True,
        wait=8.0,
        window=900.0,
        attempts=1,
        rounds=10,
        call_window=900.0,
        method="POST",
        codes=frozenset(),
        probe=None,
        hold_limit=0.0,
        release_rate=0.0,
        circuit=False,
        fallback=Fallback(),
    )


def test_unknown() -> None:
    """URLs of no endpoint are rescued as [retry] says."""
    assert rules_for(None, RETRY) == GENERAL


@pytest.mark.parametrize(
    ("own", "differing"),
    [
        ({}, {}),
        ({"mode": "async"}, {"mode": "async"}),
        ({"retry": False}, {"retry": False}),
        ({"wait": 0.0}, {"wait": 0.0}),
        ({"window": 9.0}, {"window": 9.0}),
        ({"attempts": 0}, {"attempts": 0}),
        ({"method": "POST"}, {"method": "POST"}),
        ({"codes": ("11210",)}, {"codes": frozenset({"11210"})}),
        ({"probe": "https://a/"}, {"probe": "https://a/"}),
        ({"hold_limit": 0.0}, {"hold_limit": 0.0}),
        ({"release_rate": 0.0}, {"release_rate": 0.0}),
        ({"circuit": False}, {"circuit": False}),
        (
            {"fallback": Fallback(voice=AWAY)},
            {"fallback": Fallback(voice=AWAY, messaging=REPLY)},
        ),
        (
            {"fallback": Fallback(messaging=AWAY)},
            {"fallback": Fallback(voice=SORRY, messaging=AWAY)},
        ),
    ],
)
def test_endpoint(own: dict[str, Any], differing: dict[str, Any]) -> None:
    """What an endpoint says goes for it; all else is as in [retry]."""
    expected = attrs.evolve(GENERAL, name="e", **differing)
    assert rules_for(endpoint(**own), RETRY) == expected


@pytest.mark.parametrize(
    ("probe", "hold_limit", "voice", "messaging"),
    [
        (None, 0.0, 8.0, 8.0),
        (None, 60.0, 8.0, 8.0),
        (PROBE, 0.0, 8.0, 8.0),
        (PROBE, 12.0, 12.0, 12.0),
        (PROBE, 14.0, 14.0, 14.0),
        (PROBE, 60.0, 60.0, 14.0),
    ],
)
def test_longest_hold(probe: str | None, hold_limit: float, voice: float, messaging: float) -> None:
    """A call is held up to the limit while the app is asked; a message as long as Twilio waits."""
    rules = rules_for(None, RetrySettings(probe=probe, hold_limit=hold_limit))
    assert rules.longest_hold("voice") == voice
    assert rules.longest_hold("messaging") == messaging
    assert rules.longest_hold("unknown") == messaging


def test_rule_book() -> None:
    """The rules are those of the endpoint that the URL belongs to."""
    book = RuleBook(RETRY, [endpoint("a", "/a", wait=9.0), endpoint("any", "/:x", wait=10.0)])
    found = [
        book.of(parse_url(f"https://app.example.com{path}")) for path in ("/a?b", "/b", "/b/c")
    ]
    assert [(rules.name, rules.wait) for rules in found] == [
        ("a", 9.0),
        ("any", 10.0),
        ("unknown", 1.0),
    ]
    assert [rules.name for rules in book] == ["unknown", "a", "any"]


def test_no_secrets() -> None:
    """Rules that are shown have no secrets."""
    assert "hunter2" not in repr(GENERAL)
    assert "probe=None" in repr(rules_for(None, RetrySettings()))


def noted(retry: RetrySettings, *endpoints: Endpoint) -> list[str]:
    return list(notes(RuleBook(retry, endpoints)))


def for_messages(where: str) -> str:
    return (
        f"{where}: hold_limit holds calls for up to 60 s; messages no longer than 14 s,"
        " since Twilio waits for one answer"
    )


def without_effect(where: str) -> str:
    return f"{where}: hold_limit has no effect without a probe, which would end the hold"


@pytest.mark.parametrize(
    ("retry", "endpoints", "expected"),
    [
        ({}, [], []),
        ({"probe": PROBE, "hold_limit": 14.0}, [endpoint()], []),
        ({"probe": PROBE}, [endpoint(hold_limit=60.0)], [for_messages('endpoint "e"')]),
        ({"hold_limit": 60.0}, [endpoint(hold_limit=0.0)], [without_effect("retry")]),
        (
            {"hold_limit": 60.0},
            [endpoint(probe=PROBE)],
            [without_effect("retry"), for_messages('endpoint "e"')],
        ),
        ({"probe": PROBE, "hold_limit": 60.0}, [endpoint()], [for_messages("retry")]),
        ({"hold_limit": 60.0}, [endpoint(), endpoint("f", "/f")], [without_effect("retry")]),
    ],
)
def test_notes(retry: dict[str, Any], endpoints: list[Endpoint], expected: list[str]) -> None:
    """What a limit does not do is said, and is no reason not to start."""
    assert noted(RetrySettings(**retry), *endpoints) == expected
