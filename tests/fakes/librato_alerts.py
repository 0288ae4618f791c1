"""How the stand-in for Librato reads alerts, and how it shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tests.fakes.librato_answers import wrong
from tests.fakes.librato_points import NAME, TAG_NAME

FUNCTIONS: Final = ("min", "max", "average", "sum", "count", "derivative")

_ALERT_NAME: Final = re.compile(r"[A-Za-z0-9.:-]{1,255}")
_PATTERN: Final = re.compile(r"[A-Za-z0-9.:_*-]{1,255}")
_TAG_PATTERN: Final = re.compile(r"[-.:_?\\/A-Za-z0-9 *]{1,255}")

_READ_ONLY: Final = ("id", "created_at", "updated_at", "rearm_per_signal")
_DEFAULTS: Final[Mapping[str, Any]] = {
    "description": None,
    "version": 2,
    "active": True,
    "md": False,
    "rearm_seconds": 600,
    "attributes": {},
    "services": [],
    "conditions": [],
}
_CONDITION: Final = frozenset(
    "id type metric_name source tags threshold duration summary_function detect_reset".split()
)


def read_alert(
    document: Mapping[str, Any], *, services: Mapping[str, object], before: Mapping[str, Any]
) -> dict[str, Any]:
    """The alert that a document makes; ``before`` is what it was, empty for a new one.

    Conditions and attributes that a document leaves out are gone, everything else stays as it was.
    Services stay ids. Raises `Refusal`.
    """
    known = {"name", *_DEFAULTS, *_READ_ONLY}
    for name in document.keys() - known:
        raise wrong(**{name: "is not a parameter"})
    kept = {name: before.get(name, default) for name, default in _DEFAULTS.items()}
    kept.update(conditions=[], attributes={})
    given = {name: document[name] for name in kept.keys() & document.keys()}
    alert = {"name": document.get("name", before.get("name")), **kept, **given}
    if alert["rearm_seconds"] is None:
        alert["rearm_seconds"] = _DEFAULTS["rearm_seconds"]
    _check_alert(alert)
    alert["services"] = _service_ids(alert["services"], services)
    alert["conditions"] = [read_condition(each) for each in _list(alert, "conditions")]
    return alert


def _check_alert(alert: Mapping[str, Any]) -> None:
    if not isinstance(alert["name"], str) or not _ALERT_NAME.fullmatch(alert["name"]):
        raise wrong(name="is invalid")
    if alert["version"] != 2:
        raise wrong(version="must be 2")
    rearm = alert["rearm_seconds"]
    if isinstance(rearm, bool) or not isinstance(rearm, int) or rearm < 0 or rearm % 60:
        raise wrong(rearm_seconds="must be a multiple of 60")
    for name, of in (("active", bool), ("md", bool), ("attributes", Mapping)):
        if not isinstance(alert[name], of):
            raise wrong(**{name: "is invalid"})
    if not isinstance(alert["description"], str | None):
        raise wrong(description="is invalid")


def _list(alert: Mapping[str, Any], name: str) -> list[Any]:
    value = alert[name]
    if not isinstance(value, list):
        raise wrong(**{name: "must be an array"})
    return value


def _service_ids(given: object, services: Mapping[str, object]) -> list[str]:
    if not isinstance(given, list):
        raise wrong(services="must be an array")
    for each in given:
        if isinstance(each, bool) or not isinstance(each, int | str) or str(each) not in services:
            raise wrong(services="must be ids of services")
    return [str(each) for each in given]


def read_condition(given: object) -> dict[str, Any]:
    """A condition; nulls count as left out, and so does an empty object for tags."""
    if not isinstance(given, Mapping):
        raise wrong(conditions="must be objects")
    for name in given.keys() - _CONDITION:
        raise wrong(**{f"conditions__{name}": "is not a parameter"})
    one = {name: value for name, value in given.items() if value is not None and name != "id"}
    if one.get("type") not in ("above", "below", "absent"):
        raise wrong(conditions__type="is invalid")
    if not isinstance(one.get("metric_name"), str) or not NAME.fullmatch(one["metric_name"]):
        raise wrong(conditions__metric_name="is invalid")
    _check_numbers(one)
    if one.get("summary_function", "average") not in FUNCTIONS:
        raise wrong(conditions__summary_function="is invalid")
    if "detect_reset" in one and not isinstance(one["detect_reset"], bool):
        raise wrong(conditions__detect_reset="is invalid")
    _check_streams(one)
    return {"source": None, **one, "tags": one.get("tags") or []}


def _check_numbers(one: dict[str, Any]) -> None:
    threshold, duration = one.get("threshold"), one.get("duration")
    if one["type"] == "absent":
        if threshold is not None:
            raise wrong(conditions__threshold="is not valid for absent")
        if duration is None:
            raise wrong(conditions__duration="must be set")
    elif isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise wrong(conditions__threshold="must be set")
    else:
        one["threshold"] = float(threshold)
    if duration is not None and (not isinstance(duration, int) or not 60 <= duration <= 3600):
        raise wrong(conditions__duration="must be from 60 to 3600")


def _check_streams(one: Mapping[str, Any]) -> None:
    source, tags = one.get("source"), one.get("tags") or []
    if source is not None and (not isinstance(source, str) or not _PATTERN.fullmatch(source)):
        raise wrong(conditions__source="is invalid")
    if not isinstance(tags, list) or (tags and source not in (None, "*")):
        raise wrong(conditions__tags="must be an array, and go without a source")
    for tag in tags:
        if not isinstance(tag, Mapping) or not tag.keys() <= {"name", "grouped", "values"}:
            raise wrong(conditions__tags="are invalid")
        values = tag.get("values")
        fits = isinstance(tag.get("name"), str) and TAG_NAME.fullmatch(tag["name"])
        if not fits or not isinstance(values, list) or not values:
            raise wrong(conditions__tags="are invalid")
        if not all(isinstance(each, str) and _TAG_PATTERN.fullmatch(each) for each in values):
            raise wrong(conditions__tags="are invalid")
