"""A worker's process, from the supervisor's side."""

from __future__ import annotations

import pickle
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

import boomerang
from boomerang.settings import Settings, TwilioSettings
from boomerang.workers.identity import Worker
from boomerang.workers.messages import (
    FIRST_SOCKET,
    FROM_SUPERVISOR,
    ORDERS,
    TO_SUPERVISOR,
    Messages,
)
from boomerang.workers.sockets import Passed
from boomerang.workers.spawning import Spawner
from boomerang.workers.workplace import Orders

SETTINGS = Settings(twilio=TwilioSettings(auth_token=("planted-secret",)))

ORDER = Orders(SETTINGS, Worker(1, 2), "host", (Passed(17, socket.AF_INET, 0, 1),))


class Transport:
    """What Twisted gives for a process."""

    pid = 4711

    def __init__(self) -> None:
        self.written: dict[int, bytes] = {}
        self.closed: list[int] = []
        self.signals: list[str] = []
        self.exited = False

    def writeToChild(self, childFD: int, data: bytes) -> None:
        self.written[childFD] = self.written.get(childFD, b"") + data

    def closeChildFD(self, descriptor: int) -> None:
        self.closed.append(descriptor)

    def signalProcess(self, name: str) -> None:
        if self.exited:
            raise ProcessExitedAlready
        self.signals.append(name)


class Started:
    """A process that was started with `Spawner`, and what is known of it."""

    def __init__(self, *, log: list[bytes] | None = None, **environment: str) -> None:
        self.heard: list[dict[str, Any]] = []
        self.ended: list[str] = []
        self.transport = Transport()
        write = None if log is None else log.append
        spawner = Spawner(self, environment, write)
        self.running: Any = spawner(ORDER, self.heard.append, self.ended.append)

    def spawnProcess(self, protocol: Any, executable: str, args: Any, **options: Any) -> None:
        self.held_back = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.args, self.options = args, options
        protocol.makeConnection(self.transport)


def test_what_it_is_given() -> None:
    """It gets its sockets, its pipes and the log by their numbers, and its orders once; nothing of
    these is to be seen in the list of processes."""
    started = Started(HOME="/home/b")
    assert started.options["childFDs"] == {
        FROM_SUPERVISOR: "w",
        1: 1,
        2: 2,
        TO_SUPERVISOR: "r",
        ORDERS: "w",
        FIRST_SOCKET: 17,
    }
    orders = pickle.loads(started.transport.written[ORDERS])
    assert orders.settings == SETTINGS
    assert orders.sockets == (Passed(FIRST_SOCKET, socket.AF_INET, 0, 1),)
    assert started.transport.closed == [ORDERS]
    assert started.running.pid == 4711
    assert "planted-secret" not in f"{started.args} {started.options}"


def test_environment() -> None:
    """It has the supervisor's environment, without what systemd says to that one, and finds the
    same boomerang."""
    started = Started(
        PATH="/bin",
        PYTHONPATH="/more",
        NOTIFY_SOCKET="/run/notify",
        WATCHDOG_USEC="1",
        WATCHDOG_PID="1",
        LISTEN_FDS="1",
    )
    here = Path(boomerang.__file__).resolve().parents[1]
    assert started.options["env"] == {"PATH": "/bin", "PYTHONPATH": f"{here}:/more"}


def test_signals() -> None:
    """Ctrl-C and SIGTERM wait until it is ready for them; here everything is as it was."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    started = Started()
    assert {signal.SIGINT, signal.SIGTERM} <= started.held_back
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_messages() -> None:
    """It is told, and heard; one that no longer reads is told nothing."""
    started = Started()
    started.running.send(hurry=True)
    told: list[dict[str, Any]] = []
    other_end = Messages(told.append, lambda: None)
    other_end.makeConnection(StringTransport())
    other_end.dataReceived(started.transport.written[FROM_SUPERVISOR])
    assert told == [{"hurry": True}]

    other_end.send(nudge=True)
    said: Any = other_end.transport
    started.running.childDataReceived(TO_SUPERVISOR, said.value())
    assert started.heard == [{"nudge": True}]

    started.running.childConnectionLost(FROM_SUPERVISOR)
    before = dict(started.transport.written)
    started.running.send(hurry=True)
    assert started.transport.written == before


def test_log() -> None:
    """Its lines go where the supervisor's go, if that is a file by way of it: whole ones of each
    pipe, and at the end what is left."""
    log: list[bytes] = []
    started = Started(log=log)
    assert started.options["childFDs"][1] == started.options["childFDs"][2] == "r"
    started.running.childDataReceived(1, b"a li")
    started.running.childDataReceived(2, b"another\nwith")
    started.running.childDataReceived(1, b"ne\n")
    assert log == [b"another\n", b"a line\n"]
    for number in (1, 2, TO_SUPERVISOR):
        started.running.childConnectionLost(number)
    assert log == [b"another\n", b"a line\n", b"with\n"]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (ProcessDone(0), "status 0"),
        (ProcessTerminated(exitCode=1), "status 1"),
        (ProcessTerminated(signal=9), "killed by SIGKILL"),
    ],
)
def test_end(reason: Exception, said: str) -> None:
    """It is said how it has ended; a signal that comes too late is nobody's mistake."""
    started = Started()
    started.running.signal("TERM")
    started.running.processEnded(Failure(reason))
    started.transport.exited = True
    started.running.signal("KILL")
    assert started.ended == [said]
    assert started.transport.signals == ["TERM"]
