"""What the retry service asks of a store."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred


@frozen
class Failure:
    """A failure to be counted; the names are digests (see `boomerang.retry.request`).

    ``identity`` is `None` when only the call's rounds are to be counted, ``call`` is `None` when
    the request named no call or message. ``wait`` is how long this failure will be held (seconds),
    ``window`` how long it is remembered (seconds), ``attempts`` how many failures are held at all.
    """

    identity: str | None
    call: str | None
    wait: float
    window: float
    attempts: int


@frozen
class Claim:
    """What a store knows of a failure after counting it.

    ``attempt``: 1 for the first failure of this identity within the window; Twilio's own repeat
    of a request that is still held has the number of the one it repeats. ``hold``: seconds from
    now to the release instant. ``round``: how many failures the call has had within the window.
    """

    attempt: int
    hold: float
    round: int


class StoreUnavailable(Exception):
    """The store cannot be used now, and may be later; the message names why, and no secret."""


class ClaimStore(Protocol):
    """A store of claims. Whatever goes wrong, the Deferreds fail with `StoreUnavailable`.

    How long to wait is for the caller to say: what takes too long is cancelled.
    """

    def open(self) -> Deferred[None]:
        """Get ready. May be called again after it failed."""

    def claim(self, failure: Failure) -> Deferred[Claim]:
        """Count a failure in one atomic step. Cancelling the Deferred does not undo the claim."""

    def probe(self) -> Deferred[None]:
        """Fire when a claim could be made now: the store answers, and may be written to."""

    def close(self) -> Deferred[None]:
        """Let go of everything; claims under way are finished or fail."""
