"""Asks an app that calls are held for whether it is awake: one question for all that wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from boomerang.outbound import Outbound, Unreachable

ASK_EVERY: Final = 1.0
"""Seconds from one question to the next."""

Ask = Callable[[str], Deferred[bool]]
"""Asks a URL of the app's; never fails, and takes a few seconds at the most."""

TIMEOUT: Final = 2.0
"""Seconds that an app has to answer: one that is awake does."""


def asking(outbound: Outbound) -> Ask:
    """Asks by HTTP: an app that answers with 2xx or 3xx is awake."""

    async def ask(url: str) -> bool:
        try:
            answer = await outbound.request("GET", url, timeout=TIMEOUT, body_cap=1024)
        except Unreachable:
            return False
        return 200 <= answer.status < 400

    return lambda url: Deferred.fromCoroutine(ask(url))


class Questions:
    """The URLs that are being asked, and who wants to hear of their answers."""

    def __init__(self, clock: IReactorTime, *, ask: Ask) -> None:
        self._clock = clock
        self._ask = ask
        self._asking: dict[str, _Question] = {}

    def begin(self, url: str, awake: Callable[[], None]) -> None:
        """Ask now and every `ASK_EVERY`, and call ``awake`` at each answer, until it is ended."""
        question = self._asking.get(url)
        if question is None:
            question = self._asking[url] = _Question(url, self._ask, self._clock)
        question.listeners.append(awake)
        question.start()

    def end(self, url: str, awake: Callable[[], None]) -> None:
        question = self._asking[url]
        question.listeners.remove(awake)
        if not question.listeners:
            del self._asking[url]
            question.stop()


class _Question:
    def __init__(self, url: str, ask: Ask, clock: IReactorTime) -> None:
        self._url = url
        self._ask = ask
        self._pending: Deferred[bool] | None = None
        self._loop = LoopingCall(self._put)
        self._loop.clock = clock
        self.listeners: list[Callable[[], None]] = []

    def start(self) -> None:
        if not self._loop.running:
            self._loop.start(ASK_EVERY)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()
        if self._pending is not None:
            self._pending.cancel()

    def _put(self) -> Deferred[None]:
        """One question; `LoopingCall` puts no other before it is answered."""
        self._pending = self._ask(self._url)
        return self._pending.addCallbacks(self._answered, lambda _: self._answered(False))

    def _answered(self, awake: bool) -> None:
        self._pending = None
        if awake:
            for listener in tuple(self.listeners):
                listener()
