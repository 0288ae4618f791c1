"""What every command is made of: settings, a way to run, and an exit status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Event
from typing import Any, Final

from twisted.internet.task import react
from twisted.python import usage

from boomerang.options import SettingsOptions
from boomerang.settings import Settings

WELL: Final = 0
FAILED: Final = 1
PENDING: Final = 2
"""There is something to change, and it was not asked to be changed."""

Act = Callable[[Any], Awaitable[int]]
"""Given the reactor, does what a command is for; returns the exit status."""


class CommandFailed(Exception):
    """The command cannot do what it was asked; the message says why, without secrets."""


class Interrupted(Exception):
    """The reactor was stopped before the command had done what it was asked."""


class _OwnSynopsis(usage.Options):
    """Usage that repeats neither the usage of the command above it nor the program's docstring."""

    synopsis: str
    longdesc = ""
    unable: int = FAILED
    """The exit status when the output cannot be written."""

    def getSynopsis(self) -> str:
        return self.synopsis


class Group(_OwnSynopsis):
    """A command that has commands, one of which must be named."""

    opt_version = SettingsOptions.opt_version

    def postOptions(self) -> None:
        if self.subCommand is None:
            raise usage.UsageError(f"a command is needed\n{self.getUsage()}")


class Command(SettingsOptions, _OwnSynopsis):
    """A command that reads the daemon's settings."""

    def run(self, settings: Settings) -> int:
        """Do it; returns the exit status. Raises `CommandFailed`."""
        raise NotImplementedError


class ReactorCommand(Command):
    """A command that talks to others, and needs the reactor for that."""

    def run(self, settings: Settings) -> int:
        return in_reactor(lambda reactor: self.act(settings, reactor))

    async def act(self, settings: Settings, reactor: Any) -> int:
        """Do it, while the reactor runs; returns the exit status. Raises `CommandFailed`."""
        raise NotImplementedError


class FreeCommand(_OwnSynopsis):
    """A command that has nothing to do with the daemon: it reads none of its settings."""

    opt_version = SettingsOptions.opt_version

    def postOptions(self) -> None:
        self["settings"] = None

    def run(self, settings: None) -> int:
        return in_reactor(self.act)

    async def act(self, reactor: Any) -> int:
        """Do it, while the reactor runs; returns the exit status. Raises `CommandFailed`."""
        raise NotImplementedError


def chosen(command: usage.Options) -> Any:
    """The innermost command that was named."""
    while getattr(command, "subCommand", None) is not None:
        command = command.subOptions
    return command


def in_reactor(act: Act) -> int:
    """Run the reactor until it is done. Raises `Interrupted` (`react` would say 0)."""
    outcome: list[int | Exception] = []

    async def remember(reactor: Any) -> None:
        stopped = Event()
        reactor.addSystemEventTrigger("before", "shutdown", stopped.set)
        ended: int | Exception
        try:
            ended = await act(reactor)
        except Exception as error:  # raised again, once the reactor has stopped
            ended = error
        if not stopped.is_set():  # a reactor that stops cuts all connections, which is no outcome
            outcome.append(ended)

    with suppress(SystemExit):
        react(remember)
    if not outcome:
        raise Interrupted
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]
