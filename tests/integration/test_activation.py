"""Under systemd: sockets that it passes, and what it wants to be told."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import ANY_PORT, COMMAND, Daemon, Daemons, eventually, run
from tests.integration.sockets import LIMIT
from tests.integration.twilio import Caller, FailedCall, let_pass
from tests.servers import RedisServer

PASSED = ("--listen", "systemd:domain=INET:index=0", "--retry-wait", "0.3")

SENT = 0.05
"""Seconds in which a request has gone out."""

LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="boomerang.socket")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does in the child: the socket becomes descriptor 3, and the child learns of it."""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """The socket that systemd holds."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as found:
        yield found


def activate(daemons: Daemons, listening: socket.socket, *options: str) -> Daemon:
    """Start a daemon with the socket, as systemd does at the first connection."""
    command = (sys.executable, "-c", LAUNCHER, str(listening.fileno()), *COMMAND, *PASSED)
    return daemons.launch(*command, *options, pass_fds=[listening.fileno()])


def test_connection_before_the_start(daemons: Daemons, listening: socket.socket) -> None:
    """A call that came while nobody was there is answered once the daemon is."""
    failed = FailedCall()
    port = listening.getsockname()[1]
    early = Caller(failed.script, failed.fallback(port))
    let_pass(SENT)

    daemon = activate(daemons, listening, "--store", "memory:").wait_until_ready()

    assert daemon.port == port
    assert early.answer().redirect == ("POST", failed.error_url)
    assert daemon.rescue(failed).decision == "give-up; attempt=2"


def test_restart(daemons: Daemons, listening: socket.socket) -> None:
    """Through a restart no connection is refused, and what failed before is remembered."""
    store = ("--store", f"sqlite:{daemons.directory / 'shared.db'}")
    failed = FailedCall()
    first = activate(daemons, listening, *store).wait_until_ready()
    first.rescue(failed)
    first.signal(signal.SIGTERM)
    assert first.exit_status() == 0

    between = first.fail(failed)
    let_pass(SENT)
    again = activate(daemons, listening, *store).wait_until_ready()

    assert between.answer().decision == "give-up; attempt=2"
    assert again.port == first.port


def test_restart_with_redis(daemons: Daemons, listening: socket.socket, tmp_path: Path) -> None:
    """A call that came before the daemon was connected to Redis is claimed there all the same."""
    with RedisServer(tmp_path, password="long-greeting") as server:
        store = ("--store", server.url(path="/1"))
        failed = FailedCall()
        first = activate(daemons, listening, *store).wait_until_ready()
        eventually(first.uses_its_store)
        first.rescue(failed)
        first.kill()

        between = first.fail(failed)
        let_pass(SENT)
        again = activate(daemons, listening, *store).wait_until_ready()

        assert between.answer().decision == "give-up; attempt=2"
        assert again.status() == "ok"


def test_workers(daemons: Daemons, listening: socket.socket) -> None:
    """Several workers share the socket that was passed; a restart refuses no connection."""
    store = ("--store", f"sqlite:{daemons.directory / 'shared.db'}", "--workers", "2")
    failed = FailedCall()
    first = activate(daemons, listening, *store).wait_until_ready()
    eventually(lambda: all(first.uses_its_store() for _ in range(8)))
    assert first.rescue(failed).decision == "retry; attempt=1"
    first.signal(signal.SIGTERM)
    assert first.exit_status() == 0

    between = first.fail(FailedCall())
    again = activate(daemons, listening, *store).wait_until_ready()

    assert between.answer().decision == "retry; attempt=1"
    assert again.port == first.port
    eventually(lambda: all(again.uses_its_store() for _ in range(8)))
    assert again.rescue(failed).decision == "give-up; attempt=2"


def test_no_socket_was_passed(tmp_path: Path) -> None:
    """Without the socket that it was told to use it says so in one line, and fails."""
    done = run([*COMMAND, *PASSED, "--store", "memory:"], directory=tmp_path)

    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert "cannot listen on systemd:domain=INET:index=0" in line


def test_what_systemd_is_told(daemons: Daemons, tmp_path: Path) -> None:
    """It says when it is ready to serve, gives signs of life, and says when it begins to stop."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.settimeout(LIMIT)
        told.bind(str(tmp_path / "notify"))
        daemon = daemons.launch(
            *(*COMMAND, "--listen", ANY_PORT, "--store", "memory:", "--retry-wait", "1"),
            more={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"},
        )

        assert told.recv(100) == b"READY=1"
        daemon.wait_until_ready()
        assert [told.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        (held,) = daemon.hold([FailedCall()])
        daemon.signal(signal.SIGTERM)
        said = [told.recv(100)]
        while said[-1] != b"STOPPING=1":
            said.append(told.recv(100))
        assert set(said[:-1]) <= {b"WATCHDOG=1"}
        assert told.recv(100) == b"WATCHDOG=1", "signs of life go on while calls are held"
        assert held.answer().status == 200
        assert daemon.exit_status() == 0
