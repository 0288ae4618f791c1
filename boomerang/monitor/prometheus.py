"""The checks on ``/metrics``: read off the panel whenever somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from boomerang.monitor.result import Reason
from boomerang.monitor.verdict import State
from boomerang.monitor.watched import CheckView

STATES: Final = (*(state.value for state in State), "paused")


@frozen(eq=False)
class CheckCollector(Collector):
    """The metrics of the checks. Their names come from the settings, so labels are bounded.

    ``view`` is empty in a process that does not watch, so that another one's results stand alone.
    """

    view: Callable[[], Sequence[CheckView]]

    def collect(self) -> Iterable[Metric]:
        views = self.view()
        yield _gauge(
            "boomerang_check_up",
            "1 if the last run of the check was well, 0 if it failed.",
            ("check",),
            (((each.check.name,), each.last.well) for each in views if each.last),
        )
        yield _gauge(
            "boomerang_check_state",
            "1 for the state that the check is in, 0 for the others.",
            ("check", "state"),
            _states(views),
        )
        yield _gauge(
            "boomerang_check_affected",
            "1 while something that the check depends on is down.",
            ("check",),
            (((each.check.name,), bool(each.causes)) for each in views),
        )
        yield _gauge(
            "boomerang_check_duration_seconds",
            "How long the last run took, by phase; no total where it failed without an answer.",
            ("check", "phase"),
            _durations(views),
        )
        yield _gauge(
            "boomerang_check_last_run_timestamp_seconds",
            "When the check was last run.",
            ("check",),
            (((each.check.name,), each.last.at) for each in views if each.last),
        )
        yield _gauge(
            "boomerang_check_certificate_expiry_timestamp_seconds",
            "When the certificate that the check saw last expires.",
            ("check",),
            _certificates(views),
        )
        failures = CounterMetricFamily(
            "boomerang_check_failures",
            "Runs of the check that failed, by reason.",
            labels=("check", "reason"),
        )
        for each in views:
            for reason in Reason:
                failures.add_metric((each.check.name, reason.value), each.failures[reason.value])
        yield failures


Samples = Iterable[tuple[tuple[str, ...], float]]


def _gauge(name: str, help_: str, labels: tuple[str, ...], samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _states(views: Sequence[CheckView]) -> Iterator[tuple[tuple[str, ...], float]]:
    for each in views:
        current = "paused" if each.paused_until is not None else each.standing.state.value
        for state in STATES:
            yield (each.check.name, state), state == current


def _durations(views: Sequence[CheckView]) -> Iterator[tuple[tuple[str, ...], float]]:
    for each in views:
        if each.last is None:
            continue
        for phase, spent in each.last.phases.items():
            yield (each.check.name, phase), spent
        if each.last.response_seconds is not None:
            yield (each.check.name, "total"), each.last.response_seconds


def _certificates(views: Sequence[CheckView]) -> Iterator[tuple[tuple[str, ...], float]]:
    for each in views:
        if each.last is not None and each.last.certificate_expires is not None:
            yield (each.check.name,), each.last.certificate_expires
