"""Our own instruments say what those of the library would."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from boomerang.instruments import Counts, Durations
from boomerang.workers.merging import families_of

BOUNDS = (0.001, 0.25, 1, 2.5)


def said(registry: CollectorRegistry) -> list[object]:
    """All families, but for the instants at which those of the library were made."""
    return [
        [*about, [sample for sample in samples if not sample[0].endswith("_created")]]
        for *about, samples in families_of(registry)
    ]


@pytest.mark.parametrize(
    "seconds",
    [
        [],
        [0.0],
        [0.001],
        [0.0011, 0.25],
        [1, 1.0, 2.5],
        [2.6, 1e9],
        [0.0, 0.001, 0.2, 0.3, 1.0, 2.0, 3.0, 0.25],
    ],
)
def test_durations(seconds: list[float]) -> None:
    """Bounds belong to the bucket below them; the sum and the count are of all."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    durations = Durations("spent_seconds", "How long.", bounds=BOUNDS, registry=ours)
    histogram = Histogram("spent_seconds", "How long.", buckets=BOUNDS, registry=theirs)
    for each in seconds:
        durations.observe(each)
        histogram.observe(each)
    assert said(ours) == said(theirs)


def test_counts() -> None:
    """What has not been counted yet is there with 0."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    known = [("a", "x"), ("a", "y"), ("b", "x")]
    counts = Counts("things", "How many.", ("one", "other"), known=known, registry=ours)
    counter = Counter("things", "How many.", ("one", "other"), registry=theirs)
    for labels in known:
        counter.labels(*labels)
    for labels in [("a", "y"), ("b", "x"), ("a", "y")]:
        counts.count(*labels)
        counter.labels(*labels).inc()
    assert said(ours) == said(theirs)


def test_no_new_labels() -> None:
    """Nothing from outside can make a series."""
    counts = Counts("things", "How many.", ("one",), known=[("a",)], registry=CollectorRegistry())
    with pytest.raises(KeyError):
        counts.count("b")
