"""The timeline in words, and as JSON."""

from __future__ import annotations

import json

import pytest

from boomerang.standin.events import (
    Answered,
    Asked,
    Ended,
    Event,
    Failed,
    Heard,
    Manner,
    Noted,
    Outcome,
    Role,
    Silence,
    Told,
    Unanswered,
    Understood,
    Warned,
)
from boomerang.standin.script import MESSAGING, VOICE
from boomerang.standin.storm import Standing, Summary
from boomerang.standin.telling import as_json, line, progress, summary_as_json, summed_up

URL = "https://me:hunter2@app.example.com/voice?a=1#rt=5000"
SHOWN = "https://app.example.com/voice?a=1#rt=5000"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (Asked(Role.FIRST, "POST", URL), f"asks          POST {SHOWN}"),
        (Asked(Role.REDIRECT, "GET", URL), f"is sent to    GET {SHOWN}"),
        (Asked(Role.ACTION, "POST", URL, 2), f"reports to    POST {SHOWN} (try 2)"),
        (
            Asked(Role.FALLBACK, "POST", URL, 1, 3, "11205"),
            f"falls back    POST {SHOWN} (error 11205, HTTP redirect 3)",
        ),
        (Answered(503, 0.1), "answer        503 after 0.10 s"),
        (
            Answered(200, 8.004, "retry; attempt=1"),
            "answer        200 after 8.00 s (retry; attempt=1)",
        ),
        (Unanswered("connection refused", 1.0), "unanswered    connection refused"),
        (Understood(("Say", "Hangup")), "TwiML         <Say> <Hangup>"),
        (Understood(()), "TwiML         empty"),
        (Failed(11217, URL, "answered 503"), "failed        error 11217: answered 503"),
        (Warned(12200, "<Foo> is no verb"), "warning       12200: <Foo> is no verb"),
        (Silence(30, "<Pause>"), "silence       30 s (<Pause>)"),
        (Noted("the app hangs up"), "              the app hangs up"),
        (Ended(Outcome.SAVED, "nothing failed"), "SAVED         nothing failed"),
        (Ended(Outcome.LOST, f"{URL}: oh"), f"LOST          {SHOWN}: oh"),
        (Heard(Manner.SAY, "Hi\x1b[2J\n"), "caller hears  a voice: Hi\ufffd[2J\ufffd"),
        (Heard(Manner.SAY, "x" * 1000), f"caller hears  a voice: {'x' * 391}..."),
    ],
)
def test_line(told: Told, expected: str) -> None:
    """Each event is a line, without passwords, and without a terminal's commands."""
    assert line(Event(4.0, told), product=VOICE) == f"    4.00 s  {expected}"


@pytest.mark.parametrize(
    ("heard", "silence", "product", "expected"),
    [
        (Heard(Manner.PLAY, "a.mp3"), 12.04, VOICE, "a recording: a.mp3 (after 12.0 s of waiting)"),
        (Heard(Manner.SAY, "Hi"), 0.01, VOICE, "a voice: Hi"),
        (Heard(Manner.STANDARD_MESSAGE), 0.0, VOICE, "Twilio's standard error message"),
        (Heard(Manner.MESSAGE, "Hi"), 9.0, MESSAGING, "Hi"),
    ],
)
def test_heard(heard: Heard, silence: float, product: str, expected: str) -> None:
    """With what is heard stands how long that was waited for."""
    told = line(Event(4.0, heard, silence), product=product)
    assert told.endswith(f"  {expected}")


def test_json() -> None:
    """As JSON an event has all its values."""
    asked = Event(1.00049, Asked(Role.FIRST, "POST", URL))
    assert json.loads(as_json(asked)) == {
        "at": 1.0,
        "event": "asked",
        "role": "first",
        "method": "POST",
        "url": SHOWN,
        "number": 1,
        "redirects": 0,
        "error_code": None,
    }
    answer = Event(1, Answered(200, 0.12345))
    assert json.loads(as_json(answer))["seconds"] == 0.123
    heard = Event(1, Heard(Manner.SAY, "Grüße"), 0.5)
    assert json.loads(as_json(heard)) == {
        "at": 1,
        "event": "heard",
        "manner": "say",
        "what": "Grüße",
        "silence": 0.5,
    }


SUMMARY = Summary(
    standing=Standing(200, begun=200, saved=190, apologised=7, lost=3),
    seconds=12.34,
    most_under_way=150,
    failed=200,
    codes=((11217, 190), (11205, 13)),
    reasons=((f"{URL} did not answer", 7), ("it failed\x1b", 3)),
    silences=tuple(index / 10 for index in range(1, 201)),
)


def test_progress() -> None:
    """The bar shows the share of those that have ended."""
    assert progress(Standing(200, begun=150, saved=40, apologised=9, lost=1)) == (
        "[#######.......................] 50/200, 100 under way, 40 saved, 9 apologised, 1 lost"
    )


def test_summed_up() -> None:
    """A storm is summed up by outcome, code and reason."""
    assert list(summed_up(SUMMARY)) == [
        "200 in 12.3 s, 150 of them at once; something failed in 200",
        "saved 190, apologised 7, lost 3",
        "   190  failures with error 11217",
        "    13  failures with error 11205",
        f"     7  {SHOWN} did not answer",
        "     3  it failed\ufffd",
        "longest silence: median 10.00 s, p99 19.80 s, max 20.00 s",
    ]


def test_summary_as_json() -> None:
    """So it is as JSON."""
    assert json.loads(summary_as_json(SUMMARY)) == {
        "calls": 200,
        "saved": 190,
        "apologised": 7,
        "lost": 3,
        "failed": 200,
        "seconds": 12.34,
        "most_under_way": 150,
        "codes": {"11217": 190, "11205": 13},
        "reasons": {f"{SHOWN} did not answer": 7, "it failed\x1b": 3},
        "silence": {"median": 10.0, "p99": 19.8, "max": 20.0},
    }
