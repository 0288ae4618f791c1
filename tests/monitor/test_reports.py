"""Whoever tells the outside of the checks, made from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest
from twisted.internet.testing import MemoryReactorClock

from boomerang.metrics import Metrics
from boomerang.monitor.heartbeat import Heartbeat
from boomerang.monitor.librato.annotations import LibratoAnnotations
from boomerang.monitor.librato.reporter import LibratoReporter
from boomerang.monitor.notify.service import Notifications
from boomerang.monitor.otlp.service import OtlpService
from boomerang.monitor.otlp.totals import Totals
from boomerang.monitor.reports import Around, Reports, all_reports, heartbeat
from boomerang.monitor.tally import Tally
from boomerang.outbound import Outbound
from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.settings import Settings, Sources, load_settings
from boomerang.settings.reports import HeartbeatSettings
from boomerang.stores.notes_memory import MemoryNotes
from tests.monitor.librato.driving import FAILED

LIBRATO: Final = '[librato]\nuser = "ops@example.com"\ntoken = "hush"\n'
OTLP: Final = '[otlp]\nendpoint = "http://localhost:4318"\n'
NOTIFY: Final = '[notify]\nurls = ["json://localhost"]\n'


def settings_of(*sections: str) -> Settings:
    return load_settings(Sources(file="\n".join(sections)))


def around(held: int = 0) -> Around:
    reactor = MemoryReactorClock()
    return Around(
        reactor=reactor,
        outbound=Outbound(reactor),
        notes=MemoryNotes(reactor),
        metrics=Metrics(version="1", environment="test"),
        held=lambda: held,
        holder="one",
        wall_clock=reactor.seconds,
        random=lambda: 0.0,
    )


def types(things: Sequence[object]) -> list[type]:
    return [type(each) for each in things]


@pytest.mark.parametrize(
    ("sections", "reporters", "watchers", "services"),
    [
        ((), [], [], []),
        (('[librato]\nuser = "ops@example.com"\n',), [], [], []),
        (
            (LIBRATO,),
            [LibratoReporter, LibratoAnnotations],
            [Tally],
            [LibratoReporter, LibratoAnnotations],
        ),
        ((OTLP,), [Totals], [Totals], [OtlpService]),
        ((NOTIFY,), [Notifications], [], [Notifications]),
        (
            (LIBRATO, OTLP, NOTIFY),
            [LibratoReporter, LibratoAnnotations, Totals, Notifications],
            [Tally, Totals],
            [LibratoReporter, LibratoAnnotations, OtlpService, Notifications],
        ),
    ],
    ids=["none", "librato-without-token", "librato", "otlp", "notify", "all"],
)
def test_all(
    sections: Sequence[str], reporters: list[type], watchers: list[type], services: list[type]
) -> None:
    """There is what the settings ask for, in its roles, and nothing else."""
    reports = all_reports(settings_of(*sections), (), around())
    assert types(reports.reporters) == reporters
    assert types(reports.watchers) == watchers
    assert types(reports.services) == services
    for one in reports.services:
        assert not one.running


def test_one_in_several_roles() -> None:
    """What hears of decisions is what is reported."""
    reports = all_reports(settings_of(LIBRATO, OTLP), (), around(held=3))
    reporter, _, otlp = reports.services
    tally, totals = reports.watchers
    assert isinstance(reporter, LibratoReporter)
    assert reporter._tally is tally
    assert isinstance(otlp, OtlpService)
    assert otlp.totals is totals
    assert isinstance(totals, Totals)
    assert totals.snapshot().held == 3
    assert isinstance(tally, Tally)
    assert tally.take().held == 3


def test_decisions_reach_them() -> None:
    """Each consumer counts for itself: what one takes is not lost for another."""
    reports = all_reports(settings_of(LIBRATO, OTLP), (), around())
    decision = Decision(Kind.RETRY, attempt=1, reason="")
    for watcher in reports.watchers:
        watcher.decided(FAILED, decision, held=Held(8.0, 0.01, early=False), degraded=False)
    tally, totals = reports.watchers
    assert isinstance(tally, Tally)
    assert tally.take().decisions["retry"] == 1
    assert isinstance(totals, Totals)
    assert sum(totals.snapshot().decisions.values()) == 1


def test_added() -> None:
    """Reports add up, in order."""
    one: Any = object()
    other: Any = object()
    both = Reports((one,), (one,), (one,)) + Reports((other,), (other,), (other,))
    assert both == Reports((one, other), (one, other), (one, other))


def test_heartbeat() -> None:
    """There is a sign of life if a URL is set for it."""
    assert list(heartbeat(HeartbeatSettings(), bool, around())) == []
    (found,) = heartbeat(HeartbeatSettings(url="https://hc.example.com/hush"), bool, around())
    assert isinstance(found, Heartbeat)
