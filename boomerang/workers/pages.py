"""``/health`` and ``/metrics`` of a worker: whichever is asked answers for all."""

from __future__ import annotations

from attrs import frozen
from klein import Klein
from twisted.internet.defer import TimeoutError

from boomerang.metrics import CONTENT_TYPE
from boomerang.web.compression import suited
from boomerang.web.pages import HealthRoute
from boomerang.web.reply import Refused, Reply, as_json
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from boomerang.web.visitors import Visitors
from boomerang.workers.messages import HEALTH, METRICS
from boomerang.workers.workplace import Channel


@frozen(eq=False)
class HostHealthRoute:
    """``/health`` of the host. A worker that is stopping, or cannot ask, speaks for itself."""

    own: HealthRoute
    channel: Channel

    app = Klein()

    @route(app, "/health", "GET")
    async def health(self, request: GuardedRequest) -> Reply:
        if self.own.life.stopping:
            return self.own.health(request)
        try:
            found = await self.channel.gather(HEALTH)
        except TimeoutError:
            found = None
        return as_json(found) if found else self.own.health(request)


@frozen(eq=False)
class HostMetricsRoute:
    """``/metrics`` of the host. Without all of it there is none: sums would seem to fall."""

    visitors: Visitors
    channel: Channel

    app = Klein()

    @route(app, "/metrics", "GET")
    async def metrics(self, request: GuardedRequest) -> Reply:
        await self.visitors.check(request)
        try:
            found: str = await self.channel.gather(METRICS)
        except TimeoutError:
            raise Refused(503, "the supervisor does not say what the workers count") from None
        return suited(Reply(found.encode(), content_type=CONTENT_TYPE), request)
