"""Percentiles, ratios, targets and tables; nothing here does I/O."""

import math
from collections.abc import Sequence
from statistics import median

import attrs


@attrs.frozen
class Spread:
    """The median of several rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Sum up the rounds of one variant."""
    return Spread(median=median(values), low=min(values), high=max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of all values does not exceed.

    NaN when there are no values.
    """
    if not values:
        return math.nan
    rank = math.ceil(share * len(values) - 1e-9)
    return sorted(values)[max(rank, 1) - 1]


def paired_ratios(values: Sequence[float], against: Sequence[float]) -> list[float]:
    """Each round's value divided by the same round's value of the other variant.

    Rounds are interleaved, so a pair has seen the same machine.
    """
    return [ratio(value, other) for value, other in zip(values, against, strict=True)]


def ratio(value: float, other: float) -> float:
    """The one divided by the other; NaN where the other is zero."""
    return value / other if other else math.nan


@attrs.frozen
class Target:
    """The highest value a figure may have."""

    at_most: float
    unit: str

    def holds(self, value: float) -> bool:
        """Whether the value keeps the target; a figure that could not be measured does not."""
        return value <= self.at_most

    def __str__(self) -> str:
        return f"at most {quantity(self.at_most, self.unit)}"


CPU_AGAINST_PEER = Target(at_most=1 / 2.5, unit="x")
CPU_SQLITE_AGAINST_MEMORY = Target(at_most=1.3, unit="x")
MEMORY_PER_HELD = Target(at_most=8, unit="KiB")
MEMORY_LINEAR = Target(at_most=1.2, unit="x")
MEMORY_LEVEL = Target(at_most=1.2, unit="x")
OVERSHOOT_EVEN = Target(at_most=10, unit="ms")
OVERSHOOT_TURNOVER = Target(at_most=25, unit="ms")
OVERSHOOT_BURST_FROM_SENT = Target(at_most=1000, unit="ms")
OVERSHOOT_BURST_FROM_SYN = Target(at_most=2000, unit="ms")
OVERSHOOT_OF_CHECKS = Target(at_most=5, unit="ms")
CPU_OF_CHECKS = Target(at_most=25, unit="%")
NONE_FAILED = Target(at_most=0, unit="requests")
ALL_RAN = Target(at_most=0, unit="checks")


@attrs.frozen
class Figure:
    """One figure, as each round or pair of rounds had it, beside its target."""

    name: str
    values: Sequence[float]
    target: Target

    @property
    def value(self) -> float:
        """The median of the rounds; NaN where there were none."""
        return median(self.values) if self.values else math.nan

    @property
    def holds(self) -> bool:
        """Whether the median keeps the target."""
        return self.target.holds(self.value)


def quantity(value: float, unit: str = "") -> str:
    """A number as people read it: no needless decimals, thousands apart, "-" for none."""
    if not math.isfinite(value):
        return "-"
    size = abs(value)
    if value == int(value) or size >= 100:
        number = f"{value:,.0f}"
    else:
        number = f"{value:.1f}" if size >= 10 else f"{value:.2f}"
    return f"{number} {unit}".rstrip()


def spread_text(spread: Spread) -> str:
    """A median with its range, as "400 (380-430)"."""
    return f"{quantity(spread.median)} ({quantity(spread.low)}-{quantity(spread.high)})"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, aligned, so that it reads as well in a terminal."""
    lines = [list(headings), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(cells, widths) for cells in [lines[0], rule, *lines[1:]])


def figures_table(figures: Sequence[Figure]) -> str:
    """Every figure, its target, and whether it holds."""
    rows = [
        (
            figure.name,
            quantity(figure.value, figure.target.unit),
            _range(figure.values),
            str(figure.target),
            "yes" if figure.holds else "NO",
        )
        for figure in figures
    ]
    return table(("figure", "median", "range", "target", "holds"), rows)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    others = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return f"| {' | '.join((first, *others))} |"


def _range(values: Sequence[float]) -> str:
    return f"{quantity(min(values))}-{quantity(max(values))} of {len(values)}" if values else "-"
