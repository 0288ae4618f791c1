"""The way of a failed request: decide, claim, hold, decide."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure as Cancelled

from boomerang.retry.hold import Held, Hold
from boomerang.retry.policy import (
    Decision,
    Kind,
    RetryRules,
    decide,
    decide_without_state,
    repeating_can_help,
)
from boomerang.retry.request import FailedRequest
from boomerang.stores.failsafe import FailsafeStore, SafeClaim
from boomerang.stores.interfaces import Claim, Failure

NOT_HELD = Held(seconds=0.0, overshoot=0.0, early=False)


class DecisionWatcher(Protocol):
    """Whoever tells of decisions: the log and the metrics."""

    def decided(
        self, failed: FailedRequest, decision: Decision, *, held: Held, degraded: bool
    ) -> None: ...

    def hung_up(self, failed: FailedRequest) -> None: ...


@frozen(eq=False)
class RetryService:
    """Answers fallback requests, by the rules of design.md ("Semantics of /retry")."""

    rules: RetryRules
    store: FailsafeStore
    hold: Hold
    watcher: DecisionWatcher

    def answer(
        self, failed: FailedRequest, *, own_origins: frozenset[tuple[str, int]]
    ) -> Deferred[Decision]:
        """Decide what becomes of the call, after the hold if there is one.

        ``own_origins`` are the addresses by which this host was reached. The Deferred does not
        fail for a reason of its own; cancelling it (the client hung up) ends the hold and leaves
        the claim. With coroutines instead of callbacks, each held request takes 1.5 KiB more.
        """
        decision = decide_without_state(failed, own_origins)
        if decision is not None:
            return succeed(self._decided(NOT_HELD, failed, decision, degraded=False))
        counted = repeating_can_help(failed.error_code)
        return self._claim(failed, counted=counted).addCallback(self._claimed, failed, counted)

    def _claim(self, failed: FailedRequest, *, counted: bool) -> Deferred[SafeClaim]:
        failure = Failure(
            identity=failed.identity if counted else None,
            call=failed.call,
            wait=min(self.rules.wait, self.hold.longest()),
            window=self.rules.window,
            attempts=self.rules.attempts,
        )
        if failure.identity is None and failure.call is None:
            return succeed(SafeClaim(Claim(attempt=0, hold=0.0, round=0), degraded=False))
        return self.store.claim(failure)

    def _claimed(
        self, claimed: SafeClaim, failed: FailedRequest, counted: bool
    ) -> Decision | Deferred[Decision]:
        decision = decide(failed, claimed.claim, counted=counted, rules=self.rules)
        seconds = min(claimed.claim.hold, self.hold.longest())
        if decision.kind is not Kind.RETRY or seconds <= 0:
            return self._decided(NOT_HELD, failed, decision, degraded=claimed.degraded)
        held = self.hold.wait(seconds)
        return held.addCallbacks(
            self._decided,
            self._hung_up,
            callbackArgs=(failed, decision),
            callbackKeywords={"degraded": claimed.degraded},
            errbackArgs=(failed,),
        )

    def _decided(
        self, held: Held, failed: FailedRequest, decision: Decision, *, degraded: bool
    ) -> Decision:
        self.watcher.decided(failed, decision, held=held, degraded=degraded)
        return decision

    def _hung_up(self, cancelled: Cancelled, failed: FailedRequest) -> Cancelled:
        self.watcher.hung_up(failed)
        return cancelled
