"""The peer: the predecessor's rules on today's aiohttp, gunicorn and blocking redis-py.

Served by `gunicorn benchmarks.peer:application --worker-class aiohttp.GunicornWebWorker`.
It is slow on purpose in the ways that the predecessor was: Redis blocks the event loop, the answer
is built by Twilio's SDK, and a host is marked as failed only after the wait.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import redis
from aiohttp import web
from twilio.twiml.voice_response import VoiceResponse

from benchmarks import traffic

WAIT_VARIABLE = "PEER_WAIT"
REDIS_VARIABLE = "PEER_REDIS_URL"

_WAITS_FOR = "11200"
_WARM_UP = f"/{traffic.WARM_UP}"
_REMEMBERED_SECONDS = 15 * 60

Handler = Callable[[web.Request], Awaitable[web.Response]]


async def application() -> web.Application:
    """The app that gunicorn serves; wait (seconds) and Redis come from the environment."""
    wait = float(os.environ.get(WAIT_VARIABLE, "8"))
    cache = redis.Redis.from_url(os.environ[REDIS_VARIABLE])
    app = web.Application()
    app.router.add_route("*", "/retry", retry_handler(cache, wait))
    return app


def retry_handler(cache: redis.Redis, wait: float) -> Handler:
    """The handler of /retry, which holds a first failure for `wait` seconds."""

    async def retry(request: web.Request) -> web.Response:
        form = await request.post()
        data: dict[str, Any] = {**form, **request.query}
        if "ErrorCode" not in data or "ErrorUrl" not in data:
            return web.Response(status=400)
        url = data["ErrorUrl"]
        host = urlsplit(url).hostname or ""
        if data["ErrorCode"] != _WAITS_FOR or cache.exists(host):
            return _give_up(data)
        await asyncio.sleep(0 if urlsplit(url).path == _WARM_UP else wait)
        cache.setex(host, _REMEMBERED_SECONDS, 1)
        return _redirect(url, data.get("Method") or "POST")

    return retry


def _give_up(data: dict[str, Any]) -> web.Response:
    if "FallbackUrl" not in data:
        return web.Response(status=500)
    return _redirect(data["FallbackUrl"], data.get("FallbackMethod") or "GET")


def _redirect(url: str, method: str) -> web.Response:
    twiml = VoiceResponse()
    twiml.redirect(url, method=method)
    return web.Response(text=str(twiml), content_type="application/xml")
