"""``boomerang endpoints``: the endpoint table, and what would happen to a URL."""

from __future__ import annotations

import re

from twisted.python import usage

from boomerang.cli.arguments import OptionsAnywhere
from boomerang.cli.running import WELL, Command
from boomerang.endpoints.listing import explained, listing
from boomerang.endpoints.rules import RuleBook, notes
from boomerang.settings import Settings
from boomerang.urls import BadUrl, host_allowed, parse_url


class Match(OptionsAnywhere, Command):
    """``boomerang endpoints match``."""

    synopsis = "Usage: boomerang endpoints match URL [--code 11200] [--product voice] [options]"
    optParameters = [
        ["code", None, "11200", "Twilio's error code."],
        ["product", None, "voice", "voice or messaging."],
    ]

    def parseArgs(self, url: str) -> None:  # type: ignore[override]  # as Twisted means it
        try:
            self["url"] = parse_url(url)
        except BadUrl as error:
            raise usage.UsageError(f"the URL {error}") from None

    def postOptions(self) -> None:
        super().postOptions()
        if self["product"] not in ("voice", "messaging"):
            raise usage.UsageError(f"--product is {self['product']}, expected voice or messaging")
        if not re.fullmatch(r"[0-9]{1,9}", self["code"]):
            raise usage.UsageError(f"--code is {self['code']}, expected a number like 11200")

    def run(self, settings: Settings) -> int:
        host = self["url"].host
        if settings.allowed_hosts and not host_allowed(host, settings.allowed_hosts):
            print(f"refused (403): allowed_hosts does not name {host}; if it did:")
        for line in explained(
            self["url"],
            code=self["code"],
            product=self["product"],
            endpoints=settings.endpoint,
            retry=settings.retry,
        ):
            print(line)
        return WELL


class Endpoints(Command):
    """``boomerang endpoints``."""

    synopsis = "Usage: boomerang endpoints [match URL] [options]"
    subCommands = [("match", None, Match, "Say what would happen to a URL, and why.")]

    def run(self, settings: Settings) -> int:
        for line in listing(settings.endpoint, settings.retry):
            print(line)
        for note in notes(RuleBook(settings.retry, settings.endpoint)):
            print(f"note: {note}")
        return WELL
