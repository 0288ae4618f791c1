"""The command ``boomerang``: the tool beside the daemon."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.python import usage

from boomerang.options import SettingsOptions
from boomerang.settings import Settings
from boomerang.settings.load import Declared, declared_entries, declared_settings, keys_of
from boomerang.urls import without_secrets


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
    """Each setting with its value, one a line; of secrets only whether there are any.

    Of the entries of an array of tables there is what differs from the default.
    """
    for declared in declared_settings():
        yield f"{declared.name} = {_shown(declared, _value(settings, declared.name))}"
    for name, array in declared_entries().items():
        for number, entry in enumerate(_value(settings, name), start=1):
            for declared in keys_of(array.of):
                value = getattr(entry, declared.name)
                if value != declared.default:
                    yield f"{name}[{number}].{declared.name} = {_shown(declared, value)}"


def _value(settings: Settings, name: str) -> Any:
    value: Any = settings
    for step in name.split("."):
        value = getattr(value, step)
    return value


def _shown(declared: Declared, value: Any) -> str:
    if declared.declaration.secret:
        return "(set)" if value else "(not set)"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if declared.declaration.may_hold_secret and isinstance(value, str):
        return without_secrets(value)
    return "" if value is None else str(value)
