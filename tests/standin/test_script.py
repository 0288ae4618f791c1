"""What is played, and what Twilio tells of it with every request."""

from __future__ import annotations

from random import Random

import pytest
from attrs import evolve

from boomerang.retry.request import parse_failed_request
from boomerang.standin.script import (
    Call,
    Message,
    Script,
    Webhook,
    segments,
    standard_parameters,
    with_sid,
)

URL = Webhook("https://app.example.com/voice")
CALL = Call(first=URL, sid="CA1", auth_token="hunter2")
MESSAGE = Message(first=URL, sid="SM1", body="Grüße")


def test_of_a_call() -> None:
    """A call has its voice parameters (reference: Twilio's request, voice)."""
    assert dict(standard_parameters(CALL)) == {
        "AccountSid": "AC00000000000000000000000000000001",
        "ApiVersion": "2010-04-01",
        "CallSid": "CA1",
        "CallStatus": "ringing",
        "Called": "+15005550001",
        "Caller": "+15005550006",
        "Direction": "inbound",
        "From": "+15005550006",
        "To": "+15005550001",
    }


def test_picked_up() -> None:
    """Once a call was picked up it is in progress."""
    assert dict(standard_parameters(CALL, picked_up=True))["CallStatus"] == "in-progress"


def test_of_a_message() -> None:
    """A message has three names for its SID, and its text."""
    assert dict(standard_parameters(MESSAGE)) == {
        "AccountSid": "AC00000000000000000000000000000001",
        "ApiVersion": "2010-04-01",
        "Body": "Grüße",
        "From": "+15005550006",
        "MessageSid": "SM1",
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsMessageSid": "SM1",
        "SmsSid": "SM1",
        "SmsStatus": "received",
        "To": "+15005550001",
    }


@pytest.mark.parametrize("script", [CALL, MESSAGE])
def test_understood(script: Script) -> None:
    """With an error code and URL, boomerang understands them as a fallback request."""
    error = (("ErrorCode", "11200"), ("ErrorUrl", URL.url))
    failed = parse_failed_request((*standard_parameters(script), *error), ())
    assert (failed.product, failed.sid) == (script.product, script.sid)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("ü" * 160, 1),
        ("ő" * 70, 1),
        ("ő" * 71, 2),
        ("ő" * 134, 2),
        ("ő" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_segments(body: str, expected: int) -> None:
    """A short message has 160 characters, or 70 if there is one that is not among GSM's."""
    assert segments(body) == expected


def test_drawn_sid() -> None:
    """A SID is drawn where there is none, by chance alone, and has its product's prefix."""
    without = [evolve(CALL, sid=""), evolve(MESSAGE, sid="")]
    first, second = (
        [with_sid(script, chance).sid for script in without] for chance in (Random(7), Random(7))
    )
    assert first == second
    assert [sid[:2] for sid in first] == ["CA", "SM"]
    assert {len(sid) for sid in first} == {34}
    assert with_sid(CALL, Random(7)) is CALL


def test_no_secret_is_shown() -> None:
    """Neither the token nor what a message says is in what is shown of a script."""
    assert "hunter2" not in repr(CALL)
    assert "Grüße" not in repr(MESSAGE)
