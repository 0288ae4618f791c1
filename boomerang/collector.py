"""When Python looks for garbage that only a collector finds: in small steps, while callers wait.

Left to itself it begins once there are some thousand objects more than before. While as many
requests go as come, there are never more, and what it has not looked at yet grows until it is all
that is held: with 10,000 held it stood still for 100 ms at a time, and all callers with it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

EVERY: Final = 0.1
"""Seconds between two steps: with 1,250 requests a second that come to be held, each takes 1 ms."""

PER_HELD: Final = 60
"""Objects of a request that is held; it has some 53."""

MUCH: Final = 300_000
LITTLE: Final = 20_000
"""Objects that may be garbage before all is looked through, while requests are held and while none
is. Looking takes 0.12 µs for each object that is there."""


class Garbage(Protocol):
    """As much of the module `gc` as is used."""

    def collect(self, generation: int = 2, /) -> int: ...
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
        self._more = 0
        self._stepping = LoopingCall(self._step)
        self._stepping.clock = clock

    def start(self) -> None:
        """From now on; what is there already is never looked at again."""
        self._garbage.collect()
        self._garbage.freeze()
        self._garbage.disable()
        self._stepping.start(EVERY, now=False)

    def stop(self) -> None:
        """Leave it to Python again."""
        if self._stepping.running:
            self._stepping.stop()
            self._garbage.enable()

    def _step(self) -> None:
        self._more += self._garbage.get_count()[0]
        if is_time_for_all(self._more, held=self._held()):
            self._more = 0
            self._garbage.collect()
        else:
            self._garbage.collect(0)


def is_time_for_all(more: int, *, held: int) -> bool:
    """Whether to look through everything; ``more`` objects were made than let go since the last.

    Those of the requests that are held are no garbage.
    """
    return more - PER_HELD * held >= (MUCH if held else LITTLE)
