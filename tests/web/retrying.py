"""Fallback requests, and what they are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

import pytest

from tests.web.driving import (
    ACCOUNT,
    APP,
    FIELDS,
    MESSAGE,
    NO_STORE,
    TEXT,
    Answer,
    Daemon,
    get,
    post,
    whole,
)

WAIT = 8.0
SORRY = "https://static.example.com/sorry.xml"
WITH_SORRY = "/retry?FallbackUrl=https%3A%2F%2Fstatic.example.com%2Fsorry.xml"
PUBLIC = "https://boomerang.example.com"
XML = {"Content-Type": "text/xml; charset=utf-8"}

VOICE = FIELDS
MESSAGING = {
    "AccountSid": ACCOUNT,
    "Body": "Grüße & <so on>",
    "ErrorCode": "11205",
    "ErrorUrl": APP,
    "From": "+15005550006",
    "MessageSid": MESSAGE,
    "NumMedia": "0",
    "SmsMessageSid": MESSAGE,
    "SmsSid": MESSAGE,
    "To": "+15005550001",
    "FromCity": "",
}

SIDS = ("CallSid", "MessageSid", "SmsSid", "SmsMessageSid")

Sender = Callable[[str, Mapping[str, str]], bytes]
BY_METHOD = pytest.mark.parametrize("send", [get, post])
PRODUCTS = pytest.mark.parametrize("fields", [VOICE, MESSAGING], ids=["voice", "messaging"])


def redirect(url: str, *, decision: str, method: str = "POST") -> Answer:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Response><Redirect method="{method}">{escape(url, quote=False)}</Redirect></Response>'
    )
    return whole(200, body.encode(), XML, NO_STORE, {"Boomerang-Decision": decision})


def given_up(attempt: int) -> Answer:
    decision = {"Boomerang-Decision": f"give-up; attempt={attempt}"}
    return whole(500, b"boomerang gives this call or message up\n", TEXT, NO_STORE, decision)


def bad(reason: str) -> Answer:
    return whole(400, f"400 Bad Request: {reason}\n".encode(), TEXT, NO_STORE)


def answer_to(daemon: Daemon, sent: bytes, *, after: float = 0.0) -> Answer:
    """The answer, which must come after so many seconds and not before."""
    connection = daemon.connect()
    connection.send(sent)
    if after:
        daemon.wait(after - 0.25)
        assert connection.received == b"", "answered too early"
        daemon.wait(0.25)
    return connection.answer()
