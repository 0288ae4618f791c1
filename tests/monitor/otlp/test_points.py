"""Snapshots in the data model of OpenTelemetry."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.resources import Resource

from boomerang.monitor.otlp.points import metrics_data
from boomerang.monitor.otlp.totals import OVERSHOOT_BOUNDS, Snapshot, Totals
from boomerang.retry.policy import Kind
from tests.fakes.otlp import Report
from tests.monitor.otlp.noting import START, busy_totals

LATER = START + 60.0


def report(snapshot: Snapshot) -> Report:
    """What a collector would read."""
    resource = Resource({"service.name": "boomerang"})
    data = metrics_data(snapshot, resource=resource, version="1.2.3")
    return Report(headers={}, request=encode_metrics(data))


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        ("boomerang.check.duration", {"check": "web", "phase": "total"}, 0.4),
        ("boomerang.check.duration", {"check": "web", "phase": "connect"}, 0.1),
        ("boomerang.check.duration", {"check": "web", "phase": "first_byte"}, 0.25),
        ("boomerang.check.duration", {"check": "api", "phase": "resolve"}, 0.001),
        ("boomerang.check.up", {"check": "web"}, 1),
        ("boomerang.check.up", {"check": "api"}, 0),
        ("boomerang.check.affected", {"check": "web"}, 0),
        ("boomerang.check.affected", {"check": "api"}, 1),
        ("boomerang.check.last_run", {"check": "web"}, LATER),
        ("boomerang.check.failures", {"check": "api", "reason": "connect"}, 2),
        ("boomerang.decisions", {"decision": "retry", "product": "voice"}, 2),
        ("boomerang.decisions", {"decision": "give-up", "product": "voice"}, 0),
        ("boomerang.held", {}, 3),
    ],
)
def test_values(name: str, attributes: dict[str, str], expected: float) -> None:
    """Each measurement arrives under its name and attributes."""
    assert report(busy_totals().snapshot()).value(name, **attributes) == expected


def test_nothing_else() -> None:
    """There are no more series: a refused connection has no duration that looks like an answer."""
    series = report(busy_totals().snapshot()).series
    count = {"check.duration": 4, "check.up": 2, "check.affected": 2, "check.last_run": 2}
    rest = {"check.failures": 1, "decisions": 3 * len(Kind), "held": 1, "overshoot": 1}
    found: dict[str, int] = {}
    for name, _ in series:
        found[name] = found.get(name, 0) + 1
    assert found == {f"boomerang.{name}": n for name, n in {**count, **rest}.items()}
    refused = frozenset({"check": "api", "phase": "total"}.items())
    assert ("boomerang.check.duration", refused) not in series


def test_histogram() -> None:
    """The overshoot is a histogram with the counts of each bucket."""
    point = report(busy_totals().snapshot()).value("boomerang.overshoot")
    assert list(point.explicit_bounds) == list(OVERSHOOT_BOUNDS)
    assert list(point.bucket_counts) == [0, 1, *[0] * 10, 1]
    assert (point.count, point.sum, point.min, point.max) == (2, 7.502, 0.002, 7.5)


@pytest.mark.parametrize(
    ("name", "kind", "unit"),
    [
        ("boomerang.check.duration", "gauge", "s"),
        ("boomerang.check.up", "gauge", "1"),
        ("boomerang.check.affected", "gauge", "1"),
        ("boomerang.check.last_run", "gauge", "s"),
        ("boomerang.check.failures", "sum", "{failure}"),
        ("boomerang.decisions", "sum", "{decision}"),
        ("boomerang.held", "gauge", "{request}"),
        ("boomerang.overshoot", "histogram", "s"),
    ],
)
def test_instruments(name: str, kind: str, unit: str) -> None:
    """Each metric is of its kind, has its unit, and a description."""
    metric = report(busy_totals().snapshot()).metrics[name]
    assert (metric.WhichOneof("data"), metric.unit) == (kind, unit)
    assert metric.description.endswith(".")


def test_counters() -> None:
    """Counters only grow, and count since the process began."""
    metrics = report(busy_totals().snapshot()).metrics
    for name in ("boomerang.decisions", "boomerang.check.failures"):
        total: Any = metrics[name].sum
        assert total.is_monotonic
        periods = {
            (point.start_time_unix_nano, point.time_unix_nano) for point in total.data_points
        }
        assert periods == {(int(START * 1e9), int(LATER * 1e9))}


def test_at_first() -> None:
    """Before anything has happened, the zeros are reported, and nothing that is empty."""
    nothing = Totals(held=lambda: 0, wall_clock=lambda: START)
    assert set(report(nothing.snapshot()).metrics) == {"boomerang.decisions", "boomerang.held"}


def test_scope() -> None:
    """The metrics say which boomerang they are from."""
    scope = report(busy_totals().snapshot()).request.resource_metrics[0].scope_metrics[0].scope
    assert (scope.name, scope.version) == ("boomerang", "1.2.3")
