"""What the kernel knows of a connection, on real sockets."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

import pytest
from attrs import frozen

from boomerang.web.tcp_info import UNKNOWN, look
from tests.servers import HOST


@frozen
class Transport:
    """As much of a transport as is looked at."""

    socket: socket.socket


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Transport]]:
    """Both ends of a connection."""
    with (
        socket.create_server((HOST, 0)) as listening,
        socket.create_connection(listening.getsockname()) as caller,
        listening.accept()[0] as accepted,
    ):
        yield caller, Transport(accepted)


def test_received(pair: tuple[socket.socket, Transport]) -> None:
    """What came counts from when the kernel had it, though it is read much later."""
    caller, accepted = pair
    began = time.monotonic()
    caller.sendall(b"GET")
    while look(accepted).received < 0.2 or time.monotonic() < began + 0.2:
        assert time.monotonic() < began + 5
    assert accepted.socket.recv(9) == b"GET"
    seen = look(accepted).received
    assert 0.2 <= seen <= time.monotonic() - began
    caller.sendall(b"/")
    assert select.select([accepted.socket], [], [], 5)[0]
    assert look(accepted).received < seen


def test_never_too_much(pair: tuple[socket.socket, Transport]) -> None:
    """It is never longer than it was, wherever between two steps of the kernel's clock it came."""
    caller, accepted = pair
    for number in range(200):
        began = time.monotonic()
        caller.sendall(b"x")
        while time.monotonic() < began + number * 0.0001:
            assert look(accepted).received <= time.monotonic() - began
        assert accepted.socket.recv(1)


def test_sent(pair: tuple[socket.socket, Transport]) -> None:
    """What was sent begins a time of its own."""
    _, accepted = pair
    began = time.monotonic()
    while look(accepted).sent < 0.1:
        assert time.monotonic() < began + 5
    accepted.socket.sendall(b"200")
    since = look(accepted)
    assert since.sent < since.received


def test_unknown() -> None:
    """Without TCP nothing is known."""
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert look(Transport(one)) == look(object()) == UNKNOWN
