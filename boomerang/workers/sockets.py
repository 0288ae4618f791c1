"""The listening sockets of several processes.

Each worker has a TCP socket of its own with ``SO_REUSEPORT``: the kernel spreads connections over
them evenly, while of one socket that all share a single worker may take a whole burst. The
supervisor holds them all, so that a worker's death loses nothing that is in its queue. A Unix
socket, and what systemd passes, is one for all.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

from attrs import frozen
from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from boomerang.door import Door
from boomerang.listening import CannotListen, spelled

Take = Callable[["Wanted", Any], object]

_INHERITED: Final = "systemd:"


@frozen
class Passed:
    """A listening socket: for which listening (they are numbered), and for which worker, or all."""

    descriptor: int
    family: int
    listening: int
    worker: int | None


@frozen
class Wanted:
    """What an endpoint asked its reactor for; ``open`` gives the sockets for some workers."""

    open: Callable[[int], list[socket.socket]]


class AskedReactor:
    """A reactor on which nothing is listened: ``take`` gets what would have been, and its factory.

    With it, endpoint strings keep all their forms, TLS included.
    """

    def __init__(self, reactor: Any, take: Take) -> None:
        self._reactor = reactor
        self._take = take

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> object:
        return self._take(
            Wanted(lambda count: _tcp(port, interface, backlog=backlog, count=count)), factory
        )

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> object:
        wrapped = TLSMemoryBIOFactory(contextFactory, False, factory)
        return self.listenTCP(port, wrapped, backlog, interface)

    def listenUNIX(
        self, address: Any, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: int = 0
    ) -> object:
        def bind(_: int) -> list[socket.socket]:
            port: Any = self._reactor.listenUNIX(address, Factory(), backlog, mode, wantPID)
            port.stopReading()
            return [port]

        return self._take(Wanted(bind), factory)

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> object:
        found = socket.socket(family, socket.SOCK_STREAM, fileno=os.dup(descriptor))
        return self._take(Wanted(lambda _: [found]), factory)


class Sockets:
    """All sockets of the host, in the supervisor; none is accepted from here."""

    def __init__(self, reactor: Any, strings: Sequence[str], *, workers: int) -> None:
        self._reactor = reactor
        self._strings = tuple(strings)
        self._workers = workers
        self._open: list[Any] = []
        self.passed: tuple[Passed, ...] = ()
        self.addresses: tuple[str, ...] = ()

    def open(self) -> None:
        """Bind and listen. Raises `CannotListen`."""
        passed: list[Passed] = []
        addresses: list[str] = []

        def take(wanted: Wanted, factory: object) -> None:
            number = len(addresses)
            opened = wanted.open(self._workers)
            self._open += opened
            addresses.append(_address(opened[0]))
            for worker, each in enumerate(opened):
                own = worker if len(opened) > 1 else None
                passed.append(Passed(each.fileno(), _family(each), number, own))

        reactor = AskedReactor(self._reactor, take)
        for string in self._strings:
            try:
                listening = serverFromString(reactor, string).listen(Factory())
            except Exception as error:  # each parser of endpoint strings fails in its own way
                raise CannotListen(f"cannot listen on {string}: {_why(string, error)}") from None
            failures: list[Failure] = []
            listening.addErrback(failures.append)
            if failures:
                why = _why(string, failures[0].value)
                raise CannotListen(f"cannot listen on {string}: {why}")
        self.passed, self.addresses = tuple(passed), tuple(addresses)

    def close(self) -> Deferred[None]:
        """Let go of them; connections that nobody has accepted are refused."""
        opened, self._open = self._open, []
        for each in opened:
            if isinstance(each, socket.socket):
                each.close()
        ports = [each for each in opened if not isinstance(each, socket.socket)]
        closed = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        return closed.addCallback(lambda _: None)


class Accepting:
    """The same sockets in a worker, which accepts from those that it is told of."""

    def __init__(
        self,
        reactor: Any,
        strings: Sequence[str],
        passed: Sequence[Passed],
        factory: Any,
        *,
        door: Door,
    ) -> None:
        self._reactor = reactor
        self._door = door
        self._sockets = {each.descriptor: each for each in passed}
        self._ports: dict[int, IListeningPort] = {}
        self._factories = _factories(reactor, strings, factory)

    def accept(self, workers: Sequence[int]) -> None:
        """Accept the connections of these workers, and of no other."""
        for number, each in self._sockets.items():
            wanted = each.worker is None or each.worker in workers
            if wanted and number not in self._ports:
                port = self._reactor.adoptStreamPort(
                    number, each.family, self._factories[each.listening]
                )
                self._door.keep(port)
                self._ports[number] = port
            elif not wanted and number in self._ports:
                self._let_go(number)

    def close(self) -> Deferred[None]:
        """Accept no more, and let go of the sockets; fires when that is done."""
        closing = [self._let_go(number) for number in tuple(self._ports)]
        for number in self._sockets:
            os.close(number)
        self._sockets = {}
        return gatherResults(closing).addCallback(lambda _: None)

    def _let_go(self, number: int) -> Deferred[Any]:
        port: Any = self._ports.pop(number)
        self._door.let_go(port)
        if self._sockets[number].family == socket.AF_UNIX:
            port.stopReading()  # stopListening would remove the socket from the file system
            port.socket.close()
            return maybeDeferred(lambda: None)
        return maybeDeferred(port.stopListening)


def _factories(reactor: Any, strings: Sequence[str], factory: Any) -> list[Any]:
    """What makes the protocols, for each listening."""
    found: list[Any] = []
    asked = AskedReactor(reactor, lambda wanted, wrapped: found.append(wrapped))
    for string in strings:
        if string.startswith(_INHERITED):  # whose descriptors systemd passed to the supervisor
            found.append(factory)
        else:
            serverFromString(asked, string).listen(factory)
    return found


def _tcp(port: int, interface: str, *, backlog: int, count: int) -> list[socket.socket]:
    """Some sockets on one address.

    Whoever else sets ``SO_REUSEPORT`` could join them, another boomerang by mistake: so the port
    is first had without it.
    """
    with _bound(port, interface, shared=False) as probe:
        port = probe.getsockname()[1]
    with ExitStack() as opened:
        found = [opened.enter_context(_bound(port, interface, shared=True)) for _ in range(count)]
        for each in found:
            each.setblocking(False)
            each.listen(backlog)
        opened.pop_all()
        return found


def _bound(port: int, interface: str, *, shared: bool) -> socket.socket:
    family: int = socket.AF_INET
    address: Any = (interface, port)
    if isIPv6Address(interface):
        numeric = socket.AI_NUMERICHOST
        family, _, _, _, address = socket.getaddrinfo(interface, port, flags=numeric)[0]
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind(address)
    except BaseException:
        found.close()
        raise
    return found


def _family(opened: Any) -> int:
    return int(opened.family if isinstance(opened, socket.socket) else opened.socket.family)


def _address(opened: Any) -> str:
    if not isinstance(opened, socket.socket):
        return spelled(opened.getHost())
    address = opened.getsockname()
    if isinstance(address, tuple):
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"unix:{address}"


def _why(string: str, error: BaseException | None) -> str:
    if string.startswith(_INHERITED):
        return "systemd passed no such socket"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
