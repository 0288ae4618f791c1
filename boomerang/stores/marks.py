"""The rule by which failures are counted: pure, for the stores that do not run it themselves.

The Redis store says the same in Lua (``claim.lua``); the contract suite holds both to it.
"""

from __future__ import annotations

from attrs import evolve

from boomerang.stores.interfaces import Claim, Failure
from boomerang.values import quick_frozen


@quick_frozen
class Mark:
    """How often something failed; the instants are seconds of the store's own clock."""

    count: int
    release_at: float
    expires_at: float


_SLACK = 1.0
"""Seconds that two looks at a wall clock may differ without its having been set back."""


def count_failure(
    failure: Failure, *, identity: Mark | None, call: Mark | None, now: float
) -> tuple[Mark | None, Mark | None, Claim]:
    """The new marks of identity and call, and what they mean for the one who asks.

    A mark that is returned as it was given (``is``) needs no writing.
    """
    if identity is None and call is None and not failure.only_again:
        return _first(failure, now)
    after = None
    identity = identity and _valid(identity, now=now, window=failure.window)
    call = call and _valid(call, now=now, window=failure.call_window)
    if identity is not None and identity.release_at > now:
        return identity, call, _claim(identity, call, now)
    if identity is not None or not failure.only_again:
        count = 1 if identity is None else identity.count + 1
        after = None if identity is None else now - identity.release_at
        release_at = now + failure.wait if count <= failure.attempts else now
        expires_at = now + failure.window if identity is None else identity.expires_at
        identity = Mark(count, release_at, expires_at)
    if failure.call is not None:
        count = 1 if call is None else call.count + 1
        expires_at = now + failure.call_window if call is None else call.expires_at
        call = Mark(count, now, expires_at)
    return identity, call, _claim(identity, call, now, after)


def _first(failure: Failure, now: float) -> tuple[Mark, Mark | None, Claim]:
    """The same for what nobody has seen before, as most of what comes: with half the effort."""
    release_at = now + failure.wait if failure.attempts > 0 else now
    identity = Mark(1, release_at, now + failure.window)
    if failure.call is None:
        return identity, None, Claim(1, release_at - now, 0)
    return identity, Mark(1, now, now + failure.call_window), Claim(1, release_at - now, 1)


def released(mark: Mark, *, now: float) -> Mark:
    """The mark of a failure that is no longer held."""
    return evolve(mark, release_at=min(mark.release_at, now))


def _valid(mark: Mark, *, now: float, window: float) -> Mark | None:
    """The mark, unless it is over, or of a future that only a clock set back can explain."""
    return mark if now < mark.expires_at <= now + window + _SLACK else None


def _claim(
    identity: Mark | None, call: Mark | None, now: float, after: float | None = None
) -> Claim:
    attempt = 0 if identity is None else identity.count
    hold = 0.0 if identity is None else max(0.0, identity.release_at - now)
    rounds = 0 if call is None else call.count
    return Claim(attempt, hold, rounds, after)
