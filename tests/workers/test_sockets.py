"""The listening sockets of several processes: real ones, on this machine."""

from __future__ import annotations

import os
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import LogLevel, capturedLogs

from boomerang.door import GLANCE_EVERY, Door
from boomerang.listening import CannotListen
from boomerang.workers.sockets import Accepting, Sockets
from tests.servers import make_certificates

V4 = "tcp:0:interface=127.0.0.1"

LIMIT = 5.0


class Greeting(Protocol):
    """Says which worker this is, and hangs up."""

    transport: ITCPTransport

    def __init__(self, name: bytes) -> None:
        self._name = name

    def connectionMade(self) -> None:
        self.transport.write(self._name)
        self.transport.loseConnection()


def named(name: bytes) -> Any:
    factory: Any = Factory.forProtocol(lambda: Greeting(name))
    factory.noisy = False
    return factory


class Host:
    """The sockets of a host, as its supervisor and its workers have them."""

    def __init__(self, *strings: str, workers: int = 2) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.sockets = Sockets(reactor, strings, workers=workers)
        self.sockets.open()
        self.doors = [Door(reactor, room=lambda: 100) for _ in range(workers)]
        self.workers = [
            Accepting(
                reactor,
                strings,
                [evolve(one, descriptor=os.dup(one.descriptor)) for one in self.sockets.passed],
                named(b"%d" % number),
                door=door,
            )
            for number, door in enumerate(self.doors)
        ]
        self.open: list[Any] = [*self.workers, self.sockets]

    def port(self) -> int:
        return int(self.sockets.addresses[0].rpartition(":")[2])

    async def close(self) -> None:
        """Workers first, as they do it themselves."""
        for each in self.open:
            await each.close()
        self.open = []


def connect(port: int, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((host, port), timeout=LIMIT)


def greeting(found: socket.socket) -> str:
    with found:
        return found.recv(10).decode()


async def greetings(connecting: Callable[[], socket.socket], count: int) -> Counter[str]:
    """Who answers a number of connections that are opened at once."""

    def ask() -> Counter[str]:
        return Counter([greeting(found) for found in [connecting() for _ in range(count)]])

    return await deferToThread(ask)


@pytest.mark.parametrize(("string", "host"), [(V4, "127.0.0.1"), (r"tcp:0:interface=\:\:1", "::1")])
async def test_spread(string: str, host: str) -> None:
    """Each worker has a queue of its own, and its share of connections that come at once."""
    house = Host(string)
    try:
        for number, worker in enumerate(house.workers):
            worker.accept([number])
        found = await greetings(lambda: connect(house.port(), host), 100)
        assert found.total() == 100
        assert min(found["0"], found["1"]) > 25  # 5 standard deviations of a fair coin
    finally:
        await house.close()


async def test_standing_in() -> None:
    """What waits for a worker that is away is taken by the other, until it is back."""
    house = Host(V4)
    one, other = house.workers
    try:
        waiting = [connect(house.port()) for _ in range(40)]
        other.accept([0, 1])
        found = await deferToThread(lambda: Counter(map(greeting, waiting)))
        assert found == {"1": 40}
        one.accept([0])
        other.accept([1])
        assert set(await greetings(lambda: connect(house.port()), 40)) == {"0", "1"}
    finally:
        await house.close()


async def test_end() -> None:
    """While the supervisor has the sockets connections wait; without it they are refused."""
    house = Host(V4)
    house.workers[0].accept([0, 1])
    for worker in house.workers:
        await worker.close()
    connect(house.port()).close()
    await house.sockets.close()
    with pytest.raises(ConnectionRefusedError):
        connect(house.port())


async def test_tls(tmp_path: Path) -> None:
    """An endpoint string for TLS means TLS in each worker."""
    made = make_certificates(tmp_path)
    house = Host(f"ssl:0:interface=127.0.0.1:privateKey={made.key}:certKey={made.certificate}")
    context = ssl.create_default_context(cafile=str(made.authority))

    def connecting() -> socket.socket:
        return context.wrap_socket(connect(house.port()), server_hostname="localhost")

    def ask() -> Counter[str]:
        return Counter(greeting(connecting()) for _ in range(30))

    try:
        for number, worker in enumerate(house.workers):
            worker.accept([number])
        assert set(await deferToThread(ask)) == {"0", "1"}
    finally:
        await house.close()


async def test_unix(tmp_path: Path) -> None:
    """A Unix socket is one for all, and stays until the supervisor lets go of it."""
    path = tmp_path / "b.sock"

    def connecting() -> socket.socket:
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(LIMIT)
        found.connect(str(path))
        return found

    house = Host(f"unix:{path}:mode=600")
    try:
        assert house.sockets.addresses == (f"unix:{path}",)
        assert path.stat().st_mode & 0o777 == 0o600
        for number, worker in enumerate(house.workers):
            worker.accept([number])
        assert (await greetings(connecting, 20)).total() == 20
        await house.open.pop(0).close()
        assert await greetings(connecting, 5) == {"1": 5}
        await house.open.pop(0).close()
        assert path.is_socket()
    finally:
        await house.close()
    assert not path.exists()


@pytest.mark.parametrize("string", [V4, "unix:{}/b.sock"])
async def test_closed_while_others_are_read(string: str, tmp_path: Path) -> None:
    """A worker that has let go of its sockets and still reads what it holds looks there no more."""
    house = Host(string.format(tmp_path))
    try:
        for number, worker in enumerate(house.workers):
            worker.accept([number])
        with capturedLogs() as events:
            closing = house.open.pop(0).close()
            await deferLater(house.reactor, GLANCE_EVERY)
            house.doors[0].glance()
            await closing
        assert [each for each in events if each["log_level"] >= LogLevel.warn] == []
    finally:
        await house.close()


async def test_several() -> None:
    """Each of several endpoints has a socket for each worker."""
    house = Host(V4, V4, workers=3)
    try:
        assert len(set(house.sockets.addresses)) == 2
        assert [(each.listening, each.worker) for each in house.sockets.passed] == [
            (listening, worker) for listening in (0, 1) for worker in (0, 1, 2)
        ]
    finally:
        await house.close()


async def test_taken() -> None:
    """A port that another boomerang shares among its workers is not to be had."""
    house = Host(V4)
    try:
        string = f"tcp:{house.port()}:interface=127.0.0.1"
        with pytest.raises(CannotListen, match=f"cannot listen on {string}: Address already in"):
            Host(string)
    finally:
        await house.close()


@pytest.mark.parametrize(
    ("string", "why"),
    [
        ("tcp:0:interface=192.0.2.1", "Cannot assign requested address"),
        ("unix:/nowhere/b.sock", "No such file or directory"),
        ("systemd:domain=INET:index=7", "systemd passed no such socket"),
        ("ssl:0:privateKey=/nowhere.pem", "/nowhere.pem"),
    ],
)
def test_what_cannot_be_had(string: str, why: str) -> None:
    """What cannot be listened on is named, and why."""
    with pytest.raises(CannotListen) as error:
        Host(string)
    assert str(error.value).startswith(f"cannot listen on {string}: ")
    assert why in str(error.value)
