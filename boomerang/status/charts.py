"""The geometry of the page's charts, for templates to draw as SVG: functions of values."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

from attrs import frozen

from boomerang.status.checks import Run
from boomerang.status.overview import MinuteNow
from boomerang.status.report import HeldNow

MARK: Final = 5.0
"""Seconds at which response times have their mark: a third of what Twilio waits."""

_LEAST_TOP: Final = 7.0
"""Seconds that the chart of response times reaches up to at the least."""

_KINDS: Final = ("saved", "apologised", "lost")


@frozen
class Bar:
    """A piece of a bar, in the units of the chart; ``kind`` is a class of the style sheet."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str = ""


@frozen
class Line:
    """Response times: the line as an SVG path, parted where a run failed, and the mark's ``y``.

    ``failures`` are the ``x`` of those runs.
    """

    path: str
    failures: tuple[int, ...]
    mark: int
    slowest: float


def hour_bars(hour: Sequence[MinuteNow], *, width: float, height: float) -> list[Bar]:
    """Stacked bars, one for each minute in which something happened."""
    top = max((each.saved + each.apologised + each.lost for each in hour), default=0)
    step = width / len(hour) if hour else width
    bars = []
    for index, minute in enumerate(hour):
        x, bottom = _round(index * step), height
        for kind in reversed(_KINDS):
            count = getattr(minute, kind)
            if count:
                y = max(0.0, bottom - max(1.0, count / top * height))
                bars.append(Bar(x, _round(y), _round(step * 0.8), _round(bottom - y), kind))
                bottom = y
    return bars


def held_bars(held: HeldNow, *, width: float, height: float) -> list[Bar]:
    """One bar for each second that is left, the longest on the left: they wander to the right."""
    top = max(held.left, default=0)
    step = width / max(1, len(held.left))
    return [
        Bar(
            _round((len(held.left) - 1 - seconds) * step),
            _round(height - count / top * height),
            _round(step * 0.8),
            _round(count / top * height),
            "held",
            f"{count} with {seconds} to {seconds + 1} s left",
        )
        for seconds, count in enumerate(held.left)
        if count
    ]


def response_line(runs: Sequence[Run], *, most: int, height: int) -> Line:
    """The last runs, a unit of the chart apart, the newest at the right edge (``most - 1``), on a
    scale of square roots.

    A linear one would show nothing of what is usual, 50 ms, beside the mark. A large page has
    thousands of runs: whole numbers, from each to the next, halve its bytes.
    """
    slowest = max((run.seconds for run in runs), default=0.0)
    top = sqrt(max(_LEAST_TOP, slowest))

    def y(seconds: float) -> int:
        return round(height - sqrt(max(0.0, seconds)) / top * height)

    path: list[str] = []
    failures = []
    before: int | None = None
    for x, run in enumerate(runs, start=most - len(runs)):
        if not run.well:
            failures.append(x)
            before = None
            continue
        now = y(run.seconds)
        path.append(f"M{x} {now}" if before is None else f"l1 {now - before}")
        before = now
    return Line(
        path="".join(path).replace(" -", "-"),
        failures=tuple(failures),
        mark=y(MARK),
        slowest=slowest,
    )


def _round(value: float) -> float:
    return round(value, 1)
