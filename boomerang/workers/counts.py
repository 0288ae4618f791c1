"""What the supervisor counts itself, for ``/metrics``."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from boomerang.workers.merging import Families, families_of


class SupervisorCounts:
    """The supervisor's instruments; ``worker`` is one of ``of`` numbers."""

    def __init__(self, *, of: int) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._ready = Gauge(
            "boomerang_workers", "Workers that are serving.", registry=self.registry
        )
        restarts = Counter(
            "boomerang_worker_restarts",
            "How often a worker was started again.",
            ("worker",),
            registry=self.registry,
        )
        self._restarts = [restarts.labels(str(number)) for number in range(of)]

    def ready(self, count: int) -> None:
        self._ready.set(count)

    def restarted(self, worker: int) -> None:
        self._restarts[worker].inc()

    def families(self) -> Families:
        return families_of(self.registry)
