"""Which connections are idle, on real sockets: what counts is what the kernel knows of them."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import frozen

from boomerang.web.quiet import LONGEST_SILENCE, is_idle
from tests.servers import HOST

JUST_NOW = 0.0
SHORTLY = LONGEST_SILENCE - 0.1


@frozen
class Transport:
    """As much of a transport as is looked at."""

    socket: socket.socket


@frozen
class Connection:
    """Both ends of a connection: the caller's, and the accepted one."""

    caller: socket.socket
    accepted: Transport

    def is_idle(self, rested: float) -> bool:
        return is_idle(self.accepted, rested)

    def came(self) -> None:
        """Return when the caller's bytes, or their end, lie unread."""
        assert select.select([self.accepted.socket], [], [], 5)[0]

    def read(self) -> bytes:
        self.came()
        return self.accepted.socket.recv(9)

    def silence(self) -> float:
        """Seconds until it is idle, though it is new to us."""
        began = time.monotonic()
        while not self.is_idle(JUST_NOW):
            assert time.monotonic() < began + 5
        return time.monotonic() - began


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def connect(stack: ExitStack, listening: socket.socket) -> Connection:
    caller = stack.enter_context(socket.socket(listening.family))
    caller.connect(listening.getsockname())
    accepted = stack.enter_context(listening.accept()[0])
    accepted.setblocking(False)
    return Connection(caller, Transport(accepted))


@pytest.fixture
def connection(stack: ExitStack) -> Connection:
    return connect(stack, stack.enter_context(socket.create_server((HOST, 0))))


def test_silent_since_it_connected(connection: Connection) -> None:
    """The time counts in which nothing came, though a connection is new to us: it has been in the
    queue. That in which we have known it counts in any case, whatever dribbles in (TLS)."""
    assert SHORTLY <= connection.silence() < LONGEST_SILENCE + 0.5
    connection.caller.sendall(b"hello")
    assert connection.read() == b"hello"
    assert not connection.is_idle(SHORTLY)
    assert connection.is_idle(LONGEST_SILENCE)


def test_told_just_now(connection: Connection) -> None:
    """Who has been told something just now (TLS) has time to answer."""
    connection.silence()
    connection.accepted.socket.sendall(b"hello")
    assert not connection.is_idle(SHORTLY)


def test_unread(connection: Connection) -> None:
    """A request that has come is never closed unread, however long a busy process leaves it."""
    connection.caller.sendall(b"GET")
    connection.came()
    assert not connection.is_idle(100)
    assert connection.read() == b"GET"
    assert connection.is_idle(100)


def test_gone(connection: Connection) -> None:
    """Whoever has hung up is not waited for."""
    connection.caller.close()
    connection.came()
    assert connection.is_idle(LONGEST_SILENCE)


def test_unix(stack: ExitStack, tmp_path: Path) -> None:
    """Of a Unix socket the kernel knows no times: what counts is how long we have had it."""
    listening = stack.enter_context(socket.socket(socket.AF_UNIX))
    listening.bind(str(tmp_path / "socket"))
    listening.listen()
    connection = connect(stack, listening)
    assert not connection.is_idle(SHORTLY)
    assert connection.is_idle(LONGEST_SILENCE)
    connection.caller.sendall(b"GET")
    assert not connection.is_idle(100)


def test_in_memory() -> None:
    """So it is with what is no socket."""
    assert not is_idle(object(), SHORTLY)
    assert is_idle(object(), LONGEST_SILENCE)
