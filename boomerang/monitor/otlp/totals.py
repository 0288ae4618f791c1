"""What is told to OpenTelemetry: counted as it happens, and handed over as a whole."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

from attrs import frozen

from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Result
from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.request import FailedRequest
from boomerang.settings.checks import Check

OVERSHOOT_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds; those of ``boomerang_hold_overshoot_seconds`` on ``/metrics``."""

_MISSED_RUNS: Final = 3
"""Intervals without a run after which a check is left out: it is paused, or another process has
taken the watch over and tells of it."""

_PRODUCTS: Final = ("voice", "messaging", "unknown")


@frozen
class LastRun:
    """How a check was found last, and until when that is worth telling."""

    check: str
    result: Result
    affected: bool
    stale_at: float


@frozen
class Overshoot:
    """How late held requests were answered: how many by `OVERSHOOT_BOUNDS`, and seconds.

    The last bucket has what is above all bounds. ``least`` and ``most`` mean nothing while there
    is none.
    """

    buckets: tuple[int, ...]
    total: float
    least: float
    most: float


@frozen
class Snapshot:
    """All there is to report at an instant. Nothing in it changes any more.

    ``at`` and ``since`` (when counting began) are seconds since the epoch. ``failures`` are by
    check and reason, ``decisions`` by decision and product.
    """

    at: float
    since: float
    checks: tuple[LastRun, ...]
    failures: Mapping[tuple[str, str], int]
    decisions: Mapping[tuple[str, str], int]
    held: int
    overshoot: Overshoot


class Totals:
    """A `Reporter` and a `DecisionWatcher` that only takes notes, in the reactor's thread.

    It grows with the checks and the kinds of decisions, not with what happens. ``held`` says how
    many requests are being held.
    """

    def __init__(self, *, held: Callable[[], int], wall_clock: Callable[[], float]) -> None:
        self._held = held
        self._wall_clock = wall_clock
        self._since = wall_clock()
        self._checks: dict[str, LastRun] = {}
        self._failures: Counter[tuple[str, str]] = Counter()
        # Zeros, so that the first decision can be seen as an increase.
        self._decisions = Counter(
            {(kind.value, product): 0 for kind in Kind for product in _PRODUCTS}
        )
        self._buckets = [0] * (len(OVERSHOOT_BOUNDS) + 1)
        self._total = 0.0
        self._least = inf
        self._most = 0.0

    def checked(self, check: Check, result: Result, *, affected: bool) -> None:
        stale_at = result.at + _MISSED_RUNS * check.interval + check.timeout
        self._checks[check.name] = LastRun(check.name, result, affected, stale_at)
        if result.reason is not None:
            self._failures[check.name, result.reason.value] += 1

    def began(self, outage: Outage) -> None:
        """Nothing to note: the metrics tell of runs, and whoever watches them of outages."""

    def ended(self, outage: Outage) -> None:
        """Nothing to note."""

    def decided(
        self, failed: FailedRequest, decision: Decision, *, held: Held, degraded: bool
    ) -> None:
        self._decisions[decision.kind.value, failed.product] += 1
        if held.seconds and not held.early:
            self._buckets[bisect_left(OVERSHOOT_BOUNDS, held.overshoot)] += 1
            self._total += held.overshoot
            self._least = min(self._least, held.overshoot)
            self._most = max(self._most, held.overshoot)

    def hung_up(self, failed: FailedRequest) -> None:
        """Nothing to note: the request was not decided."""

    def snapshot(self) -> Snapshot:
        """What there is to report now."""
        now = self._wall_clock()
        return Snapshot(
            at=now,
            since=self._since,
            checks=tuple(each for each in self._checks.values() if now < each.stale_at),
            failures=dict(self._failures),
            decisions=dict(self._decisions),
            held=self._held(),
            overshoot=Overshoot(tuple(self._buckets), self._total, self._least, self._most),
        )
