"""The route ``/retry``: Twilio's fallback requests."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from klein import Klein
from twisted.internet.defer import Deferred

from boomerang import twiml
from boomerang.retry.policy import Decision
from boomerang.retry.request import BadRequest, FailedRequest, parse_failed_request
from boomerang.retry.service import RetryService
from boomerang.web.form import BadForm, is_form, parse_form
from boomerang.web.reply import NO_STORE, Refused, Reply
from boomerang.web.routes import route
from boomerang.web.site import GuardedRequest
from boomerang.web.trust import Trust


@frozen(eq=False)
class RetryRoute:
    """Answers ``/retry``."""

    service: RetryService
    trust: Trust

    app = Klein()

    @route(app, "/retry", "GET", "POST")
    def retry(self, request: GuardedRequest) -> Deferred[Reply]:
        failed = self._admit(request)
        own_origins = self.trust.own_origins(request)
        request.forget_parameters()
        return self.service.answer(failed, own_origins=own_origins).addCallback(as_reply)

    def _admit(self, request: GuardedRequest) -> FailedRequest:
        """Understand the request (400) before asking who sent it (403)."""
        if request.method not in (b"GET", b"POST"):
            raise Refused(405, "use GET, POST", headers=((b"Allow", b"GET, POST"),))
        try:
            query = parse_form(request.uri.partition(b"?")[2])
            form = _form(request) if request.method == b"POST" else []
            failed = parse_failed_request(form if request.method == b"POST" else query, query)
        except (BadRequest, BadForm) as error:
            raise Refused(400, str(error)) from None
        self.trust.check_signature(request, form)
        self.trust.check_hosts(failed)
        return failed


def as_reply(decision: Decision) -> Reply:
    """What goes back to Twilio: TwiML that redirects, or 500 for its standard message."""
    header = f"{decision.kind.value}; attempt={decision.attempt}".encode()
    headers = (NO_STORE, (b"Boomerang-Decision", header))
    if decision.url is None:
        return Reply(b"boomerang gives this call or message up\n", status=500, headers=headers)
    return Reply(
        twiml.redirect(decision.url, decision.method),
        content_type=twiml.CONTENT_TYPE,
        headers=headers,
    )


def _form(request: GuardedRequest) -> Sequence[tuple[str, str]]:
    if not is_form(request.getHeader("content-type")):
        raise BadRequest("the parameters of a POST must be a form (x-www-form-urlencoded)")
    return parse_form(request.content.read() if request.content is not None else b"")
