"""When Python looks for garbage that only a collector finds: not while callers wait.

A request leaves none (the tests hold it to that), and neither does a delivery of the relay over a
kept connection. Left to itself the collector begins once there are some thousand objects more than
before. While as many requests go as come there are never more, and what it has not looked at yet
grows until it is all that is held: with 10,000 held it stood still for 100 ms at a time, and all
callers with it. Smaller steps cost as much in all, 1 µs and more for each object that is held.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

EVERY: Final = 1.0
"""Seconds between two looks whether it is time."""

WORTH_IT: Final = 20_000
"""New objects that make it worth while."""

QUIET_AFTER: Final = 60.0
"""Seconds from one collection to the next while no request is held."""

LATEST_AFTER: Final = 300.0
"""Seconds after which it cannot wait for that any longer; with 10,000 held it took 0.5 s."""

TOO_MUCH: Final = 1_000_000
"""New objects, some 100 MB, with which it does not wait at all. Those of held requests do not
count, which are no garbage."""

PER_HELD: Final = 60
"""Objects of a request that is held; it has some 53."""


class Garbage(Protocol):
    """As much of the module `gc` as is used."""

    def collect(self) -> int: ...
    def get_count(self) -> tuple[int, int, int]: ...
    def freeze(self) -> None: ...
    def disable(self) -> None: ...
    def enable(self) -> None: ...


class Collector:
    """Takes the place of the automatic collector while it runs. ``held`` is how many wait now."""

    def __init__(
        self, clock: IReactorTime, *, held: Callable[[], int], garbage: Garbage = gc
    ) -> None:
        self._held = held
        self._garbage = garbage
        self._clock = clock
        self._collected_at = clock.seconds()
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def start(self) -> None:
        """From now on; what is there already is never looked at again."""
        self._garbage.disable()
        self._garbage.collect()
        self._garbage.freeze()
        self._looking.start(EVERY, now=False)

    def stop(self) -> None:
        """Leave it to Python again."""
        if self._looking.running:
            self._looking.stop()
            self._garbage.enable()

    def _look(self) -> None:
        since = self._clock.seconds() - self._collected_at
        if is_time(since, new=self._garbage.get_count()[0], held=self._held()):
            self._garbage.collect()
            self._collected_at = self._clock.seconds()


def is_time(since: float, *, new: int, held: int) -> bool:
    """Whether to collect, so many seconds since it was done, with so many objects more."""
    if new - PER_HELD * held >= TOO_MUCH:
        return True
    return new >= WORTH_IT and since >= (LATEST_AFTER if held else QUIET_AFTER)
