"""What Librato should have for the checks: alerts, whom they tell, and a dashboard. Pure.

The reasons for the conditions: reference of Librato's API, "Web does not respond within 5 seconds".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Final

from attrs import frozen

from boomerang.monitor.absence import span_of
from boomerang.monitor.librato.charts import Chart, charts
from boomerang.monitor.librato.measurement import (
    CHECK_AFFECTED,
    CHECK_TIME,
    CHECK_UP,
    source_of,
    tags_of,
)
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoService, LibratoSettings

SHORTEST: Final = 60
LONGEST: Final = 3600
"""Seconds; the least and the most that a condition's ``duration`` may be."""

REARM: Final = 600
"""Seconds between two notifications of one alert."""

KINDS: Final = ("slow", "down", "absent")

_UNFIT: Final = re.compile(r"[^A-Za-z0-9:-]")


@frozen
class Alert:
    """An alert by its name, and all that is sent of it but the services that it tells."""

    name: str
    document: Mapping[str, Any]


@frozen
class Desired:
    """All that should be there. ``prefix`` begins the name of every alert of this environment.

    ``notes`` are for people: what is not as they may expect, a line each.
    """

    prefix: str
    services: tuple[LibratoService, ...]
    alerts: tuple[Alert, ...]
    space: str
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


def desired(
    settings: LibratoSettings,
    checks: Sequence[Check],
    *,
    environment: str,
    paused: Collection[str],
) -> Desired:
    """What there should be for these checks; ``paused`` names those whose alerts are to be off."""
    prefix = f"boomerang.{segment(environment)}."
    critical = [check for check in checks if check.critical]
    return Desired(
        prefix=prefix,
        services=settings.service,
        alerts=tuple(
            _alert(f"{prefix}{check.name}.{kind}", check, conditions, paused)
            for check in critical
            for kind, conditions in _conditions(check, environment, settings.dialect)
        ),
        space=f"boomerang {environment}",
        charts=charts(environment, dialect=settings.dialect),
        notes=tuple(_notes(settings, critical, paused)),
    )


def segment(environment: str) -> str:
    """The environment as it stands in the names of alerts.

    They take neither underscores nor most other letters. A dot would be taken, but then one
    environment could be mistaken for a check of another (``eu`` and ``eu.west``).
    """
    return _UNFIT.sub("-", environment)


def _conditions(
    check: Check, environment: str, dialect: str
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The conditions of each alert of a check; an alert fires when all of its conditions hold."""
    stream = _stream(check, environment, dialect)
    not_affected = []
    if check.depends_on:  # `max`: of several results in a period, none was affected
        not_affected = [_bound("below", CHECK_AFFECTED, 1, "max", stream)]
    slow = _bound("above", CHECK_TIME, check.slow, "max", stream)
    yield "slow", [slow, *not_affected]
    down = _bound("below", CHECK_UP, 1, "min", stream)
    if check.failures > 1:
        # Each point within the duration must be below: that is our "failures in a row".
        in_a_row = ceil((check.failures - 1) * check.interval)
        down["duration"] = min(max(in_a_row, SHORTEST), LONGEST)
    yield "down", [down, *not_affected]
    if span_of(check) <= LONGEST:
        absent = {"type": "absent", "metric_name": CHECK_UP, "duration": span_of(check)}
        yield "absent", [{**absent, **stream}]


def _bound(
    kind: str, metric: str, threshold: float, summary: str, stream: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "type": kind,
        "metric_name": metric,
        "threshold": threshold,
        "summary_function": summary,
        **stream,
    }


def _stream(check: Check, environment: str, dialect: str) -> dict[str, Any]:
    if dialect == "source":
        return {"source": source_of(environment, check.name)}
    tags = tags_of(environment, check.name)
    return {
        "tags": [{"name": name, "grouped": False, "values": [tags[name]]} for name in sorted(tags)]
    }


def _alert(
    name: str, check: Check, conditions: list[dict[str, Any]], paused: Collection[str]
) -> Alert:
    document = {
        "name": name,
        "version": 2,
        "active": check.name not in paused,
        "md": "tags" in conditions[0],
        "rearm_seconds": REARM,
        "description": _description(check, name.rpartition(".")[2]),
        "attributes": {"runbook_url": check.runbook_url} if check.runbook_url else {},
        "conditions": conditions,
    }
    return Alert(name, document)


def _description(check: Check, kind: str) -> str:
    if kind == "slow":
        return f"{check.name} took longer than {check.slow:g} s to answer."
    if kind == "down":
        times = "once" if check.failures == 1 else f"{check.failures} times in a row"
        return f"{check.name} is down: its check failed {times}."
    return (
        f"No result of the check {check.name} for {span_of(check)} s:"
        " boomerang's monitor does not run, or cannot reach Librato."
    )


def _notes(
    settings: LibratoSettings, critical: Sequence[Check], paused: Collection[str]
) -> Iterator[str]:
    if not critical:
        yield "no check is critical: there is nothing to alert of"
    elif not settings.service:
        yield "no [[librato.service]] is set: whom the alerts tell is left as it is at Librato"
    for check in critical:
        if check.name in paused:
            yield (
                f"check {check.name} is paused: its alerts are off until this is applied again"
                " after it was resumed"
            )
        if span_of(check) > LONGEST:
            yield (
                f"check {check.name} runs every {check.interval:g} s, too rarely for an alert of"
                f" its absence, which Librato notices within {LONGEST} s or not at all"
            )
