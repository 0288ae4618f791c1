"""Keeps those up to date who look at the page: one look a second for all of them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from boomerang.status.page import Parts

EVERY: Final = 1.0

MOST_VIEWERS: Final = 100
"""Streams at once: each takes a descriptor that a caller could need."""

Send = Callable[[bytes], None]


class Live:
    """Sends the parts that have changed to all viewers, as server-sent events.

    ``look`` makes the parts. While nobody is here, nothing is done.
    """

    def __init__(self, look: Callable[[], Awaitable[Parts]], *, clock: IReactorTime) -> None:
        self._log = Logger(namespace="boomerang.status")
        self._look = look
        self._clock = clock
        self._shown: dict[Send, Parts | None] = {}
        self._loop: LoopingCall | None = None

    def __len__(self) -> int:
        return len(self._shown)

    @property
    def full(self) -> bool:
        """Whether nobody else should join; whoever wants to see more may ask now and then."""
        return len(self._shown) >= MOST_VIEWERS

    def join(self, send: Send) -> None:
        """Send all parts soon, and from then on what changes."""
        self._shown[send] = None
        if self._loop is None:
            loop = self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._show()))
            loop.clock = self._clock
            loop.start(EVERY)

    def leave(self, send: Send) -> None:
        self._shown.pop(send, None)
        if not self._shown and self._loop is not None:
            loop, self._loop = self._loop, None
            loop.stop()

    async def _show(self) -> None:
        try:
            parts = await self._look()
            for send, shown in list(self._shown.items()):
                if send in self._shown:  # it may have left while another was sent to
                    self._shown[send] = parts
                    send(event(parts, shown))
        except Exception:
            self._log.failure("the status page could not be shown")


def changes(parts: Parts, shown: Parts | None) -> dict[str, object]:
    """What the script needs to know: the parts that are not shown already."""
    before = shown.html if shown is not None else {}
    changed = {name: html for name, html in parts.html.items() if before.get(name) != html}
    return {"at": parts.at, "title": parts.title, "level": parts.level, "parts": changed}


def event(parts: Parts, shown: Parts | None) -> bytes:
    """A server-sent event; JSON has no line breaks, which would end it."""
    return f"data: {json.dumps(changes(parts, shown))}\n\n".encode()
