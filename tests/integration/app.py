"""An app in the test's own process that sleeps until it is awakened."""

from __future__ import annotations

from typing import Any, Final

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.http import HTTPChannel, HTTPFactory, Request

HELLO: Final = b"<Response><Say>Hello</Say></Response>"
THANKS: Final = b"<Response><Message>Thanks</Message></Response>"

_NOW: Final[Any] = reactor


@define(eq=False)
class App:
    """Answers 503 until it awakes, and notes when it was asked for what."""

    awake: bool = False
    awoke_at: float = 0.0
    asked: list[tuple[float, str]] = field(factory=list)
    port: Any = None

    def start(self) -> None:
        app = self

        class Answer(Request):
            def process(self) -> None:
                path = self.path.decode()
                app.asked.append((_NOW.seconds(), path))
                body = THANKS if path == "/sms" else HELLO
                self.setResponseCode(200 if app.awake else 503)
                self.setHeader("Content-Type", "text/xml")
                self.setHeader("Content-Length", str(len(body)))
                self.write(body)
                self.finish()

        class Channel(HTTPChannel):
            requestFactory = Answer

        factory: Any = HTTPFactory()
        factory.protocol = Channel
        self.port = _NOW.listenTCP(0, factory, backlog=4096, interface="127.0.0.1")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port.getHost().port}{path}"

    def wake(self) -> None:
        self.awake, self.awoke_at = True, _NOW.seconds()

    async def wake_after(self, seconds: float) -> None:
        await deferLater(_NOW, seconds)
        self.wake()

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(asked == path for _, asked in self.asked)

    def first(self, path: str, *, since: float) -> float:
        """When a path was first asked for since an instant."""
        return next(at for at, asked in self.asked if asked == path and at >= since)
