"""What the load driver is told and what it reports, and the figures that follow; pure."""

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

import attrs

from benchmarks.traffic import VOICE

# Twilio waits 15 s for an answer, connecting included; a later one saves no call.
TWILIO_SECONDS = 15.0

_NEARLY_ALL = 0.9


@attrs.frozen(kw_only=True)
class Order:
    """Which requests to send: `count` of them, all at once if `per_second` is 0."""

    port: int
    first_number: int
    count: int
    per_second: float
    wait: float
    """For how long the server holds each, in seconds."""
    grace: float
    """How late the last answer may be, in seconds; what comes later counts as unanswered."""
    path: str = VOICE
    """What failed, of `traffic`'s paths."""

    def due(self, index: int) -> float:
        """When the request of this index is to be sent, in seconds from the beginning."""
        return index / self.per_second if self.per_second else 0.0

    @property
    def longest_seconds(self) -> float:
        """For how long the driver works on the order at most."""
        return self.due(self.count - 1) + self.wait + self.grace

    @classmethod
    def from_json(cls, text: str) -> "Order":
        """The inverse of `to_json`."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """The order for another process."""
        return json.dumps(attrs.asdict(self))


@attrs.define
class Exchange:
    """One request and its answer; instants are seconds of the system's monotonic clock."""

    started: float | None = None
    """When connecting began: the first SYN."""
    sent: float | None = None
    answered: float | None = None
    fault: str = "not started"
    """Why it does not count as answered rightly; empty if it does."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of all requests of an order."""

    exchanges: Sequence[Exchange]
    begin: float
    longest_turn: float
    """For how many seconds at most the driver did not look for answers."""

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """The inverse of `to_json`."""
        content = json.loads(text)
        exchanges = [Exchange(*fields) for fields in content.pop("exchanges")]
        return cls(exchanges=exchanges, **content)

    def to_json(self) -> str:
        """The outcome for another process."""
        exchanges = [attrs.astuple(exchange) for exchange in self.exchanges]
        content = {"begin": self.begin, "longest_turn": self.longest_turn}
        return json.dumps({"exchanges": exchanges, **content})


def lateness_from_sent(exchanges: Sequence[Exchange], wait: float) -> list[float]:
    """By how many seconds each right answer exceeded the wait, counted from the request's bytes."""
    return [
        exchange.answered - exchange.sent - wait
        for exchange in exchanges
        if not exchange.fault and exchange.answered is not None and exchange.sent is not None
    ]


def lateness_from_syn(exchanges: Sequence[Exchange], wait: float) -> list[float]:
    """The same, counted from the first SYN."""
    return [
        exchange.answered - exchange.started - wait
        for exchange in exchanges
        if not exchange.fault and exchange.answered is not None and exchange.started is not None
    ]


def faults(exchanges: Sequence[Exchange]) -> dict[str, int]:
    """How often what went wrong."""
    return dict(Counter(exchange.fault for exchange in exchanges if exchange.fault).most_common())


def lost_calls(exchanges: Sequence[Exchange]) -> int:
    """How many calls Twilio would have given up: without a right answer within its 15 s."""
    in_time = [late for late in lateness_from_syn(exchanges, TWILIO_SECONDS) if late <= 0]
    return len(exchanges) - len(in_time)


@attrs.frozen
class MemorySample:
    """The server's resident memory at one instant of the monotonic clock."""

    instant: float
    kib: int
    files: int = 0
    """Its open descriptors, where they were counted."""


def all_held(exchanges: Sequence[Exchange]) -> tuple[float, float]:
    """From when until when nearly all requests were held: nine of ten sent, none answered.

    Not all of them, since on a slow machine the driver itself is late with the last of 19,500.
    """
    sent = sorted(exchange.sent for exchange in exchanges if exchange.sent is not None)
    answered = [exchange.answered for exchange in exchanges if exchange.answered is not None]
    last = sent[math.ceil(len(sent) * _NEARLY_ALL) - 1] if sent else math.inf
    return last, min(answered, default=math.inf)


def kib_per_held(
    samples: Sequence[MemorySample],
    exchanges: Sequence[Exchange],
    *,
    idle_kib: int,
    between: tuple[float, float],
) -> float:
    """Memory beyond idle for each request sent and not yet answered: the most between two instants.

    NaN when there is no sample between them, or nothing was held.
    """
    sent = sorted(exchange.sent for exchange in exchanges if exchange.sent is not None)
    answered = sorted(exchange.answered for exchange in exchanges if exchange.answered is not None)
    first, last = between
    shares = [
        (sample.kib - idle_kib) / held
        for sample in samples
        if first <= sample.instant <= last
        and (held := bisect_right(sent, sample.instant) - bisect_right(answered, sample.instant))
    ]
    return max(shares, default=math.nan)
