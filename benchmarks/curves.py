"""Draws the curves of a run as SVG, for light and for dark pages."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs
import pygal
from pygal.style import Style

from benchmarks.held_figures import HeldRun
from benchmarks.patterns import EVEN
from benchmarks.rate import RatePoint
from benchmarks.servers import FLOOR, PEER, REDIS, SQLITE

SHADES = {"light": "#1f2328", "dark": "#e6edf3"}
_COLOURS = {PEER: "#d1242f", SQLITE: "#2f81f7", FLOOR: "#2da44e", REDIS: "#a371f7"}
_TICKS = tuple(digit * 10**power for power in range(5) for digit in (1, 2, 5))

Line = Sequence[tuple[float, float]]


@attrs.frozen
class Curve:
    """One picture: `name` is that of its files."""

    name: str
    title: str
    x_title: str
    lines: Mapping[str, Line]


def curves(held: Sequence[HeldRun], rate: Sequence[RatePoint]) -> list[Curve]:
    """Lateness and memory against the number held (arriving evenly), CPU against the rate."""
    even = [run for run in held if run.pattern == EVEN]
    found = [
        Curve(
            "overshoot",
            "late beyond the wait, p99, ms",
            "requests held",
            _lines(even, _held, lambda run: run.from_sent.p99),
        ),
        Curve(
            "memory",
            "KiB per held request",
            "requests held",
            _lines(even, _held, lambda run: run.kib),
        ),
        Curve(
            "cpu",
            "CPU per request, us",
            "requests a second, each over a connection of its own",
            _lines(rate, lambda point: point.per_second, lambda point: point.microseconds),
        ),
    ]
    # A point is no curve.
    return [each for each in found if any(len(line) > 1 for line in each.lines.values())]


def _held(run: HeldRun) -> float:
    return run.held


def _lines(
    seen: Sequence[Any], x: Callable[[Any], float], y: Callable[[Any], float]
) -> dict[str, Line]:
    """The medians of each server, where they can be drawn on logarithmic axes."""
    lines: dict[str, Line] = {}
    for name in _COLOURS:
        mine = [each for each in seen if each.server == name]
        points = [
            (at, median(y(each) for each in mine if x(each) == at))
            for at in sorted(set(map(x, mine)))
        ]
        line = [(at, value) for at, value in points if math.isfinite(value) and value > 0]
        if line:
            lines[name] = line
    return lines


def draw(drawn: Sequence[Curve], folder: Path) -> None:
    """Write each picture twice, as NAME-light.svg and NAME-dark.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    for curve in drawn:
        for shade, ink in SHADES.items():
            _chart(curve, ink).render_to_file(str(folder / f"{curve.name}-{shade}.svg"))


def _chart(curve: Curve, ink: str) -> Any:
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=ink,
        foreground_strong=ink,
        foreground_subtle=ink,
        guide_stroke_color="#8884",
        major_guide_stroke_color="#8884",
        colors=tuple(_COLOURS[name] for name in curve.lines),
        font_family="sans-serif",
        stroke_width=2.5,
    )
    values = [value for line in curve.lines.values() for _, value in line]
    chart = pygal.XY(
        width=640,
        height=340,
        style=style,
        title=curve.title,
        x_title=curve.x_title,
        logarithmic=True,
        js=[],
        legend_at_bottom=True,
        legend_at_bottom_columns=len(curve.lines),
        disable_xml_declaration=True,
        x_labels=sorted({at for line in curve.lines.values() for at, _ in line}),
        y_labels=[tick for tick in _TICKS if min(values) / 2 <= tick <= max(values) * 2],
        value_formatter=lambda value: f"{value:,.0f}",
        x_value_formatter=lambda value: f"{value:,.0f}",
    )
    for name, line in curve.lines.items():
        chart.add(name, line)
    return chart
