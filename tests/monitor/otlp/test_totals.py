"""What is counted for OpenTelemetry."""

from __future__ import annotations

from boomerang.metrics import Metrics
from boomerang.monitor.otlp.totals import OVERSHOOT_BOUNDS, Totals
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason, Result
from boomerang.retry.hold import Held
from boomerang.retry.policy import Kind
from boomerang.retry.service import NOT_HELD
from tests.monitor.otlp.noting import AGAIN, START, VOICE, busy_totals, check, held


def totals() -> Totals:
    return Totals(held=lambda: 0, wall_clock=lambda: START)


def test_starts_with_zeros() -> None:
    """Every kind of decision is there from the start, so that the first can be seen as one."""
    snapshot = totals().snapshot()
    assert set(snapshot.decisions.values()) == {0}
    assert {kind for kind, _ in snapshot.decisions} == {kind.value for kind in Kind}
    assert {product for _, product in snapshot.decisions} == {"voice", "messaging", "unknown"}


def test_decisions() -> None:
    """Decisions are counted by kind and product, and go on counting after a report."""
    noted = totals()
    for count in (1, 2):
        noted.decided(VOICE, AGAIN, held=NOT_HELD, degraded=True)
        assert noted.snapshot().decisions["retry", "voice"] == count
    noted.hung_up(VOICE)
    assert sum(noted.snapshot().decisions.values()) == 2


def test_overshoot() -> None:
    """Only requests that were held to their end tell how late they were answered."""
    noted = totals()
    noted.decided(VOICE, AGAIN, held=NOT_HELD, degraded=False)
    noted.decided(VOICE, AGAIN, held=Held(seconds=3.0, overshoot=0.0, early=True), degraded=False)
    assert sum(noted.snapshot().overshoot.buckets) == 0
    for overshoot in (0.0, 0.001, 0.0011, 6.0):
        noted.decided(VOICE, AGAIN, held=held(overshoot), degraded=False)
    found = noted.snapshot().overshoot
    assert (found.buckets[0], found.buckets[1], found.buckets[-1]) == (2, 1, 1)
    assert (found.total, found.least, found.most) == (6.0021, 0.0, 6.0)


def test_bounds_are_those_of_prometheus() -> None:
    """The histogram has the same buckets as the one on /metrics."""
    metrics = Metrics(version="1", environment="test")
    bounds = {
        sample.labels["le"]
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "boomerang_hold_overshoot_seconds_bucket"
    }
    assert bounds == {*map(str, OVERSHOOT_BOUNDS), "+Inf"}


def test_last_run() -> None:
    """Of each check the last run is told, and how many failed, by reason."""
    noted = totals()
    for reason in (Reason.DNS, Reason.DNS, Reason.TLS, None):
        noted.checked(check("web"), Result(at=START, seconds=1.0, reason=reason), affected=True)
    snapshot = noted.snapshot()
    (only,) = snapshot.checks
    assert (only.check, only.result.well, only.affected) == ("web", True, True)
    assert snapshot.failures == {("web", "dns"): 2, ("web", "tls"): 1}


def test_stale() -> None:
    """A check that has missed three runs is left out; it comes back with its next run."""
    now = START
    noted = Totals(held=lambda: 0, wall_clock=lambda: now)
    web = check("web", interval=60, timeout=10)
    noted.checked(web, Result(at=START, seconds=1.0), affected=False)
    now = START + 189
    assert len(noted.snapshot().checks) == 1
    now = START + 191
    assert len(noted.snapshot().checks) == 0
    noted.checked(web, Result(at=now, seconds=1.0), affected=False)
    assert len(noted.snapshot().checks) == 1


def test_a_snapshot_stays_as_it_is() -> None:
    """Another thread may read a snapshot while everything goes on being counted."""
    noted = busy_totals()
    before, same = noted.snapshot(), noted.snapshot()
    noted.checked(check("db"), Result(at=START, seconds=1.0, reason=Reason.DNS), affected=False)
    noted.decided(VOICE, AGAIN, held=held(0.1), degraded=False)
    assert before == same != noted.snapshot()


def test_outages_are_not_counted() -> None:
    """Beginning and end of an outage change nothing: the runs say it."""
    noted = busy_totals()
    before = noted.snapshot()
    outage = Outage("web", START, Reason.DNS, "no such name")
    noted.began(outage)
    noted.ended(outage)
    assert noted.snapshot() == before
