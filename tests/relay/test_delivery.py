"""One attempt: what the app gets, over a real connection, and what its answer means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from klein import Klein
from twilio.request_validator import RequestValidator
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.web.server import Site

from boomerang.outbound import Outbound
from boomerang.relay.callback import Callback, Queued, State
from boomerang.relay.delivery import Delivery
from boomerang.relay.schedule import Outcome, Verdict
from boomerang.relay.signers import Signers
from boomerang.stores.notes_memory import MemoryNotes
from tests.relay.callbacks import a_callback


class App:
    """An app that remembers what it was asked, and answers as it is told."""

    app = Klein()

    def __init__(self) -> None:
        self.status = 200
        self.hanging = False
        self.requests: list[dict[str, Any]] = []

    @app.route("/", branch=True)
    def take(self, request: Any) -> bytes | Deferred[bytes]:
        self.requests.append(
            {
                "method": request.method.decode(),
                "target": request.uri.decode(),
                "body": request.content.read(),
                "fields": {n.decode(): v[0].decode() for n, v in request.args.items()},
                **{
                    name: request.getHeader(name)
                    for name in ("Content-Type", "X-Twilio-Signature", "Boomerang-Attempt")
                },
                "token": request.getHeader("I-Twilio-Idempotency-Token"),
            }
        )
        request.setResponseCode(self.status)
        return Deferred() if self.hanging else b"<Response/>"


@asynccontextmanager
async def running() -> AsyncIterator[tuple[App, str, Outbound]]:
    """An app on a port of this machine, and a client."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    app = App()
    site = Site(app.app.resource())
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    outbound = Outbound(reactor)
    try:
        yield app, f"http://127.0.0.1:{port.getHost().port}", outbound
    finally:
        await outbound.close()
        await port.stopListening()
        await deferLater(reactor, 0.01)


def queued(callback: Callback, *, attempts: int = 0) -> Queued:
    return Queued(1, callback, State.WAITING, attempts, due_at=0.0)


async def attempt(
    outbound: Outbound,
    what: Queued,
    *,
    tokens: tuple[str, ...] = ("12345",),
    timeout: float = 5,
    allowed_hosts: tuple[str, ...] = (),
) -> Outcome:
    signers = Signers(tokens, {}, notes=MemoryNotes(Clock()))
    return await Delivery(outbound, signers, timeout, lambda: 0.0, allowed_hosts).attempt(what)


async def test_post() -> None:
    """A POST comes with its body, content type and a signature of the app's own URL."""
    async with running() as (app, url, outbound):
        callback = a_callback(url=f"{url}/calls/1?s=2", content_type="text/x; charset=UTF-8")
        assert await attempt(outbound, queued(callback)) == Outcome(Verdict.DELIVERED, "200")
        callback = a_callback(url=f"{url}/calls/1?s=2")
        await attempt(outbound, queued(callback))
    other, seen = app.requests
    assert other["Content-Type"] == "text/x; charset=UTF-8"
    assert (seen["method"], seen["target"]) == ("POST", "/calls/1?s=2")
    assert (seen["body"], seen["token"]) == (callback.body, callback.key)
    fields = {name: value for name, value in seen["fields"].items() if name != "s"}
    valid = RequestValidator("12345").validate(callback.url, fields, seen["X-Twilio-Signature"])
    assert valid


async def test_get() -> None:
    """A GET has no body, and is signed by its URL."""
    async with running() as (app, url, outbound):
        callback = a_callback(url=f"{url}/calls/1?CallSid=CA1&To=%2B1", method="GET")
        assert (await attempt(outbound, queued(callback))).verdict is Verdict.DELIVERED
    (seen,) = app.requests
    assert (seen["method"], seen["body"], seen["Content-Type"]) == ("GET", b"", None)
    assert RequestValidator("12345").validate(callback.url, {}, seen["X-Twilio-Signature"])


async def test_unsigned() -> None:
    """Without a token there is no signature to give."""
    async with running() as (app, url, outbound):
        await attempt(outbound, queued(a_callback(url=url)), tokens=())
    assert app.requests[0]["X-Twilio-Signature"] is None


async def test_host_that_is_not_allowed() -> None:
    """Nothing is sent to a host that the settings do not allow now, whatever the store says."""
    async with running() as (app, url, outbound):
        what = queued(a_callback(url=url))
        refused = await attempt(outbound, what, allowed_hosts=("*.example.com",))
        taken = await attempt(outbound, what, allowed_hosts=("127.0.0.1",))
    assert refused == Outcome(Verdict.LATER, "allowed_hosts does not name its host")
    assert taken.verdict is Verdict.DELIVERED
    assert len(app.requests) == 1


async def test_counted() -> None:
    """From the second attempt on the app is told which one it is."""
    async with running() as (app, url, outbound):
        await attempt(outbound, queued(a_callback(url=url)))
        await attempt(outbound, queued(a_callback(url=url), attempts=2))
    assert [each["Boomerang-Attempt"] for each in app.requests] == [None, "3"]


@pytest.mark.parametrize(("status", "verdict"), [(500, Verdict.LATER), (410, Verdict.NEVER)])
async def test_refused(status: int, verdict: Verdict) -> None:
    """The app's status decides."""
    async with running() as (app, url, outbound):
        app.status = status
        assert (await attempt(outbound, queued(a_callback(url=url)))).verdict is verdict


async def test_hanging() -> None:
    """An app that does not answer in time has not taken it."""
    async with running() as (app, url, outbound):
        app.hanging = True
        outcome = await attempt(outbound, queued(a_callback(url=url)), timeout=0.05)
    assert (outcome.verdict, outcome.origin_down) == (Verdict.LATER, True)
    assert "no answer within 0.05 s" in outcome.last


async def test_nobody_there() -> None:
    """Where nobody listens it is tried later."""
    async with running() as (_, url, outbound):
        pass
    from twisted.internet import reactor

    outbound = Outbound(reactor)
    assert (await attempt(outbound, queued(a_callback(url=url)))).verdict is Verdict.LATER
    await outbound.close()
