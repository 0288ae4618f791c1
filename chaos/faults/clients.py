"""What clients do that are not Twilio."""

from __future__ import annotations

import random
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

from chaos.fault import Fault
from chaos.judge import Promise
from chaos.scene import Scene
from tests.integration.rubbish import send_rubbish
from tests.integration.sockets import Connection
from tests.integration.twilio import FailedCall
from tests.servers import HOST

_LINES: Final = 20
"""Clients that do it at the same time."""

_SPARE: Final = 300
"""Descriptors that idle connections leave to others here."""

Ill = Callable[[int, random.Random, threading.Event], None]


def trickle(port: int, chance: random.Random, over: threading.Event) -> None:
    """Send a request byte by byte; some get to its end, and are held like any other."""
    pause = chance.choice((0.002, 0.05))
    with socket.create_connection((HOST, port)) as line:
        for byte in FailedCall().request(port):
            line.sendall(bytes([byte]))
            if over.wait(pause):
                return
        line.recv(1)


def hang_up(port: int, chance: random.Random, over: threading.Event) -> None:
    """Hang up while being held."""
    connection = Connection(port, FailedCall().request(port))
    over.wait(chance.uniform(0, 0.3))
    connection.close()


def reset(port: int, chance: random.Random, over: threading.Event) -> None:
    """The same, rudely."""
    connection = Connection(port, FailedCall().request(port))
    over.wait(chance.uniform(0, 0.3))
    connection.reset()


def pipeline(port: int, chance: random.Random, over: threading.Event) -> None:
    """Send a hundred requests at once, and read few of the answers."""
    connection = Connection(port, b"".join(FailedCall().request(port) for _ in range(100)))
    over.wait(1)
    connection.close()


def garbage(port: int, chance: random.Random, over: threading.Event) -> None:
    """Send what is no request."""
    connection = send_rubbish(port, chance)
    over.wait(chance.uniform(0, 0.1))
    chance.choice((Connection.close, Connection.reset))(connection)


def beset(ill: Ill, scene: Scene) -> None:
    scene.start()
    over = threading.Event()
    count = [0] * _LINES

    def line(number: int) -> None:
        chance = random.Random(number)
        while not over.is_set():
            with suppress(OSError):
                ill(scene.port, chance, over)
            count[number] += 1

    with ThreadPoolExecutor(_LINES) as pool:
        scene.injure(lambda: [pool.submit(line, number) for number in range(_LINES)])
        over.set()
    scene.mend()
    scene.remarks.append(f"{sum(count)} such connections")


def idle(scene: Scene) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = min(scene.extent.idle, soft - _SPARE)
    limit = number // 2
    scene.start(prefix=("prlimit", f"--nofile={limit}"))
    scene.remarks.append(f"{number} idle connections, with a limit of {limit} open files")
    with _connections(scene.port, number) as opened:
        scene.injure(opened)
        scene.mend()


@contextmanager
def _connections(port: int, number: int) -> Iterator[Callable[[], None]]:
    lines: list[socket.socket] = []

    def opened() -> None:
        for _ in range(number):
            lines.append(socket.create_connection((HOST, port), timeout=10))

    try:
        yield opened
    finally:
        for line in lines:
            line.close()


def _besetting(name: str, ill: Ill, done: str) -> Fault:
    return Fault(f"clients {name}", partial(beset, ill), done, Promise())


FAULTS: Final = (
    _besetting("trickle", trickle, f"{_LINES} clients send their requests byte by byte"),
    _besetting("hang up", hang_up, f"{_LINES} clients hang up while they are held, and come again"),
    _besetting("reset", reset, f"{_LINES} clients do so with a reset"),
    _besetting("pipeline", pipeline, f"{_LINES} clients send 100 requests at once, and leave"),
    _besetting("garbage", garbage, f"{_LINES} clients send garbage, by a corpus and by chance"),
    Fault(
        "clients idle",
        idle,
        "twice as many connections as the limit of open files, on which nothing comes",
        # Idle ones must have been silent for a second; then the kernel's queue is emptied, and
        # where that was full meanwhile, callers knock again after 1 s.
        Promise(late_by=3),
        alone=True,
    ),
)
