"""Measurements, and the form in which they are sent."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from boomerang.monitor.librato.measurement import (
    DIALECTS,
    Measurement,
    complaint,
    measurements_document,
    metrics_document,
    name_of,
    source_of,
    tags_of,
)
from boomerang.monitor.tally import Spread
from tests.fakes.librato_answers import Refusal
from tests.fakes.librato_bench import EPOCH
from tests.fakes.librato_points import NAME, TAG_NAME, TAG_VALUE, read_metrics, read_tagged

AT = int(EPOCH)
TIME = Measurement(
    name="boomerang.check.time",
    value=0.412,
    environment="production",
    check="Web",
    at=AT,
    period=60.0,
    attributes={"display_units_short": "s", "display_min": 0},
)
OVERSHOOT = Measurement(
    name="boomerang.overshoot",
    value=Spread(count=3, sum=0.9, min=0.2, max=0.4),
    environment="production",
    check=None,
    at=AT,
    period=60.0,
)


def test_sources() -> None:
    """By sources: gauges, each with source and whole second; the empty counters are there too."""
    assert metrics_document([TIME, OVERSHOOT]) == {
        "gauges": [
            {
                "name": "boomerang.check.time",
                "value": 0.412,
                "source": "production.Web",
                "measure_time": AT,
                "period": 60,
                "attributes": {"display_units_short": "s", "display_min": 0},
            },
            {
                "name": "boomerang.overshoot",
                "count": 3,
                "sum": 0.9,
                "min": 0.2,
                "max": 0.4,
                "source": "production",
                "measure_time": AT,
                "period": 60,
            },
        ],
        "counters": [],
    }


def test_tags() -> None:
    """By tags: each measurement has all of its own, in lower case, and none stand at the top."""
    assert measurements_document([TIME, OVERSHOOT]) == {
        "measurements": [
            {
                "name": "boomerang.check.time",
                "value": 0.412,
                "tags": {"environment": "production", "check": "web"},
                "time": AT,
                "period": 60,
                "attributes": {"display_units_short": "s", "display_min": 0},
            },
            {
                "name": "boomerang.overshoot",
                "count": 3,
                "sum": 0.9,
                "min": 0.2,
                "max": 0.4,
                "tags": {"environment": "production"},
                "time": AT,
                "period": 60,
            },
        ]
    }


@pytest.mark.parametrize(("period", "sent"), [(0.1, 1), (1.4, 1), (10.0, 10), (59.9, 60)])
def test_period(period: float, sent: int) -> None:
    """A period is whole seconds, one at least."""
    assert metrics_document([evolve(TIME, period=period)])["gauges"][0]["period"] == sent


@pytest.mark.parametrize(
    ("dialect", "path", "most"), [("source", "metrics", 300), ("tags", "measurements", 1000)]
)
def test_dialects(dialect: str, path: str, most: int) -> None:
    """The setting says where measurements go, how many at once, and in which form."""
    found = DIALECTS[dialect]
    assert (found.path, found.most) == (path, most)
    assert found.document([TIME]).keys() == (
        {"gauges", "counters"} if dialect == "source" else {"measurements"}
    )


@pytest.mark.parametrize(
    ("environment", "check", "source"),
    [
        ("production", "web", "production.web"),
        ("production", None, "production"),
        ("pröd env", "web", "pr-d-env.web"),
        ("all", None, "all-"),
        ("ALL", None, "ALL-"),
        ("all", "web", "all.web"),
        ("my_env", "a.b-c", "my_env.a.b-c"),
        ("", None, "-"),
        ("e" * 300, "web", "e" * 255),
    ],
)
def test_source(environment: str, check: str | None, source: str) -> None:
    """A source is written in the letters that it may have, and never is the reserved one."""
    assert source_of(environment, check) == source


def test_tags_of() -> None:
    """Tags are cleaned alike; what belongs to no check has no such tag."""
    assert tags_of("Pröd", "Web") == {"environment": "pr-d", "check": "web"}
    assert tags_of("Pröd") == {"environment": "pr-d"}


@given(text=st.text(max_size=400), check=st.text(max_size=400) | st.none())
def test_any_name(text: str, check: str | None) -> None:
    """Whatever a name is made from, it is one that the server takes."""
    assert NAME.fullmatch(name_of(text))
    assert NAME.fullmatch(source_of(text, check))
    assert source_of(text, check).lower() != "all"
    for tag, value in tags_of(text, check).items():
        assert TAG_NAME.fullmatch(tag)
        assert TAG_VALUE.fullmatch(value)


NUMBER = st.floats() | st.integers()


@given(
    value=NUMBER | st.builds(Spread, count=st.integers(1, 9), sum=NUMBER, min=NUMBER, max=NUMBER)
)
def test_any_value(value: Any) -> None:
    """What is called fit is taken in both dialects, and only what is fit."""
    one = evolve(TIME, value=value)
    for read, document in ((read_metrics, metrics_document), (read_tagged, measurements_document)):
        try:
            (sample,) = read(document([one]), now=EPOCH)
        except Refusal:
            assert not one.fit
        else:
            assert one.fit
            assert sample.at == AT


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), 1e127, -1e127, 10**400]
)
def test_unfit(value: float) -> None:
    """Values that are not finite, or are too great, are not fit, alone or among others."""
    assert not evolve(TIME, value=value).fit
    well = Spread.one(1.0)
    for spread in (evolve(well, sum=value), evolve(well, min=value), evolve(well, max=value)):
        assert not evolve(TIME, value=spread).fit


@pytest.mark.parametrize("value", [0, 1, -1, 1e-200, 1e126, -1e126])
def test_fit(value: float) -> None:
    """All others are."""
    assert evolve(TIME, value=value).fit


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"errors": []}, None),
        ({"errors": {}}, None),
        ({"failed": 0}, None),
        ({"measurements": {"summary": {"total": 6, "accepted": 6, "failed": 0}}}, None),
        ({"measurements": {"summary": {"total": 6, "accepted": 5, "failed": 1}}}, "1 failed"),
        ({"failed": 2}, "2 failed"),
        ({"errors": [{"param": "time", "reason": "is old"}]}, "param: time, reason: is old"),
        ({"errors": {"params": {"time": ["is old"]}}}, "params: time: is old"),
        ({"errors": [None]}, "errors"),
        ({"a": {"b": {"c": {"d": {"failed": 1}}}}}, None),
    ],
)
def test_complaint(answer: object, said: str | None) -> None:
    """An answer of success may say that something failed, wherever it says so."""
    assert complaint(answer) == said
