"""Second chances that know more, as callers of an app that sleeps and awakes see them.

Twilio is played by `boomerang.standin`, with its own time limits; the daemon is a process.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from boomerang.standin import Outcome, play_storm
from tests.integration.app import App
from tests.integration.daemon import Daemon, Daemons, in_due_time
from tests.integration.playing import call, heard, message, playing
from tests.integration.sockets import get
from tests.integration.twilio import LATE, TWILIO


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


async def test_wakes_after_three_seconds(daemons: Daemons, app: App) -> None:
    """An app that wakes after 3 s gets its call back within 1 s of waking, asked once a second."""
    daemon = started(daemons, endpoint(app))
    begun = [playing(call(app, daemon)) for _ in range(20)]
    await app.wake_after(3)
    played = await gatherResults(begun)
    assert {each.outcome for each in played} == {Outcome.SAVED}
    assert app.first("/voice", since=app.awoke_at) - app.awoke_at < 1 + LATE
    assert app.count("/health") <= 5


async def test_longer_than_twilio_allows(daemons: Daemons, app: App) -> None:
    """An app that wakes after 16 s still gets the call, which is held on, and not the message."""
    daemon = started(daemons, endpoint(app, hold_limit=40, hold_message="One moment, please."))
    calling = playing(call(app, daemon))
    texting = playing(message(app, daemon))
    await app.wake_after(16)
    called = await calling
    texted = await texting
    assert (called.outcome, texted.outcome) == (Outcome.SAVED, Outcome.LOST)
    assert app.first("/voice", since=app.awoke_at) - app.awoke_at < 2 + LATE
    assert heard(called) == ["One moment, please.", "Hello"]


async def test_no_stampede(daemons: Daemons, app: App) -> None:
    """Calls that were held for an app are released at its rate, none beyond Twilio's limit."""
    calls, rate = 600, 120
    daemon = started(daemons, endpoint(app, release_rate=rate), wait=14.0)
    storm = play_storm(call(app, daemon), TWILIO, calls=calls, rate=calls)
    storming = Deferred.fromCoroutine(storm)
    await in_due_time(lambda: app.count("/voice") == calls, within=8)  # or some would not fail
    app.wake()
    summary = await storming
    came = [at for at, path in app.asked if path == "/voice" and at >= app.awoke_at]
    assert summary.standing.saved == calls
    assert len(came) == calls
    busiest = max(sum(at <= other < at + 1 for other in came) for at in came[::50])
    assert busiest <= rate * (1 + LATE)  # those of a second, and those that it heard late
    assert came[-1] - came[0] >= calls / rate - LATE
    assert max(summary.silences) < 14


async def test_known_dead(daemons: Daemons, app: App) -> None:
    """Callers of an app that is down hear the apology at once; when it is back, that is found."""
    check = f'[[check]]\nname = "app"\nurl = "{app.url("/health")}"\ninterval = 0.3\n'
    daemon = started(daemons, endpoint(app, circuit=True) + check + "failures = 2\n")
    await in_due_time(lambda: "circuit open" in daemon.log())
    played = await playing(call(app, daemon))
    assert played.outcome is Outcome.APOLOGISED
    assert played.seconds < 0.1 + LATE
    assert json.loads(get(daemon.port, "/health").body)["circuits"][0]["reason"] == "monitor"
    app.awake = True
    await in_due_time(lambda: "circuit closed" in daemon.log(), within=5)
