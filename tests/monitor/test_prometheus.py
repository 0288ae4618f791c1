"""The checks on ``/metrics``."""

from __future__ import annotations

import subprocess
from math import inf

from prometheus_client.parser import text_string_to_metric_families

from boomerang.metrics import Metrics
from boomerang.monitor.panel import Kept, Panel
from boomerang.monitor.prometheus import CheckCollector
from boomerang.monitor.result import PHASES, Reason, Result
from boomerang.settings.checks import Check

CLOUD = Check(name="cloud", url="https://cloud.example.com/")
WEB = Check(name="web", url="https://app.example.com/", depends_on=("cloud",))
ALONE = Check(name="web", url="https://app.example.com/")

NOON = 1_800_000_000.0

GOOD = Result(
    at=NOON,
    seconds=0.5,
    phases=dict(zip(PHASES, (0.01, 0.02, 0.03, 0.4, 0.04), strict=True)),
    status=200,
    certificate_expires=NOON + 86400,
)
REFUSED = Result(at=NOON, seconds=0.002, reason=Reason.CONNECT, phases={"connect": 0.002})
HANGS = Result(at=NOON, seconds=10.0, reason=Reason.TIMEOUT, phases={"transfer": 9.9})

Key = tuple[str, ...]


class Scraped:
    """What a scrape finds of the checks: values by name of the metric and of its labels."""

    def __init__(self, panel: Panel) -> None:
        metrics = Metrics(version="1", environment="test")
        metrics.registry.register(CheckCollector(lambda: panel.view(now=NOON)))
        self.text = metrics.render().decode()
        self.values = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.text)
            if family.name.startswith("boomerang_check")
            for sample in family.samples
        }

    def of(self, metric: str) -> dict[Key, float]:
        """The values of one metric, by its labels' values."""
        return {
            tuple(labels): value for (name, *labels), value in self.values.items() if name == metric
        }


def test_nothing() -> None:
    """Of a check that has not run there is its state alone, and no failure."""
    scraped = Scraped(Panel([ALONE]))
    assert {name for name, *_ in scraped.values} == {
        "boomerang_check_state",
        "boomerang_check_affected",
        "boomerang_check_failures_total",
    }
    assert scraped.values["boomerang_check_state", "web", "unknown"] == 1
    assert set(scraped.of("boomerang_check_failures_total").values()) == {0.0}


def test_not_watching() -> None:
    """A process that does not watch says nothing of any check, another one does."""
    assert Scraped(Panel([])).values == {}


def test_well() -> None:
    """A run that is well is up, with its time by phases, and its certificate's end."""
    panel = Panel([ALONE])
    panel.add("web", GOOD, now=NOON)
    scraped = Scraped(panel)
    assert scraped.of("boomerang_check_up") == {("web",): 1.0}
    assert scraped.of("boomerang_check_duration_seconds") == {
        ("web", "resolve"): 0.01,
        ("web", "connect"): 0.02,
        ("web", "tls"): 0.03,
        ("web", "first_byte"): 0.4,
        ("web", "transfer"): 0.04,
        ("web", "total"): 0.5,
    }
    assert scraped.of("boomerang_check_last_run_timestamp_seconds") == {("web",): NOON}
    assert scraped.of("boomerang_check_certificate_expiry_timestamp_seconds") == {
        ("web",): NOON + 86400
    }


def test_refused() -> None:
    """A refused connection is down, and never fast: it has no time in all."""
    panel = Panel([ALONE])
    panel.add("web", REFUSED, now=NOON)
    scraped = Scraped(panel)
    assert scraped.of("boomerang_check_up") == {("web",): 0.0}
    assert scraped.of("boomerang_check_duration_seconds") == {("web", "connect"): 0.002}
    assert scraped.of("boomerang_check_certificate_expiry_timestamp_seconds") == {}


def test_hangs() -> None:
    """A run that ended at its deadline has that as its time."""
    panel = Panel([ALONE])
    panel.add("web", HANGS, now=NOON)
    scraped = Scraped(panel)
    assert scraped.values["boomerang_check_duration_seconds", "web", "total"] == 10.0
    assert scraped.values["boomerang_check_up", "web"] == 0.0


def test_failures() -> None:
    """Failures count by reason; every reason is there from the start."""
    panel = Panel([ALONE])
    for result in (REFUSED, HANGS, REFUSED, GOOD):
        panel.add("web", result, now=NOON)
    failures = Scraped(panel).of("boomerang_check_failures_total")
    assert failures == {
        ("web", reason.value): {"connect": 2.0, "timeout": 1.0}.get(reason.value, 0.0)
        for reason in Reason
    }


def test_failures_of_another_process() -> None:
    """What another process has found does not count as failed here, or counters would jump."""
    panel = Panel([ALONE])
    panel.restore(Kept(results={"web": [REFUSED] * 5}), now=NOON)
    scraped = Scraped(panel)
    assert set(scraped.of("boomerang_check_failures_total").values()) == {0.0}
    assert scraped.values["boomerang_check_state", "web", "down"] == 1.0


def test_state() -> None:
    """A check is in one state at a time; a paused one in that alone, an affected one in its own."""
    panel = Panel([CLOUD, WEB])
    for _ in range(3):
        panel.add("cloud", REFUSED, now=NOON)
        panel.add("web", REFUSED, now=NOON)
    states = Scraped(panel).of("boomerang_check_state")
    assert {key for key, value in states.items() if value} == {("cloud", "down"), ("web", "down")}
    assert {state for _, state in states} == {"unknown", "up", "slow", "down", "paused"}
    assert Scraped(panel).of("boomerang_check_affected") == {("cloud",): 0.0, ("web",): 1.0}

    panel.pauses = {"cloud": inf}
    states = Scraped(panel).of("boomerang_check_state")
    assert {key for key, value in states.items() if value} == {("cloud", "paused"), ("web", "down")}
    assert Scraped(panel).of("boomerang_check_affected") == {("cloud",): 0.0, ("web",): 0.0}


def test_promtool() -> None:
    """Prometheus' own checker has nothing to say against names, types and help."""
    panel = Panel([CLOUD, WEB])
    panel.add("web", GOOD, now=NOON)
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=Scraped(panel).text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
