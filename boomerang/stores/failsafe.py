"""A store that never costs a caller the answer.

Every claim is noted in the process's own memory too. As long as the real store answers within
250 ms its word counts; when it does not, memory's does, at once and for every caller, until a
probe says that the store is back. Marks made meanwhile stay in memory, so that a second failure
is recognised on either side of the gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from attrs import evolve, frozen
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,
    fail,
    maybeDeferred,
    succeed,
)
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure as Trouble

from boomerang.stores.direct import Direct
from boomerang.stores.interfaces import Claim, ClaimStore, Failure, Marked, StoreUnavailable
from boomerang.stores.memory import MemoryStore
from boomerang.stores.patience import Patience
from boomerang.values import quick_frozen

T = TypeVar("T")

PATIENCE: Final = 0.25
"""Seconds that a claim may take (design.md, "Semantics of /retry")."""

OPENING: Final = 2.0
"""Seconds that opening the store may take at start while nobody waits for it: several workers that
begin together open one SQLite file one after the other."""

PROBE_EVERY: Final = 0.5
"""Seconds between two looks whether a store that failed is back."""

_UNHURRIED: Final = 5.0
"""Seconds that the store has for what no caller waits for."""

_CLOSING: Final = 2.0


@frozen
class Degraded:
    """Since when (seconds since the epoch) and why the store is not used."""

    since: float
    reason: str


class StoreWatcher(Protocol):
    """Whoever counts what happens to the store (the metrics)."""

    def store_answered(self, seconds: float) -> None: ...

    def store_failed(self, reason: str) -> None: ...

    def store_degraded(self, degraded: bool) -> None: ...


@quick_frozen
class SafeClaim:
    """A claim, and whether it was made without the store."""

    claim: Claim
    degraded: bool


class FailsafeStore:
    """Claims that always succeed, within `PATIENCE`."""

    _log = Logger()

    def __init__(
        self,
        store: ClaimStore,
        *,
        name: str,
        clock: IReactorTime,
        wall_clock: Callable[[], float],
        watcher: StoreWatcher,
    ) -> None:
        self._store = store
        self.name = name
        self._clock = clock
        self._wall_clock = wall_clock
        self._watcher = watcher
        self._memory = MemoryStore(clock)
        self._patience = Patience(clock, seconds=PATIENCE)
        self._probing = LoopingCall(self._look_whether_it_is_back)
        self._probing.clock = clock
        self._closed = False
        self._released: list[Marked] = []
        self._opening: list[Deferred[None]] | None = None
        self.degraded: Degraded | None = None

    def open(self) -> Deferred[None]:
        """Open the store; fires within `OPENING`, whether or not it is there."""
        self._opening = []
        opened = maybeDeferred(self._store.open)
        Patience(self._clock, seconds=OPENING).limit(opened)
        return opened.addBoth(self._opened)

    def claim(self, failure: Failure) -> Deferred[SafeClaim]:
        """Count a failure; never fails. Cancelling the Deferred leaves the claim as it is."""
        noted = self._memory.claim_now(failure)
        if self.degraded is not None:
            return succeed(SafeClaim(noted, degraded=True))
        answer: Deferred[SafeClaim] = Deferred(_leave_the_claim)
        claimed = self._ask(failure)
        self._patience.limit(claimed)
        known = (answer, noted, self._clock.seconds())
        if isinstance(claimed, Direct):
            claimed.tell(self._answered, self._refused, known)
        else:
            claimed.addCallbacks(self._answered, self._refused, known, {}, known, {})
        return answer

    def release(self, marked: Marked) -> None:
        """End a hold before its instant. Those of one reactor turn go to the store together."""
        self._memory.release_now([marked])
        self._released.append(marked)
        if len(self._released) == 1:
            self._clock.callLater(0, self._write_released)

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]:
        """How often each of these has failed, as far as is known; never fails."""
        noted = self._memory.attempts_now(marked)
        if self.degraded is not None or self._closed:
            return succeed(noted)
        asked = maybeDeferred(self._store.attempts, marked).addTimeout(_UNHURRIED, self._clock)
        return asked.addCallback(lambda counts: list(map(max, counts, noted))).addErrback(
            self._only_noted, noted
        )

    def _only_noted(self, trouble: Trouble, noted: Sequence[int]) -> Sequence[int]:
        self._unexpected(trouble)
        return noted

    def _write_released(self) -> None:
        released, self._released = self._released, []
        if self.degraded is None and not self._closed:
            written = maybeDeferred(self._store.release, released)
            self._in_time(written).addErrback(self._failed)

    def _ask(self, failure: Failure) -> Deferred[Claim]:
        """Ask the store; who comes while it is being opened, at start, waits until it is."""
        if self._opening is not None:
            waiter: Deferred[None] = Deferred()
            self._opening.append(waiter)
            return waiter.addCallback(lambda _: self._store.claim(failure))
        try:
            return self._store.claim(failure)
        except Exception:  # logged by `_refused`, like all that a store should not do
            return fail()

    def _opened(self, result: Trouble | None) -> None:
        opening, self._opening = self._opening or [], None
        if result is not None:
            self._failed(result, OPENING)
        for waiter in opening:
            waiter.callback(None)  # which does nothing to those who waited for too long

    def _answered(
        self, claim: Claim, answer: Deferred[SafeClaim], noted: Claim, began: float
    ) -> None:
        spent = self._clock.seconds() - began
        try:
            known = SafeClaim(_stricter(claim, noted, spent), False)
        except Exception:  # the store's answer made no sense
            self._refused(Trouble(), answer, noted, began)
            return
        self._watcher.store_answered(spent)
        if not answer.called:
            answer.callback(known)

    def _refused(
        self, trouble: Trouble, answer: Deferred[SafeClaim], noted: Claim, began: float
    ) -> None:
        self._failed(trouble)
        if not answer.called:
            spent = self._clock.seconds() - began
            answer.callback(SafeClaim(_later(noted, spent), degraded=True))

    def close(self) -> Deferred[None]:
        """Close the store; a store that hangs is left alone after two seconds."""
        self._closed = True
        if self._probing.running:
            self._probing.stop()
        closed = maybeDeferred(self._store.close).addTimeout(_CLOSING, self._clock)
        return closed.addErrback(self._unexpected)

    def _in_time(self, answer: Deferred[T]) -> Deferred[T]:
        self._patience.limit(answer)
        return answer

    def _failed(self, trouble: Trouble, within: float = PATIENCE) -> None:
        late = trouble.check(CancelledError) is not None  # by a `Patience`
        if not late and not trouble.check(StoreUnavailable):
            self._unexpected(trouble)
        self._watcher.store_failed("timeout" if late else "unavailable")
        if self.degraded is not None or self._closed:
            return
        reason = f"no answer within {within} s" if late else trouble.getErrorMessage()
        self.degraded = Degraded(since=self._wall_clock(), reason=reason)
        self._watcher.store_degraded(True)
        self._log.warn(
            "store degraded store={store}: claims are made in this process's memory ({reason})",
            store=self.name,
            reason=getattr(trouble.value, "brief", reason),
        )
        self._probing.start(PROBE_EVERY, now=False).addErrback(self._unexpected)

    def _look_whether_it_is_back(self) -> Deferred[None]:
        """One probe; `LoopingCall` begins no other before it has ended."""
        if self._opening is not None:
            return succeed(None)
        opened = self._in_time(maybeDeferred(self._store.open))
        probed = opened.addCallback(lambda _: self._in_time(self._store.probe()))
        return probed.addCallbacks(self._is_back, self._is_not_back)

    def _is_back(self, _: object) -> None:
        degraded, self.degraded = self.degraded, None
        if degraded is None or self._closed:  # closed while the probe was under way
            return
        self._probing.stop()
        self._watcher.store_degraded(False)
        self._log.info(
            "store recovered store={store} after={seconds:.1f}",
            store=self.name,
            seconds=self._wall_clock() - degraded.since,
        )

    def _is_not_back(self, trouble: Trouble) -> None:
        if not trouble.check(StoreUnavailable, CancelledError):
            self._unexpected(trouble)

    def _unexpected(self, trouble: Trouble) -> None:
        """Log a mistake of our own, or of a library; the caller has an answer all the same."""
        if not trouble.check(StoreUnavailable, TimeoutError, CancelledError):
            self._log.failure("store={store} failed unexpectedly", trouble, store=self.name)


def _leave_the_claim(cancelled: Deferred[SafeClaim]) -> None:
    """What cancelling does: nothing more is heard of it."""


def _stricter(claim: Claim, noted: Claim, seconds: float) -> Claim:
    """What the store says, unless this process knew of more failures some seconds ago."""
    if claim.attempt >= noted.attempt and claim.round >= noted.round:
        return claim
    known = _later(noted, seconds) if noted.attempt > claim.attempt else claim
    most = max(claim.round, noted.round)
    return known if known.round == most else evolve(known, round=most)


def _later(claim: Claim, seconds: float) -> Claim:
    """The same claim, looked at some seconds later."""
    return evolve(claim, hold=max(0.0, claim.hold - seconds))
