"""Tells systemd how the process is (sd_notify(3)): a datagram to the socket that it names."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

Notify = Callable[[str], None]

_log = Logger()


def notifier(environment: Mapping[str, str]) -> Notify:
    """A function that sends a state (``READY=1``); it does nothing outside systemd."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return lambda state: None
    if address.startswith("@"):
        address = f"\0{address[1:]}"

    def notify(state: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.setblocking(False)
                out.sendto(state.encode(), address)
        except OSError as error:
            _log.warn("systemd was not told {state}: {error}", state=state, error=error)

    return notify


def watchdog_interval(environment: Mapping[str, str], *, pid: int) -> float | None:
    """Seconds between two signs of life, half of what systemd waits; `None` if it does not."""
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit() and int(microseconds)):
        return None
    return int(microseconds) / 2_000_000


class SystemdService(Service):
    """Says READY at the start, and that the reactor turns, until the end."""

    def __init__(self, notify: Notify, *, interval: float | None, clock: IReactorTime) -> None:
        self._notify = notify
        self._interval = interval
        self._alive = LoopingCall(notify, "WATCHDOG=1")
        self._alive.clock = clock

    def startService(self) -> None:
        super().startService()
        self._notify("READY=1")
        if self._interval is not None:
            self._alive.start(self._interval)

    def stopping(self) -> None:
        """Say that the end has begun; the signs of life go on until `stopService`."""
        self._notify("STOPPING=1")

    def stopService(self) -> None:
        super().stopService()
        if self._alive.running:
            self._alive.stop()
