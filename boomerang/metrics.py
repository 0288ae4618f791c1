"""What boomerang counts, for Prometheus: a registry of its own, a method per thing that happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from boomerang.instruments import Counts, Durations
from boomerang.relay.counts import RelayCounts
from boomerang.retry.crowd import ACCOUNT, FULL, SHARE
from boomerang.settings.endpoints import UNKNOWN

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_PRODUCTS: Final = ("voice", "messaging", "unknown")
_DECISIONS: Final = ("retry", "fallback", "apology", "give-up", "hold")
_OUTCOMES: Final = ("recovered", "lost")
_NOTIFIED: Final = ("delivered", "failed", "dropped")
_REFUSALS: Final = ("400", "401", "403", "404", "405", "408", "413", "415", "431", "503", "other")
_OVERSHOOT_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_LATENCY_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)


class Metrics:
    """The instruments. Labels have fixed values: nothing from outside can make a new one.

    ``endpoints`` are the names of the endpoint table, and the one for all other URLs.
    """

    def __init__(
        self, *, version: str, environment: str, endpoints: Sequence[str] = (UNKNOWN,)
    ) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        Gauge(
            "boomerang_build_info",
            "Always 1; the labels tell which boomerang this is.",
            ("version", "environment"),
            registry=self.registry,
        ).labels(version, environment).set(1)
        self._decisions = Counts(
            "boomerang_decisions",
            "Answers to fallback requests, by what became of the call or message.",
            ("decision", "product", "endpoint"),
            known=product(_DECISIONS, _PRODUCTS, endpoints),
            registry=self.registry,
        )
        outcomes = self._counter(
            "boomerang_second_chances",
            "Second chances by what became of them: whether the same request failed again in 30 s.",
            ("outcome", "endpoint"),
        )
        self._outcomes = {
            labels: outcomes.labels(*labels) for labels in product(_OUTCOMES, endpoints)
        }
        self._circuits_open = Gauge(
            "boomerang_circuits_open",
            "Origins that are known to be dead, so that nothing is held for them.",
            registry=self.registry,
        )
        refused = self._counter(
            "boomerang_refused_requests",
            "Requests that were refused, by HTTP status.",
            ("status",),
        )
        self._refused = {status: refused.labels(status) for status in _REFUSALS}
        self._degraded_decisions = self._counter(
            "boomerang_degraded_decisions",
            "Decisions that were made without the store, from this process's memory.",
        )
        self._hung_up = self._counter(
            "boomerang_hung_up_requests",
            "Held requests whose client went away before the answer.",
        )
        self._released_early = self._counter(
            "boomerang_released_early_requests",
            "Held requests that were answered before their time, since the process was stopping.",
        )
        turned_away = self._counter(
            "boomerang_unheld_requests",
            "Requests that were redirected at once, since too many were held, by the reason.",
            ("reason",),
        )
        self._turned_away = {why: turned_away.labels(why) for why in (FULL, SHARE, ACCOUNT)}
        self._overshoot = Durations(
            "boomerang_hold_overshoot_seconds",
            "How much later than its release instant a held request was answered.",
            bounds=_OVERSHOOT_BUCKETS,
            registry=self.registry,
        )
        self._store_latency = Durations(
            "boomerang_store_claim_seconds",
            "How long the store took for a claim.",
            bounds=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        failures = self._counter(
            "boomerang_store_failures",
            "Claims that the store did not make, or not in time.",
            ("reason",),
        )
        self._store_failures = {
            reason: failures.labels(reason) for reason in ("timeout", "unavailable")
        }
        self._store_degraded = Gauge(
            "boomerang_store_degraded",
            "1 while claims are made in this process's memory, since the store does not answer.",
            registry=self.registry,
        )

        notified = self._counter(
            "boomerang_notifications",
            "Messages to people about outages, by outcome; a failed one is tried again.",
            ("outcome",),
        )
        self._notified = {outcome: notified.labels(outcome) for outcome in _NOTIFIED}
        self.relay = RelayCounts(self.registry, endpoints)

    def _counter(self, name: str, help_: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, help_, labels, registry=self.registry)

    def watch_held(self, held: Callable[[], float]) -> None:
        """Let ``held`` say how many requests are being held whenever somebody asks."""
        Gauge(
            "boomerang_held_requests",
            "Requests that are being held now.",
            registry=self.registry,
        ).set_function(held)

    def decision(self, kind: str, product: str, endpoint: str, *, degraded: bool) -> None:
        self._decisions.count(kind, product, endpoint)
        if degraded:
            self._degraded_decisions.inc()

    def held(self, *, overshoot: float, early: bool) -> None:
        if early:
            self._released_early.inc()
        else:
            self._overshoot.observe(overshoot)

    def turned_away(self, why_not: str) -> None:
        self._turned_away[why_not].inc()

    def hung_up(self) -> None:
        self._hung_up.inc()

    def refused(self, status: int) -> None:
        self._refused.get(str(status), self._refused["other"]).inc()

    def store_answered(self, seconds: float) -> None:
        self._store_latency.observe(seconds)

    def store_failed(self, reason: str) -> None:
        self._store_failures[reason].inc()

    def store_degraded(self, degraded: bool) -> None:
        self._store_degraded.set(degraded)

    def second_chance(self, outcome: str, endpoint: str) -> None:
        self._outcomes[outcome, endpoint].inc()

    def circuits_open(self, count: int) -> None:
        self._circuits_open.set(count)

    def notified(self, outcome: str) -> None:
        self._notified[outcome].inc()

    def render(self) -> bytes:
        """The text that Prometheus scrapes; takes about a millisecond, and no thread."""
        return generate_latest(self.registry)
