"""Which alerts Librato would raise for the measurements that it has (sheet, §5)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from tests.fakes.librato_points import Sample

Alert = Mapping[str, Any]

FORGOTTEN: Final = 10 * 86_400
"""Seconds after which a stream that says nothing no longer keeps an alert raised."""


def firing(alerts: Iterable[Alert], samples: Sequence[Sample], *, now: float) -> set[str]:
    """The names of the alerts that are raised at an instant.

    All conditions of an alert must hold, each for some stream of its own.
    """
    return {alert["name"] for alert in alerts if _fires(alert, _streams_of(alert, samples), now)}


def ever_fired(alerts: Iterable[Alert], samples: Sequence[Sample], *, until: float) -> set[str]:
    """The names of the alerts that are raised at some instant until then."""
    fired = set()
    for alert in alerts:
        streams = _streams_of(alert, samples)
        instants = {until} | {
            sample.at + (condition.get("duration") or 0) * late
            for condition in alert["conditions"]
            for stream in _matching(condition, streams)
            for sample in stream
            for late in (0, 1)
        }
        if any(_fires(alert, streams, each) for each in sorted(instants) if each <= until):
            fired.add(alert["name"])
    return fired


def _streams_of(alert: Alert, samples: Iterable[Sample]) -> list[list[Sample]]:
    """Streams since the alert was made or changed, as windows begin anew then; in order of time."""
    metrics = {condition["metric_name"].lower() for condition in alert["conditions"]}
    streams = defaultdict(list)
    for sample in samples:
        if sample.metric.lower() in metrics and sample.received >= alert["updated_at"]:
            streams[sample.stream].append(sample)
    return [sorted(stream, key=lambda sample: sample.at) for stream in streams.values()]


def _fires(alert: Alert, streams: Sequence[Sequence[Sample]], now: float) -> bool:
    conditions = alert["conditions"]
    return bool(alert["active"] and conditions) and all(
        any(_holds(condition, stream, now) for stream in _matching(condition, streams))
        for condition in conditions
    )


def _matching(
    condition: Mapping[str, Any], streams: Iterable[Sequence[Sample]]
) -> list[Sequence[Sample]]:
    return [stream for stream in streams if _matches(condition, stream[0])]


def _matches(condition: Mapping[str, Any], sample: Sample) -> bool:
    if condition["metric_name"].lower() != sample.metric.lower():
        return False
    source = condition["source"] or "*"
    if source != "*" and not _like(source, sample.source or ""):
        return False
    return all(
        any(
            _like(value, (sample.tags or {}).get(tag["name"].lower(), ""))
            for value in tag["values"]
        )
        for tag in condition["tags"]
    )


def _like(pattern: str, text: str) -> bool:
    expression = ".*".join(re.escape(part) for part in pattern.lower().split("*"))
    return bool(text) and re.fullmatch(expression, text.lower()) is not None


def _holds(condition: Mapping[str, Any], stream: Sequence[Sample], now: float) -> bool:
    """Whether a condition holds for one stream; a single measurement never makes it hold."""
    known = stream[: bisect_right(stream, now, key=lambda sample: sample.at)]
    if len(known) < 2 or now - known[-1].at > FORGOTTEN:
        return False
    if condition["type"] == "absent":
        return bool(now - known[-1].at >= condition["duration"])
    window = condition.get("duration") or 0
    if window and now - known[-1].at > window:
        return False
    began = None
    for at, value in reversed(_values(condition, known)):
        if not _violates(condition, value):
            break
        began = at
    return began is not None and now - began >= window


def _violates(condition: Mapping[str, Any], value: float) -> bool:
    if condition["type"] == "above":
        return bool(value > condition["threshold"])
    return bool(value < condition["threshold"])


def _values(condition: Mapping[str, Any], stream: Sequence[Sample]) -> list[tuple[int, float]]:
    """What is compared with the threshold, by instant."""
    function = condition.get("summary_function", "average")
    if function != "derivative":
        name = "value" if function == "average" else function
        return [(each.at, getattr(each, name)) for each in stream]
    differences = [(new.at, new.value - old.value) for old, new in pairwise(stream)]
    if condition.get("detect_reset", True):
        return [(at, max(0.0, difference)) for at, difference in differences]
    return differences
