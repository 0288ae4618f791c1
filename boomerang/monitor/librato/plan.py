"""What has to change at Librato, as values: what is there against what should be. Pure.

An update of an alert begins its windows anew, so there is none without a difference. Names are
compared whole: Librato itself finds ``web.slow`` in everybody's ``web.slower`` too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from attrs import field, frozen

from boomerang.monitor.librato.alerts import KINDS, Alert, Desired
from boomerang.monitor.librato.compare import (
    Difference,
    Entry,
    Label,
    alert_differences,
    chart_differences,
    service_differences,
    service_ids,
)
from boomerang.monitor.librato.measurement import CHECK_AFFECTED, CHECK_TIME, CHECK_UP
from boomerang.settings.reports import LibratoService

_OUR_METRICS: Final = frozenset({CHECK_AFFECTED, CHECK_TIME, CHECK_UP})


class Action(Enum):
    """What is done to an object."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"
    DELETE = "delete"


class Kind(Enum):
    """What sort of object it is."""

    SERVICE = "service"
    ALERT = "alert"
    SPACE = "space"
    CHART = "chart"


@frozen
class NewService:
    """Stands among the services of an alert for one that is to be created before, by its name."""

    name: str


@frozen
class Change:
    """One object, and what is to be done to it. ``id`` is `None` for what is yet to be created.

    ``document`` is the whole of what is sent, with secrets; ``differences`` have none.
    """

    action: Action
    kind: Kind
    name: str
    id: str | None = None
    document: Mapping[str, Any] = field(factory=dict, repr=False)
    differences: tuple[Difference, ...] = ()


@frozen
class Existing:
    """What is at Librato: services, the alerts and spaces that the search found, our charts."""

    services: Sequence[Entry] = ()
    alerts: Sequence[Entry] = ()
    spaces: Sequence[Entry] = ()
    charts: Sequence[Entry] = ()


@frozen
class Plan:
    """All objects in the order in which they are changed: what others refer to comes first.

    ``left_over`` names alerts of ours that nothing asks for any more, and that stay.
    """

    changes: tuple[Change, ...]
    left_over: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that change something."""
        return tuple(each for each in self.changes if each.action is not Action.KEEP)


def plan(desired: Desired, existing: Existing, *, prune: bool) -> Plan:
    """What has to change; with ``prune``, what is left over is deleted."""
    services = [_service_change(each, existing.services) for each in desired.services]
    references = [_reference(each) for each in services]
    label = _labels(existing.services)
    alerts = [
        alert_change(each, existing.alerts, services=references, label=label)
        for each in desired.alerts
    ]
    space = find_space(desired.space, existing.spaces)
    spaces = [_change(Kind.SPACE, desired.space, {"name": desired.space}, space, ())]
    charts = [_chart_change(each.name, each.document, existing.charts) for each in desired.charts]
    left_over = list(_left_over(desired, existing.alerts))
    deleted = [
        Change(Action.DELETE, Kind.ALERT, str(each["name"]), id=str(each["id"]))
        for each in left_over
    ]
    return Plan(
        changes=(*services, *alerts, *spaces, *charts, *(deleted if prune else ())),
        left_over=() if prune else tuple(each.name for each in deleted),
        notes=desired.notes,
    )


def alert_change(
    wanted: Alert,
    existing: Sequence[Entry],
    *,
    services: Sequence[object],
    label: Label = str,
) -> Change:
    """What is to be done to one alert. Without ``services``, it goes on telling those it tells."""
    found = _find_alert(wanted.name, existing)
    told = services or (service_ids(found) if found else [])
    document = {**wanted.document, "services": list(told)}
    differences = alert_differences(document, found or {}, label)
    return _change(Kind.ALERT, wanted.name, document, found, differences)


def find_space(name: str, spaces: Sequence[Entry]) -> Entry | None:
    """The space of exactly this name."""
    return next((each for each in spaces if each.get("name") == name and "id" in each), None)


def _service_change(wanted: LibratoService, existing: Sequence[Entry]) -> Change:
    document = {"type": wanted.type, "title": wanted.title, "settings": dict(wanted.settings)}
    name = _service_name(document)
    same = [each for each in existing if _service_name(each) == name and "id" in each]
    # Librato lets several have the same title: rather take one that is right than change another.
    same.sort(key=lambda each: len(service_differences(document, each)))
    found = same[0] if same else None
    differences = service_differences(document, found or {})
    return _change(Kind.SERVICE, name, document, found, differences)


def _chart_change(name: str, document: Mapping[str, Any], existing: Sequence[Entry]) -> Change:
    found = next((each for each in existing if each.get("name") == name and "id" in each), None)
    return _change(Kind.CHART, name, document, found, chart_differences(document, found or {}))


def _change(
    kind: Kind,
    name: str,
    document: Mapping[str, Any],
    found: Entry | None,
    differences: tuple[Difference, ...],
) -> Change:
    action = Action.UPDATE if differences else Action.KEEP
    return Change(
        action=Action.CREATE if found is None else action,
        kind=kind,
        name=name,
        id=None if found is None else str(found["id"]),
        document=document,
        differences=differences,
    )


def _find_alert(name: str, existing: Sequence[Entry]) -> Entry | None:
    same = [each for each in existing if str(each.get("name")).lower() == name.lower()]
    return next((each for each in same if "id" in each), None)


def _left_over(desired: Desired, existing: Sequence[Entry]) -> Iterator[Entry]:
    """Alerts that an earlier plan made: by their names, and by what they are about."""
    names = {each.name.lower() for each in desired.alerts}
    for alert in existing:
        name = str(alert.get("name")).lower()
        ours = name.startswith(desired.prefix.lower()) and name.rpartition(".")[2] in KINDS
        metrics = {each.get("metric_name") for each in alert.get("conditions") or []}
        if ours and name not in names and metrics <= _OUR_METRICS and "id" in alert:
            yield alert


def _reference(service: Change) -> object:
    """How an alert refers to a service, be it one that is yet to be created."""
    if service.id is None:
        return NewService(service.name)
    return as_reference(service.id)


def as_reference(id: str) -> object:
    """An id as an alert refers to it: what is a text among the services is a number there."""
    return int(id) if id.isascii() and id.isdigit() else id


def _labels(existing: Sequence[Entry]) -> Label:
    known = {str(each.get("id")): _service_name(each) for each in existing}

    def label(reference: object) -> str:
        if isinstance(reference, NewService):
            return f"{reference.name} (new)"
        return f"{known.get(str(reference), 'service')} ({reference})"

    return label


def _service_name(service: Entry) -> str:
    return f'{service.get("type")} "{service.get("title")}"'
