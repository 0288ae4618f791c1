"""What became of a delivery, and when the next is due: pure.

An answer decides by its status. Whatever might be different the next time is tried again, since
nobody waits; only what says that this very request will never do ends at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from itertools import accumulate
from typing import Final

from attrs import frozen

from boomerang.outbound import Answer, Trouble, Unreachable

LONGEST_RETRY_AFTER: Final = 3600.0
"""Seconds; an app that asks for more is asked once an hour."""

SHORTEST_RETRY_AFTER: Final = 1.0

JITTER: Final = 0.2
"""By how much of itself a wait may be longer, so that not all comes back together."""

NEVER: Final[Mapping[int, str]] = {
    400: "the app cannot make sense of it",
    405: "the app does not take this method there",
    406: "the app has no answer that we would take",
    410: "the app wants it no more",
    411: "the app wants a length, which it was given",
    413: "the app finds it too large",
    414: "the app finds the URL too long",
    415: "the app does not take this content type",
    422: "the app has read it and refuses it",
    431: "the app finds the headers too large",
    451: "the app must not take it",
    501: "the app does not know this method",
    505: "the app does not speak HTTP/1.1",
}
"""Statuses that say of the request itself that it will not do, however often it comes."""

LATER: Final[Mapping[int, str]] = {
    401: "signature or login: mended in somebody's settings, without a new callback",
    403: "signature or address: mended in somebody's settings",
    404: "a route or a record that is not there yet: a deploy under way, a call not yet saved",
    408: "RFC 9110 §15.5.9 asks to repeat",
    409: "a conflict with something that is under way",
    421: "the wrong server of several",
    423: "locked",
    425: "too early (RFC 8470)",
    429: "too many",
}
"""Some of those that are tried again, with the reason; so is any other that is not in `NEVER`.

Redirects are not followed: the signature is for this URL and no other, and what redirects (to a
login, to a page for maintenance) does not take the callback.
"""

_BUSY: Final = frozenset((429, 502, 503, 504))
"""What a whole origin says rather than one of its pages."""

_OF_THE_REQUEST: Final = frozenset((Trouble.BODY, Trouble.PROTOCOL, Trouble.REDIRECT))


class Verdict(Enum):
    """What is to be done with a callback."""

    DELIVERED = "delivered"
    LATER = "later"
    NEVER = "never"


@frozen
class Outcome:
    """What became of one attempt.

    ``last`` says it in words. ``after`` is what the app asked for with Retry-After, in seconds.
    ``origin_down``: it is the whole origin that cannot take anything now.
    """

    verdict: Verdict
    last: str
    after: float | None = None
    origin_down: bool = False


def judge(result: Answer | Unreachable, *, now: float) -> Outcome:
    """What an answer means, or the lack of one; ``now`` is in seconds since the epoch."""
    if isinstance(result, Unreachable):
        down = result.trouble not in _OF_THE_REQUEST
        return Outcome(Verdict.LATER, str(result), origin_down=down)
    status = result.status
    if 200 <= status < 300:
        return Outcome(Verdict.DELIVERED, str(status))
    if status in NEVER:
        return Outcome(Verdict.NEVER, f"{status}: {NEVER[status]}")
    after = retry_after(result.headers.get("retry-after"), now=now)
    return Outcome(Verdict.LATER, str(status), after=after, origin_down=status in _BUSY)


def retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, within bounds (RFC 9110 §10.2.3)."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        asked = float(text[:9])
    else:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        if date.tzinfo is None:  # "-0000", which HTTP does not have
            date = date.replace(tzinfo=UTC)
        asked = date.timestamp() - now
    return min(max(asked, SHORTEST_RETRY_AFTER), LONGEST_RETRY_AFTER)


@frozen
class Schedule:
    """When to try again, and when no more. All in seconds."""

    waits: Sequence[float]
    give_up_after: float

    def next_due(
        self,
        *,
        attempts: int,
        received_at: float,
        now: float,
        after: float | None = None,
        jitter: float,
    ) -> float | None:
        """The instant of the next attempt; `None` to give up.

        ``attempts`` counts the one that has just failed, ``jitter`` is from 0 to 1. There is one
        last attempt at the very end of ``give_up_after``. Age alone ends nothing: what was
        replayed as an old dead letter, or waited behind a dead origin, goes through the schedule.
        """
        end = received_at + self.give_up_after
        if now >= end and attempts >= self._enough():
            return None
        wait = self.waits[min(attempts, len(self.waits)) - 1] if after is None else after
        due = now + wait * (1 + JITTER * jitter)
        return min(due, end) if end > now else due

    def is_overdue(self, *, received_at: float, now: float) -> bool:
        """Whether the time to give up has come, whatever was tried."""
        return now >= received_at + self.give_up_after

    def _enough(self) -> int:
        """Attempts that the schedule has room for before its end, or until its last step."""
        fitting = 1 + bisect_right(list(accumulate(self.waits)), self.give_up_after)
        return min(fitting, len(self.waits))
