"""What to answer to a fallback request: functions of values, without clock, store or network."""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import frozen

from boomerang.retry.request import FailedRequest, is_same_address
from boomerang.stores.interfaces import Claim

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


class Kind(Enum):
    """What happens to the call; the value stands in headers, logs and metrics."""

    RETRY = "retry"
    FALLBACK = "fallback"
    GIVE_UP = "give-up"


@frozen
class Decision:
    """The answer to one fallback request.

    ``attempt`` counts the failures of this identity within the window, 0 where it was decided
    without counting. ``url`` and ``method`` are where Twilio is sent, `None` when nothing is left
    to try. ``reason`` says why a second chance was not given, in one word for logs and metrics.
    """

    kind: Kind
    attempt: int
    reason: str
    url: str | None = None
    method: str = "POST"


@frozen
class RetryRules:
    """How second chances are given; seconds and counts as in the settings ``[retry]``."""

    wait: float
    window: float
    attempts: int
    rounds: int


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


def decide_without_state(
    failed: FailedRequest, own_origins: frozenset[tuple[str, int]]
) -> Decision | None:
    """The end of a circle: what failed is the last resort itself, or an address of this host.

    `None` where the request deserves to be counted. The address that failed is never answered.
    """
    if failed.fallback is not None and is_same_address(failed.error, failed.fallback):
        return last_resort(attempt=0, reason="circle")
    path = failed.error.parts.path
    own = path in _OWN_PATHS or path.startswith(tuple(f"{own}/" for own in _OWN_PATHS))
    if own and failed.error.parts.origin in own_origins:
        return give_up(failed, attempt=0, reason="circle")
    return None


def give_up(failed: FailedRequest, *, attempt: int, reason: str) -> Decision:
    """The next best thing to a second chance: FallbackUrl, else Twilio's standard message."""
    if failed.fallback is None:
        return last_resort(attempt=attempt, reason=reason)
    return Decision(
        kind=Kind.FALLBACK,
        attempt=attempt,
        reason=reason,
        url=failed.fallback.url,
        method=failed.fallback_method,
    )


def last_resort(*, attempt: int, reason: str) -> Decision:
    """Give up without sending the call anywhere: 500 makes Twilio play its standard message."""
    return Decision(kind=Kind.GIVE_UP, attempt=attempt, reason=reason)


def decide(failed: FailedRequest, claim: Claim, *, counted: bool, rules: RetryRules) -> Decision:
    """What to answer, once the store has said how often this failed.

    ``counted`` is false where the error code spoke against another attempt, so that only the
    call's rounds were counted. A call that has used up its rounds is offered its FallbackUrl
    once more; if that leads here again, nothing is left but to end it.
    """
    attempt = claim.attempt if counted else 0
    if claim.round > rules.rounds + 1:
        return last_resort(attempt=attempt, reason="rounds")
    if claim.round == rules.rounds + 1:
        return give_up(failed, attempt=attempt, reason="rounds")
    if not counted:
        return give_up(failed, attempt=attempt, reason="code")
    if attempt > rules.attempts:
        return give_up(failed, attempt=attempt, reason="repeated")
    return Decision(
        kind=Kind.RETRY,
        attempt=attempt,
        reason="",
        url=failed.error.url,
        method=failed.method or "POST",
    )
