"""Is an origin known to be dead? A circuit: closed, open, half-open. Pure.

Closed is the usual state: every failure gets its second chance. Open: nothing does, callers hear
their last resort at once. Half-open: one second chance is under way as a trial.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from attrs import evolve, frozen

LOSSES: Final = 5
"""Second failures in a row, without a saved call between them, that open the circuit."""

TRIAL_EVERY: Final = 5.0
"""Seconds from one trial to the next; the app is found to be back within these."""

SLACK: Final = 1.0
"""Seconds that two looks at a wall clock may differ without its having been set back."""


class Position(Enum):
    """The value stands in logs and metrics."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@frozen
class Circuit:
    """What is known of one origin; instants are seconds since the epoch.

    ``losses`` are the second failures in a row. ``reason`` says why it is open: ``monitor`` (a
    check of the app is down), ``unwatched`` (one was down when it was last heard of) or
    ``losses``. ``trial_at`` is when the last trial began.
    """

    position: Position = Position.CLOSED
    since: float = 0.0
    losses: int = 0
    reason: str = ""
    trial_at: float = 0.0


def lost(circuit: Circuit, *, now: float) -> Circuit:
    """A second chance has failed."""
    losses = circuit.losses + 1
    if circuit.reason == "monitor" or (circuit.position is Position.CLOSED and losses < LOSSES):
        return evolve(circuit, losses=losses)
    return _opened(evolve(circuit, losses=losses), reason="losses", now=now)


def saved(circuit: Circuit, *, given_at: float, now: float) -> Circuit:
    """A second chance has succeeded; what the monitor says counts for more.

    One that was ``given_at`` an instant before the app was found dead proves nothing any more:
    its caller may have hung up before it could fail again.
    """
    if circuit.position is Position.CLOSED or circuit.reason == "monitor":
        return evolve(circuit, losses=0)
    if given_at <= circuit.since and not _is_to_come(circuit.since, now=now):
        return circuit
    return _closed(now)


def found_down(circuit: Circuit, *, now: float) -> Circuit:
    """The monitor has found the app down."""
    return _opened(circuit, reason="monitor", now=now)


def found_up(circuit: Circuit, *, now: float) -> Circuit:
    """The app has answered: to the monitor, or to a probe."""
    return circuit if circuit == Circuit() else _closed(now)


def unwatched(circuit: Circuit, *, now: float) -> Circuit:
    """The monitor tells no more of an app that it had found down: trials are to find out."""
    if circuit.reason != "monitor":
        return circuit
    return evolve(circuit, reason="unwatched", trial_at=now)


def admits(circuit: Circuit, *, now: float) -> tuple[bool, Circuit]:
    """Whether a new failure gets its second chance, and the circuit after that."""
    if circuit.position is Position.CLOSED:
        return True, circuit
    if circuit.reason == "monitor":
        return False, circuit
    if now - circuit.trial_at < TRIAL_EVERY and not _is_to_come(circuit.trial_at, now=now):
        return False, circuit
    return True, evolve(circuit, position=Position.HALF_OPEN, trial_at=now)


def _is_to_come(instant: float, *, now: float) -> bool:
    """Whether it is of a future that only a clock set back can explain: long over, most likely."""
    return instant > now + SLACK


def _opened(circuit: Circuit, *, reason: str, now: float) -> Circuit:
    since = now if circuit.position is Position.CLOSED else circuit.since
    trial_at = now if circuit.position is Position.CLOSED else circuit.trial_at
    return evolve(circuit, position=Position.OPEN, since=since, reason=reason, trial_at=trial_at)


def _closed(now: float) -> Circuit:
    return Circuit(since=now)
