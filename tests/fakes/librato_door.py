"""The stand-in's door: a request is noted, met by trouble if there is any, and let in or not."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any, Final

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest

from tests.fakes.librato_answers import Asked, Refusal, Reply, Trouble, unknown

USER: Final = "ops@example.com"
TOKEN: Final = "secret-token"

Document = dict[str, Any]
Handler = Callable[..., Reply]

APP: Final = Klein()


def call(method: str, path: str) -> Callable[[Handler], Handler]:
    """A route that answers one method; whatever it is asked goes through the same door first."""

    def register(handler: Handler) -> Handler:
        @APP.route(f"/v1{path}", methods=[method], endpoint=handler.__name__)
        def route(fake: Door, request: IRequest, **parts: Any) -> Awaitable[bytes]:
            return fake.door(request, lambda asked: handler(fake, asked, **parts))

        return handler

    return register


def found(things: Mapping[Any, Any], key: Any) -> Any:
    """What has this key; where nothing has it, the answer is 404."""
    if key not in things:
        raise unknown()
    return things[key]


class Door:
    """What all parts of the stand-in have in common."""

    app = APP

    @APP.route("/<path:rest>")
    def nowhere(self, request: IRequest, rest: str) -> Awaitable[bytes]:
        """What has no route is noted as well, and not found."""
        return self.door(request, lambda asked: found({}, rest))

    def __init__(self, *, wall_clock: Callable[[], float], kind: str = "source") -> None:
        self.kind = kind
        self.wall_clock = wall_clock
        self.asked: list[Asked] = []
        self.trouble: Trouble | None = None
        self.troubles: deque[Trouble] = deque()
        self.waiting: list[Deferred[None]] = []
        self.ids = count(101)

    def release(self) -> None:
        """Let the requests go on that are slow."""
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(None)

    async def door(self, request: Any, answer: Callable[[Asked], Reply]) -> bytes:
        """Note a request, let trouble befall it, ask for credentials, then answer it."""
        headers = [
            (name.decode(), value.decode())
            for name, values in request.requestHeaders.getAllRawHeaders()
            for value in values
        ]
        asked = Asked(
            method=request.method.decode(),
            path=request.uri.decode(),
            headers=headers,
            body=request.content.read(),
        )
        self.asked.append(asked)
        trouble = self.troubles.popleft() if self.troubles else self.trouble
        if trouble is not None and trouble.waits:
            released: Deferred[None] = Deferred()
            self.waiting.append(released)
            await released
        elif trouble is not None and trouble.drops:
            request.transport.abortConnection()
            await Deferred()
        elif trouble is not None:
            for name, value in trouble.headers.items():
                request.setHeader(name, value)
            request.setResponseCode(trouble.status)
            return trouble.body
        return self._write(request, self._answer(asked, answer))

    def _answer(self, asked: Asked, answer: Callable[[Asked], Reply]) -> Reply | Refusal:
        try:
            if not self._knows(asked.credentials):
                said = {"errors": {"request": ["Authorization Required"]}}
                plain = "HTTP Basic: Access denied.\n"
                raise Refusal(401, plain if asked.method == "POST" else said)
            return answer(asked)
        except Refusal as refusal:
            return refusal

    def _knows(self, credentials: tuple[str, str] | None) -> bool:
        source, tags = [(USER, TOKEN)], [(TOKEN, ""), ("token", TOKEN)]
        return credentials in {"source": source, "tags": tags, "hybrid": source + tags}[self.kind]

    def _write(self, request: Any, reply: Reply | Refusal) -> bytes:
        request.setHeader("X-Librato-RateLimit-Agg", "limit=4200,remaining=4000")
        request.setResponseCode(reply.status)
        if isinstance(reply, Refusal):
            said = reply.said
        else:
            said = reply.document
            if reply.location is not None:
                request.setHeader("Location", f"/v1/{reply.location}")
        if said is None or isinstance(said, str):
            request.setHeader("Content-Type", "text/plain")
            return (said or "").encode()
        request.setHeader("Content-Type", "application/json;charset=utf-8")
        return json.dumps(said).encode()
