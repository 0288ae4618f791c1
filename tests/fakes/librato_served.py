"""The stand-in for Librato on a socket, and its official client in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import librato  # type: ignore[import-untyped]
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThread
from twisted.web.server import Site

from tests.fakes.librato import TOKEN, USER, FakeLibrato
from tests.fakes.librato_bench import EPOCH


class Served:
    """``client`` is python-librato's connection; it blocks, so `do` what is done with it."""

    def __init__(self, fake: FakeLibrato, port: IListeningPort) -> None:
        self.fake = fake
        self._port = port
        address: Any = port.getHost()
        self.host = f"127.0.0.1:{address.port}"
        self.client = librato.connect(USER, TOKEN, hostname=self.host, protocol="http")

    def do(self, call: Callable[..., Any], *args: Any, **options: Any) -> Deferred[Any]:
        """Call it in a thread, while the stand-in answers in this one."""
        return deferToThread(call, *args, **options)

    def close(self) -> Any:
        return self._port.stopListening()


async def serve() -> Served:
    """An account of both kinds, whose clock stands still."""
    from twisted.internet import reactor

    fake = FakeLibrato(wall_clock=lambda: EPOCH, kind="hybrid")
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return Served(fake, await endpoint.listen(Site(fake.app.resource())))
