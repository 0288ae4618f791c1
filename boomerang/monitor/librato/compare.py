"""Whether what is at Librato is what should be there, and where not. Pure.

Both sides are reduced to what is sent: what the server adds (ids, times, defaults) is no
difference, nor are letter case where it has none, the order of conditions, and 5 or 5.0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

Entry = Mapping[str, Any]
"""An object as it is sent or read."""

Label = Callable[[object], str]
"""What people read in the place of a reference to a service; another for each service."""

HIDDEN: Final = "(not shown)"

_DEFAULT_REARM: Final = 600
_OF_BOUND: Final = ("type", "metric_name", "source", "tags", "threshold", "summary_function")
_OF_ABSENT: Final = ("type", "metric_name", "source", "tags")


@frozen
class Difference:
    """A field that is not as it should be, for people; `None` where it is not there at all."""

    field: str
    before: str | None
    after: str | None


def alert_differences(wanted: Entry, found: Entry, label: Label) -> tuple[Difference, ...]:
    """In what an alert differs."""
    return _differences(_alert(wanted, label), _alert(found, label) if found else {})


def chart_differences(wanted: Entry, found: Entry) -> tuple[Difference, ...]:
    """In what a chart differs; its name is what it was found by."""
    return _differences(wanted, _only_sent(found, wanted))


def service_differences(wanted: Entry, found: Entry) -> tuple[Difference, ...]:
    """In what a service differs. Its settings are secrets: only that they differ is told."""
    return tuple(
        Difference(
            each.field,
            each.before and HIDDEN if each.field.startswith("settings.") else each.before,
            each.after and HIDDEN if each.field.startswith("settings.") else each.after,
        )
        for each in _differences(wanted, _only_sent(found, wanted))
    )


def service_ids(alert: Entry) -> list[object]:
    """The services that an alert tells: ids are sent, and whole services are read."""
    services = alert.get("services") or []
    return [each.get("id") if isinstance(each, Mapping) else each for each in services]


def _alert(alert: Entry, label: Label) -> dict[str, Any]:
    attributes = alert.get("attributes") or {}
    conditions = [_condition(each) for each in alert.get("conditions") or []]
    return {
        "version": alert.get("version") or 2,
        "active": alert.get("active") is not False,
        "md": bool(alert.get("md")),
        "rearm_seconds": alert.get("rearm_seconds") or _DEFAULT_REARM,
        "description": alert.get("description") or "",
        "attributes": {"runbook_url": attributes.get("runbook_url")},
        "services": sorted(label(each) for each in service_ids(alert)),
        "conditions": sorted(conditions, key=_order),
    }


def _condition(condition: Entry) -> dict[str, Any]:
    fields = _OF_ABSENT if condition.get("type") == "absent" else _OF_BOUND
    reduced = {name: condition.get(name) for name in fields}
    reduced["duration"] = condition.get("duration") or None  # the official client's "immediate"
    reduced["metric_name"] = str(reduced["metric_name"]).lower()
    source = str(reduced["source"] or "*").lower()
    reduced["source"] = None if source == "*" else source
    reduced["tags"] = sorted(map(_tag, reduced["tags"] or []), key=_order)
    return reduced


def _tag(tag: Entry) -> dict[str, Any]:
    return {
        "name": str(tag.get("name")).lower(),
        "grouped": bool(tag.get("grouped")),
        "values": sorted(str(value).lower() for value in tag.get("values") or []),
    }


def _order(part: Entry) -> str:
    """By what a part is of first, and by its thresholds last, so that those are compared."""
    names = [str(part.get(name)) for name in ("metric_name", "name", "type")]
    return json.dumps([names, part], sort_keys=True, default=str)


def _only_sent(found: Any, wanted: Any) -> Any:
    """What was read, without what is not sent."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return {name: _only_sent(found.get(name), inner) for name, inner in wanted.items()}
    if isinstance(wanted, list) and isinstance(found, list):
        return [
            _only_sent(each, wanted[number]) if number < len(wanted) else each
            for number, each in enumerate(found)
        ]
    return found


def _differences(wanted: Entry, found: Entry) -> tuple[Difference, ...]:
    after, before = dict(_flat(wanted)), dict(_flat(found))
    return tuple(
        Difference(field, _shown(before.get(field)), _shown(after.get(field)))
        for field in [*after, *(field for field in before if field not in after)]
        if before.get(field) != after.get(field)
    )


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Each value that is there, by its path: ``conditions[0].threshold``."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{number}]")
    elif value is not None:
        yield path, value


def _shown(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) and value and value.isprintable():
        return value
    return json.dumps(value, default=str)
