"""The small routes: ``/health``, ``/metrics`` and ``/``."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import define, field, frozen
from klein import Klein

from boomerang import __version__
from boomerang.metrics import CONTENT_TYPE, Metrics
from boomerang.relay.standing import Standing
from boomerang.retry.circuits import Circuits
from boomerang.retry.hold import Hold
from boomerang.stores.failsafe import FailsafeStore
from boomerang.web.compression import suited
from boomerang.web.reply import NO_STORE, Reply, as_json
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from boomerang.web.visitors import Visitors


@define
class Life:
    """What the process is about, for those who ask from outside.

    ``started_at`` is an instant; ``clock`` measures how long ago that is, and nobody sets it.
    """

    started_at: float
    stopping: bool = False
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()

    @property
    def seconds(self) -> float:
        return self.clock() - self._began


@frozen(eq=False)
class HealthRoute:
    """``/health``: is this host well? Open to all, so it names no address and no error."""

    store: FailsafeStore
    hold: Hold
    circuits: Circuits
    relay: Standing
    life: Life
    environment: str

    app = Klein()

    @route(app, "/health", "GET")
    def health(self, request: GuardedRequest) -> Reply:
        return as_json(self.described(), status=503 if self.life.stopping else 200)

    def described(self) -> dict[str, Any]:
        """What this process says of itself."""
        degraded = self.store.degraded
        troubles = [] if degraded is None else [("store", degraded.since)]
        troubles += self.relay.troubles()
        status = "stopping" if self.life.stopping else "degraded" if troubles else "ok"
        return {
            "status": status,
            "degraded": [{"part": part, "since": instant(since)} for part, since in troubles],
            "environment": self.environment,
            "version": __version__,
            "started": instant(self.life.started_at),
            "uptime_seconds": round(self.life.seconds),
            "held": len(self.hold),
            "relay": self.relay.described(),
            "circuits": [
                {"reason": each.reason, "since": instant(each.since)}
                for each in self.circuits.open().values()
            ],
        }


@frozen(eq=False)
class MetricsRoute:
    """``/metrics``, for Prometheus."""

    metrics: Metrics
    visitors: Visitors

    app = Klein()

    @route(app, "/metrics", "GET")
    async def metrics_page(self, request: GuardedRequest) -> Reply:
        await self.visitors.check(request)
        return suited(Reply(self.metrics.render(), content_type=CONTENT_TYPE), request)


@frozen(eq=False)
class HomeRoute:
    """``/`` leads to the project's home page."""

    home_url: str

    app = Klein()

    @route(app, "/", "GET")
    def home(self, request: GuardedRequest) -> Reply:
        location = (b"Location", self.home_url.encode())
        return Reply(f"{self.home_url}\n".encode(), status=302, headers=(NO_STORE, location))


def instant(seconds: float) -> str:
    """Seconds since the epoch, for people and programs."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
