"""The routes ``/relay``, ``/relay/<endpoint name>/...`` and ``/debugger``: status callbacks.

204 means that the callback is on the store's disk; 503 that Twilio should know it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen
from klein import Klein

from boomerang.relay.accepting import (
    BadCallback,
    Incoming,
    WrongContent,
)
from boomerang.relay.callback import Callback
from boomerang.relay.events import Event, Fate, judge_event, parse_event
from boomerang.relay.making import Intaking
from boomerang.relay.resign import Signer
from boomerang.relay.signers import name_of
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.queue import QueueFull
from boomerang.web.form import BadForm, is_form, parse_form
from boomerang.web.reply import Refused, Reply
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from boomerang.web.trust import Trust

RETRY_AFTER: Final = 30
"""Seconds after which somebody who heard 503 may come again."""

_THERE: Final = Reply(b"", status=204)


@frozen(eq=False)
class RelayRoute:
    """Answers ``/relay``."""

    relay: Intaking
    trust: Trust

    app = Klein()

    @route(app, "/relay", "GET", "POST")
    async def relayed(self, request: GuardedRequest) -> Reply:
        return await self._take_in(request)

    @route(app, "/relay/<name>/<path:rest>", "GET", "POST")
    async def relayed_by_name(self, request: GuardedRequest, name: str, rest: str) -> Reply:
        return await self._take_in(request)

    async def _take_in(self, request: GuardedRequest) -> Reply:
        callback = self._admit(request)
        request.forget_parameters()
        await _stored(self.relay, callback)
        return _THERE

    def _admit(self, request: GuardedRequest) -> Callback:
        """Understand the request (400) before asking who sent it (403)."""
        incoming = _incoming(request)
        try:
            understood = self.relay.accepting.understand(incoming, now=self.relay.wall_clock())
        except WrongContent as error:
            raise Refused(415, str(error)) from None
        except BadCallback as error:
            raise Refused(400, str(error)) from None
        signer = self.trust.check_signature(request, _form(incoming), incoming.body)
        self.trust.check_host("Url", understood.url.host)
        if understood.url.origin in self.trust.own_origins(request):
            raise Refused(400, "Url is boomerang's own: that would go round for ever")
        self.relay.signers.heard(understood.callback.account_sid, signer)
        return evolve(understood.callback, signed_by=name_of(signer))


@frozen(eq=False)
class DebuggerRoute:
    """Answers ``/debugger``: Twilio's Debugger events."""

    relay: Intaking
    trust: Trust

    app = Klein()

    @route(app, "/debugger", "POST")
    async def told(self, request: GuardedRequest) -> Reply:
        incoming = _incoming(request)
        form = _form(incoming)
        try:
            event = parse_event(form)
        except BadCallback as error:
            raise Refused(400, str(error)) from None
        signer = self.trust.check_signature(request, form)
        self.relay.signers.heard(event.account_sid, signer)
        judged = judge_event(
            event,
            self.relay.accepting,
            is_async=self.relay.is_async,
            own_origins=self.trust.own_origins(request),
            now=self.relay.wall_clock(),
        )
        request.forget_parameters()
        fate = judged.fate
        if judged.understood is not None:
            if self.trust.allows(judged.understood.url.host):
                await _stored(self.relay, _brought(judged.understood.callback, event, signer))
            else:
                fate = Fate.COUNTED
        self.relay.record.event(event.label, fate, sid=event.sid)
        return _THERE


def _brought(callback: Callback, event: Event, signer: Signer | None) -> Callback:
    """A callback that an event tells of. Only its own account's key says what signs it."""
    same = callback.account_sid in (event.account_sid, "")
    return evolve(callback, signed_by=name_of(signer) if same else "")


async def _stored(relay: Intaking, callback: Callback) -> None:
    again = ((b"Retry-After", b"%d" % RETRY_AFTER),)
    try:
        await relay.intake.take_in(callback)
    except QueueFull:
        raise Refused(503, "the queue is full, nothing was stored", headers=again) from None
    except StoreUnavailable:
        raise Refused(503, "the store is away, nothing was stored", headers=again) from None


def _incoming(request: GuardedRequest) -> Incoming:
    """The request, as far as it is the app's."""
    if request.method not in (b"GET", b"POST"):
        raise Refused(405, "use GET, POST", headers=((b"Allow", b"GET, POST"),))
    token = request.getHeader("i-twilio-idempotency-token")
    return Incoming(
        target=request.uri.decode("utf-8", "surrogateescape"),
        method=request.method.decode(),
        content_type=request.content_type,
        body=request.body,
        token=token or None,
    )


def _form(incoming: Incoming) -> Sequence[tuple[str, str]]:
    """The fields that a signature covers: those of a form that was sent by POST."""
    if incoming.method == "GET" or not is_form(incoming.content_type):
        return ()
    try:
        return parse_form(incoming.body)
    except BadForm as error:
        raise Refused(400, str(error)) from None
