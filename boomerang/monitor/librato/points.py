"""Which measurements a run of a check gives, and which a period of the retry service. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from boomerang.monitor.librato.measurement import (
    CHECK_AFFECTED,
    CHECK_TIME,
    CHECK_UP,
    Measurement,
)
from boomerang.monitor.result import Result
from boomerang.monitor.tally import Figures, Spread
from boomerang.settings.checks import Check

_SECONDS: Final[Mapping[str, object]] = {"display_units_short": "s", "display_min": 0}
_YES_OR_NO: Final[Mapping[str, object]] = {"display_min": 0, "display_max": 1}
_HOW_MANY: Final[Mapping[str, object]] = {"display_min": 0}
_ADDED_UP: Final[Mapping[str, object]] = {"display_min": 0, "summarize_function": "sum"}


def points_of_run(
    environment: str, check: Check, result: Result, *, affected: bool
) -> Iterator[Measurement]:
    """What a run measured, at its end. A run without an answer has no time, or it looks fast."""

    def point(name: str, value: float, attributes: Mapping[str, object]) -> Measurement:
        return Measurement(
            name=name,
            value=value,
            environment=environment,
            check=check.name,
            at=int(result.at + result.seconds),
            period=check.interval,
            attributes=attributes,
        )

    if result.response_seconds is not None:
        yield point(CHECK_TIME, result.response_seconds, _SECONDS)
    yield point(CHECK_UP, int(result.well), _YES_OR_NO)
    if check.depends_on:
        yield point(CHECK_AFFECTED, int(affected), _YES_OR_NO)


def points_of_figures(
    environment: str, figures: Figures, *, at: float, period: float
) -> Iterator[Measurement]:
    """What the retry service did in a period that ends at ``at``."""

    def point(name: str, value: float | Spread, attributes: Mapping[str, object]) -> Measurement:
        return Measurement(
            name=f"boomerang.{name}",
            value=value,
            environment=environment,
            check=None,
            at=int(at),
            period=period,
            attributes=attributes,
        )

    for kind, count in figures.decisions.items():
        yield point(f"decisions.{kind}", count, _ADDED_UP)
    yield point("held", figures.held, _HOW_MANY)
    if figures.overshoot is not None:
        yield point("overshoot", figures.overshoot, _SECONDS)
