"""``boomerang call``: play a call as Twilio does, or a storm of them, to try an app's failover."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from random import SystemRandom
from typing import Any, Final

from twisted.internet.task import LoopingCall
from twisted.python import usage

from boomerang.cli.arguments import OptionsAnywhere, over_zero
from boomerang.cli.running import FAILED, WELL, FreeCommand
from boomerang.collector import Collector
from boomerang.process import room_for_held
from boomerang.standin.events import Outcome
from boomerang.standin.play import play
from boomerang.standin.script import Call, Script, Webhook
from boomerang.standin.storm import Standing, play_storm
from boomerang.standin.surroundings import Surroundings
from boomerang.standin.telling import (
    as_json,
    line,
    progress,
    summary_as_json,
    summed_up,
)
from boomerang.urls import BadUrl, parse_url

APOLOGISED: Final = 2
"""Exit status: somebody else answered in the app's place."""

_STATUS: Final = {Outcome.SAVED: WELL, Outcome.LOST: FAILED, Outcome.APOLOGISED: APOLOGISED}

_REDRAWN_EVERY: Final = 0.2

TRYING = [
    ["fallback", "f", None, "URL that is asked when another fails."],
    ["fallback-method", None, "POST", "Method of the fallback, GET or POST."],
    ["method", "m", "POST", "Method of the URL, GET or POST."],
    ["auth-token", None, None, "Sign with this token (also TWILIO_AUTH_TOKEN)."],
    ["from", None, "+15005550006", "Who calls or writes."],
    ["to", None, "+15005550001", "Who is called or written to."],
    ["calls", "n", None, "Play so many, and sum them up."],
    ["rate", "r", "10", "How many of them begin each second."],
]

_EXIT: Final = (
    "Connection overrides may stand in the fragments of the URLs, as at Twilio. Exit status: 0 if"
    " all was saved, 2 if somebody else answered in the app's place, 1 if anything was lost."
)


class Playing(OptionsAnywhere, FreeCommand):
    """What ``call`` and ``message`` have in common; each says what its script is."""

    optFlags = [["json", "j", "Print JSON, one value a line."]]
    longdesc = _EXIT
    environment: Mapping[str, str] = os.environ

    def parseArgs(self, url: str) -> None:  # type: ignore[override]  # as Twisted means it
        self["url"] = url

    def postOptions(self) -> None:
        super().postOptions()
        for name in ("url", "fallback"):
            if self[name] is not None:
                _check_url("the URL" if name == "url" else f"--{name}", self[name])
        for name in ("method", "fallback-method"):
            self[name] = self[name].upper()
            if self[name] not in ("GET", "POST"):
                raise usage.UsageError(f"--{name} is {self[name]}, expected GET or POST")
        if self["calls"] is not None:
            self["calls"] = over_zero("calls", self["calls"], int)
        self["rate"] = over_zero("rate", self["rate"], float)

    def script(self) -> Script:
        """What is played."""
        raise NotImplementedError

    def common(self) -> dict[str, Any]:
        """What the command line says of a call and of a message alike."""
        fallback = self["fallback"]
        token = self["auth-token"] or self.environment.get("TWILIO_AUTH_TOKEN", "")
        return {
            "first": Webhook(self["url"], self["method"]),
            "fallback": None if fallback is None else Webhook(fallback, self["fallback-method"]),
            "sender": self["from"],
            "recipient": self["to"],
            "auth_token": token.split()[0] if token.strip() else None,
        }

    def run(self, settings: None) -> int:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # apps may say anything
        return super().run(settings)

    async def act(self, reactor: Any) -> int:
        surroundings = Surroundings.of(reactor, chance=SystemRandom())
        if self["calls"] is not None:
            return await self._storm(surroundings, reactor)
        script = self.script()
        told = as_json if self["json"] else partial(line, product=script.product)
        played = await play(script, surroundings, lambda event: print(told(event), flush=True))
        return _STATUS[played.outcome]

    async def _storm(self, surroundings: Surroundings, reactor: Any) -> int:
        calls: int = self["calls"]
        room = room_for_held(calls)
        if room < calls:
            print(f"only {room} fit at once: see ulimit -n", file=sys.stderr)
        bar = _Bar(Standing(calls))
        collector = Collector(reactor, held=lambda: calls)
        collector.start()
        with _drawn(bar, reactor):
            summary = await play_storm(
                self.script(), surroundings, calls=calls, rate=self["rate"], watch=bar.stands
            )
        collector.stop()
        for told in [summary_as_json(summary)] if self["json"] else summed_up(summary):
            print(told)
        if summary.standing.lost:
            return FAILED
        return APOLOGISED if summary.standing.apologised else WELL


class PlayCall(Playing):
    """``boomerang call``."""

    optParameters = [*TRYING, ["digits", "d", "", "Keys that the caller presses when asked to."]]
    synopsis = "Usage: boomerang call VOICE_URL --fallback URL [options]"

    def postOptions(self) -> None:
        super().postOptions()
        if not re.fullmatch("[0-9*#]*", self["digits"]):
            raise usage.UsageError(f"--digits is {self['digits']}, expected keys like 123#")

    def script(self) -> Call:
        return Call(digits=self["digits"], **self.common())


class _Bar:
    """The progress of a storm, in one line of a terminal."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def stands(self, standing: Standing) -> None:
        self._standing = standing

    def draw(self) -> None:
        print(f"\r\033[K{progress(self._standing)}", end="", file=sys.stderr, flush=True)


@contextmanager
def _drawn(bar: _Bar, clock: Any) -> Iterator[None]:
    """Draws the bar while the block lasts, if there is a terminal to draw it on."""
    if not sys.stderr.isatty():
        yield
        return
    drawing = LoopingCall(bar.draw)
    drawing.clock = clock
    drawing.start(_REDRAWN_EVERY)
    try:
        yield
    finally:
        drawing.stop()
        bar.draw()
        print(file=sys.stderr)


def _check_url(name: str, url: str) -> None:
    try:
        parse_url(url)
    except BadUrl as error:
        raise usage.UsageError(f"{name} {error}") from None
