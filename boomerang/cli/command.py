"""The table of all commands, and how one of them is run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from twisted.python import usage

from boomerang.cli.alerts import Alerts
from boomerang.cli.call import PlayCall
from boomerang.cli.check_config import CheckConfig
from boomerang.cli.checks import Checks
from boomerang.cli.endpoints import Endpoints
from boomerang.cli.hash_password import HashPassword
from boomerang.cli.message import PlayMessage
from boomerang.cli.output import complain, end_line, silence
from boomerang.cli.relay import RelayCommands
from boomerang.cli.running import FAILED, CommandFailed, Group, Interrupted, chosen
from boomerang.cli.twilio import Twilio

INTERRUPTED: Final = 128 + 2
OUTPUT_CLOSED: Final = 128 + 13
"""Exit statuses as shells give them to what SIGINT and SIGPIPE have ended."""


class Boomerang(Group):
    """``boomerang``."""

    subCommands = [
        ("check-config", None, CheckConfig, "Check all settings and print them, secrets aside."),
        ("checks", None, Checks, "How the checks stand; pause one, or let it go on."),
        ("endpoints", None, Endpoints, "The endpoint table, and what would happen to a URL."),
        ("alerts", None, Alerts, "Alerts of the checks: at Librato, or as Prometheus' rules."),
        (
            "relay",
            None,
            RelayCommands,
            "Callbacks that wait or were given up; replay or drop them.",
        ),
        ("call", None, PlayCall, "Play a call as Twilio does, to try an app's failover."),
        ("message", None, PlayMessage, "Play an incoming message as Twilio does."),
        (
            "hash-password",
            None,
            HashPassword,
            "Ask for a password, and print status.password_hash.",
        ),
        ("twilio", None, Twilio, "Whether everything at Twilio points here, and making it so."),
    ]
    synopsis = "Usage: boomerang COMMAND [options]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 well, 1 not, others as its help says.

    It is 130 or 141 where Ctrl-C, or whoever read the output, ended it, as after these signals.
    """
    command = Boomerang()
    try:
        try:
            return _run(command, sys.argv[1:] if arguments is None else list(arguments))
        finally:  # what is in the buffer may fail as well, that of --help too
            print(end="", flush=True)
    except BrokenPipeError:
        silence(sys.stdout)
        return OUTPUT_CLOSED
    except OSError as error:
        silence(sys.stdout)
        where = "" if error.filename is None else f"{error.filename}: "
        complain(f"{where}{error.strerror or error}")
        unable: int = chosen(command).unable
        return unable
    except (KeyboardInterrupt, Interrupted):
        end_line()
        complain("interrupted")
        return INTERRUPTED


def _run(command: Boomerang, arguments: Sequence[str]) -> int:
    try:
        command.parseOptions(arguments)
        innermost = chosen(command)
        status: int = innermost.run(innermost["settings"])
    except (usage.UsageError, CommandFailed) as error:
        complain(str(error))
        return FAILED
    return status
