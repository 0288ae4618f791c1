"""A snapshot in the data model of OpenTelemetry. Pure.

The points are made here and not by the SDK's instruments: those count a second time what is
counted already, under locks that their thread shares with the reactor's; they keep no more than
2,000 series each, of which 500 checks have more; and ``OTEL_SDK_DISABLED`` and its like, which our
settings do not show, change what they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from boomerang.monitor.otlp.totals import OVERSHOOT_BOUNDS, LastRun, Overshoot, Snapshot

Values = Iterable[tuple[Mapping[str, str], float]]

_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE


def metrics_data(snapshot: Snapshot, *, resource: Resource, version: str) -> MetricsData:
    """The whole report; counters count from the start of the process."""
    scope = InstrumentationScope("boomerang", version)
    metrics = [
        metric
        for metric in (*_of_checks(snapshot), *_of_retries(snapshot))
        if metric.data.data_points
    ]
    scoped = ScopeMetrics(scope=scope, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scoped], schema_url="")])


def _of_checks(snapshot: Snapshot) -> list[Metric]:
    at, since, checks = _nanoseconds(snapshot.at), _nanoseconds(snapshot.since), snapshot.checks
    return [
        _gauge(
            "boomerang.check.duration",
            "s",
            "How long the last run took, by phase; no total where it failed without an answer.",
            (point for each in checks for point in _durations(each)),
            at=at,
        ),
        _gauge(
            "boomerang.check.up",
            "1",
            "1 if the last run of the check was well, 0 if it failed.",
            (({"check": each.check}, int(each.result.well)) for each in checks),
            at=at,
        ),
        _gauge(
            "boomerang.check.affected",
            "1",
            "1 while something that the check depends on is down.",
            (({"check": each.check}, int(each.affected)) for each in checks),
            at=at,
        ),
        _gauge(
            "boomerang.check.last_run",
            "s",
            "When the check was last run, in seconds since the epoch.",
            (({"check": each.check}, each.result.at) for each in checks),
            at=at,
        ),
        _counter(
            "boomerang.check.failures",
            "{failure}",
            "Runs of the check that failed, by reason.",
            (
                ({"check": check, "reason": reason}, count)
                for (check, reason), count in snapshot.failures.items()
            ),
            since=since,
            at=at,
        ),
    ]


def _of_retries(snapshot: Snapshot) -> list[Metric]:
    at, since = _nanoseconds(snapshot.at), _nanoseconds(snapshot.since)
    return [
        _counter(
            "boomerang.decisions",
            "{decision}",
            "Answers to fallback requests, by what became of the call or message.",
            (
                ({"decision": decision, "product": product}, count)
                for (decision, product), count in snapshot.decisions.items()
            ),
            since=since,
            at=at,
        ),
        _gauge(
            "boomerang.held",
            "{request}",
            "Requests that are being held now.",
            [({}, snapshot.held)],
            at=at,
        ),
        Metric(
            name="boomerang.overshoot",
            unit="s",
            description="How much later than its release instant a held request was answered.",
            data=_histogram(snapshot.overshoot, since=since, at=at),
        ),
    ]


def _durations(run: LastRun) -> Values:
    for phase, spent in run.result.phases.items():
        yield {"check": run.check, "phase": phase}, spent
    if run.result.response_seconds is not None:
        yield {"check": run.check, "phase": "total"}, run.result.response_seconds


def _nanoseconds(instant: float) -> int:
    return int(instant * 1e9)


def _gauge(name: str, unit: str, description: str, values: Values, *, at: int) -> Metric:
    points = [NumberDataPoint(attributes, 0, at, value) for attributes, value in values]
    return Metric(name=name, unit=unit, description=description, data=Gauge(points))


def _counter(
    name: str, unit: str, description: str, values: Values, *, since: int, at: int
) -> Metric:
    points = [NumberDataPoint(attributes, since, at, value) for attributes, value in values]
    data = Sum(points, aggregation_temporality=_CUMULATIVE, is_monotonic=True)
    return Metric(name=name, unit=unit, description=description, data=data)


def _histogram(overshoot: Overshoot, *, since: int, at: int) -> Histogram:
    count = sum(overshoot.buckets)
    point = HistogramDataPoint(
        attributes={},
        start_time_unix_nano=since,
        time_unix_nano=at,
        count=count,
        sum=overshoot.total,
        bucket_counts=overshoot.buckets,
        explicit_bounds=OVERSHOOT_BOUNDS,
        min=overshoot.least,
        max=overshoot.most,
    )
    return Histogram([point] if count else [], aggregation_temporality=_CUMULATIVE)
