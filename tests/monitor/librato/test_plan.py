"""What has to change, from what is there and what should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from boomerang.monitor.librato.alerts import Desired, desired
from boomerang.monitor.librato.compare import Difference
from boomerang.monitor.librato.plan import (
    Action,
    Change,
    Existing,
    Kind,
    NewService,
    Plan,
    plan,
)
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoService, LibratoSettings

OPS = LibratoService(type="mail", title="Ops", settings={"addresses": "ops@example.com"})
SETTINGS = LibratoSettings(service=(OPS,))
WEB = Check(
    name="web",
    url="https://app.example.com/",
    critical=True,
    depends_on=("cloud",),
    runbook_url="https://example.com/runbook",
)
CLOUD = Check(name="cloud", url="https://cloud.example.com/")

SLOW = "boomerang.production.web.slow"

Entries = list[dict[str, Any]]


def wanted(settings: LibratoSettings = SETTINGS, checks: Sequence[Check] = (WEB, CLOUD)) -> Desired:
    return desired(settings, checks, environment="production", paused=())


def service(id: object = "849", **changes: Any) -> dict[str, Any]:
    """Our service as it is read."""
    settings = {"addresses": "ops@example.com"}
    return {"id": id, "type": "mail", "title": "Ops", "settings": settings, **changes}


def as_read(document: Mapping[str, Any], id: int) -> dict[str, Any]:
    """An alert as Librato gives it back: with ids, times, defaults, and services as objects."""
    conditions = [
        {"tags": [], "duration": None, **each, "id": 900 + number}
        for number, each in enumerate(document["conditions"])
    ]
    for condition in conditions:
        if "threshold" in condition:
            condition["threshold"] = float(condition["threshold"])
    return {
        **document,
        "id": id,
        "created_at": 1700000000,
        "updated_at": 1700000000,
        "rearm_per_signal": False,
        "services": [{**service(), "id": 849}],
        "conditions": conditions,
    }


def alerts(found: Desired) -> Entries:
    return [as_read(each.document, 100 + number) for number, each in enumerate(found.alerts)]


def charts(found: Desired) -> Entries:
    return [
        {
            "max": None,
            "related_space": None,
            **each.document,
            "id": 200 + number,
            "streams": [
                {"id": 300, "type": "gauge", **stream} for stream in each.document["streams"]
            ],
        }
        for number, each in enumerate(found.charts)
    ]


def complete(found: Desired) -> Existing:
    """All that is wanted, as it is read."""
    space = {"id": 129, "name": "boomerang production"}
    return Existing(
        services=[service()], alerts=alerts(found), spaces=[space], charts=charts(found)
    )


def changed(plan: Plan) -> list[tuple[str, str, str]]:
    return [(each.action.value, each.kind.value, each.name) for each in plan.pending]


def only(plan: Plan) -> Change:
    (found,) = plan.pending
    return found


def differences(change: Change) -> dict[str, tuple[str | None, str | None]]:
    return {each.field: (each.before, each.after) for each in change.differences}


def test_from_nothing() -> None:
    """All is created, and what others refer to comes first."""
    found = plan(wanted(), Existing(), prune=False)
    assert changed(found) == [
        ("create", "service", 'mail "Ops"'),
        ("create", "alert", "boomerang.production.web.slow"),
        ("create", "alert", "boomerang.production.web.down"),
        ("create", "alert", "boomerang.production.web.absent"),
        ("create", "space", "boomerang production"),
        *(("create", "chart", each.name) for each in wanted().charts),
    ]
    slow = found.changes[1]
    assert slow.document["services"] == [NewService('mail "Ops"')]
    assert differences(slow)["services[0]"] == (None, 'mail "Ops" (new)')
    assert differences(slow)["conditions[1].threshold"] == (None, "5")


def test_nothing_to_do() -> None:
    """What is there as it should be is kept, whatever the server adds to it."""
    found = plan(wanted(), complete(wanted()), prune=True)
    assert changed(found) == []
    assert {each.action for each in found.changes} == {Action.KEEP}
    assert len(found.changes) == 1 + 3 + 1 + 5
    assert found.left_over == ()


def _without(entry: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}


def _first(entry: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The alert with another first condition."""
    first, *rest = entry["conditions"]
    return {**entry, "conditions": [{**first, **changes}, *rest]}


@pytest.mark.parametrize(
    "same",
    [
        lambda slow: {**slow, "name": "Boomerang.PRODUCTION.Web.Slow"},
        lambda slow: _without(slow, "version", "active", "md", "rearm_seconds"),
        lambda slow: {**slow, "rearm_seconds": None, "rearm_per_signal": True},
        lambda slow: {**slow, "services": [849]},
        lambda slow: {**slow, "services": ["849"]},
        lambda slow: {**slow, "conditions": slow["conditions"][::-1]},
        lambda slow: {**slow, "attributes": {**slow["attributes"], "seen": True}},
        lambda slow: _first(slow, source="Production.WEB"),
        lambda slow: _first(slow, metric_name="Boomerang.Check.Time"),
        lambda slow: _first(slow, threshold=5),
        lambda slow: _first(slow, tags={}),
        lambda slow: _first(slow, tags=None, duration=0, detect_reset=True),
    ],
)
def test_no_difference(same: Any) -> None:
    """What a server may write otherwise is no difference: an update would begin windows anew."""
    existing = complete(wanted())
    slow, *others = existing.alerts
    there = Existing(existing.services, [same(slow), *others], existing.spaces, existing.charts)
    assert changed(plan(wanted(), there, prune=False)) == []


@pytest.mark.parametrize(
    ("other", "field", "before", "after"),
    [
        (lambda slow: {**slow, "description": None}, "description", '""', "web took longer"),
        (lambda slow: {**slow, "active": False}, "active", "false", "true"),
        (lambda slow: {**slow, "md": True}, "md", "true", "false"),
        (lambda slow: {**slow, "version": 1}, "version", "1", "2"),
        (lambda slow: {**slow, "rearm_seconds": 60}, "rearm_seconds", "60", "600"),
        (
            lambda slow: {**slow, "attributes": {}},
            "attributes.runbook_url",
            None,
            "https://example.com/runbook",
        ),
        (lambda slow: {**slow, "services": []}, "services[0]", None, 'mail "Ops" (849)'),
        (
            lambda slow: {**slow, "services": [{"id": 7}]},
            "services[0]",
            "service (7)",
            'mail "Ops" (849)',
        ),
        (lambda slow: _first(slow, threshold=4.5), "conditions[1].threshold", "4.5", "5"),
        (lambda slow: _first(slow, duration=60), "conditions[1].duration", "60", None),
        (
            lambda slow: _first(slow, summary_function="average"),
            "conditions[1].summary_function",
            "average",
            "max",
        ),
        (lambda slow: _first(slow, source="*"), "conditions[1].source", None, "production.web"),
        (lambda slow: _first(slow, type="below"), "conditions[1].type", "below", "above"),
        (
            lambda slow: _first(slow, tags=[{"name": "a", "values": ["b"]}]),
            "conditions[1].tags[0].values[0]",
            "b",
            None,
        ),
        (
            lambda slow: {**slow, "conditions": slow["conditions"][:1]},
            "conditions[1].type",
            None,
            "above",
        ),
        (lambda slow: {**slow, "conditions": None}, "conditions[1].threshold", None, "5"),
    ],
)
def test_difference(other: Any, field: str, before: str | None, after: str | None) -> None:
    """What is otherwise is updated with the whole document, and told field by field."""
    existing = complete(wanted())
    slow, *others = existing.alerts
    there = Existing(existing.services, [other(slow), *others], existing.spaces, existing.charts)
    change = only(plan(wanted(), there, prune=False))
    assert (change.action, change.kind, change.name) == (Action.UPDATE, Kind.ALERT, SLOW)
    assert change.id == "100"
    assert change.document == {**wanted().alerts[0].document, "services": [849]}
    found = differences(change)[field]
    assert found[0] == before
    assert (found[1] or "").startswith(after or "")


def test_one_field_alone() -> None:
    """Of a document that differs in one field, that field alone is told."""
    existing = complete(wanted())
    slow, *others = existing.alerts
    slow = _first(slow, threshold=4)
    there = Existing(existing.services, [slow, *others], existing.spaces, existing.charts)
    change = only(plan(wanted(), there, prune=False))
    assert change.differences == (Difference("conditions[1].threshold", "4", "5"),)


def _like(entry: Mapping[str, Any], name: str, **changes: Any) -> dict[str, Any]:
    return {**entry, "id": 999, "name": name, **changes}


@pytest.mark.parametrize(
    "name",
    [
        "other.boomerang.production.web.slow",
        "boomerang.production.web.slow.2",
        "boomerang.production.web.slower",
        "boomerang.production.gone.warm",
        "boomerang.production2.gone.slow",
        "xboomerang.production.gone.slow",
        "boomerang.staging.gone.slow",
        "boomerang-production-gone.slow",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_others(name: str, first: bool) -> None:
    """Alerts of others are neither updated nor deleted, however much their names are like ours."""
    existing = complete(wanted())
    other = _like(existing.alerts[0], name, description="somebody else's")
    both = [other, *existing.alerts] if first else [*existing.alerts, other]
    there = Existing(existing.services, both, existing.spaces, existing.charts)
    found = plan(wanted(), there, prune=True)
    assert changed(found) == []
    assert found.left_over == ()


def test_others_with_our_name_to_be() -> None:
    """A name that only contains ours does not stand in the way of creating ours."""
    other = {"id": 1, "name": f"{SLOW}er", "conditions": [], "services": []}
    found = plan(wanted(), Existing(alerts=[other]), prune=True)
    assert ("create", "alert", SLOW) in changed(found)


@pytest.mark.parametrize("name", ["boomerang.production.gone.down", "Boomerang.Production.X.SLOW"])
def test_left_over(name: str) -> None:
    """Alerts of checks that are no more are told of, and deleted if that is asked for."""
    existing = complete(wanted())
    gone = _like(existing.alerts[0], name)
    there = Existing(existing.services, [gone, *existing.alerts], existing.spaces, existing.charts)
    kept = plan(wanted(), there, prune=False)
    assert (changed(kept), kept.left_over) == ([], (name,))
    pruned = plan(wanted(), there, prune=True)
    assert (changed(pruned), pruned.left_over) == ([("delete", "alert", name)], ())
    assert pruned.pending[0].id == "999"


def test_left_over_of_another_sort() -> None:
    """What has such a name but is about something else was not made here."""
    gone = _like(alerts(wanted())[0], "boomerang.production.gone.down")
    gone["conditions"] = [*gone["conditions"], {"type": "above", "metric_name": "router.5xx"}]
    found = plan(wanted(), Existing(alerts=[gone]), prune=True)
    assert found == plan(wanted(), Existing(), prune=True)


def test_environments_apart() -> None:
    """An environment whose name begins with another's and a dot is not taken for its check."""
    longer = desired(SETTINGS, [WEB], environment="production.eu", paused=())
    found = plan(wanted(), Existing(alerts=alerts(longer)), prune=True)
    assert not [each for each in found.changes if each.action is Action.DELETE]


def test_not_critical_any_more() -> None:
    """A check that lost its rank leaves its alerts over."""
    found = plan(wanted(checks=[CLOUD]), complete(wanted()), prune=False)
    assert len(found.left_over) == 3


def test_service_by_type_and_title() -> None:
    """A service is found by both; the same title of another type is another service."""
    there = [service("1", type="slack"), service("2", title="ops"), service("3", title="Ops 2")]
    found = plan(wanted(), Existing(services=there), prune=True).changes[0]
    assert (found.action, found.kind) == (Action.CREATE, Kind.SERVICE)


def test_service_settings() -> None:
    """Other settings are updated; what they are is told to nobody."""
    existing = complete(wanted())
    old = service(settings={"addresses": "old@example.com", "more": "x"}, updated_at=1)
    there = Existing([old], existing.alerts, existing.spaces, existing.charts)
    change = only(plan(wanted(), there, prune=False))
    assert (change.action, change.kind, change.id) == (Action.UPDATE, Kind.SERVICE, "849")
    assert change.differences == (Difference("settings.addresses", "(not shown)", "(not shown)"),)
    assert "example.com" not in repr(change)
    created = plan(wanted(), Existing(), prune=False).changes[0]
    assert "example.com" not in repr(created)
    assert differences(created)["settings.addresses"] == (None, "(not shown)")


def test_services_of_one_title() -> None:
    """Of several with our type and title, the one that is right is taken and none is changed."""
    existing = complete(wanted())
    wrong = service("1", settings={"addresses": "else@example.com"})
    there = Existing([wrong, service()], existing.alerts, existing.spaces, existing.charts)
    assert changed(plan(wanted(), there, prune=False)) == []


@pytest.mark.parametrize("id", ["849", 849])
def test_service_ids(id: object) -> None:
    """Ids are texts in one place and numbers in another; alerts are sent numbers."""
    found = plan(wanted(), Existing(services=[service(id=id)]), prune=False)
    assert found.changes[0].action is Action.KEEP
    assert found.changes[1].document["services"] == [849]


def test_services_of_alerts_left_alone() -> None:
    """Where the settings name no service, alerts go on telling those that they tell."""
    none = wanted(LibratoSettings())
    existing = complete(wanted())
    assert changed(plan(none, existing, prune=False)) == []
    slow, *others = existing.alerts
    there = Existing(
        existing.services,
        [{**slow, "rearm_seconds": 60, "services": [{"id": 7}, {"id": 8}]}, *others],
        existing.spaces,
        existing.charts,
    )
    change = only(plan(none, there, prune=False))
    assert change.document["services"] == [7, 8]
    assert list(differences(change)) == ["rearm_seconds"]
    assert plan(none, Existing(), prune=False).changes[0].document["services"] == []


@pytest.mark.parametrize("name", ["Boomerang production", "boomerang production 2", "production"])
def test_space_by_exact_name(name: str) -> None:
    """A space with a name that is only alike is not ours."""
    found = plan(wanted(), Existing(spaces=[{"id": 1, "name": name}]), prune=False)
    assert ("create", "space", "boomerang production") in changed(found)


def _chart(charts: Iterable[Mapping[str, Any]], **changes: Any) -> Entries:
    first, *rest = charts
    return [{**first, **changes}, *map(dict, rest)]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"min": 0.0, "max": 10, "use_log_yaxis": True}, None),
        ({"min": 1}, ("min", "1", "0")),
        ({"label": None}, ("label", None, "seconds")),
        ({"type": "stacked"}, ("type", "stacked", "line")),
        ({"streams": []}, ("streams[0].metric", None, "boomerang.check.time")),
    ],
)
def test_chart(changes: Mapping[str, Any], told: tuple[str, str, str] | None) -> None:
    """A chart is updated when something differs that is sent, and only then."""
    existing = complete(wanted())
    there = Existing(
        existing.services, existing.alerts, existing.spaces, _chart(existing.charts, **changes)
    )
    found = plan(wanted(), there, prune=False)
    if told is None:
        assert changed(found) == []
    else:
        change = only(found)
        assert (change.action, change.kind, change.id) == (Action.UPDATE, Kind.CHART, "200")
        assert change.document == wanted().charts[0].document
        assert differences(change)[told[0]] == told[1:]


def test_another_stream() -> None:
    """A stream that somebody added to our chart is a difference; other charts are theirs."""
    existing = complete(wanted())
    streams = [*existing.charts[0]["streams"], {"id": 1, "metric": "cpu", "source": "*"}]
    theirs = {"id": 5, "name": "Check Times", "streams": []}
    there = Existing(
        existing.services,
        existing.alerts,
        existing.spaces,
        [*_chart(existing.charts, streams=streams), theirs],
    )
    assert changed(plan(wanted(), there, prune=True)) == [("update", "chart", "Check times")]


def test_notes() -> None:
    """The notes of what is wanted are those of the plan."""
    found = plan(wanted(checks=[CLOUD]), Existing(), prune=False)
    assert found.notes == wanted(checks=[CLOUD]).notes != ()
