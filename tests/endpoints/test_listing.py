"""The endpoint table for a terminal, and what would happen to a URL."""

from __future__ import annotations

import pytest

from boomerang.endpoints.fallback import Document, Fallback, Redirect
from boomerang.endpoints.listing import explained, listing
from boomerang.settings import RetrySettings
from boomerang.settings.endpoints import Endpoint
from boomerang.urls import parse_url

SORRY = Fallback(voice=Document(b"<Response/>"))
PROBE = "https://me:hunter2@app.example.com/health?key=hunter2"

ENDPOINTS = [
    Endpoint(name="caller", match="/caller/*", mode="async", attempts=0),
    Endpoint(
        name="pause",
        match="/caller/:id/pause",
        audience=("phone", "browser"),
        probe=PROBE,
        hold_limit=60.0,
        release_rate=50.0,
        circuit=True,
        method="GET",
        fallback=Fallback(messaging=Redirect("https://me:hunter2@a/x?y")),
    ),
    Endpoint(name="eu", match="/caller/:id/pause", host=("*.eu", "eu.org"), retry=False),
    Endpoint(name="dial", match="/dial", codes=("11205", "11200")),
    Endpoint(name="probed", match="/probed", probe=PROBE),
]
RETRY = RetrySettings(fallback=SORRY)


def test_listing() -> None:
    """Each endpoint is a line, in the order of the file; the last is for all other URLs."""
    lines = list(listing(ENDPOINTS, RETRY))
    cells = [[cell for cell in line.split("  ") if cell] for line in lines]
    assert [[cell.strip() for cell in row] for row in cells] == [
        ["ENDPOINT", "MATCH", "HOST", "AUDIENCE", "MODE", "HELD", "LAST RESORT"],
        ["caller", "/caller/*", "any", "-", "async", "no retry", "voice: TwiML of 11 bytes"],
        [
            "pause",
            "/caller/:id/pause",
            "any",
            "phone, browser",
            "sync",
            "till awake, 60 s",
            "voice: TwiML of 11 bytes, messaging: GET https://a/x?...",
        ],
        [
            "eu",
            "/caller/:id/pause",
            "*.eu eu.org",
            "-",
            "sync",
            "no retry",
            "voice: TwiML of 11 bytes",
        ],
        ["dial", "/dial", "any", "-", "sync", "8 s", "voice: TwiML of 11 bytes"],
        ["probed", "/probed", "any", "-", "sync", "till awake, 8 s", "voice: TwiML of 11 bytes"],
        ["unknown", "any other", "any", "-", "sync", "8 s", "voice: TwiML of 11 bytes"],
    ]
    assert (
        len(
            {
                line.find(mode)
                for line, mode in zip(lines[:3], ("MODE", "async", "sync"), strict=True)
            }
        )
        == 1
    )
    assert not any(line.endswith(" ") for line in lines)


def test_empty_listing() -> None:
    """Without endpoints there is the line for all URLs."""
    assert [line.split()[0] for line in listing([], RetrySettings())] == ["ENDPOINT", "unknown"]


def told(path: str, host: str = "a.org", *, code: str = "11200", product: str = "voice") -> str:
    url = parse_url(f"https://{host}{path}")
    lines = explained(url, code=code, product=product, endpoints=ENDPOINTS, retry=RETRY)
    return "\n".join(lines)


def test_explained() -> None:
    """What would happen is said, with all that was decided on the way there."""
    assert told("/caller/17/pause?x=1") == (
        'endpoint: "pause" (/caller/:id/pause, for phone, browser, sync)\n'
        'passed over: "caller" (/caller/*, async), which is less specific\n'
        'passed over: "eu" (/caller/:id/pause at *.eu, eu.org, sync), whose host is another\n'
        "second chance: yes, 1 within 900 s\n"
        "held: until https://app.example.com/health?... answers, 60 s at most\n"
        "  (not at all while the app is known to be dead)\n"
        "released: first come, first served, 50 per second and origin\n"
        "sent back: a call, with GET unless the request names a Method\n"
        "last resort: FallbackUrl if the request names one, else TwiML of 11 bytes"
    )


def test_explained_of_a_message() -> None:
    """A message is held no longer than Twilio waits, and has a last resort of its own."""
    lines = told("/caller/17/pause", product="messaging").splitlines()
    assert lines[4:] == [
        "held: until https://app.example.com/health?... answers, 14 s at most",
        "  (not 60 s: Twilio waits no longer for the answer to a message)",
        "  (not at all while the app is known to be dead)",
        "released: first come, first served, 50 per second and origin",
        "sent back: a message, with GET unless the request names a Method",
        "last resort: FallbackUrl if the request names one, else GET https://a/x?...",
    ]


def test_explained_without_endpoint() -> None:
    """A URL of no endpoint is rescued all the same."""
    assert told("/", product="messaging") == (
        "endpoint: none; unknown in logs and metrics\n"
        "second chance: yes, 1 within 900 s\n"
        "held: 8 s\n"
        "sent back: a message, with POST unless the request names a Method\n"
        "last resort: FallbackUrl if the request names one, else an error (500)"
    )


@pytest.mark.parametrize(
    ("path", "host", "code", "why"),
    [
        ("/caller/17/pause", "x.eu", "11200", "retry is false"),
        ("/caller", "a.org", "11200", "attempts is 0"),
        ("/dial", "a.org", "12400", "12400 is not among its codes (11200, 11205)"),
        ("/", "a.org", "12100", "repeating does not help against error 12100"),
    ],
)
def test_no_second_chance(path: str, host: str, code: str, why: str) -> None:
    """Where there is no second chance, the reason is said, and what comes instead."""
    lines = told(path, host, code=code).splitlines()
    assert lines[-2:] == [
        f"second chance: no, {why}",
        "last resort: FallbackUrl if the request names one, else TwiML of 11 bytes",
    ]


@pytest.mark.parametrize(("path", "code"), [("/dial", "11205"), ("/", "11200"), ("/", "12400")])
def test_second_chance(path: str, code: str) -> None:
    """Codes that the endpoint names, or that a second chance may help, get one."""
    assert "second chance: yes, 1 within 900 s" in told(path, code=code)


def test_no_secrets() -> None:
    """Nothing shown has a secret."""
    shown = "\n".join([*listing(ENDPOINTS, RETRY), told("/caller/17/pause"), told("/probed")])
    assert "hunter2" not in shown
