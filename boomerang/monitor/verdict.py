"""Up, slow or down: what the results of a check in a row mean. Pure, and never hasty."""

from __future__ import annotations

from enum import Enum

from attrs import evolve, frozen

from boomerang.monitor.result import Reason, Result
from boomerang.settings.checks import Check


class State(Enum):
    """How a check stands; the value stands in metrics, logs and on the page."""

    UNKNOWN = "unknown"
    UP = "up"
    SLOW = "slow"
    DOWN = "down"


@frozen
class Row:
    """How many results of one sort came in a row, and when the first of them began."""

    count: int = 0
    since: float = 0.0

    def after(self, result: Result, *, goes_on: bool) -> Row:
        if not goes_on:
            return Row()
        return Row(self.count + 1, self.since if self.count else result.at)


@frozen
class Standing:
    """How a check stands. Instants are seconds since the epoch.

    ``since`` is when the first result of those began that made it so, `None` while unknown.
    ``reason`` and ``detail`` are those of the last failure while it is down. ``recovered`` is
    when it was last found well after having been down.
    """

    state: State = State.UNKNOWN
    since: float | None = None
    reason: Reason | None = None
    detail: str = ""
    recovered: float | None = None
    failed: Row = Row()
    well: Row = Row()
    dragging: Row = Row()
    fast: Row = Row()

    @property
    def suspect(self) -> bool:
        """Whether it may be found down soon."""
        return self.failed.count > 0 and self.state is not State.DOWN


def judge(standing: Standing, result: Result, check: Check) -> Standing:
    """How the check stands after another result.

    ``failures`` failures in a row put it down, ``successes`` successes in a row end that. As many
    answers above ``slow`` (or failures) in a row make it slow, as many fast ones up again. The
    first success after the start counts at once.
    """
    is_fast = result.well and result.seconds <= check.slow
    after = evolve(
        standing,
        failed=standing.failed.after(result, goes_on=not result.well),
        well=standing.well.after(result, goes_on=result.well),
        dragging=standing.dragging.after(result, goes_on=not is_fast),
        fast=standing.fast.after(result, goes_on=is_fast),
    )
    state, since = _state(after, result, check)
    if state is State.DOWN:
        return evolve(
            after,
            state=state,
            since=since,
            reason=result.reason or standing.reason,
            detail=standing.detail if result.well else result.detail,
        )
    recovered = since if standing.state is State.DOWN else standing.recovered
    return evolve(after, state=state, since=since, reason=None, detail="", recovered=recovered)


def _state(after: Standing, result: Result, check: Check) -> tuple[State, float | None]:
    """The state and since when, from the rows that ``after`` has and the state it still has."""
    here = State.UP if after.fast.count else State.SLOW
    match after.state:
        case State.DOWN if after.well.count >= check.successes:
            return here, after.well.since
        case State.UNKNOWN if result.well:
            return here, result.at
        case State.UP if after.dragging.count >= check.failures and result.well:
            return State.SLOW, after.dragging.since
        case State.SLOW if after.fast.count >= check.successes:
            return State.UP, after.fast.since
        case State.UNKNOWN | State.UP | State.SLOW if after.failed.count >= check.failures:
            return State.DOWN, after.failed.since
    return after.state, after.since
