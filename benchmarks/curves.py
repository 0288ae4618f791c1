"""Draws the curves of a run as SVG, for light and for dark pages."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pygal
from pygal.style import Style

from benchmarks.held_figures import HeldRun
from benchmarks.patterns import EVEN
from benchmarks.servers import FLOOR, PEER, SQLITE

_DRAWN = (PEER, SQLITE, FLOOR)
_INKS = {"light": "#1f2328", "dark": "#e6edf3"}
_COLOURS = ("#d1242f", "#2f81f7", "#2da44e")
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)

Line = Sequence[tuple[float, float]]


def draw(runs: Sequence[HeldRun], folder: Path) -> list[Path]:
    """Draw lateness and memory against the number held, where requests arrive evenly."""
    even = [run for run in runs if run.pattern == EVEN]
    if len({run.held for run in even}) < 2:
        return []  # a point is no curve
    folder.mkdir(exist_ok=True)
    late = {name: _line(even, name, late=True) for name in _DRAWN}
    memory = {name: _line(even, name, late=False) for name in _DRAWN}
    return [
        file
        for shade in _INKS
        for file in (
            _chart(late, "late beyond the wait, p99, ms", shade, folder / f"overshoot-{shade}.svg"),
            _chart(memory, "KiB per held request", shade, folder / f"memory-{shade}.svg"),
        )
    ]


def _line(runs: Sequence[HeldRun], name: str, *, late: bool) -> Line:
    mine = sorted((run for run in runs if run.server == name), key=lambda run: run.held)
    points = [(run.held, run.from_sent.p99 if late else run.kib) for run in mine]
    return [(held, value) for held, value in points if math.isfinite(value) and value > 0]


def _chart(lines: Mapping[str, Line], title: str, shade: str, file: Path) -> Path:
    ink = _INKS[shade]
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=ink,
        foreground_strong=ink,
        foreground_subtle=ink,
        guide_stroke_color="#8884",
        major_guide_stroke_color="#8884",
        colors=_COLOURS,
        font_family="sans-serif",
        stroke_width=2.5,
    )
    values = [value for line in lines.values() for _, value in line]
    helds = sorted({held for line in lines.values() for held, _ in line})
    chart = pygal.XY(
        width=640,
        height=340,
        style=style,
        title=title,
        x_title="requests held",
        logarithmic=True,
        js=[],
        legend_at_bottom=True,
        legend_at_bottom_columns=3,
        disable_xml_declaration=True,
        x_labels=helds,
        y_labels=[tick for tick in _TICKS if min(values) / 2 <= tick <= max(values) * 2],
        value_formatter=lambda value: f"{value:,.0f}",
        x_value_formatter=lambda value: f"{value:,.0f}",
    )
    for name, line in lines.items():
        if line:
            chart.add(name, line)
    chart.render_to_file(str(file))
    return file
