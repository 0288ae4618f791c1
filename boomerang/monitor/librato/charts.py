"""The dashboard of an environment: what the checks and the retry service measure. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from boomerang.monitor.librato.measurement import CHECK_TIME, CHECK_UP, name_of, source_of, tags_of
from boomerang.retry.policy import Kind

_BY_CHECK: Final = "breakout"
"""One line for each stream."""


@frozen
class Chart:
    """A chart by its name, and all that is sent of it."""

    name: str
    document: Mapping[str, Any]


def charts(environment: str, *, dialect: str) -> tuple[Chart, ...]:
    """The charts of an environment, in the order in which they are shown."""
    checks = _streams_of(environment, dialect, of_checks=True)
    service = _streams_of(environment, dialect, of_checks=False)
    seconds = {"units_short": "s"}
    return (
        _chart(
            "Check times",
            "seconds",
            [_stream(CHECK_TIME, checks, group=_BY_CHECK, summary="max", more=seconds)],
        ),
        _chart("Checks up", "1 is up", [_stream(CHECK_UP, checks, group=_BY_CHECK, summary="min")]),
        _chart(
            "Decisions",
            "requests",
            [
                _stream(f"boomerang.decisions.{kind.value}", service, group="sum", summary="sum")
                for kind in Kind
            ],
            kind="stacked",
        ),
        _chart(
            "Requests held",
            "requests",
            [_stream("boomerang.held", service, group="sum", summary="max")],
        ),
        _chart(
            "Overshoot of the hold",
            "seconds",
            [_stream("boomerang.overshoot", service, group="max", summary="max", more=seconds)],
        ),
    )


def _chart(name: str, label: str, streams: list[dict[str, Any]], *, kind: str = "line") -> Chart:
    return Chart(name, {"name": name, "type": kind, "min": 0, "label": label, "streams": streams})


def _stream(
    metric: str,
    which: Mapping[str, Any],
    *,
    group: str,
    summary: str,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "metric": metric,
        **which,
        "group_function": group,
        "summary_function": summary,
        **(more or {}),
    }


def _streams_of(environment: str, dialect: str, *, of_checks: bool) -> dict[str, Any]:
    """Which streams of a metric: those of all checks of the environment, or the service's own."""
    if dialect == "source":
        return {"source": f"{name_of(environment)}.*" if of_checks else source_of(environment)}
    tags = [{"name": "environment", "values": [tags_of(environment)["environment"]]}]
    return {"tags": [*tags, {"name": "check", "values": ["*"]}] if of_checks else tags}
