"""``boomerang checks``: how the checks stand; pause one, or let it go on."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from twisted.python import usage

from boomerang.cli.arguments import OptionsAnywhere
from boomerang.cli.records import records_of
from boomerang.cli.running import WELL, CommandFailed, ReactorCommand
from boomerang.monitor.listing import listing
from boomerang.monitor.panel import Panel
from boomerang.monitor.records import FOR_EVER
from boomerang.monitor.service import checks_of
from boomerang.settings import Settings

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(d|h|min|m|s)", re.ASCII)
_SECONDS: Final = {"d": 86400, "h": 3600, "min": 60, "m": 60, "s": 1}
_LONGEST: Final = 3650 * 86400


def parse_span(text: str) -> float:
    """Seconds of a span like ``30m``, ``1h30m`` or ``90s``. Raises `ValueError` for any other."""
    parts = _PART.findall(text)
    span = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < span <= _LONGEST:
        raise ValueError("expected a time like 30m, 2h or 1h30m, up to 3650d")
    return span


class Pause(OptionsAnywhere, ReactorCommand):
    """``boomerang checks pause``."""

    synopsis = "Usage: boomerang checks pause NAME [--for 30m] [options]"
    optParameters = [["for", "f", None, "How long (30m, 2h, 1d); until it is resumed if left out."]]

    def parseArgs(self, name: str) -> None:  # type: ignore[override]  # as Twisted means it
        self["name"] = name

    def postOptions(self) -> None:
        super().postOptions()
        try:
            self["span"] = FOR_EVER if self["for"] is None else parse_span(self["for"])
        except ValueError as error:
            raise usage.UsageError(f"--for is {self['for']}, {error}") from None

    async def act(self, settings: Settings, reactor: Any) -> int:
        name = _known(settings, self["name"])
        until = time.time() + self["span"]
        async with records_of(settings, reactor) as records:
            await records.pause(name, until=until)
        if until == inf:
            print(f"{name} is paused until: boomerang checks resume {name}")
        else:
            print(f"{name} is paused until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC")
        if settings.librato.token is not None:
            print("Librato alerts of its absence in a while: boomerang alerts apply tells it")
        return WELL


class Resume(OptionsAnywhere, ReactorCommand):
    """``boomerang checks resume``."""

    synopsis = "Usage: boomerang checks resume NAME [options]"

    def parseArgs(self, name: str) -> None:  # type: ignore[override]  # as Twisted means it
        self["name"] = name

    async def act(self, settings: Settings, reactor: Any) -> int:
        name = _known(settings, self["name"])
        async with records_of(settings, reactor) as records:
            await records.resume(name)
        print(f"{name} goes on within seconds")
        return WELL


class Checks(ReactorCommand):
    """``boomerang checks``."""

    synopsis = "Usage: boomerang checks [pause NAME | resume NAME] [options]"
    subCommands = [
        ("pause", None, Pause, "Pause a check, for a while or until it is resumed."),
        ("resume", None, Resume, "Let a paused check go on."),
    ]

    async def act(self, settings: Settings, reactor: Any) -> int:
        checks = checks_of(settings)
        if not checks:
            print("nothing is checked: name a [[check]], or set public_url")
            return WELL
        panel, now = Panel(checks), time.time()
        async with records_of(settings, reactor) as records:
            panel.restore(await records.kept([check.name for check in checks]), now=now)
        for line in listing(panel.view(now=now), now=now):
            print(line)
        return WELL


def _known(settings: Settings, name: str) -> str:
    known = [check.name for check in checks_of(settings)]
    if name not in known:
        raise CommandFailed(f"{name} is not a check; there are: {', '.join(known) or 'none'}")
    return name
