"""The requests that are being held."""

from __future__ import annotations

from typing import Final

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

LONGEST: Final = 14.0
"""Seconds; Twilio gives a webhook 15, connection set-up included (docs/api/errors/11205)."""


@frozen
class Held:
    """How a hold ended: seconds that it lasted, seconds beyond its instant, whether cut short."""

    seconds: float
    overshoot: float
    early: bool


class Hold:
    """Holds requests until their release instant, as many as there are descriptors for.

    ``max_held`` is how many are held at the most; a request beyond it is not to be held at all.
    """

    def __init__(self, clock: IReactorTime, *, max_held: int) -> None:
        self._clock = clock
        self.max_held = max_held
        self._held: dict[Deferred[None], float] = {}
        self._early: set[Deferred[None]] = set()
        self._closing_at: float | None = None

    def __len__(self) -> int:
        return len(self._held)

    def longest(self) -> float:
        """Seconds that a request may be held which arrives now."""
        if len(self._held) >= self.max_held:
            return 0.0
        if self._closing_at is not None:
            return max(0.0, self._closing_at - self._clock.seconds())
        return LONGEST

    async def wait(self, seconds: float) -> Held:
        """Hold for some seconds. Cancelling it (the client hung up) forgets the request."""
        began = self._clock.seconds()
        held: Deferred[None] = deferLater(self._clock, seconds)
        self._held[held] = began + seconds
        early = False
        try:
            await held
        except CancelledError:
            if held not in self._early:
                raise
            early = True
        finally:
            del self._held[held]
            self._early.discard(held)
        ended = self._clock.seconds()
        overshoot = 0.0 if early else max(0.0, ended - began - seconds)
        return Held(seconds=ended - began, overshoot=overshoot, early=early)

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
