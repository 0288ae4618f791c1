"""The measurements that wait to be sent: bounded, and never two of a stream with one second."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from attrs import evolve

from boomerang.monitor.librato.measurement import Measurement, spread_of

MOST: Final = 20_000
"""Three minutes of 500 checks that run every 10 s."""


class Backlog:
    """A queue that forgets the oldest first; ``lost`` counts all that were not sent."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._waiting: OrderedDict[tuple[object, ...], Measurement] = OrderedDict()
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, measurement: Measurement) -> None:
        """Queue it, together with another of the same stream and second; an unfit one is lost."""
        if not measurement.fit:
            self.lost += 1
            return
        before = self._waiting.get(measurement.key)
        self._waiting[measurement.key] = _together(before, measurement)
        self._forget_oldest()

    def take(self, most: int, *, since: float) -> list[Measurement]:
        """The oldest ones, no longer queued; those of before ``since`` are lost."""
        batch: list[Measurement] = []
        while self._waiting and len(batch) < most:
            _, measurement = self._waiting.popitem(last=False)
            if measurement.at < since:
                self.lost += 1
            else:
                batch.append(measurement)
        return batch

    def put_back(self, batch: Sequence[Measurement]) -> None:
        """Queue what was taken and could not be sent, before all others."""
        for measurement in reversed(batch):
            since_then = self._waiting.get(measurement.key)
            self._waiting[measurement.key] = _together(since_then, measurement)
            self._waiting.move_to_end(measurement.key, last=False)
        self._forget_oldest()

    def clear(self) -> None:
        """Lose them all."""
        self.lost += len(self._waiting)
        self._waiting.clear()

    def _forget_oldest(self) -> None:
        while len(self._waiting) > self._most:
            self._waiting.popitem(last=False)
            self.lost += 1


def _together(one: Measurement | None, other: Measurement) -> Measurement:
    if one is None:
        return other
    return evolve(one, value=spread_of(one).joined(spread_of(other)))
