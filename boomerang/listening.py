"""The listening sockets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()

_MOST_AT_ONCE: Final = 10_000


class CannotListen(Exception):
    """A listening socket cannot be had; the message names it and says why."""


def endpoints(reactor: Any, strings: Sequence[str]) -> list[tuple[str, IStreamServerEndpoint]]:
    """The endpoints of the settings. Raises `CannotListen` for a socket that was not passed."""
    found = []
    for string in strings:
        try:
            found.append((string, serverFromString(reactor, string)))
        except Exception as error:  # each parser of endpoint strings fails in its own way
            reason = (
                "systemd passed no such socket"
                if string.startswith("systemd:")
                else str(error) or type(error).__name__
            )
            raise CannotListen(f"cannot listen on {string}: {reason}") from None
    return found


def accept_all(port: IListeningPort) -> None:
    """Let a port accept all who wait in the kernel's queue before any of them is read.

    Twisted's own number grows by 20 a turn, and each turn reads what was accepted in the last one.
    In a storm the queue overflows meanwhile, and a lost SYN comes again after 1 s, and then 3.
    """
    if not isinstance(port, Port):
        return
    accept = port.doRead

    def do_read() -> None:
        port.numberAccepts = _MOST_AT_ONCE
        accept()

    setattr(port, "doRead", do_read)  # noqa: B010


class Listening(Service):
    """Listens while it runs; a socket that cannot be had ends the start."""

    def __init__(
        self,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]],
        factory: IProtocolFactory,
    ) -> None:
        self._endpoints = endpoints
        self._factory = factory
        self.ports: list[IListeningPort] = []

    def privilegedStartService(self) -> None:
        """Bind. Called before privileges are dropped; raises `SystemExit` where that fails."""
        super().privilegedStartService()
        for string, endpoint in self._endpoints:
            failures: list[Failure] = []
            endpoint.listen(self._factory).addCallbacks(self.ports.append, failures.append)
            if failures:
                raise SystemExit(
                    f"boomerang: cannot listen on {string}: {failures[0].getErrorMessage()}"
                )
        for port in self.ports:
            accept_all(port)
            _log.info("listening on {address}", address=spelled(port.getHost()))

    def stopService(self) -> Deferred[None]:
        """Accept no more; fires when the sockets are closed."""
        super().stopService()
        ports, self.ports = self.ports, []
        closed = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        return closed.addCallback(lambda _: None)


def spelled(address: Any) -> str:
    """The address of a listening socket, for the log."""
    host = getattr(address, "host", None)
    if host is None:
        return f"unix:{address.name.decode()}"
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
