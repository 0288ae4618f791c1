"""One set of metrics, one health, of what several processes say."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from boomerang.workers.merging import (
    Families,
    counts_of,
    exposition,
    families_of,
    host_health,
    merged,
)


def said_by(*, decisions: float, held: float, dead: float, cpu: float) -> Families:
    """What a process says."""
    registry = CollectorRegistry()
    counter = Counter("boomerang_decisions", "Answers.", ("kind",), registry=registry)
    counter.labels("retry").inc(decisions)
    histogram = Histogram("boomerang_late_seconds", "Late.", buckets=(1, 2), registry=registry)
    histogram.observe(decisions)
    Gauge("boomerang_held_requests", "Held.", registry=registry).set(held)
    Gauge("boomerang_circuits_open", "Dead.", registry=registry).set(dead)
    Counter("process_cpu_seconds", "CPU.", registry=registry).inc(cpu)
    return families_of(registry)


def values(families: Families) -> dict[tuple[str, ...], float]:
    """All samples that Prometheus would read, by name and labels."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(exposition(families).decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


ONE = said_by(decisions=0.5, held=3, dead=1, cpu=10)
OTHER = said_by(decisions=1.5, held=4, dead=2, cpu=20)


def test_alone() -> None:
    """What one process says is said again, the process named where it is about that."""
    assert values(merged([("0", ONE)])) == {
        ("boomerang_decisions_total", "kind=retry"): 0.5,
        ("boomerang_late_seconds_bucket", "le=1.0"): 1,
        ("boomerang_late_seconds_bucket", "le=2.0"): 1,
        ("boomerang_late_seconds_bucket", "le=+Inf"): 1,
        ("boomerang_late_seconds_count",): 1,
        ("boomerang_late_seconds_sum",): 0.5,
        ("boomerang_held_requests",): 3,
        ("boomerang_circuits_open",): 1,
        ("process_cpu_seconds_total", "worker=0"): 10,
    }


def test_together() -> None:
    """Counts and what is held are added up, of what all know the same the highest counts."""
    found = values(merged([("0", ONE), ("1", OTHER)]))
    assert found == {
        ("boomerang_decisions_total", "kind=retry"): 2,
        ("boomerang_late_seconds_bucket", "le=1.0"): 1,
        ("boomerang_late_seconds_bucket", "le=2.0"): 2,
        ("boomerang_late_seconds_bucket", "le=+Inf"): 2,
        ("boomerang_late_seconds_count",): 2,
        ("boomerang_late_seconds_sum",): 2,
        ("boomerang_held_requests",): 7,
        ("boomerang_circuits_open",): 2,
        ("process_cpu_seconds_total", "worker=0"): 10,
        ("process_cpu_seconds_total", "worker=1"): 20,
    }


def test_dead() -> None:
    """Of a process that is no more, what it has counted stays, and nothing else."""
    gone = merged([("", counts_of(ONE)), ("", counts_of(ONE))])
    found = values(merged([("", gone), ("0", OTHER)]))
    assert found["boomerang_decisions_total", "kind=retry"] == 2.5
    assert found["boomerang_late_seconds_bucket", "le=+Inf"] == 3
    assert found["boomerang_held_requests",] == 4
    assert found["process_cpu_seconds_total", "worker=0"] == 20
    assert len([key for key in found if key[0] == "process_cpu_seconds_total"]) == 1


def test_since() -> None:
    """The counters of all are as old as the oldest of them."""
    old = [["a", "A.", "counter", [["a_total", {}, 1.0], ["a_created", {}, 100.0]]]]
    new = [["a", "A.", "counter", [["a_total", {}, 1.0], ["a_created", {}, 200.0]]]]
    ((_, _, _, samples),) = merged([("0", new), ("1", old)])
    assert samples == [["a_total", {}, 2.0], ["a_created", {}, 100.0]]


def health(**more: Any) -> dict[str, Any]:
    return {
        "status": "ok",
        "degraded": [],
        "started": "2026-11-21T04:00:00+00:00",
        "uptime_seconds": 10,
        "held": 5,
        "relay": {"waiting": 0},
        "circuits": [],
        **more,
    }


def trouble(part: str, since: str) -> dict[str, str]:
    return {"part": part, "since": since}


DEAD = {"reason": "probe", "since": "2026-11-21T04:01:00+00:00"}


@pytest.mark.parametrize(
    ("said", "away_since", "expected"),
    [
        ([health(), health()], None, {"status": "ok", "degraded": [], "held": 10}),
        (
            [health(), health(degraded=[trouble("store", "04:02")])],
            None,
            {"status": "degraded", "degraded": [trouble("store", "04:02")]},
        ),
        (
            [
                health(degraded=[trouble("store", "04:03"), trouble("relay", "04:04")]),
                health(degraded=[trouble("store", "04:02")]),
            ],
            None,
            {"degraded": [trouble("store", "04:02"), trouble("relay", "04:04")]},
        ),
        (
            [health()],
            "04:05",
            {
                "status": "degraded",
                "degraded": [trouble("workers", "04:05")],
                "held": 5,
                "workers": {"of": 2, "answering": 1},
            },
        ),
        (
            [health(relay={"waiting": 7}), health()],
            None,
            {"relay": {"waiting": 7}, "started": "03:00", "uptime_seconds": 3600},
        ),
        (
            [health(circuits=[DEAD, DEAD]), health(circuits=[DEAD])],
            None,
            {"circuits": [DEAD, DEAD], "workers": {"of": 2, "answering": 2}},
        ),
    ],
)
def test_health(
    said: list[dict[str, Any]], away_since: str | None, expected: dict[str, Any]
) -> None:
    """The host is as well as the worst of its workers, and misses those that are away."""
    found = host_health(said, of=2, started="03:00", uptime=3600.2, away_since=away_since)
    assert {name: found[name] for name in expected} == expected
