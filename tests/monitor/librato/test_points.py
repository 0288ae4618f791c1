"""Which measurements a run gives, and which a period."""

from __future__ import annotations

import pytest

from boomerang.monitor.librato.points import points_of_figures, points_of_run
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.tally import Figures, Spread
from boomerang.settings.checks import Check

WEB = Check(name="web", url="https://app.example.com/", interval=30.0)
APP = Check(name="app", url="https://app.example.com/", depends_on=("web",))


def run_points(check: Check, result: Result, *, affected: bool = False) -> dict[str, object]:
    return {
        point.name: point.value for point in points_of_run("test", check, result, affected=affected)
    }


@pytest.mark.parametrize(
    ("reason", "time", "up"),
    [
        (None, True, 1),
        (Reason.TIMEOUT, True, 0),
        (Reason.CONNECT, False, 0),
        (Reason.DNS, False, 0),
        (Reason.TLS, False, 0),
        (Reason.STATUS, False, 0),
        (Reason.BODY, False, 0),
        (Reason.CERTIFICATE, False, 0),
        (Reason.ERROR, False, 0),
    ],
)
def test_run(reason: Reason | None, time: bool, up: int) -> None:
    """A run has a time only if there was an answer, or none in all that time."""
    points = run_points(WEB, Result(at=100.0, seconds=0.25, reason=reason))
    expected: dict[str, object] = {"boomerang.check.up": up}
    if time:
        expected["boomerang.check.time"] = 0.25
    assert points == expected


@pytest.mark.parametrize(("affected", "value"), [(False, 0), (True, 1)])
def test_affected(affected: bool, value: int) -> None:
    """Whether a check is affected is said of those alone that depend on something."""
    well = Result(at=100.0, seconds=0.25)
    assert run_points(APP, well, affected=affected)["boomerang.check.affected"] == value
    assert "boomerang.check.affected" not in run_points(WEB, well, affected=affected)


def test_stream() -> None:
    """A point belongs to its check, at the second at which the run ended."""
    points = [*points_of_run("test", WEB, Result(at=100.9, seconds=9.2), affected=False)]
    assert [point.name for point in points] == ["boomerang.check.time", "boomerang.check.up"]
    for point in points:
        assert (point.environment, point.check, point.at) == ("test", "web", 110)
        assert point.period == 30.0
        assert point.attributes


def test_figures() -> None:
    """A period gives the decisions of each kind, what is held, and the overshoot if any."""
    decisions = {"retry": 2, "fallback": 0, "give-up": 1}
    spread = Spread(count=2, sum=0.5, min=0.1, max=0.4)
    figures = Figures(decisions=decisions, held=7, overshoot=spread)
    points = list(points_of_figures("test", figures, at=160.7, period=60.0))
    assert {point.name: point.value for point in points} == {
        "boomerang.decisions.retry": 2,
        "boomerang.decisions.fallback": 0,
        "boomerang.decisions.give-up": 1,
        "boomerang.held": 7,
        "boomerang.overshoot": spread,
    }
    for point in points:
        assert (point.environment, point.check, point.at, point.period) == ("test", None, 160, 60.0)


def test_no_overshoot() -> None:
    """Where nothing was held, nothing is said of overshoot."""
    figures = Figures(decisions={"retry": 0}, held=0, overshoot=None)
    names = [point.name for point in points_of_figures("test", figures, at=0.0, period=60.0)]
    assert names == ["boomerang.decisions.retry", "boomerang.held"]
