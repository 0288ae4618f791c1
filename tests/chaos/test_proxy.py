"""A proxy that is slow or silent, on real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from chaos.proxy import Proxy
from tests.servers import HOST


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            line, _ = server.accept()
            with line:
                while data := line.recv(1000):
                    line.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy(echo) as made:
        yield made


@pytest.fixture
def line(proxy: Proxy) -> Iterator[socket.socket]:
    with ExitStack() as stack:
        yield stack.enter_context(socket.create_connection((HOST, proxy.port), timeout=5))


def test_delay(proxy: Proxy, line: socket.socket) -> None:
    """What is sent comes back after the delay of both ways."""
    proxy.delay = 0.1
    began = time.monotonic()
    line.sendall(b"hello")
    assert line.recv(5) == b"hello"
    assert 0.2 <= time.monotonic() - began < 1


def test_order(proxy: Proxy, line: socket.socket) -> None:
    """What is sent when the delay is over does not overtake what was sent before."""
    proxy.delay = 0.2
    line.sendall(b"one ")
    time.sleep(0.05)
    proxy.delay = 0.0
    line.sendall(b"two")
    received = b""
    while len(received) < 7:
        received += line.recv(100)
    assert received == b"one two"


def test_silence(proxy: Proxy, line: socket.socket) -> None:
    """In silence nothing comes; it comes when the silence ends."""
    proxy.silent = True
    line.sendall(b"hello")
    line.settimeout(0.2)
    with pytest.raises(TimeoutError):
        line.recv(5)
    line.settimeout(5)
    proxy.silent = False
    assert line.recv(5) == b"hello"
