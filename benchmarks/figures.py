"""Percentiles, ratios, targets and tables; nothing here does I/O."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import attrs


@attrs.frozen
class Spread:
    """The median of several rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread:
    """Sum up the rounds of one variant; NaN where there are none."""
    values = list(values)
    if not values:
        return Spread(math.nan, math.nan, math.nan)
    return Spread(median=median(values), low=min(values), high=max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of all values does not exceed.

    NaN when there are no values.
    """
    if not values:
        return math.nan
    rank = math.ceil(share * len(values) - 1e-9)
    return sorted(values)[max(rank, 1) - 1]


def paired_ratios(values: Mapping[int, float], against: Mapping[int, float]) -> list[float]:
    """Each round's value divided by the same round's value of the other variant.

    Rounds are interleaved, so a pair has seen the same machine; one that misses a half is left out.
    """
    return [ratio(value, against[number]) for number, value in values.items() if number in against]


def total(counts: Sequence[float]) -> list[float]:
    """The sum of all rounds, as the values of a figure; none where nothing was measured."""
    return [sum(counts)] if counts else []


def ratio(value: float, other: float) -> float:
    """The one divided by the other; NaN where the other is zero."""
    return value / other if other else math.nan


@attrs.frozen(kw_only=True)
class Target:
    """What a figure has to be: at most a limit, or at least; without a limit it is only shown.

    ``tolerance`` is how far a single round may be off by chance, as a share of the value: by so
    much the printed spread is wider than the range of the rounds, at either end.
    """

    limit: float | None = None
    unit: str = "x"
    at_least: bool = False
    tolerance: float = 0.1

    def holds(self, value: float) -> bool:
        """Whether the value keeps the target; a figure that could not be measured does not."""
        if self.limit is None:
            return math.isfinite(value)
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        if self.limit is None:
            return "-"
        return f"at {'least' if self.at_least else 'most'} {quantity(self.limit, self.unit)}"


# Lateness is a matter of single pauses: two rounds of the same thing easily differ twofold.
_TWOFOLD = 1.0

CPU_AGAINST_PEER = Target(limit=1 / 2.5)
CPU_SQLITE_AGAINST_MEMORY = Target(limit=1.3)
CPU_OF_TWO_WORKERS = Target(limit=1 / 0.9)
TWO_WORKERS = Target(limit=1.8, at_least=True)
SHOWN = Target()
LATENESS_SHOWN = Target(tolerance=_TWOFOLD)
LATENESS_MS_SHOWN = Target(unit="ms", tolerance=_TWOFOLD)
MEMORY_PER_HELD = Target(limit=8, unit="KiB")
MEMORY_LINEAR = Target(limit=1.2)
MEMORY_LEVEL = Target(limit=1.2)
OVERSHOOT_EVEN = Target(limit=10, unit="ms", tolerance=_TWOFOLD)
OVERSHOOT_TURNOVER = Target(limit=25, unit="ms", tolerance=_TWOFOLD)
OVERSHOOT_BURST_FROM_SENT = Target(limit=1000, unit="ms", tolerance=_TWOFOLD)
OVERSHOOT_BURST_FROM_SYN = Target(limit=2000, unit="ms", tolerance=_TWOFOLD)
OVERSHOOT_OF_CHECKS = Target(limit=5, unit="ms", tolerance=_TWOFOLD)
CPU_OF_CHECKS = Target(limit=25, unit="%")
NONE_FAILED = Target(limit=0, unit="requests", tolerance=0)
ALL_RAN = Target(limit=0, unit="checks", tolerance=0)


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
    def spread(self) -> tuple[float, float]:
        """From where to where another run's median is to be expected: see `Target.tolerance`."""
        if not self.values:
            return math.nan, math.nan
        wider = 1 + self.target.tolerance
        low, high = min(self.values), max(self.values)
        return (low / wider if low > 0 else low * wider), high * wider

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
    """A median with its range, as "400 (380-430)"; of one round there is no range."""
    if spread.low == spread.high or not math.isfinite(spread.median):
        return quantity(spread.median)
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
            str(figure.target),
            quantity(figure.value, figure.target.unit),
            _spread(figure),
            "-" if figure.target.limit is None else "yes" if figure.holds else "NO",
        )
        for figure in figures
    ]
    return table(("figure", "target", "measured", "spread (rounds)", "holds"), rows)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    others = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return f"| {' | '.join((first, *others))} |"


def _spread(figure: Figure) -> str:
    low, high = figure.spread
    return f"{quantity(low)}-{quantity(high)} ({len(figure.values)})"
