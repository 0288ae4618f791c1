"""What is counted, and that nothing from outside can make a label."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from boomerang.metrics import CONTENT_TYPE, Metrics
from boomerang.settings.endpoints import UNKNOWN

DECISIONS = ("retry", "fallback", "apology", "give-up", "hold")
PRODUCTS = ("voice", "messaging", "unknown")
REFUSALS = (400, 401, 403, 404, 405, 408, 413, 415, 431, 503)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3", environment="staging")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"boomerang_{name}", labels)


def series(metrics: Metrics) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Names and labels of all our samples."""
    return {
        (sample.name, frozenset(sample.labels.items()))
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name.startswith("boomerang_")
    }


def use_all(metrics: Metrics) -> None:
    """Let everything happen that is counted."""
    for kind in DECISIONS:
        for product in PRODUCTS:
            metrics.decision(kind, product, UNKNOWN, degraded=True)
    for status in REFUSALS:
        metrics.refused(status)
    metrics.held(overshoot=0.002, early=False)
    metrics.held(overshoot=0.0, early=True)
    metrics.hung_up()
    metrics.store_answered(0.003)
    metrics.store_failed("timeout")
    metrics.store_failed("unavailable")
    metrics.store_degraded(True)
    for outcome in ("recovered", "lost"):
        metrics.second_chance(outcome, UNKNOWN)
    for outcome in ("delivered", "failed", "dropped"):
        metrics.notified(outcome)
    metrics.circuits_open(2)


@pytest.mark.parametrize("used", [False, True])
def test_promtool(metrics: Metrics, used: bool) -> None:
    """Prometheus' own linter finds nothing to say, before anything was counted and after."""
    metrics.watch_held(lambda: 3.0)
    if used:
        use_all(metrics)
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing; it comes with Prometheus"
    found = subprocess.run(
        [promtool, "check", "metrics"],
        input=metrics.render(),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


def test_all_there_from_the_start(metrics: Metrics) -> None:
    """Each series is there with 0 before it first counts, so that an increase can be seen."""
    for kind in DECISIONS:
        for product in PRODUCTS:
            labels = {"decision": kind, "product": product, "endpoint": UNKNOWN}
            assert value(metrics, "decisions_total", **labels) == 0
    for outcome in ("recovered", "lost"):
        assert value(metrics, "second_chances_total", outcome=outcome, endpoint=UNKNOWN) == 0
    for status in REFUSALS:
        assert value(metrics, "refused_requests_total", status=str(status)) == 0
    for name in ("degraded_decisions", "hung_up_requests", "released_early_requests"):
        assert value(metrics, f"{name}_total") == 0
    for reason in ("timeout", "unavailable"):
        assert value(metrics, "store_failures_total", reason=reason) == 0
    for outcome in ("delivered", "failed", "dropped"):
        assert value(metrics, "notifications_total", outcome=outcome) == 0
    assert value(metrics, "circuits_open") == 0
    assert value(metrics, "store_degraded") == 0
    assert value(metrics, "hold_overshoot_seconds_count") == 0
    assert value(metrics, "store_claim_seconds_count") == 0


def test_fixed_labels(metrics: Metrics) -> None:
    """Whatever happens, no series is added."""
    before = series(metrics)
    use_all(metrics)
    assert series(metrics) == before


def test_unknown_labels(metrics: Metrics) -> None:
    """Values that are not foreseen become no labels, be it that they are mistakes of ours."""
    before = series(metrics)
    for kind, product in [("retry", "fax"), ("+15005550006", "voice")]:
        with pytest.raises(KeyError):
            metrics.decision(kind, product, UNKNOWN, degraded=False)
    with pytest.raises(KeyError):
        metrics.store_failed("ouch")
    with pytest.raises(KeyError):
        metrics.notified("read")
    for outcome, endpoint in [("unclear", UNKNOWN), ("lost", "+15005550006")]:
        with pytest.raises(KeyError):
            metrics.second_chance(outcome, endpoint)
    assert series(metrics) == before


def test_build_info(metrics: Metrics) -> None:
    """Version and environment are told once."""
    assert value(metrics, "build_info", version="1.2.3", environment="staging") == 1


@pytest.mark.parametrize("kind", DECISIONS)
@pytest.mark.parametrize("product", PRODUCTS)
def test_decisions(metrics: Metrics, kind: str, product: str) -> None:
    """A decision is counted where it belongs and nowhere else; a degraded one as such too."""
    metrics.decision(kind, product, UNKNOWN, degraded=False)
    assert value(metrics, "degraded_decisions_total") == 0
    metrics.decision(kind, product, UNKNOWN, degraded=True)
    assert value(metrics, "degraded_decisions_total") == 1
    counted = {
        (other, of): value(metrics, "decisions_total", decision=other, product=of, endpoint=UNKNOWN)
        for other in DECISIONS
        for of in PRODUCTS
    }
    assert counted.pop((kind, product)) == 2
    assert set(counted.values()) == {0}


@pytest.mark.parametrize("status", REFUSALS)
def test_refusals(metrics: Metrics, status: int) -> None:
    """A refused request is counted by its status."""
    metrics.refused(status)
    counted = {
        other: value(metrics, "refused_requests_total", status=str(other)) for other in REFUSALS
    }
    assert counted == {other: float(other == status) for other in REFUSALS}


def test_overshoot(metrics: Metrics) -> None:
    """A hold is measured by how late it ended; one cut short is counted apart."""
    metrics.held(overshoot=0.25, early=False)
    metrics.held(overshoot=0.0, early=True)
    assert value(metrics, "hold_overshoot_seconds_count") == 1
    assert value(metrics, "hold_overshoot_seconds_sum") == 0.25
    assert value(metrics, "hold_overshoot_seconds_bucket", le="0.1") == 0
    assert value(metrics, "hold_overshoot_seconds_bucket", le="0.25") == 1
    assert value(metrics, "released_early_requests_total") == 1


def test_hung_up(metrics: Metrics) -> None:
    """A client that went away is counted."""
    metrics.hung_up()
    assert value(metrics, "hung_up_requests_total") == 1


def test_store(metrics: Metrics) -> None:
    """How the store does is measured, counted and shown."""
    metrics.store_answered(0.125)
    metrics.store_failed("timeout")
    metrics.store_failed("timeout")
    metrics.store_failed("unavailable")
    metrics.store_degraded(True)
    assert value(metrics, "store_claim_seconds_sum") == 0.125
    assert value(metrics, "store_failures_total", reason="timeout") == 2
    assert value(metrics, "store_failures_total", reason="unavailable") == 1
    assert value(metrics, "store_degraded") == 1
    metrics.store_degraded(False)
    assert value(metrics, "store_degraded") == 0


def test_held_now(metrics: Metrics) -> None:
    """How many are held is asked for when somebody looks."""
    held = [1, 2]
    metrics.watch_held(lambda: len(held))
    assert value(metrics, "held_requests") == 2
    held.append(3)
    assert value(metrics, "held_requests") == 3


def test_render(metrics: Metrics) -> None:
    """The text is Prometheus' own, and has the process's and the runtime's metrics too."""
    text = metrics.render().decode()
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
    assert '\nboomerang_build_info{environment="staging",version="1.2.3"} 1.0\n' in text
    assert "\nprocess_start_time_seconds " in text
    assert "\npython_info{" in text
    assert "\npython_gc_collections_total{" in text


def test_own_registry() -> None:
    """Two sets of instruments in one process know nothing of each other."""
    one, other = (Metrics(version="1", environment="test") for _ in range(2))
    one.hung_up()
    assert value(other, "hung_up_requests_total") == 0


@pytest.mark.parametrize("status", [401, 308, 500, 503])
def test_refused(status: int) -> None:
    """Any refusal is counted."""
    Metrics(version="1", environment="x").refused(status)


@pytest.mark.parametrize("endpoint", ["voice", UNKNOWN])
def test_endpoints(endpoint: str) -> None:
    """Each endpoint of the table has series of its own, and no other name makes any."""
    metrics = Metrics(version="1", environment="test", endpoints=["voice", UNKNOWN])
    metrics.decision("apology", "voice", endpoint, degraded=False)
    metrics.second_chance("lost", endpoint)
    labels = {"decision": "apology", "product": "voice"}
    counted = [
        value(metrics, "decisions_total", **labels, endpoint=each) for each in ("voice", UNKNOWN)
    ]
    assert sorted(filter(None, counted)) == [1]
    assert value(metrics, "second_chances_total", outcome="lost", endpoint=endpoint) == 1
    with pytest.raises(KeyError):
        metrics.decision("retry", "voice", "another", degraded=False)


@pytest.mark.parametrize("outcome", ["recovered", "lost"])
def test_second_chances(metrics: Metrics, outcome: str) -> None:
    """What became of a second chance is counted."""
    metrics.second_chance(outcome, UNKNOWN)
    counted = {
        each: value(metrics, "second_chances_total", outcome=each, endpoint=UNKNOWN)
        for each in ("recovered", "lost")
    }
    assert counted == {each: float(each == outcome) for each in counted}


@pytest.mark.parametrize("outcome", ["delivered", "failed", "dropped"])
def test_notifications(metrics: Metrics, outcome: str) -> None:
    """So is what became of a message to people."""
    metrics.notified(outcome)
    assert value(metrics, "notifications_total", outcome=outcome) == 1


def test_circuits(metrics: Metrics) -> None:
    """How many apps are known to be dead is shown as it was last told."""
    for count in (2, 5, 0):
        metrics.circuits_open(count)
        assert value(metrics, "circuits_open") == count
