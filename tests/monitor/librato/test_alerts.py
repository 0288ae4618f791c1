"""Which alerts, services and charts Librato should have, from the settings alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from boomerang.monitor.librato.alerts import Desired, desired
from boomerang.retry.policy import Kind
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoService, LibratoSettings
from tests.fakes.librato_alerts import read_alert
from tests.fakes.librato_documents import read_chart

OPS = LibratoService(type="mail", title="Ops", settings={"addresses": "ops@example.com"})
PAGER = LibratoService(type="slack", title="Pager", settings={"url": "https://slack.example/x"})
SOURCE = LibratoSettings(service=(OPS,))
TAGS = LibratoSettings(service=(OPS,), dialect="tags")

PROVIDER = Check(name="provider", url="https://provider.example.com/")


def web(**changes: Any) -> Check:
    return Check(**{"name": "web", "url": "https://app.example.com/", "critical": True, **changes})


def wanted(
    *checks: Check,
    settings: LibratoSettings = SOURCE,
    environment: str = "production",
    paused: Collection[str] = (),
) -> Desired:
    return desired(settings, checks, environment=environment, paused=paused)


def document(kind: str, *checks: Check, **options: Any) -> dict[str, Any]:
    """What is sent for one alert of the first check."""
    found = {each.name.rpartition(".")[2]: each for each in wanted(*checks, **options).alerts}
    return dict(found[kind].document)


def test_three_alerts() -> None:
    """A critical check has three alerts, another has none."""
    names = [each.name for each in wanted(PROVIDER, web(), web(name="Api.v2")).alerts]
    assert names == [
        "boomerang.production.web.slow",
        "boomerang.production.web.down",
        "boomerang.production.web.absent",
        "boomerang.production.Api.v2.slow",
        "boomerang.production.Api.v2.down",
        "boomerang.production.Api.v2.absent",
    ]


def test_slow() -> None:
    """Slow: one answer above the limit, without a duration."""
    assert document("slow", web(slow=2.5, runbook_url="https://example.com/runbook")) == {
        "name": "boomerang.production.web.slow",
        "version": 2,
        "active": True,
        "md": False,
        "rearm_seconds": 600,
        "description": "web took longer than 2.5 s to answer.",
        "attributes": {"runbook_url": "https://example.com/runbook"},
        "conditions": [
            {
                "type": "above",
                "metric_name": "boomerang.check.time",
                "threshold": 2.5,
                "summary_function": "max",
                "source": "production.web",
            }
        ],
    }


def test_down() -> None:
    """Down: all results of as long as the failures in a row take."""
    sent = document("down", web(interval=60.0, failures=3))
    assert sent["description"] == "web is down: its check failed 3 times in a row."
    assert sent["attributes"] == {}
    assert sent["conditions"] == [
        {
            "type": "below",
            "metric_name": "boomerang.check.up",
            "threshold": 1,
            "summary_function": "min",
            "source": "production.web",
            "duration": 120,
        }
    ]


@pytest.mark.parametrize(
    ("failures", "interval", "duration"),
    [
        (1, 60.0, None),
        (1, 7200.0, None),
        (2, 60.0, 60),
        (2, 10.0, 60),
        (2, 60.5, 61),
        (3, 45.2, 91),
        (5, 60.0, 240),
        (2, 3600.0, 3600),
        (2, 3600.1, 3600),
        (100, 86400.0, 3600),
    ],
)
def test_duration_of_down(failures: int, interval: float, duration: int | None) -> None:
    """It is whole seconds, of as many as Librato takes; one failure needs none."""
    (condition,) = document("down", web(failures=failures, interval=interval))["conditions"]
    assert condition.get("duration") == duration


def test_absent() -> None:
    """Absent: no result for five minutes."""
    sent = document("absent", web())
    assert sent["description"].startswith("No result of the check web for 300 s:")
    assert sent["conditions"] == [
        {
            "type": "absent",
            "metric_name": "boomerang.check.up",
            "duration": 300,
            "source": "production.web",
        }
    ]


@pytest.mark.parametrize(
    ("interval", "duration"),
    [(0.1, 300), (60.0, 300), (100.0, 300), (100.1, 301), (400.0, 1200), (1200.0, 3600)],
)
def test_duration_of_absent(interval: float, duration: int) -> None:
    """A check that is seldom made is absent after three runs."""
    (condition,) = document("absent", web(interval=interval))["conditions"]
    assert condition["duration"] == duration


@pytest.mark.parametrize("interval", [1200.1, 86400.0])
def test_too_seldom(interval: float) -> None:
    """Where three runs take longer than Librato waits, there is no such alert, and a note."""
    found = wanted(web(interval=interval))
    assert [each.name.rpartition(".")[2] for each in found.alerts] == ["slow", "down"]
    (note,) = found.notes
    assert note.startswith(f"check web runs every {interval:g} s, too rarely")


@pytest.mark.parametrize("kind", ["slow", "down"])
def test_affected(kind: str) -> None:
    """What depends on others alerts only while none of them is down."""
    sent = document(kind, web(depends_on=("provider",)), PROVIDER)
    assert len(sent["conditions"]) == 2
    assert sent["conditions"][1] == {
        "type": "below",
        "metric_name": "boomerang.check.affected",
        "threshold": 1,
        "summary_function": "max",
        "source": "production.web",
    }


def test_absent_whatever_is_down() -> None:
    """That nothing is measured is no consequence of anything."""
    assert len(document("absent", web(depends_on=("provider",)), PROVIDER)["conditions"]) == 1


@pytest.mark.parametrize("kind", ["slow", "down", "absent"])
def test_tags(kind: str) -> None:
    """In the other dialect streams are told apart by tags, in lower case."""
    sent = document(kind, web(name="Web"), settings=TAGS, environment="Staging")
    assert sent["md"] is True
    (condition,) = sent["conditions"]
    assert "source" not in condition
    assert condition["tags"] == [
        {"name": "check", "grouped": False, "values": ["web"]},
        {"name": "environment", "grouped": False, "values": ["staging"]},
    ]


@pytest.mark.parametrize(
    ("environment", "prefix"),
    [
        ("production", "boomerang.production."),
        ("eu_west-1", "boomerang.eu-west-1."),
        ("eu.west", "boomerang.eu-west."),
        ("é", "boomerang.-."),
    ],
)
def test_environment(environment: str, prefix: str) -> None:
    """Names have only letters that Librato takes, and the environment is one part of them."""
    found = wanted(web(), environment=environment)
    assert found.prefix == prefix
    assert found.alerts[0].name == f"{prefix}web.slow"
    assert found.space == f"boomerang {environment}"


def test_paused() -> None:
    """The alerts of a paused check are off, and a note says so."""
    found = wanted(web(), web(name="api"), paused={"api", "provider"})
    active = {each.name.split(".")[2]: each.document["active"] for each in found.alerts}
    assert active == {"web": True, "api": False}
    (note,) = found.notes
    assert note.startswith("check api is paused: its alerts are off")


@pytest.mark.parametrize(
    ("checks", "settings", "note"),
    [
        ((PROVIDER,), SOURCE, "no check is critical"),
        ((), LibratoSettings(), "no check is critical"),
        ((web(),), LibratoSettings(), "no [[librato.service]] is set"),
    ],
)
def test_notes(checks: tuple[Check, ...], settings: LibratoSettings, note: str) -> None:
    """What may surprise people is told, once."""
    (found,) = wanted(*checks, settings=settings).notes
    assert found.startswith(note)


def test_nothing_to_note() -> None:
    """Where all is usual, nothing is told."""
    assert wanted(web()).notes == ()


def test_services() -> None:
    """The services are those of the settings."""
    assert wanted(web(), settings=LibratoSettings(service=(OPS, PAGER))).services == (OPS, PAGER)


def test_charts() -> None:
    """The dashboard shows the checks of this environment, and what the retry service did."""
    found = {each.name: each.document for each in wanted(web()).charts}
    streams = {
        name: [
            (each["metric"], each["source"], each["group_function"], each["summary_function"])
            for each in chart["streams"]
        ]
        for name, chart in found.items()
    }
    service = "production"
    assert streams == {
        "Check times": [("boomerang.check.time", "production.*", "breakout", "max")],
        "Checks up": [("boomerang.check.up", "production.*", "breakout", "min")],
        "Decisions": [
            (f"boomerang.decisions.{kind.value}", service, "sum", "sum") for kind in Kind
        ],
        "Requests held": [("boomerang.held", service, "sum", "max")],
        "Overshoot of the hold": [("boomerang.overshoot", service, "max", "max")],
    }
    assert {name: chart["type"] for name, chart in found.items()}["Decisions"] == "stacked"


def test_charts_of_tags() -> None:
    """In the other dialect they choose by tags."""
    streams = [each.document["streams"][0] for each in wanted(web(), settings=TAGS).charts]
    environment = {"name": "environment", "values": ["production"]}
    assert streams[0]["tags"] == [environment, {"name": "check", "values": ["*"]}]
    assert streams[2]["tags"] == [environment]
    assert not any("source" in each for each in streams)


@pytest.mark.parametrize("settings", [SOURCE, TAGS], ids=["source", "tags"])
@pytest.mark.parametrize("environment", ["production", "eu_west.é", "all"])
def test_taken(settings: LibratoSettings, environment: str) -> None:
    """The stand-in finds nothing wrong with any of it."""
    checks = (web(depends_on=("provider",), runbook_url="https://example.com/"), PROVIDER)
    found = wanted(*checks, settings=settings, environment=environment)
    for alert in found.alerts:
        read_alert({**alert.document, "services": []}, services={}, before={})
    for chart in found.charts:
        read_chart(chart.document)
