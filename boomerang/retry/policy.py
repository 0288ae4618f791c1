"""What to answer to a fallback request: functions of values, without clock, store or network."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from attrs import evolve

from boomerang.endpoints.fallback import Document, Redirect
from boomerang.endpoints.rules import EndpointRules
from boomerang.retry.hold import LONGEST, Room
from boomerang.retry.request import FailedRequest, Target, is_same_address, target
from boomerang.settings.endpoints import UNKNOWN
from boomerang.stores.interfaces import Claim
from boomerang.values import quick_frozen

CODE: Final = "code"
ENDPOINT: Final = "endpoint"
DEAD: Final = "dead"
"""Why a failure gets no second chance before it is counted: what Twilio says of it, what the
settings say of its endpoint, what is known of the app."""

_POINTLESS: Final = frozenset(
    """11100 11215 11216 11235 11236 11237 11240 11241 11242 11243 11300 11310 11320
    11750 11751""".split()
)
"""Retrieval errors that come again however often one asks: bad URLs, too many redirects, wrong
certificates, bad connection overrides, too large a document
(https://www.twilio.com/docs/api/errors)."""

_POINTLESS_FAMILIES: Final = ("12", "13", "14")
"""Errors in the document or its verbs: the app has answered, and would answer so again."""

_WORTH_REPEATING: Final = frozenset({"12400"})
"""Exceptions to the families: a failure inside Twilio while it processed the answer."""

_OWN_PATHS: Final = (
    "/retry",
    "/relay",
    "/debugger",
    "/health",
    "/metrics",
    "/status",
    "/status.json",
)

_BELOW_OWN_PATHS: Final = tuple(f"{path}/" for path in _OWN_PATHS)


class Kind(StrEnum):
    """What happens to the call, as it stands in headers, logs and metrics."""

    RETRY = "retry"
    FALLBACK = "fallback"
    APOLOGY = "apology"
    GIVE_UP = "give-up"
    HOLD = "hold"
    """It is told to come back here, since it is held for longer than one webhook may take."""


RETRY: Final = Kind.RETRY
HOLD: Final = Kind.HOLD
"""For what is done for every request: to look a member up takes 1,000 instructions each time."""


@quick_frozen
class Decision:
    """The answer to one fallback request.

    ``attempt`` counts the failures of this identity within the window, 0 where it was decided
    without counting. ``url`` and ``method`` are where Twilio is sent, `None` where it is sent
    nowhere; ``document`` is the TwiML of a last resort that is kept here; ``message`` is what a
    caller hears who is to come back, a URL being played. ``reason`` says why a second chance was
    not given, or why it was given without a hold, in one word for logs and metrics; ``endpoint``
    is the name of the rules that were followed.
    """

    kind: Kind
    attempt: int
    reason: str
    url: str | None = None
    method: str = "POST"
    document: bytes | None = None
    message: str | None = None
    endpoint: str = UNKNOWN


def repeating_can_help(error_code: str) -> bool:
    """Whether the failed request may succeed when it is made again.

    Codes that nobody knows yet are repeated, unless their number puts them among the errors of
    the document (12xxx) or of a verb (13xxx, 14xxx).
    """
    if error_code in _WORTH_REPEATING:
        return True
    if len(error_code) == 5 and error_code.startswith(_POINTLESS_FAMILIES):
        return False
    return error_code not in _POINTLESS


def is_worth_it(failed: FailedRequest, rules: EndpointRules) -> bool:
    """Whether the request deserves a second chance, for all that is known beforehand."""
    if not rules.retry:
        return False
    return (
        failed.error_code in rules.codes if rules.codes else repeating_can_help(failed.error_code)
    )


def decide_without_state(
    failed: FailedRequest,
    own_origins: frozenset[tuple[str, int]],
    rules: EndpointRules,
    last_resorts: Sequence[Target] = (),
) -> Decision | None:
    """The end of a circle: what failed is a last resort itself, or an address of this host.

    ``last_resorts`` are the addresses that the settings name as such. Nothing comes after one of
    them but TwiML that is kept here: two that both fail would send the call to and fro without
    end, since none of this is counted. `None` where the request deserves to be counted.
    """
    if last_resorts and any(is_same_address(failed.error, each) for each in last_resorts):
        kept = rules.fallback.of(failed.product)
        if isinstance(kept, Document):
            return _served(kept, rules, attempt=0, reason="circle")
        return last_resort(rules, attempt=0, reason="circle")
    if failed.fallback is not None and is_same_address(failed.error, failed.fallback):
        return give_up(failed, rules, attempt=0, reason="circle")
    parts = failed.error.parts
    if parts.origin in own_origins and (
        parts.path in _OWN_PATHS or parts.path.startswith(_BELOW_OWN_PATHS)
    ):
        return give_up(failed, rules, attempt=0, reason="circle")
    return None


def give_up(failed: FailedRequest, rules: EndpointRules, *, attempt: int, reason: str) -> Decision:
    """The next best thing to a second chance: FallbackUrl, the endpoint's own last resort, or 500.

    None of them leads to the address that has just failed.
    """
    chosen = failed.fallback
    if chosen is not None and not is_same_address(failed.error, chosen):
        redirect = Redirect(chosen.url, failed.fallback_method)
        return _to(redirect, attempt=attempt, reason=reason, rules=rules)
    own = rules.fallback.of(failed.product)
    if isinstance(own, Document):
        return _served(own, rules, attempt=attempt, reason=reason)
    if own is not None and not is_same_address(failed.error, target("fallback", own.url)):
        return _to(own, attempt=attempt, reason=reason, rules=rules)
    return last_resort(rules, attempt=attempt, reason=reason)


def _served(document: Document, rules: EndpointRules, *, attempt: int, reason: str) -> Decision:
    return Decision(
        kind=Kind.APOLOGY,
        attempt=attempt,
        reason=reason,
        document=document.body,
        endpoint=rules.name,
    )


def _to(redirect: Redirect, *, attempt: int, reason: str, rules: EndpointRules) -> Decision:
    return Decision(
        kind=Kind.FALLBACK,
        attempt=attempt,
        reason=reason,
        url=redirect.url,
        method=redirect.method,
        endpoint=rules.name,
    )


def last_resort(rules: EndpointRules, *, attempt: int, reason: str) -> Decision:
    """Give up without sending the call anywhere: 500 makes Twilio play its standard message."""
    return Decision(kind=Kind.GIVE_UP, attempt=attempt, reason=reason, endpoint=rules.name)


def decide(failed: FailedRequest, claim: Claim, *, hopeless: str, rules: EndpointRules) -> Decision:
    """What to answer, once the store has said how often this failed.

    ``hopeless`` is the reason why it gets no second chance however often it failed (`CODE`,
    `ENDPOINT`, `DEAD`), empty where the count decides. A call that has used up its rounds is
    offered its last resort once more; if that leads here again, nothing is left but to end it.
    """
    attempt = 0 if hopeless else claim.attempt
    if claim.round > rules.rounds + 1:
        return last_resort(rules, attempt=attempt, reason="rounds")
    if claim.round == rules.rounds + 1:
        return give_up(failed, rules, attempt=attempt, reason="rounds")
    if hopeless:
        return give_up(failed, rules, attempt=attempt, reason=hopeless)
    if attempt > rules.attempts:
        return give_up(failed, rules, attempt=attempt, reason="repeated")
    return second_chance(failed, rules, attempt=attempt)


def second_chance(failed: FailedRequest, rules: EndpointRules, *, attempt: int) -> Decision:
    """Back to the URL that failed."""
    method = failed.method or rules.method
    return Decision(RETRY, attempt, "", failed.error.url, method, endpoint=rules.name)


def come_back(decision: Decision, url: str) -> Decision:
    """To this host again, at ``url``, since the second chance is still to come."""
    return evolve(decision, kind=HOLD, url=url, method="POST")


@quick_frozen
class HoldPlan:
    """How long a failure is held, in seconds.

    It goes when the app has answered a probe, or after ``wait``; where others go first it may be
    later, up to ``limit``, which is what the store is told. ``spent`` is how long it was here
    before, in other webhooks or unread. ``why_not`` is why it is not held at all, if there is no
    room.
    """

    wait: float
    limit: float
    spent: float = 0.0
    why_not: str = ""

    def seen_at(self, hold: float) -> HoldPlan:
        """What is left of it, ``hold`` seconds before the limit: for a repeat of the request.

        It is never longer than planned, whatever the store says.
        """
        spent = self.limit - hold
        return self.shorter_by(spent) if spent > 0 else self

    def shorter_by(self, seconds: float) -> HoldPlan:
        """What is left of it after so many seconds, which count as spent.

        In a storm a request lies in the kernel for a while before it is read: a burst of 10,000
        was 0.55 to 0.72 s late (p99) as long as its holds began only then.
        """
        spent = min(seconds, self.limit)
        wait = max(0.0, self.wait - spent)
        return HoldPlan(wait, self.limit - spent, self.spent + spent, self.why_not)


NO_HOLD: Final = HoldPlan(wait=0.0, limit=0.0)
"""The plan of what is not held, room or not."""


def plan_hold(failed: FailedRequest, rules: EndpointRules, *, room: Room) -> HoldPlan:
    """How long a failure is to be held: without probe and rate for the wait, and not longer.

    ``room`` is how long requests can be held at all now; only a call that may come back can be
    held for longer, and not even that where there is no room.
    """
    wait = rules.longest_hold(failed.product)
    if wait <= 0:
        return NO_HOLD
    limit = wait if rules.release_rate <= 0 else max(wait, LONGEST)
    if room.seconds <= 0 or limit <= LONGEST:
        limit = min(limit, room.seconds)
    return HoldPlan(min(wait, limit), limit, 0.0, room.why_not)
