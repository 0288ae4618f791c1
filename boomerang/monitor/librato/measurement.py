"""Measurements, and the form in which they are sent, by sources or by tags. Pure.

A server takes all of a request or nothing of it, so what it would refuse does not come so far.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from attrs import field, frozen

from boomerang.monitor.librato.errors import messages, one_line
from boomerang.monitor.tally import Spread

CHECK_TIME: Final = "boomerang.check.time"
"""Seconds until the answer, or without one until the deadline."""

CHECK_UP: Final = "boomerang.check.up"
CHECK_AFFECTED: Final = "boomerang.check.affected"

_UNFIT: Final = re.compile(r"[^A-Za-z0-9.:_-]+")
_LONGEST_NAME: Final = 255
_GREATEST: Final = 1e126


@frozen
class Measurement:
    """A point of a stream, or several of the same second.

    ``environment`` and ``check`` name the stream, the environment alone that of the retry service.
    ``at`` is in seconds since the epoch, ``period`` the seconds from one point to the next.
    ``attributes`` are kept by the server when this is the first that it hears of the metric.
    """

    name: str
    value: float | Spread
    environment: str
    check: str | None
    at: int
    period: float
    attributes: Mapping[str, object] = field(factory=dict)

    @property
    def key(self) -> tuple[str, str, str | None, int]:
        """What no other measurement may have: a server may keep only one of two."""
        return self.name, self.environment, self.check, self.at

    @property
    def fit(self) -> bool:
        """Whether the value is one that a server takes: finite, and not beyond 10^126."""
        value = self.value
        parts = (value.sum, value.min, value.max) if isinstance(value, Spread) else (value,)
        return all(abs(part) <= _GREATEST for part in parts)  # which is false for no number


def spread_of(measurement: Measurement) -> Spread:
    """The value as one of many."""
    value = measurement.value
    return value if isinstance(value, Spread) else Spread.one(value)


@lru_cache(maxsize=4096)
def name_of(text: str) -> str:
    """The text as the name of a metric or a source may be written (`sanitize` in clients)."""
    return _UNFIT.sub("-", text)[:_LONGEST_NAME] or "-"


def source_of(environment: str, check: str | None = None) -> str:
    """The source of a check's measurements, or that of the retry service's; ``all`` is reserved."""
    source = name_of(environment if check is None else f"{environment}.{check}")
    return f"{source}-" if source.lower() == "all" else source


def tags_of(environment: str, check: str | None = None) -> dict[str, str]:
    """The same as tags; the server would write them in lower case itself."""
    tags = {"environment": name_of(environment).lower()}
    if check is not None:
        tags["check"] = name_of(check).lower()
    return tags


def metrics_document(batch: Sequence[Measurement]) -> dict[str, Any]:
    """The body of ``POST /v1/metrics``: gauges alone, counters having been withdrawn in 2017."""
    return {"gauges": [_gauge(each) for each in batch], "counters": []}


def measurements_document(batch: Sequence[Measurement]) -> dict[str, Any]:
    """The body of ``POST /v1/measurements``: each with all its tags, as none are merged."""
    return {"measurements": [_tagged(each) for each in batch]}


def _gauge(one: Measurement) -> dict[str, Any]:
    source = source_of(one.environment, one.check)
    return {**_common(one), "source": source, "measure_time": one.at}


def _tagged(one: Measurement) -> dict[str, Any]:
    return {**_common(one), "tags": tags_of(one.environment, one.check), "time": one.at}


def _common(one: Measurement) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": name_of(one.name), "period": max(1, round(one.period))}
    if isinstance(one.value, Spread):
        spread = one.value
        fields.update(count=spread.count, sum=spread.sum, min=spread.min, max=spread.max)
    else:
        fields["value"] = one.value
    if one.attributes:
        fields["attributes"] = dict(one.attributes)
    return fields


@frozen
class Dialect:
    """Where and how measurements are sent, and how many at once."""

    path: str
    most: int
    document: Callable[[Sequence[Measurement]], dict[str, Any]]


DIALECTS: Final = {
    "source": Dialect("metrics", 300, metrics_document),
    "tags": Dialect("measurements", 1000, measurements_document),
}
"""By the names of the setting ``librato.dialect``."""


def complaint(answer: object, depth: int = 0) -> str | None:
    """What an answer of success says of measurements that were not taken, `None` if nothing.

    Tagged ones are accepted with 202 before they are looked at; of what is said then only the names
    ``errors`` and ``failed`` are known, so they are looked for anywhere.
    """
    if not isinstance(answer, dict) or depth > 3:
        return None
    if answer.get("errors"):
        return one_line(messages(answer["errors"])) or "errors"
    failed = answer.get("failed")
    if isinstance(failed, int | float) and failed:
        return f"{failed} failed"
    found = (complaint(inner, depth + 1) for inner in answer.values())
    return next((each for each in found if each is not None), None)
