"""How much of the last day and week a check was well: pure, and small enough to be kept."""

from __future__ import annotations

import json
from typing import Final

from attrs import define, field

from boomerang.monitor.result import Result

_HOUR: Final = 3600
_DAY: Final = 86_400
_LENGTHS: Final = {_HOUR: 24, _DAY: 7}
"""The buckets in which runs are counted (seconds), and how many of each are kept."""

Counts = dict[int, list[int]]
"""By the number of the hour or day since the epoch: the runs that were well, and all."""


@define
class Uptime:
    """The runs of a check, counted by hours for the day and by days for the week."""

    _counts: dict[int, Counts] = field(factory=lambda: {length: {} for length in _LENGTHS})

    def add(self, result: Result) -> None:
        """Count a run. One of a clock that was set back is counted where it belongs."""
        for length, counts in self._counts.items():
            number = int(result.at // length)
            bucket = counts.setdefault(number, [0, 0])
            bucket[0] += result.well
            bucket[1] += 1
            while len(counts) > _LENGTHS[length]:
                del counts[min(counts)]

    def day(self, *, now: float) -> float | None:
        """The share of runs of the last 24 hours that were well; `None` if there were none."""
        return self._share(_HOUR, now)

    def week(self, *, now: float) -> float | None:
        """The same of the last seven days."""
        return self._share(_DAY, now)

    def merge(self, other: Uptime) -> None:
        """Count the runs of another process, too."""
        for length, counts in other._counts.items():
            for number, (well, runs) in counts.items():
                bucket = self._counts[length].setdefault(number, [0, 0])
                bucket[0] += well
                bucket[1] += runs

    def to_json(self) -> str:
        return json.dumps([sorted(counts.items()) for counts in self._counts.values()])

    @classmethod
    def from_json(cls, text: str) -> Uptime:
        """What was kept. Raises `ValueError` for what is none."""
        try:
            kept = json.loads(text)
            counts = {
                length: {int(number): [int(well), int(runs)] for number, (well, runs) in each}
                for length, each in zip(_LENGTHS, kept, strict=True)
            }
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"not an uptime: {error}") from None
        return cls(counts)

    def _share(self, length: int, now: float) -> float | None:
        oldest = int(now // length) - _LENGTHS[length]
        counts = [each for number, each in self._counts[length].items() if number > oldest]
        runs = sum(each[1] for each in counts)
        return sum(each[0] for each in counts) / runs if runs else None
