"""Calls and messages that begin at the tests' app and have a daemon for a fallback, all played."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from boomerang.standin import Call, Message, Played, Webhook, play_call, play_message
from boomerang.standin.events import Answered, Heard
from tests.integration.app import App
from tests.integration.daemon import Daemon
from tests.integration.twilio import TWILIO


def call(app: App, daemon: Daemon, method: str = "POST") -> Call:
    return Call(first=Webhook(app.url("/voice")), fallback=_retry(daemon, method))


def message(app: App, daemon: Daemon, method: str = "POST") -> Message:
    return Message(first=Webhook(app.url("/sms")), fallback=_retry(daemon, method), body="Hi")


def _retry(daemon: Daemon, method: str) -> Webhook:
    return Webhook(f"http://127.0.0.1:{daemon.port}/retry", method)


def playing(script: Call | Message) -> Deferred[Played]:
    """How it went, once it is over."""
    if isinstance(script, Call):
        return Deferred.fromCoroutine(play_call(script, TWILIO))
    return Deferred.fromCoroutine(play_message(script, TWILIO))


def said(played: Played) -> list[Answered]:
    """What boomerang answered, in its turn."""
    told = [event.told for event in played.events]
    return [one for one in told if isinstance(one, Answered) and one.decision]


def heard(played: Played) -> list[str]:
    """What the caller heard, or the sender got."""
    told = [event.told for event in played.events]
    return [one.what or one.manner.value for one in told if isinstance(one, Heard)]
