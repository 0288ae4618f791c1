"""The timeline of one call or message: stamps what happens with the time, and passes it on."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from boomerang.standin.events import Event, Heard, Told

Tell = Callable[[Event], object]


class Timeline:
    """Begins with the call, when nothing was heard yet."""

    def __init__(self, clock: IReactorTime, tell: Tell) -> None:
        self.events: list[Event] = []
        self._clock = clock
        self._tell = tell
        self._began = self._sounded = clock.seconds()
        self._longest = 0.0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._clock.seconds() - self._began

    @property
    def longest_silence(self) -> float:
        """Seconds, the silence until now included."""
        return max(self._longest, self._clock.seconds() - self._sounded)

    def add(self, told: Told) -> None:
        """Something happens now."""
        silence = self._silence() if isinstance(told, Heard) else None
        event = Event(self.seconds, told, silence)
        self.events.append(event)
        self._tell(event)

    def _silence(self) -> float:
        now = self._clock.seconds()
        silence, self._sounded = now - self._sounded, now
        self._longest = max(self._longest, silence)
        return silence
