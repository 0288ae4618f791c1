"""`python -m chaos.load PORT`: calls and callbacks at a steady rate, and storms when told to.

A process of its own, so that what is measured is not what measures. It takes orders on standard
input (``storm 100``, ``end``), and tells on standard output what became of each call and callback
(`chaos.told`). At the end of its input it ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from random import Random
from threading import Thread
from typing import Any, Final
from urllib.parse import quote

import treq
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater

from boomerang.clocks import count_by_monotonic_clock
from boomerang.standin import Call, Played, Surroundings, Webhook, play_call
from boomerang.standin.events import Answered, Asked, Event, Role, Unanswered
from chaos.app import App, QuietSite, is_stubborn, sid_of
from chaos.told import CallTold, Rescue, written

_PULSE: Final = 0.05
"""Seconds between two looks whether this process is late."""


class Load:
    """What is going on."""

    def __init__(self, reactor: Any, *, daemon: str, app: str) -> None:
        self._surroundings = Surroundings.of(reactor, chance=Random())
        self._clock = reactor
        self._daemon = daemon
        self._app = app
        self._calls = 0
        self._callbacks = 0
        self._under_way = 0
        self._steady = [LoopingCall(self.call), LoopingCall(self.callback)]
        self._pulse = LoopingCall(self._look_at_the_time)
        self._due = 0.0
        for each in (*self._steady, self._pulse):
            each.clock = reactor

    def begin(self, *, calls: float, callbacks: float) -> None:
        """Begin so many each second."""
        self._due = time.monotonic()
        self._pulse.start(_PULSE)
        for each, rate in zip(self._steady, (calls, callbacks), strict=True):
            each.start(1 / rate)

    def _look_at_the_time(self) -> None:
        """Tell if this process itself is late: nobody knows how long answers have lain here."""
        now = time.monotonic()
        late, self._due = now - self._due, now + _PULSE
        if late > _PULSE:
            tell(kind="lag", since=now - late, until=now)

    def end(self) -> None:
        """Begin no more; says so when all is over."""
        for each in self._steady:
            each.stop()
        Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        while self._under_way:
            await deferLater(self._clock, 0.05)
        tell(kind="over")

    def storm(self, calls: int) -> None:
        """So many calls fail in the same moment."""
        for _ in range(calls):
            self.call()

    def call(self) -> None:
        self._calls += 1
        self._start(self._call(sid_of(self._calls, kind="c")))

    def callback(self) -> None:
        self._callbacks += 1
        self._start(self._callback(sid_of(self._callbacks, kind="b")))

    def _start(self, work: Any) -> None:
        self._under_way += 1
        Deferred.fromCoroutine(work).addBoth(self._over)

    def _over(self, result: Any) -> None:
        self._under_way -= 1
        if result is not None:
            tell(kind="mistake", words=result.getTraceback())

    async def _call(self, sid: str) -> None:
        sorry = quote(f"{self._app}/sorry.xml", safe="")
        call = Call(
            first=Webhook(f"{self._app}/voice"),
            fallback=Webhook(f"{self._daemon}/retry?FallbackUrl={sorry}"),
            sid=sid,
        )
        begun = time.monotonic()
        played = await play_call(call, self._surroundings)
        print(written(told(played, begun)), flush=True)

    async def _callback(self, sid: str) -> None:
        target = quote(f"{self._app}/ended", safe="")
        form = {"AccountSid": f"AC{1:032x}", "CallSid": sid, "CallStatus": "completed"}
        try:
            answer = await treq.post(
                f"{self._daemon}/relay?Url={target}", form, persistent=False, timeout=10
            )
            await answer.content()
        except Exception:  # dozens of ways in which a connection fails
            tell(kind="unanswered", id=sid)
        else:
            tell(kind="acknowledged" if answer.code == 204 else "refused", id=sid)


def told(played: Played, begun: float) -> CallTold:
    """What is told of a call that began at an instant."""
    rescues: list[Rescue] = []
    asked: Event | None = None
    for event in played.events:
        if isinstance(event.told, Asked):
            asked = event if event.told.role is Role.FALLBACK else None
        elif asked is not None and isinstance(event.told, Answered | Unanswered):
            rescues.append(_rescue(begun + asked.at, event.told))
            asked = None
    return CallTold(played.outcome.value, played.reason, is_stubborn(played.sid), rescues)


def _rescue(asked: float, came: Answered | Unanswered) -> Rescue:
    if isinstance(came, Unanswered):
        return Rescue(asked, came.seconds, refused=came.words)
    return Rescue(asked, came.seconds, came.status, came.decision)


def tell(**value: object) -> None:
    print(json.dumps(value), flush=True)


def take_orders(load: Load, reactor: Any) -> None:
    """Hand on what comes on standard input, which blocks."""
    for line in sys.stdin:
        order, *rest = line.split()
        if order == "storm":
            reactor.callFromThread(load.storm, int(rest[0]))
        else:
            reactor.callFromThread(load.end)
    reactor.callFromThread(reactor.stop)


def main() -> None:
    from twisted.internet import reactor as installed

    reactor: Any = installed
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--calls", type=float, default=15)
    parser.add_argument("--callbacks", type=float, default=10)
    options = parser.parse_args()
    count_by_monotonic_clock(reactor)
    app = QuietSite(App(lambda sid: tell(kind="arrived", id=sid)))
    port = reactor.listenTCP(0, app, backlog=1000, interface="127.0.0.1")
    load = Load(
        reactor,
        daemon=f"http://127.0.0.1:{options.port}",
        app=f"http://127.0.0.1:{port.getHost().port}",
    )
    reactor.callWhenRunning(load.begin, calls=options.calls, callbacks=options.callbacks)
    reactor.callWhenRunning(Thread(target=take_orders, args=(load, reactor), daemon=True).start)
    reactor.run()


if __name__ == "__main__":
    main()
