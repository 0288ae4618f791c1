"""The requests that are being held."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from boomerang.retry.crowd import Crowd
from boomerang.values import quick_frozen

LONGEST: Final = 14.0
"""Seconds; Twilio gives a webhook 15, connection set-up included (docs/api/errors/11205)."""


@quick_frozen
class Held:
    """How a hold ended: seconds that it lasted, seconds beyond its instant, whether cut short.

    ``may_go`` is false where the request is still to be held, in another turn.
    """

    seconds: float
    overshoot: float
    early: bool
    may_go: bool = True


class _Timed(Deferred[bool]):
    """A Deferred that a timer fires; `deferLater` would take 1 KiB more for each request held."""

    timer: IDelayedCall


def _stop_timer(held: Deferred[bool]) -> None:
    if isinstance(held, _Timed):
        held.timer.cancel()


@quick_frozen
class Room:
    """How many seconds a request may be held; ``why_not`` is the reason where there is no place."""

    seconds: float
    why_not: str = ""


_FREE: Final = Room(LONGEST)


class Hold:
    """Holds requests until their release instant, as many as there are descriptors for.

    ``max_held`` is how many are held at the most, ``max_each`` how many of them one party may
    have: an account, or an address (see `boomerang.retry.crowd`). A request beyond that is not to
    be held at all.
    """

    def __init__(self, clock: IReactorTime, *, max_held: int, max_each: int | None = None) -> None:
        self._clock = clock
        self.max_held = max_held
        self._crowd = Crowd(most=max_held, most_each=max_held if max_each is None else max_each)
        self._held: dict[Deferred[bool], float] = {}
        self._early: set[Deferred[bool]] = set()
        self._closing_at: float | None = None

    def __len__(self) -> int:
        return len(self._held)

    def left(self) -> list[float]:
        """Seconds that are left of each hold, below zero where it is late already."""
        now = self._clock.seconds()
        return [until - now for until in self._held.values()]

    def room(self, party: str) -> Room:
        """How long a request of this party may be held which arrives now."""
        why_not = self._crowd.why_not(party)
        if why_not:
            return Room(0.0, why_not)
        if self._closing_at is not None:
            return Room(min(LONGEST, max(0.0, self._closing_at - self._clock.seconds())))
        return _FREE

    def turned_away(self, party: str, why_not: str) -> None:
        """A request was not held, since there was no room for it."""
        self._crowd.turned_away(party, why_not)

    def wait(self, seconds: float, *, party: str) -> Deferred[Held]:
        """Hold for some seconds. Cancelling it (the client hung up) forgets the request."""
        held = _Timed(_stop_timer)
        held.timer = self._clock.callLater(seconds, held.callback, True)
        return self.keep(held, seconds, party=party)

    def keep(self, held: Deferred[bool], seconds: float, *, party: str) -> Deferred[Held]:
        """Hold until something fires, which is expected within some seconds.

        It fires with whether the request may go now, or only this turn of its hold is over.
        """
        began = self._clock.seconds()
        self._held[held] = began + seconds
        self._crowd.enter(party)
        return held.addBoth(self._ended, held, began, seconds, party)

    def _ended(
        self, ending: Failure | bool, held: Deferred[bool], began: float, seconds: float, party: str
    ) -> Held | Failure:
        del self._held[held]
        if isinstance(held, _Timed):
            del held.timer  # which would keep it, as it keeps the timer, until garbage is collected
        self._crowd.leave(party)
        early = held in self._early
        self._early.discard(held)
        if isinstance(ending, Failure) and not early:
            return ending
        lasted = self._clock.seconds() - began
        overshoot = 0.0 if early else max(0.0, lasted - seconds)
        return Held(lasted, overshoot, early, ending is not False)

    def release_within(self, seconds: float) -> None:
        """See to it that nothing is held longer than some seconds from now (shutting down)."""
        closing_at = self._clock.seconds() + seconds
        if self._closing_at is None or closing_at < self._closing_at:
            self._closing_at = closing_at
            self._clock.callLater(max(0.0, seconds), self._release_rest)

    def _release_rest(self) -> None:
        self._early.update(self._held)
        for held in tuple(self._held):
            held.cancel()
