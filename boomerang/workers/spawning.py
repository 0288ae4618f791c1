"""Starts the process of a worker, and is its other end."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import evolve, frozen
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import boomerang
from boomerang.workers.log import Lines, Write
from boomerang.workers.messages import (
    FIRST_SOCKET,
    FROM_SUPERVISOR,
    LOG,
    ORDERS,
    TO_SUPERVISOR,
    Heard,
    Messages,
)
from boomerang.workers.workplace import Orders

COMMAND: Final = (sys.executable, "-P", "-m", "boomerang.workers.worker")

_OURS_ALONE: Final = ("NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")
"""What systemd tells the supervisor, and nobody else."""


class Running(Protocol):
    """A worker's process, from outside."""

    @property
    def pid(self) -> int: ...

    def send(self, **message: Any) -> None: ...

    def signal(self, name: str) -> None: ...


Spawn = Callable[[Orders, Heard, Callable[[str], None]], Running]
"""Starts a process: its orders, who hears it, and who hears how it has ended."""


@frozen(eq=False)
class Spawner:
    """Starts workers. ``write`` takes their log where it cannot go where the supervisor's goes,
    in whole lines, and does not fail.
    """

    reactor: Any
    environment: Mapping[str, str]
    write: Write | None = None

    def __call__(self, orders: Orders, heard: Heard, ended: Callable[[str], None]) -> Running:
        log: dict[int, Any] = {each: each if self.write is None else "r" for each in LOG}
        descriptors = {FROM_SUPERVISOR: "w", **log, TO_SUPERVISOR: "r", ORDERS: "w"}
        passed = []
        for number, each in enumerate(orders.sockets, start=FIRST_SOCKET):
            descriptors[number] = each.descriptor
            passed.append(evolve(each, descriptor=number))
        process = _Process(heard, ended, self.write or (lambda data: None))
        with _signals_held_back():
            self.reactor.spawnProcess(
                process,
                COMMAND[0],
                COMMAND,
                env=_for_a_worker(self.environment),
                childFDs=descriptors,
            )
        process.give(evolve(orders, sockets=tuple(passed)))
        return process


class _Process(ProcessProtocol):
    transport: IProcessTransport

    def __init__(self, heard: Heard, ended: Callable[[str], None], write: Write) -> None:
        self._messages = Messages(heard, lambda: None)
        self._ended = ended
        self._log = {number: Lines(write) for number in LOG}
        self._hears = True
        self.pid = 0

    def connectionMade(self) -> None:
        self.pid = self.transport.pid
        self._messages.makeConnection(_ToChild(self.transport))

    def give(self, orders: Orders) -> None:
        self.transport.writeToChild(ORDERS, pickle.dumps(orders))
        self.transport.closeChildFD(ORDERS)

    def send(self, **message: Any) -> None:
        if self._hears:
            self._messages.send(**message)

    def signal(self, name: str) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)

    def childConnectionLost(self, childFD: int) -> None:
        if childFD == FROM_SUPERVISOR:
            self._hears = False
        elif childFD in self._log:
            self._log[childFD].close()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == TO_SUPERVISOR:
            self._messages.dataReceived(data)
        else:
            self._log[childFD].add(data)

    def processEnded(self, reason: Failure) -> None:
        self._ended(_ending(reason.value))


@frozen(eq=False)
class _ToChild:
    """The way to the worker, for a protocol that only writes."""

    transport: IProcessTransport

    def write(self, data: bytes) -> None:
        self.transport.writeToChild(FROM_SUPERVISOR, data)

    def loseConnection(self) -> None:
        self.transport.signalProcess("KILL")


def _ending(value: Any) -> str:
    if getattr(value, "signal", None):
        return f"killed by {signal.Signals(value.signal).name}"
    return f"status {value.exitCode}"


def _for_a_worker(environment: Mapping[str, str]) -> dict[str, str]:
    """The supervisor's own, and where its code is."""
    found = {name: value for name, value in environment.items() if not name.startswith(_OURS_ALONE)}
    here = str(Path(boomerang.__file__).resolve().parents[1])
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (here, found.get("PYTHONPATH"))))
    return found


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """What is started meanwhile gets SIGINT and SIGTERM when it asks for them, not before.

    Without this Ctrl-C would meet a worker that is still starting with Python's own handlers.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
