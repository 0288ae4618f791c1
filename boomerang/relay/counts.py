"""What the relay counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from boomerang.relay.events import CODES, OTHER, Fate
from boomerang.stores.queue import Stats

OUTCOMES: Final = ("accepted", "duplicate", "delivered", "retried", "dead")

_DELIVERY_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14400, 86400)


class RelayCounts:
    """The relay's instruments. Labels have fixed values.

    ``endpoints`` are the names of the endpoint table, and the one for all other URLs.
    """

    def __init__(self, registry: CollectorRegistry, endpoints: Sequence[str]) -> None:
        callbacks = Counter(
            "boomerang_relay_callbacks",
            "Status callbacks, by what became of them; a retried one is tried again.",
            ("outcome", "endpoint"),
            registry=registry,
        )
        self._callbacks = {
            labels: callbacks.labels(*labels) for labels in product(OUTCOMES, endpoints)
        }
        events = Counter(
            "boomerang_debugger_events",
            "Twilio's Debugger events, by error code and what became of them.",
            ("code", "fate"),
            registry=registry,
        )
        fates = [fate.value for fate in Fate]
        self._events = {
            labels: events.labels(*labels) for labels in product((*CODES, OTHER), fates)
        }
        self._delivery = Histogram(
            "boomerang_relay_delivery_seconds",
            "From a callback's acceptance until the app had it.",
            buckets=_DELIVERY_BUCKETS,
            registry=registry,
        )
        self._waiting = self._gauge(registry, "waiting", "Callbacks that wait for delivery.")
        self._dead = self._gauge(registry, "dead_letters", "Callbacks that were given up.")
        self._bytes = self._gauge(registry, "bytes", "Bytes that all of them take in the store.")
        self._oldest = self._gauge(
            registry, "oldest_seconds", "Age of the oldest callback that waits."
        )
        self._down = self._gauge(
            registry, "origins_down", "Origins that take nothing, and are probed."
        )

    def _gauge(self, registry: CollectorRegistry, name: str, help_: str) -> Gauge:
        return Gauge(f"boomerang_relay_{name}", help_, registry=registry)

    def callback(self, outcome: str, endpoint: str) -> None:
        """One of `OUTCOMES` has come; an endpoint of before the last restart may be unknown now."""
        counter = self._callbacks.get((outcome, endpoint))
        if counter is None:
            counter = self._callbacks[outcome, next(iter(self._callbacks))[1]]
        counter.inc()

    def delivered_in(self, seconds: float) -> None:
        self._delivery.observe(max(0.0, seconds))

    def event(self, code: str, fate: Fate) -> None:
        self._events[code, fate.value].inc()

    def origins_down(self, count: int) -> None:
        self._down.set(count)

    def stands(self, stats: Stats, *, oldest: float) -> None:
        """``oldest`` is an age in seconds."""
        self._waiting.set(stats.waiting)
        self._dead.set(stats.dead)
        self._bytes.set(stats.waiting_bytes + stats.dead_bytes)
        self._oldest.set(oldest)
