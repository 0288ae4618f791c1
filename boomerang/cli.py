"""The command ``boomerang``: the tool beside the daemon."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from twisted.python import usage

from boomerang.options import SettingsOptions
from boomerang.settings import Settings
from boomerang.settings.load import declared_settings


class CheckConfig(SettingsOptions):
    """``boomerang check-config``: say what the daemon would run with, or what is wrong."""

    synopsis = "Usage: boomerang check-config [options]"


class Command(usage.Options):
    """``boomerang``."""

    subCommands = [
        ("check-config", None, CheckConfig, "Check all settings and print them, secrets aside."),
    ]
    synopsis = "Usage: boomerang COMMAND [options]"

    opt_version = SettingsOptions.opt_version

    def postOptions(self) -> None:
        if self.subCommand is None:
            raise usage.UsageError(f"a command is needed\n{self.getUsage()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 well, 1 not."""
    command: Any = Command()
    try:
        command.parseOptions(sys.argv[1:] if arguments is None else list(arguments))
    except usage.UsageError as error:
        print(f"boomerang: {error}", file=sys.stderr)
        return 1
    settings: Settings = command.subOptions["settings"]
    for line in described(settings):
        print(line)
    print("the settings are good")
    return 0


def described(settings: Settings) -> Iterator[str]:
    """Each setting with its value, one a line; of secrets only whether there are any."""
    for declared in declared_settings():
        value: Any = settings
        for step in declared.name.split("."):
            value = getattr(value, step)
        if declared.declaration.secret:
            value = "(set)" if value else "(not set)"
        elif isinstance(value, tuple):
            value = " ".join(value)
        elif attrs.has(type(value)):
            value = str(value)
        yield f"{declared.name} = {'' if value is None else value}"
