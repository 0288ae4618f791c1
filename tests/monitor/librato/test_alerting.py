"""The alerts that we make and the measurements that we send: what they raise together."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from attrs import evolve

from boomerang.monitor.librato.alerts import desired
from boomerang.monitor.librato.apply import carry_out, read
from boomerang.monitor.librato.measurement import DIALECTS, Measurement
from boomerang.monitor.librato.plan import plan
from boomerang.monitor.librato.points import points_of_run
from boomerang.monitor.result import Reason, Result
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoService, LibratoSettings
from tests.fakes.librato_bench import EPOCH, SOURCE, TAGS, LibratoBench
from tests.monitor.librato.driving import run

OPS = LibratoService(type="mail", title="Ops", settings={"addresses": "ops@example.com"})
WEB = Check(name="web", url="https://app.example.com/", critical=True, depends_on=("cloud",))
CLOUD = Check(name="cloud", url="https://cloud.example.com/")
CHECKS = {check.name: check for check in (WEB, CLOUD)}

PREFIX = "boomerang.production.web."

WELL = Result(at=0.0, seconds=0.2)
SLOW = Result(at=0.0, seconds=6.0)
REFUSED = Result(at=0.0, seconds=0.001, reason=Reason.CONNECT)
HANGS = Result(at=0.0, seconds=10.0, reason=Reason.TIMEOUT)

Runs = Mapping[int, Result]
"""Results by the minute in which they began; a minute without one is one without a run."""


def row(result: Result, minutes: int, since: int = 0) -> Runs:
    return dict.fromkeys(range(since, since + minutes), result)


def measured(runs: Runs, affected: Runs) -> list[Measurement]:
    return [
        point
        for minute, result in runs.items()
        for point in points_of_run(
            "production",
            WEB,
            evolve(result, at=EPOCH + 60.0 * minute),
            affected=minute in affected,
        )
    ]


def fired(settings: LibratoSettings, runs: Runs, affected: Runs, minutes: int) -> set[str]:
    """The alerts that were raised within some minutes, their names without what all have."""
    bench = LibratoBench(settings)
    wanted = desired(
        evolve(settings, service=(OPS,)),
        list(CHECKS.values()),
        environment="production",
        paused=(),
    )
    run(carry_out(bench.api, plan(wanted, run(read(bench.api, wanted)), prune=False), done=ignored))
    dialect = DIALECTS[settings.dialect]
    for point in sorted(measured(runs, affected), key=lambda point: point.at):
        bench.pass_seconds(max(0.0, point.at - bench.wall_clock()))
        run(bench.api.post(dialect.path, dialect.document([point])))
    bench.pass_seconds(max(0.0, EPOCH + 60 * minutes - bench.wall_clock()))
    return {name.removeprefix(PREFIX) for name in bench.librato.ever_fired()}


def ignored(_: object) -> None: ...


@pytest.mark.parametrize("settings", [SOURCE, TAGS], ids=["source", "tags"])
@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (row(WELL, 10), set()),
        ({**row(WELL, 5), **row(SLOW, 1, 5), **row(WELL, 4, 6)}, {"slow"}),
        ({**row(WELL, 5), **row(REFUSED, 2, 5), **row(WELL, 3, 7)}, set()),
        ({**row(WELL, 5), **row(REFUSED, 3, 5), **row(WELL, 2, 8)}, {"down"}),
        ({**row(WELL, 5), **row(HANGS, 5, 5)}, {"slow", "down"}),
        ({**row(WELL, 3), **row(WELL, 2, 7)}, set()),
        (row(WELL, 3), {"absent"}),
        ({**row(WELL, 3), **row(REFUSED, 4, 3)}, {"down"}),
    ],
    ids=["well", "slow", "hiccup", "refused", "hangs", "pause", "dead", "refused-for-long"],
)
def test_fires(settings: LibratoSettings, runs: Runs, expected: set[str]) -> None:
    """Each kind of trouble raises its alert, and no other."""
    assert fired(settings, runs, {}, 10) == expected


@pytest.mark.parametrize("settings", [SOURCE, TAGS], ids=["source", "tags"])
@pytest.mark.parametrize("trouble", [SLOW, REFUSED, HANGS], ids=["slow", "refused", "hangs"])
def test_affected(settings: LibratoSettings, trouble: Result) -> None:
    """What something else explains raises none."""
    runs = {**row(WELL, 5), **row(trouble, 5, 5)}
    assert fired(settings, runs, row(WELL, 5, 5), 10) == set()
