"""A server on this machine that Apprise's ``json://`` and ``form://`` notify, for real."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, field
from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.web.http import Request
from twisted.web.server import Site

from tests.servers import HOST


@define
class Listener:
    """``heard`` are title and body of what has come, by path; ``status`` is the answer."""

    heard: list[tuple[str, str, str]] = field(factory=list)
    kinds: list[str] = field(factory=list)
    status: int = 200
    hanging: bool = False
    app: Klein = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.app = Klein()
        self.app.route("/", branch=True)(self._answer)

    def _answer(self, request: Request) -> bytes | Deferred[bytes]:
        assert request.content is not None
        if request.getHeader("Content-Type") == "application/json":
            data = json.loads(request.content.read())
        else:
            assert request.args is not None
            data = {name.decode(): values[0].decode() for name, values in request.args.items()}
        request.setResponseCode(self.status)
        self.heard.append((request.path.decode(), data["title"], data["message"]))
        self.kinds.append(data["type"])
        return Deferred() if self.hanging else b""


@asynccontextmanager
async def listening(listener: Listener) -> AsyncIterator[str]:
    """Host and port where it listens."""
    site: Any = Site(listener.app.resource())
    port: Any = reactor.listenTCP(0, site, interface=HOST)
    try:
        yield f"{HOST}:{port.getHost().port}"
    finally:
        await port.stopListening()
