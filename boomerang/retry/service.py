"""The way of a failed request: decide, claim, hold, decide."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError

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

    async def answer(
        self, failed: FailedRequest, *, own_origins: frozenset[tuple[str, int]]
    ) -> Decision:
        """Decide what becomes of the call, after the hold if there is one.

        ``own_origins`` are the addresses by which this host was reached. Never fails; cancelling
        it (the client hung up) ends the hold and leaves the claim.
        """
        decision = decide_without_state(failed, own_origins)
        if decision is not None:
            self.watcher.decided(failed, decision, held=NOT_HELD, degraded=False)
            return decision
        counted = repeating_can_help(failed.error_code)
        claimed = await self._claim(failed, counted=counted)
        decision = decide(failed, claimed.claim, counted=counted, rules=self.rules)
        held = NOT_HELD
        if decision.kind is Kind.RETRY:
            held = await self._hold(failed, min(claimed.claim.hold, self.hold.longest()))
        self.watcher.decided(failed, decision, held=held, degraded=claimed.degraded)
        return decision

    async def _claim(self, failed: FailedRequest, *, counted: bool) -> SafeClaim:
        failure = Failure(
            identity=failed.identity if counted else None,
            call=failed.call,
            wait=min(self.rules.wait, self.hold.longest()),
            window=self.rules.window,
            attempts=self.rules.attempts,
        )
        if failure.identity is None and failure.call is None:
            return SafeClaim(Claim(attempt=0, hold=0.0, round=0), degraded=False)
        return await self.store.claim(failure)

    async def _hold(self, failed: FailedRequest, seconds: float) -> Held:
        if seconds <= 0:
            return NOT_HELD
        try:
            return await self.hold.wait(seconds)
        except CancelledError:
            self.watcher.hung_up(failed)
            raise
