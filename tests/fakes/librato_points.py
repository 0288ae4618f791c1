"""How the stand-in for Librato reads measurements: all of a request, or nothing of it."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from tests.fakes.librato_answers import Refusal, wrong

NAME: Final = re.compile(r"[A-Za-z0-9.:_-]{1,255}")
TAG_NAME: Final = re.compile(r"[-.:_A-Za-z0-9]{1,64}")
TAG_VALUE: Final = re.compile(r"[-.:_?\\/A-Za-z0-9 ]{1,255}")

OLDEST: Final = 86_400
"""Seconds that a stamp may be old. The real limit is not known: a day or two (sheet, §3)."""

_SUMMARY: Final = ("count", "sum", "min", "max")
_PROPERTIES: Final = ("period", "attributes", "description", "display_name")


@frozen
class Sample:
    """A measurement that was taken. A stream has a source, or tags, or neither (unassigned)."""

    metric: str
    at: int
    count: int
    sum: float
    min: float
    max: float
    source: str | None = None
    tags: Mapping[str, str] | None = None
    received: float = 0.0
    type: str = "gauge"
    properties: Mapping[str, Any] = field(factory=dict)

    @property
    def value(self) -> float:
        return self.sum / self.count

    @property
    def stream(self) -> Hashable:
        """Letter case does not count anywhere."""
        tags = None if self.tags is None else frozenset(self.tags.items())
        return self.metric.lower(), (self.source or "").lower(), tags


def read_metrics(document: Mapping[str, Any], *, now: float) -> list[Sample]:
    """The gauges and counters of ``POST /v1/metrics``."""
    samples = [
        _sourced(kind, one, document, now=now)
        for kind in ("gauge", "counter")
        for one in _measurements(document.get(f"{kind}s"))
    ]
    if not samples:
        raise wrong(measurements="must have at least one")
    return samples


def read_tagged(document: Mapping[str, Any], *, now: float) -> list[Sample]:
    """The measurements of ``POST /v1/measurements``; what has none is not understood: 429."""
    measurements = document.get("measurements")
    if not isinstance(measurements, list) or not measurements:
        raise Refusal(429, {"errors": {"request": ["payload not understood"]}})
    return [_tagged(one, document, now=now) for one in _measurements(measurements)]


def _measurements(given: object) -> Iterator[Mapping[str, Any]]:
    """Those of an array, or of an object keyed by name or by number."""
    if isinstance(given, Mapping):
        for key, one in given.items():
            yield {"name": key, **one} if not key.isdigit() else one
    elif isinstance(given, list):
        yield from given
    elif given is not None:
        raise wrong(measurements="must be an array")


def _sourced(kind: str, one: Any, top: Mapping[str, Any], *, now: float) -> Sample:
    _check_object(one, kind)
    source = one.get("source", top.get("source"))
    if source is not None and (not _fits(NAME, source) or source.lower() == "all"):
        raise wrong(source="is invalid")
    if kind == "counter" and "count" in one:
        raise wrong(count="is not valid for a counter")
    at = _instant("measure_time", one.get("measure_time", top.get("measure_time")), now)
    return _sample(one, kind=kind, at=at, source=source, now=now)


def _tagged(one: Any, top: Mapping[str, Any], *, now: float) -> Sample:
    _check_object(one, "measurement")
    for name in ("source", "measure_time", "sum_squares"):
        if name in one or name in top:
            raise wrong(**{name: "is not valid for tagged measurements"})
    tags = one["tags"] if "tags" in one else top.get("tags")  # never merged
    if not isinstance(tags, Mapping) or not 1 <= len(tags) <= 50:
        raise wrong(tags="must be from 1 to 50")
    for name, value in tags.items():
        if not _fits(TAG_NAME, name) or not _fits(TAG_VALUE, value):
            raise wrong(tags="are invalid")
    lower = {name.lower(): value.lower() for name, value in tags.items()}
    at = _instant("time", one.get("time", top.get("time")), now)
    return _sample(one, kind="gauge", at=at, tags=lower, now=now)


def _check_object(one: Any, what: str) -> None:
    if not isinstance(one, Mapping):
        raise wrong(**{what: "must be an object"})
    if not _fits(NAME, one.get("name")):
        raise wrong(name="is invalid")
    period = one.get("period", 1)
    if not isinstance(period, int) or period < 1:
        raise wrong(period="must be a number of seconds")
    if not isinstance(one.get("attributes", {}), Mapping):
        raise wrong(attributes="must be an object")


def _sample(one: Mapping[str, Any], *, now: float, kind: str, **where: Any) -> Sample:
    numbers: dict[str, Any] = {name: _number(name, one[name]) for name in _SUMMARY if name in one}
    value = one.get("value")
    if "count" in numbers:
        if value is not None or "sum" not in numbers:
            raise wrong(count="goes with sum, and without value")
        if numbers["count"] != int(numbers["count"]) or numbers["count"] < 1:
            raise wrong(count="is invalid")
        average = numbers["sum"] / numbers["count"]
        numbers = {"min": average, "max": average, **numbers}
    elif numbers or value is None:
        raise wrong(value="is not present")
    else:
        number = _number("value", value)
        numbers = {"count": 1, "sum": number, "min": number, "max": number}
    return Sample(
        metric=one["name"],
        count=int(numbers.pop("count")),
        received=now,
        type=kind,
        properties={name: one[name] for name in _PROPERTIES if name in one},
        **numbers,
        **where,
    )


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(**{name: "is not a number"})
    if not abs(value) <= 1e126:  # infinity included
        raise wrong(**{name: "is too large"})
    return 0.0 if abs(value) < 1e-130 else value


def _instant(name: str, value: object, now: float) -> int:
    if value is None:
        return int(now)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(**{name: "must be an integer"})
    if value < now - OLDEST:
        raise wrong(**{name: "is too far in the past"})
    if value > now + OLDEST:
        raise wrong(**{name: "is too far in the future"})
    return value


def _fits(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def check_types(samples: Sequence[Sample], known: Mapping[str, str]) -> None:
    """A name has one type for good, letter case aside."""
    types = dict(known)
    for each in samples:
        if types.setdefault(each.metric.lower(), each.type) != each.type:
            raise wrong(type=f"{each.metric} is a {types[each.metric.lower()]}")
