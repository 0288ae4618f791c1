"""What systemd is told, by a real socket."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from boomerang.logs import message
from boomerang.systemd import SystemdService, notifier, watchdog_interval


@pytest.fixture
def systemd() -> Iterator[socket.socket]:
    """The socket on which systemd listens, not yet bound."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(5)
        yield listening


def told(systemd: socket.socket) -> str:
    return systemd.recv(1024).decode()


def test_path(systemd: socket.socket, tmp_path: Path) -> None:
    """Each state is a datagram to the socket that systemd named."""
    address = str(tmp_path / "notify")
    systemd.bind(address)
    notify = notifier({"NOTIFY_SOCKET": address})
    notify("READY=1")
    notify("STOPPING=1")
    assert told(systemd) == "READY=1"
    assert told(systemd) == "STOPPING=1"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract sockets")
def test_abstract(systemd: socket.socket) -> None:
    """A name that begins with @ is an abstract one."""
    name = f"boomerang-test-{os.getpid()}"
    systemd.bind(f"\0{name}")
    notifier({"NOTIFY_SOCKET": f"@{name}"})("READY=1")
    assert told(systemd) == "READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_systemd(environment: dict[str, str]) -> None:
    """Outside systemd nobody is told, and nothing is logged."""
    with capturedLogs() as events:
        notifier(environment)("READY=1")
    assert events == []


def test_nobody_there(tmp_path: Path) -> None:
    """A socket that is gone is a warning, and no reason to fail."""
    with capturedLogs() as events:
        notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})("READY=1")
    (event,) = events
    assert event["log_level"] is LogLevel.warn
    assert message(event).startswith("systemd was not told READY=1: [Errno ")


def test_too_long() -> None:
    """So is a name that no socket can have."""
    with capturedLogs() as events:
        notifier({"NOTIFY_SOCKET": "/" + "x" * 200})("READY=1")
    (event,) = events
    assert event["log_level"] is LogLevel.warn


def test_full(systemd: socket.socket, tmp_path: Path) -> None:
    """A systemd that does not read is not waited for."""
    address = str(tmp_path / "notify")
    systemd.bind(address)
    notify = notifier({"NOTIFY_SOCKET": address})
    with capturedLogs() as events:
        for _ in range(100_000):
            notify("WATCHDOG=1")
            if events:
                break
    assert [event["log_level"] for event in events] == [LogLevel.warn]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "1"}, 0.0000005),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ""}, None),
        ({"WATCHDOG_PID": "42"}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "1.5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_interval(environment: dict[str, str], seconds: float | None) -> None:
    """Signs of life are given twice as often as systemd asks this process for them, if it does."""
    assert watchdog_interval(environment, pid=42) == seconds


@pytest.mark.parametrize(("pid", "seconds"), [(1, None), (42, None), (7, 15.0)])
def test_whose_interval(pid: int, seconds: float | None) -> None:
    """Signs of life are given by the process that systemd asks for them, and by no other."""
    environment = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}
    assert watchdog_interval(environment, pid=pid) == seconds


def test_service() -> None:
    """READY at start, signs of life from then on, STOPPING, and signs of life until the end."""
    states: list[str] = []
    clock = Clock()
    service = SystemdService(states.append, interval=5.0, clock=clock)
    assert states == []
    service.startService()
    assert states == ["READY=1", "WATCHDOG=1"]
    clock.pump([2.5, 2.5])
    assert states[2:] == ["WATCHDOG=1"]
    service.stopping()
    clock.advance(5.0)
    assert states[3:] == ["STOPPING=1", "WATCHDOG=1"]
    service.stopService()
    assert not service.running
    clock.advance(50.0)
    assert len(states) == 5
    assert clock.getDelayedCalls() == []


def test_service_without_watchdog() -> None:
    """Where systemd does not ask for signs of life, there are none."""
    states: list[str] = []
    clock = Clock()
    service = SystemdService(states.append, interval=None, clock=clock)
    service.startService()
    service.stopping()
    service.stopService()
    assert states == ["READY=1", "STOPPING=1"]
    assert clock.getDelayedCalls() == []


def test_watchdog_superscript() -> None:
    """Only plain digits are a number of microseconds."""
    assert watchdog_interval({"WATCHDOG_USEC": "\u00b2"}, pid=1) is None
