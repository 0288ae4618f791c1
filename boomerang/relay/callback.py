"""A status callback that Twilio made, and what is known of its delivery: values."""

from __future__ import annotations

from enum import Enum

from attrs import field, frozen

from boomerang.urls import parse_url


class State(Enum):
    """Where a callback stands; the value stands in the store, in metrics and in commands."""

    WAITING = "waiting"
    DEAD = "dead"


@frozen
class Callback:
    """One request of Twilio's, as it is to be made at the app again.

    ``key`` names it among all others: the same request twice has the same key, and is stored once.
    ``order`` is the CallSid or MessageSid (or the key, without one): an origin gets the callbacks
    of one order one after the other, in the order of their coming. ``url`` is the app's own, with
    its query; ``body`` is as it came (a form or JSON), empty for GET. ``signed_by`` names the key
    that signed the request that brought it (`boomerang.relay.signers.name_of`), so that the same
    one signs it again, whichever process delivers it; empty if nobody signed it.
    ``received_at`` is in seconds since the epoch.
    """

    key: str
    order: str
    url: str = field(repr=False)
    method: str
    content_type: str
    body: bytes = field(repr=False)
    account_sid: str
    endpoint: str
    received_at: float
    signed_by: str = ""

    @property
    def line(self) -> str:
        """What is delivered one by one: an order at an origin, which no other dead origin delays.

        Raises `boomerang.urls.BadUrl`.
        """
        return f"{self.order} {self.origin}"

    @property
    def origin(self) -> str:
        """``host:port`` of the app. Raises `boomerang.urls.BadUrl`."""
        host, port = parse_url(self.url).origin
        return f"{host}:{port}"


@frozen
class Queued:
    """A callback in the store. Instants are seconds since the epoch.

    ``number`` rises in the order of acceptance. ``attempts`` counts those that were made;
    ``due_at`` is when the next one may be. ``last`` says what became of the last one, in words
    for people.
    """

    number: int
    callback: Callback
    state: State
    attempts: int
    due_at: float
    last: str = ""
