"""The way of a failed request: decide, claim, hold, decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure as Cancelled

from boomerang.endpoints.rules import EndpointRules, RuleBook
from boomerang.retry.circuits import Circuits
from boomerang.retry.continuation import Continuation, Returns
from boomerang.retry.gate import Gate, Terms
from boomerang.retry.hold import LONGEST, Held, Hold
from boomerang.retry.outcomes import Outcomes
from boomerang.retry.policy import (
    CODE,
    DEAD,
    ENDPOINT,
    RETRY,
    Decision,
    HoldPlan,
    come_back,
    decide,
    decide_without_state,
    is_worth_it,
    plan_hold,
    second_chance,
)
from boomerang.retry.request import FailedRequest
from boomerang.stores.failsafe import FailsafeStore, SafeClaim
from boomerang.stores.interfaces import Failure, Marked
from boomerang.values import quick_frozen

NOT_HELD: Final = Held(seconds=0.0, overshoot=0.0, early=False)

TURN: Final = 10.0
"""Seconds that a call is held in one webhook where it is held for longer than one may take."""


class DecisionWatcher(Protocol):
    """Whoever tells of decisions: the log and the metrics."""

    def decided(
        self, failed: FailedRequest, decision: Decision, *, held: Held, degraded: bool
    ) -> None: ...

    def hung_up(self, failed: FailedRequest) -> None: ...


@quick_frozen
class Arrival:
    """How a request came: the addresses by which this host was reached, and one to come back to.

    ``here`` is scheme and host, `None` where nobody knows. ``party`` is whose request it is, among
    those who share the places: an account, or an address. ``waited`` says for how many seconds it
    has been here; it is asked once, before anything is waited for.
    """

    own_origins: frozenset[tuple[str, int]]
    here: str | None
    party: str
    waited: Callable[[], float]


@quick_frozen
class _Case:
    """A failure that gets its second chance, while it is held.

    ``counted_as_held`` is how long the store takes what fails for a repeat of it (seconds).
    """

    failed: FailedRequest
    rules: EndpointRules
    decision: Decision
    plan: HoldPlan
    counted_as_held: float
    degraded: bool


@frozen(eq=False)
class RetryService:
    """Answers fallback requests, by the rules of design.md ("Semantics of /retry").

    ``wall_clock`` gives seconds since the epoch. With coroutines instead of callbacks, each held
    request takes 1.5 KiB more.
    """

    book: RuleBook
    store: FailsafeStore
    hold: Hold
    gate: Gate
    circuits: Circuits
    outcomes: Outcomes
    returns: Returns
    watcher: DecisionWatcher
    wall_clock: Callable[[], float]

    def answer(self, failed: FailedRequest, arrival: Arrival) -> Deferred[Decision]:
        """Decide what becomes of the call, after the hold if there is one.

        The Deferred does not fail for a reason of its own; cancelling it (the client hung up)
        ends the hold and leaves the claim.
        """
        rules = self.book.of(failed.error.parts)
        last_resorts = self.book.last_resorts
        decision = decide_without_state(failed, arrival.own_origins, rules, last_resorts)
        if decision is not None:
            return succeed(self._decided(NOT_HELD, failed, decision, degraded=False))
        hopeless = self._hopeless(failed, rules)
        plan = plan_hold(failed, rules, room=self.hold.room(arrival.party))
        if plan.limit > 0:
            plan = plan.shorter_by(arrival.waited())
        claimed = self._claim(failed, rules, plan, hopeless)
        return claimed.addCallback(self._claimed, failed, rules, plan, hopeless, arrival)

    def come_back(self, continuation: Continuation, arrival: Arrival) -> Deferred[Decision]:
        """Hold a call further that was told to come back and has come, or send it on."""
        failed = continuation.failed
        rules = self.book.of(failed.error.parts)
        longest = rules.longest_hold(failed.product)
        until = continuation.until - self.wall_clock()
        left = max(0.0, min(until, longest))  # clocks may differ
        plan = HoldPlan(wait=left, limit=left, spent=longest - left)
        decision = second_chance(failed, rules, attempt=continuation.attempt)
        case = _Case(failed, rules, decision, plan, counted_as_held=until, degraded=False)
        decided = self._hold(case, arrival, greeted=True)
        return decided if isinstance(decided, Deferred) else succeed(decided)

    def _hopeless(self, failed: FailedRequest, rules: EndpointRules) -> str:
        """Why the failure gets no second chance, empty if it may get one."""
        if not is_worth_it(failed, rules):
            return CODE if rules.retry else ENDPOINT
        if rules.circuit and not self.circuits.admits(failed.error.parts.origin, rules.probe):
            return DEAD
        return ""

    def _claim(
        self, failed: FailedRequest, rules: EndpointRules, plan: HoldPlan, hopeless: str
    ) -> Deferred[SafeClaim]:
        """Count the failure.

        What repeating cannot help is counted if it has had a second chance: that may have been
        given by another process, which would take it for a success otherwise.
        """
        wait, attempts = (0.0, 0) if hopeless else (plan.limit, rules.attempts)
        only_again = hopeless in (CODE, ENDPOINT)
        window, call_window = rules.window, rules.call_window
        failure = Failure(
            failed.identity, failed.call, wait, window, call_window, attempts, only_again
        )
        return self.store.claim(failure)

    def _claimed(
        self,
        claimed: SafeClaim,
        failed: FailedRequest,
        rules: EndpointRules,
        plan: HoldPlan,
        hopeless: str,
        arrival: Arrival,
    ) -> Decision | Deferred[Decision]:
        claim = claimed.claim
        after = claim.after if claim.attempt <= rules.attempts + 1 else None  # it had a chance
        self.outcomes.failed_again(failed, rules, after=after)
        decision = decide(failed, claim, hopeless=hopeless, rules=rules)
        if decision.kind is not RETRY:
            return self._decided(NOT_HELD, failed, decision, degraded=claimed.degraded)
        left = plan.seen_at(claim.hold)
        case = _Case(failed, rules, decision, left, claim.hold, claimed.degraded)
        return self._hold(case, arrival, greeted=False)

    def _hold(
        self, case: _Case, arrival: Arrival, *, greeted: bool
    ) -> Decision | Deferred[Decision]:
        """Hold a call or message for its time; ``greeted``: it was told to wait already."""
        plan, rules, party = case.plan, case.rules, arrival.party
        if plan.limit <= 0:
            return self._turn_away(case, party, plan.why_not)
        vacancy = self.hold.room(party)
        room = vacancy.seconds
        if room <= 0:
            return self._turn_away(case, party, vacancy.why_not)
        if rules.probe is None and rules.release_rate <= 0:
            held = self.hold.wait(min(plan.wait, room), party=party)
            return held.addCallbacks(self._go, self._hung_up, (case,), {}, (case.failed,))
        back = self._way_back(case, arrival.here) if plan.wait > room else None
        if back is not None and rules.hold_message is not None and not greeted:
            back = evolve(back, message=rules.hold_message)
            return self._decided(NOT_HELD, case.failed, back, degraded=case.degraded)
        limit = plan.limit if back is not None else min(plan.limit, room)
        waiting = self.gate.wait(
            case.failed.error.parts.origin,
            Terms(rules.probe, rules.release_rate),
            due=min(plan.wait, limit),
            limit=limit,
            turn=None if back is None else min(TURN, room),
            waited=plan.spent,
        )
        held = self.hold.keep(waiting, limit, party=party)
        return held.addCallbacks(self._leave_gate, self._hung_up, (case, back), {}, (case.failed,))

    def _way_back(self, case: _Case, here: str | None) -> Decision | None:
        """How a call comes back here to be held further; `None` where it cannot."""
        failed = case.failed
        if case.rules.longest_hold(failed.product) <= LONGEST or here is None:
            return None
        until = self.wall_clock() + case.plan.limit
        url = self.returns.url(here, Continuation(failed, until, case.decision.attempt))
        return None if url is None else come_back(case.decision, url)

    def _turn_away(self, case: _Case, party: str, why_not: str) -> Decision:
        """The second chance without a hold: because nothing is held, or there is no room."""
        if why_not:
            self.hold.turned_away(party, why_not)
            case = evolve(case, decision=evolve(case.decision, reason=why_not))
        return self._go(NOT_HELD, case)

    def _leave_gate(self, held: Held, case: _Case, back: Decision | None) -> Decision:
        if back is not None and not held.may_go:
            return self._decided(held, case.failed, back, degraded=case.degraded)
        return self._go(held, case)

    def _go(self, held: Held, case: _Case) -> Decision:
        """The second chance itself."""
        if held.seconds < case.counted_as_held:
            self.store.release(Marked(case.failed.identity, case.failed.call))
        self.outcomes.given(case.failed, case.rules, attempt=case.decision.attempt)
        return self._decided(held, case.failed, case.decision, degraded=case.degraded)

    def _decided(
        self, held: Held, failed: FailedRequest, decision: Decision, *, degraded: bool
    ) -> Decision:
        self.watcher.decided(failed, decision, held=held, degraded=degraded)
        return decision

    def _hung_up(self, cancelled: Cancelled, failed: FailedRequest) -> Cancelled:
        self.watcher.hung_up(failed)
        return cancelled
