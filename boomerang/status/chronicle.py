"""What this process has seen lately: each decision, and what became of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from attrs import define

from boomerang.retry.hold import Held
from boomerang.retry.outcomes import Chance
from boomerang.retry.policy import HOLD, RETRY, Decision, Kind
from boomerang.retry.record import masked, shown_sid
from boomerang.retry.request import FailedRequest
from boomerang.status.report import HOUR, TOLD, TOLD_OF_ENDPOINT, Minute, Told

LONGEST_URL: Final = 120

_LET_GO_AT: Final = 1000

_ENDS: Final = {Kind.FALLBACK: "apologised", Kind.APOLOGY: "apologised", Kind.GIVE_UP: "lost"}
_LOST: Final = "lost"
_SAVED: Final = "saved"


@define(eq=False)
class _Seen:
    """A decision as it was made; it is put into words only if somebody is told of it."""

    at: float
    failed: FailedRequest
    decision: Decision
    held: float
    degraded: bool
    outcome: str = ""

    def told(self) -> Told:
        url = self.failed.error.parts
        return Told(
            at=round(self.at, 3),
            decision=self.decision.kind,
            attempt=self.decision.attempt,
            code=self.failed.error_code,
            product=self.failed.product,
            endpoint=self.decision.endpoint,
            url=_cut(masked(f"{url.host}{url.path}")),
            sid=short(self.failed.sid),
            held=round(self.held, 3),
            reason=self.decision.reason,
            outcome=self.outcome,
            degraded=self.degraded,
        )


class Chronicle:
    """A `DecisionWatcher` and an `OutcomeWatcher` that remembers an hour, within bounds.

    A call that is told to come back is not told of until it is decided about for good.
    ``wall_clock`` gives seconds since the epoch. A decision takes 6,000 instructions.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._minutes: dict[int, dict[str, int]] = {}
        self._last: deque[_Seen] = deque(maxlen=TOLD)
        self._failures: dict[str, deque[_Seen]] = {}
        self._by_identity: dict[str, _Seen] = {}
        self._let_go_at = _LET_GO_AT

    def decided(
        self, failed: FailedRequest, decision: Decision, *, held: Held, degraded: bool
    ) -> None:
        kind, endpoint = decision.kind, decision.endpoint
        if kind is HOLD:
            return
        seen = _Seen(self._wall_clock(), failed, decision, held.seconds, degraded)
        self._last.append(seen)
        shelf = self._failures.get(endpoint) or self._new_shelf(endpoint)
        shelf.append(seen)
        self._by_identity[failed.identity] = seen
        if len(self._by_identity) > self._let_go_at:
            self._let_go()
        if kind is not RETRY:
            self._count(_ENDS[kind])

    def hung_up(self, failed: FailedRequest) -> None:
        self._count(_LOST)

    def recovered(self, chance: Chance) -> None:
        self._count(_SAVED)
        self._settle(chance, _SAVED)

    def lost(self, chance: Chance) -> None:
        """Not counted: the failure that ended it gets a decision of its own, which is."""
        self._settle(chance, _LOST)

    def minutes(self) -> Mapping[int, Minute]:
        """The last hour, by the number of the minute since the epoch."""
        self._forget_old(int(self._wall_clock() // 60))
        return {minute: Minute(**counts) for minute, counts in self._minutes.items()}

    def decisions(self) -> tuple[Told, ...]:
        """The last ones, newest first."""
        return tuple(seen.told() for seen in reversed(self._last))

    def failures(self) -> Mapping[str, tuple[Told, ...]]:
        """The last ones of each endpoint, newest first."""
        return {
            endpoint: tuple(seen.told() for seen in reversed(seen_of_it))
            for endpoint, seen_of_it in self._failures.items()
        }

    def _new_shelf(self, endpoint: str) -> deque[_Seen]:
        self._let_go_at += 2 * TOLD_OF_ENDPOINT
        shelf = self._failures[endpoint] = deque(maxlen=TOLD_OF_ENDPOINT)
        return shelf

    def _let_go(self) -> None:
        """Forget whom nobody is told of any more; with each decision it took 6,000 instructions."""
        shelves = (self._last, *self._failures.values())
        self._by_identity = {seen.failed.identity: seen for shelf in shelves for seen in shelf}

    def _settle(self, chance: Chance, outcome: str) -> None:
        seen = self._by_identity.get(chance.marked.identity)
        if seen is not None and seen.decision.kind is RETRY:
            seen.outcome = outcome

    def _count(self, end: str) -> None:
        minute = int(self._wall_clock() // 60)
        counts = self._minutes.get(minute)
        if counts is None:
            self._forget_old(minute)
            counts = self._minutes[minute] = {_SAVED: 0, "apologised": 0, _LOST: 0}
        counts[end] += 1

    def _forget_old(self, now: int) -> None:
        """Those of the future, too: the clock has been set back, and they would never go."""
        for minute in [each for each in self._minutes if not now - HOUR < each <= now]:
            del self._minutes[minute]


def short(sid: str) -> str:
    """Enough of a SID to find it in a log, too little to use it: its kind and its end."""
    shown = shown_sid(sid)
    return f"{shown[:4]}…{shown[-4:]}" if len(shown) > 12 else shown


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_URL else f"{text[: LONGEST_URL - 1]}…"
