"""Second chances that know more, as callers of an app that sleeps and awakes see them.

Twilio is played by `boomerang.standin`, with its own time limits; the daemon is a process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.web.http import HTTPChannel, HTTPFactory, Request

from boomerang.standin import (
    Call,
    Message,
    Outcome,
    Played,
    Surroundings,
    Webhook,
    play_call,
    play_message,
    play_storm,
)
from boomerang.standin.events import Heard
from tests.integration.caller import LATE, get
from tests.integration.daemon import Daemon, Daemons, ended

HELLO: Final = b"<Response><Say>Hello</Say></Response>"
THANKS: Final = b"<Response><Message>Thanks</Message></Response>"

_NOW: Final[Any] = reactor


@define(eq=False)
class App:
    """An app that answers 503 until it awakes, and notes when it was asked for what."""

    awake: bool = False
    awoke_at: float = 0.0
    asked: list[tuple[float, str]] = field(factory=list)
    port: Any = None

    def start(self) -> None:
        app = self

        class Answer(Request):
            def process(self) -> None:
                path = self.path.decode()
                app.asked.append((_NOW.seconds(), path))
                body = THANKS if path == "/sms" else HELLO
                self.setResponseCode(200 if app.awake else 503)
                self.setHeader("Content-Type", "text/xml")
                self.setHeader("Content-Length", str(len(body)))
                self.write(body)
                self.finish()

        class Channel(HTTPChannel):
            requestFactory = Answer

        factory: Any = HTTPFactory()
        factory.protocol = Channel
        self.port = _NOW.listenTCP(0, factory, backlog=4096, interface="127.0.0.1")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port.getHost().port}{path}"

    async def wake_after(self, seconds: float) -> None:
        await deferLater(_NOW, seconds)
        self.awake, self.awoke_at = True, _NOW.seconds()

    def first(self, path: str, *, since: float) -> float:
        """When a path was first asked for since an instant."""
        return next(at for at, asked in self.asked if asked == path and at >= since)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    with ended(Daemons(tmp_path)) as started:
        yield started


@pytest.fixture
def app() -> Iterator[App]:
    made = App()
    made.start()
    yield made
    made.port.stopListening()


def started(daemons: Daemons, text: str, *, wait: float = 8.0) -> Daemon:
    """A daemon with such a settings file."""
    file = daemons.directory / "boomerang.toml"
    file.write_text(text, encoding="utf-8")
    return daemons.start("--config", str(file), wait=wait)


def endpoint(app: App, **more: Any) -> str:
    """A table for all of the app's URLs, asked for its health, with an apology."""
    keys = {
        "name": "app",
        "match": "/*",
        "probe": app.url("/health"),
        "fallback": "apology",
        **more,
    }
    return "[[endpoint]]\n" + "".join(f"{name} = {json.dumps(keys[name])}\n" for name in keys)


async def logged(daemon: Daemon, words: str, *, within: float) -> None:
    """Return once the log has these words; the app goes on answering meanwhile."""
    deadline = _NOW.seconds() + within
    while words not in daemon.log():
        assert _NOW.seconds() < deadline, f"not logged within {within} s: {words}"
        await deferLater(_NOW, 0.05)


def call(app: App, daemon: Daemon) -> Call:
    return Call(first=Webhook(app.url("/voice")), fallback=Webhook(retry(daemon)))


def message(app: App, daemon: Daemon) -> Message:
    return Message(first=Webhook(app.url("/sms")), fallback=Webhook(retry(daemon)), body="Hi")


def retry(daemon: Daemon) -> str:
    return f"http://127.0.0.1:{daemon.port}/retry"


def twilio() -> Surroundings:
    return Surroundings.of(_NOW, chance=Random(1))


def started_call(script: Call) -> Deferred[Played]:
    return Deferred.fromCoroutine(play_call(script, twilio()))


async def test_wakes_after_three_seconds(daemons: Daemons, app: App) -> None:
    """An app that wakes after 3 s gets its call back within 1 s of waking, asked once a second."""
    daemon = started(daemons, endpoint(app))
    playing = [started_call(call(app, daemon)) for _ in range(20)]
    await app.wake_after(3)
    played = await gatherResults(playing)
    assert {each.outcome for each in played} == {Outcome.SAVED}
    assert app.first("/voice", since=app.awoke_at) - app.awoke_at < 1 + LATE
    assert sum(path == "/health" for _, path in app.asked) <= 5


async def test_longer_than_twilio_allows(daemons: Daemons, app: App) -> None:
    """An app that wakes after 16 s still gets the call, which is held on, and not the message."""
    daemon = started(daemons, endpoint(app, hold_limit=40, hold_message="One moment, please."))
    calling = started_call(call(app, daemon))
    texting = Deferred.fromCoroutine(play_message(message(app, daemon), twilio()))
    await app.wake_after(16)
    called = await calling
    texted = await texting
    assert (called.outcome, texted.outcome) == (Outcome.SAVED, Outcome.LOST)
    assert app.first("/voice", since=app.awoke_at) - app.awoke_at < 2 + LATE
    heard = [event.told.what for event in called.events if isinstance(event.told, Heard)]
    assert heard == ["One moment, please.", "Hello"]


async def test_no_stampede(daemons: Daemons, app: App) -> None:
    """Calls that were held for an app are released at its rate, none beyond Twilio's limit."""
    daemon = started(daemons, endpoint(app, release_rate=200), wait=14.0)
    storm = play_storm(call(app, daemon), twilio(), calls=1000, rate=1000)
    playing = Deferred.fromCoroutine(storm)
    await app.wake_after(4)
    summary = await playing
    came = [at for at, path in app.asked if path == "/voice" and at >= app.awoke_at]
    assert summary.standing.saved == 1000
    assert len(came) == 1000
    busiest = max(sum(at <= other < at + 1 for other in came) for at in came[::50])
    assert busiest <= 260
    assert max(summary.silences) < 14


async def test_known_dead(daemons: Daemons, app: App) -> None:
    """Callers of an app that is down hear the apology at once; when it is back, that is found."""
    check = f'[[check]]\nname = "app"\nurl = "{app.url("/health")}"\ninterval = 0.3\n'
    daemon = started(daemons, endpoint(app, circuit=True) + check + "failures = 2\n")
    await logged(daemon, "circuit open", within=15)
    played = await started_call(call(app, daemon))
    assert played.outcome is Outcome.APOLOGISED
    assert played.seconds < 0.1 + LATE
    assert json.loads(get(daemon.port, "/health").body)["circuits"][0]["reason"] == "monitor"
    app.awake = True
    await logged(daemon, "circuit closed", within=5)
