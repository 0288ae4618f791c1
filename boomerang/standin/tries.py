"""One webhook may take several requests: tries again, HTTP redirects, the login when asked for it.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides says when there is another
try. Of redirects it is known that 301, 302 and 307 are followed, that calls follow ten of them, and
that a 301 or 302 makes a GET without the results of a verb. The rest is as browsers do it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin

from attrs import evolve, frozen

from boomerang.standin.answer import Answer
from boomerang.standin.failure import Failure, NoAnswer
from boomerang.standin.overrides import Overrides
from boomerang.standin.request import Request, address
from boomerang.standin.script import Webhook

MOST_REDIRECTS: Final = 10

_KEEPING: Final = (307, 308)
_REDIRECTS: Final = (301, 302, 303, *_KEEPING)


@frozen
class Try:
    """A request that is made: the ``number`` of the try, and how many redirects led to it."""

    request: Request
    number: int = 1
    redirects: int = 0


def after(made: Try, outcome: Answer | NoAnswer, overrides: Overrides) -> Try | Answer | Failure:
    """What comes after a try: the next one, or what became of the webhook."""
    if isinstance(outcome, NoAnswer):
        if outcome.policy is None or not _another(made, overrides, outcome.policy):
            return Failure(outcome.code, outcome.words)
        return evolve(made, number=made.number + 1)
    if outcome.status == 401 and _wants_login(made.request, outcome):
        return evolve(made, request=evolve(made.request, login=True))
    if outcome.status in _REDIRECTS:
        return _redirected(made, outcome)
    if outcome.status >= 400 and _another(made, overrides, f"{outcome.status // 100}xx"):
        return evolve(made, number=made.number + 1)
    return outcome


def _another(made: Try, overrides: Overrides, policy: str) -> bool:
    return made.number <= overrides.retries and overrides.retries_after(policy)


def _wants_login(request: Request, answer: Answer) -> bool:
    """Whether the URL has a login that was not shown yet; only Basic is known here."""
    challenge = (answer.header("www-authenticate") or "").lower()
    has_one = bool(address(request.webhook.url).login)
    return has_one and not request.login and challenge.startswith("basic")


def _redirected(made: Try, answer: Answer) -> Try | Failure:
    location = answer.header("location")
    if not location:
        return Failure(11216, f"answered {answer.status} without a Location")
    if made.redirects == MOST_REDIRECTS:
        return Failure(11215, f"more than {MOST_REDIRECTS} HTTP redirects")
    asked = made.request
    try:
        url = urljoin(asked.webhook.url, location)
        same = _same_server(url, asked.webhook.url)
    except ValueError:
        return Failure(11216, f"answered {answer.status} with a Location that leads nowhere")
    login = asked.login and same
    if answer.status in _KEEPING:
        request = evolve(asked, webhook=Webhook(url, asked.webhook.method), login=login)
    else:
        request = Request(Webhook(url, "GET"), asked.standard, login=login)
    return evolve(made, request=request, redirects=made.redirects + 1)


def _same_server(one: str, other: str) -> bool:
    """Raises `ValueError` where one of them is no web address."""
    a, b = address(one), address(other)
    return (a.scheme, a.host, a.port) == (b.scheme, b.host, b.port)
