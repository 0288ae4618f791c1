"""How commands are run that need the reactor: in a process of their own, as they are."""

from __future__ import annotations

import signal
import subprocess
import sys
from textwrap import dedent

import pytest

BEGINNING = """
    import os, signal
    from twisted.internet.defer import Deferred
    from twisted.internet.task import deferLater
    from boomerang.cli.running import CommandFailed, in_reactor
"""


def ran(act: str) -> tuple[int, str]:
    """Exit status of a process that acts so in the reactor, and what it says."""
    script = dedent(BEGINNING) + dedent(act) + "raise SystemExit(in_reactor(act))\n"
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30
    )
    return process.returncode, process.stderr


@pytest.mark.parametrize("status", [0, 2])
def test_status(status: int) -> None:
    """What the command returns is the exit status, once the reactor has run."""
    act = f"""
        async def act(reactor):
            await deferLater(reactor, 0.01)
            return {status}
    """
    assert ran(act) == (status, "")


@pytest.mark.parametrize("wait", ["", "await deferLater(reactor, 0.01)"])
def test_failure(wait: str) -> None:
    """What the command raises comes out, be it raised at once; the reactor says nothing of it."""
    act = f"""
        async def act(reactor):
            {wait}
            raise CommandFailed("no such luck")
    """
    status, told = ran(act)
    assert status == 1
    assert told.splitlines()[-1] == "boomerang.cli.running.CommandFailed: no such luck"
    assert "Unhandled" not in told


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(stop: signal.Signals) -> None:
    """Somebody who interrupts a command is not told that it went well."""
    act = f"""
        async def act(reactor):
            await deferLater(reactor, 0)
            os.kill(os.getpid(), {stop.value})
            await Deferred()
    """
    status, told = ran(act)
    assert status == 1
    assert told.splitlines()[-1] == "boomerang.cli.running.Interrupted"
