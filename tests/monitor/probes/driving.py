"""Runs of a check over real sockets, after which nothing may be left."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IReactorPluggableNameResolver,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from boomerang.monitor.result import Result
from boomerang.monitor.run import Probe, run_check
from boomerang.settings.checks import Check, target_problem
from tests.servers import HOST, eventually


def check(kind: str, url: str, **keys: Any) -> Check:
    """A check with a URL that the settings would take."""
    made = Check(name="checked", kind=kind, url=url, **keys)
    assert target_problem(made) is None
    return made


def start(probe: Probe, one: Check) -> Deferred[Result]:
    return run_check(one, probe, clock=reactor, wall_clock=time.time)


async def run(probe: Probe, one: Check) -> Result:
    """The result of a run, in which nothing is left behind."""
    async with nothing_left():
        return await start(probe, one)


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Fail unless all timers are gone at once, and all sockets as soon as both sides know.

    The servers of these tests share the reactor, and learn of an end a moment later. A connection
    that is given up as soon as it was asked for leaves a call without delay: the turn is for that.
    """
    await turn()  # lets the test's own limit begin
    timers, sockets = _timers(), _sockets()
    yield
    await turn()
    assert not _timers() - timers
    await eventually(lambda: _sockets() <= sockets, what="all sockets closed", within=2)


def turn() -> Deferred[None]:
    """A turn of the reactor."""
    turned: Deferred[None] = Deferred()
    reactor.callLater(0, turned.callback, None)
    return turned


def _timers() -> set[Any]:
    return set(reactor.getDelayedCalls())


def _sockets() -> set[Any]:
    return {*reactor.getReaders(), *reactor.getWriters()}


@implementer(IHostnameResolver)
class Names:
    """The reactor with a name resolver of our own: addresses by name, none for unknown ones.

    A look-up of a name in ``hanging`` never ends.
    """

    def __init__(self, names: Mapping[str, Sequence[str]], *, hanging: Sequence[str] = ()) -> None:
        self._names = names
        self._hanging = hanging
        self.nameResolver = self
        alsoProvides(self, IReactorPluggableNameResolver)

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        resolutionReceiver.resolutionBegan(self)
        if hostName in self._hanging:
            return
        for address in self._names.get(hostName, ()):
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()


class Listener(ServerFactory["_Listening"]):
    """Listens at a port of its own; what it hears, and who comes and goes, is kept.

    To all that it hears it says the next of ``answers``, and hangs up when there is no more, or
    just ``hangs``.
    """

    noisy = False

    def __init__(self, answers: Sequence[bytes] = (), *, hangs: bool = False) -> None:
        self.answers = list(answers)
        self.hangs = hangs
        self.heard = b""
        self.came = 0
        self.left = 0
        self.port = 0

    def buildProtocol(self, addr: object) -> _Listening:
        return _Listening(self)


class _Listening(Protocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connectionMade(self) -> None:
        self._listener.came += 1

    def dataReceived(self, data: bytes) -> None:
        self._listener.heard += data
        assert self.transport is not None
        if self._listener.answers:
            self.transport.write(self._listener.answers.pop(0))
        elif not self._listener.hangs:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._listener.left += 1


@asynccontextmanager
async def listening(listener: Listener, *, host: str = HOST) -> AsyncIterator[Listener]:
    network: Any = reactor  # whose types know of no factory for one's own protocols
    port = network.listenTCP(0, listener, interface=host)
    listener.port = port.getHost().port
    try:
        yield listener
    finally:
        await port.stopListening()
