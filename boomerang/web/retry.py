"""The routes ``/retry`` and ``/retry/continue``: Twilio's fallback requests, and who comes back."""

from __future__ import annotations

from functools import lru_cache

from attrs import frozen
from klein import Klein
from twisted.internet.defer import Deferred

from boomerang import twiml
from boomerang.retry.continuation import PATH, BadToken, Continuation
from boomerang.retry.policy import HOLD, Decision, Kind
from boomerang.retry.request import BadRequest, FailedRequest, parse_failed_request
from boomerang.retry.service import Arrival, RetryService
from boomerang.values import Fields, pairs_of
from boomerang.web.form import BadForm, is_form, parse_fields
from boomerang.web.reply import NO_STORE, Headers, Refused, Reply
from boomerang.web.request import GuardedRequest
from boomerang.web.routes import route
from boomerang.web.trust import Trust


@frozen(eq=False)
class RetryRoute:
    """Answers ``/retry`` and ``/retry/continue``."""

    service: RetryService
    trust: Trust

    app = Klein()

    @route(app, "/retry", "GET", "POST")
    def retry(self, request: GuardedRequest) -> Deferred[Reply]:
        failed = self._admit(request)
        arrival = self._arrival(request, failed)
        request.forget_parameters()
        resumed = self._resumed(failed, arrival)
        if resumed is not None:
            return self.service.come_back(resumed, arrival).addCallback(as_reply)
        self.trust.check_hosts(failed)
        return self.service.answer(failed, arrival).addCallback(as_reply)

    @route(app, PATH, "GET", "POST")
    def come_back(self, request: GuardedRequest) -> Deferred[Reply]:
        continuation = self._admit_return(request)
        arrival = self._arrival(request, continuation.failed)
        request.forget_parameters()
        return self.service.come_back(continuation, arrival).addCallback(as_reply)

    def _admit(self, request: GuardedRequest) -> FailedRequest:
        """Understand the request (400) before asking who sent it (403)."""
        try:
            query, form = _parameters(request)
            twilio = form if request.method == b"POST" else query
            failed = parse_failed_request(twilio, query)
        except (BadRequest, BadForm) as error:
            raise Refused(400, str(error)) from None
        self.trust.check_signature(request, form)
        return failed

    def _admit_return(self, request: GuardedRequest) -> Continuation:
        """A call that comes back has the token that it was given, and is the same call."""
        try:
            query, form = _parameters(request)
            token = _only("token", query)
            sid = _only("CallSid", form if request.method == b"POST" else query)
        except (BadRequest, BadForm) as error:
            raise Refused(400, str(error)) from None
        self.trust.check_signature(request, form)
        try:
            return self.service.returns.tokens.read(token, sid=sid)
        except BadToken as error:
            raise Refused(403, str(error)) from None

    def _resumed(self, failed: FailedRequest, arrival: Arrival) -> Continuation | None:
        """The hold that was interrupted, if what failed is the way back to it (a restart)."""
        parts = failed.error.parts
        if parts.path != PATH or parts.origin not in arrival.own_origins:
            return None
        try:
            token = _only("token", parse_fields(parts.query.encode()))
            return self.service.returns.tokens.read(token, sid=failed.sid)
        except (BadRequest, BadForm, BadToken):
            return None

    def _arrival(self, request: GuardedRequest, failed: FailedRequest) -> Arrival:
        own_origins = self.trust.own_origins(request)
        here = self.trust.own_address(request)
        party = self.trust.party(request, failed.account_sid)
        return Arrival(own_origins, here, party, request.waited)


def as_reply(decision: Decision) -> Reply:
    """What goes back to Twilio: TwiML, or 500 for its standard message."""
    headers = _headers(decision.kind, decision.attempt)
    body = decision.document
    if body is None:
        if decision.url is None:
            return Reply(b"boomerang gives this call or message up\n", status=500, headers=headers)
        if decision.kind is HOLD:
            body = twiml.come_back(decision.url, message=decision.message)
        else:
            body = twiml.redirect(decision.url, decision.method)
    return Reply(body, twiml.CONTENT_TYPE, 200, headers)


@lru_cache(maxsize=64)
def _headers(kind: Kind, attempt: int) -> Headers:
    return (NO_STORE, (b"Boomerang-Decision", f"{kind}; attempt={attempt}".encode()))


def _parameters(request: GuardedRequest) -> tuple[Fields, Fields]:
    """The fields of the query and of the form, which a GET has none of."""
    if request.method not in (b"GET", b"POST"):
        raise Refused(405, "use GET, POST", headers=((b"Allow", b"GET, POST"),))
    query = parse_fields(request.uri.partition(b"?")[2])
    if request.method == b"GET":
        return query, {}
    if not is_form(request.content_type):
        raise BadRequest("the parameters of a POST must be a form (x-www-form-urlencoded)")
    return query, parse_fields(request.body)


def _only(name: str, fields: Fields) -> str:
    """The value of a parameter that must be there once."""
    values = [value for key, value in pairs_of(fields) if key == name]
    if len(values) != 1 or not values[0]:
        raise BadRequest(f"{name} is missing, or given more than once")
    return values[0]
