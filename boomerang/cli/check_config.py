"""``boomerang check-config``: what the daemon would run with, or what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from boomerang.cli.running import WELL, Command, CommandFailed
from boomerang.monitor.libraries import MissingExtra
from boomerang.monitor.notify.making import notify_problems
from boomerang.settings import Settings
from boomerang.settings.load import Declared, declared_entries, declared_settings, keys_of
from boomerang.urls import without_secrets


class CheckConfig(Command):
    """``boomerang check-config``."""

    synopsis = "Usage: boomerang check-config [options]"

    def run(self, settings: Settings) -> int:
        try:
            problems = notify_problems(settings.notify.urls)
        except MissingExtra as error:
            problems = [str(error)]
        if problems:
            raise CommandFailed("; ".join(problems))
        for line in described(settings):
            print(line)
        print("the settings are good")
        return WELL


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
