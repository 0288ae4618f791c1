"""The listening sockets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.door import Door

_log = Logger()


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


class Listening(Service):
    """Listens while it runs; a socket that cannot be had ends the start."""

    def __init__(
        self,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]],
        factory: IProtocolFactory,
        *,
        door: Door,
    ) -> None:
        self._endpoints = endpoints
        self._factory = factory
        self._door = door
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
            self._door.keep(port)
            _log.info("listening on {address}", address=spelled(port.getHost()))

    def stopService(self) -> Deferred[None]:
        """Accept who waits, and then no more; fires when the sockets are closed."""
        super().stopService()
        ports, self.ports = self.ports, []
        for port in ports:
            self._door.let_go(port)
        closed = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        return closed.addCallback(lambda _: None)


def spelled(address: Any) -> str:
    """The address of a listening socket, for the log."""
    host = getattr(address, "host", None)
    if host is None:
        return f"unix:{address.name.decode()}"
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
