"""The routes of the status page: the page, its data, its live parts, its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
from attrs import field, frozen
from klein import Klein
from twisted.internet.defer import Deferred

from boomerang.status.headline import headline
from boomerang.status.live import changes
from boomerang.status.making import Status
from boomerang.status.overview import Overview
from boomerang.web.compression import gzipped, suited
from boomerang.web.reply import NO_STORE, Headers, Refused, Reply, as_json
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from boomerang.web.visitors import Visitors

_GUARDS: Final[Headers] = (
    (
        b"Content-Security-Policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        b" connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
)

_STREAM: Final[Headers] = (
    (b"Cache-Control", b"no-cache"),
    (b"X-Accel-Buffering", b"no"),  # nginx would keep the events to itself
)

_REST: Final[Headers] = ((b"Cache-Control", b"private, max-age=86400"),)
"""For the files: the page names them with their version."""


@frozen(eq=False)
class StatusRoute:
    """``/status`` and what belongs to it, for whoever may see it."""

    status: Status
    visitors: Visitors
    compressed: Mapping[str, bytes] = field(init=False)
    """The files, compressed once and for all."""

    app = Klein()

    @compressed.default
    def _compress(self) -> Mapping[str, bytes]:
        return {name: gzipped(each.body) for name, each in self.status.assets.items()}

    @route(app, "/status", "GET")
    async def look(self, request: GuardedRequest) -> Reply:
        await self.visitors.check(request)
        body = self.status.page.whole(await self.status.board.overview())
        page = Reply(body, content_type="text/html; charset=utf-8", headers=(NO_STORE, *_GUARDS))
        return suited(page, request)

    @route(app, "/status.json", "GET")
    async def data(self, request: GuardedRequest) -> Reply:
        await self.visitors.check(request)
        data = described(await self.status.board.overview())
        return suited(as_json(data, indent=None), request)

    @route(app, "/status/parts", "GET")
    async def parts(self, request: GuardedRequest) -> Reply:
        await self.visitors.check(request)
        parts = self.status.page.parts(await self.status.board.overview())
        return suited(as_json(changes(parts, None), indent=None), request)

    @route(app, "/status/live", "GET")
    async def stream(self, request: GuardedRequest) -> Reply:
        """Server-sent events, until the viewer or boomerang goes away."""
        await self.visitors.check(request)
        live, send = self.status.live, request.send
        if live.full:
            raise Refused(503, "too many look at the page; ask /status/parts instead")
        request.begin_stream(Reply(b"", content_type="text/event-stream", headers=_STREAM))
        live.join(send)
        try:
            return await Deferred()
        finally:
            live.leave(send)

    @route(app, "/status/assets/<name>", "GET")
    async def asset(self, request: GuardedRequest, name: str) -> Reply:
        await self.visitors.check(request)
        found = self.status.assets.get(name)
        if found is None:
            raise Refused(404, "there is nothing at this address")
        file = Reply(found.body, content_type=found.content_type, headers=(*_REST, *_GUARDS))
        return suited(file, request, ready=self.compressed[name])


def described(now: Overview) -> dict[str, Any]:
    """The data of the page, as README documents it."""
    found = headline(now)
    also = [{**attrs.asdict(each), "level": each.level.name.lower()} for each in found.also]
    return {"headline": {**attrs.asdict(found), "also": also}, **attrs.asdict(now)}
