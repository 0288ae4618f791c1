"""What processes tell one another of circuits: a note in the store for each origin. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from attrs import evolve, frozen

from boomerang.retry.circuit import Circuit, Position

Origin = tuple[str, int]

STALE: Final = 120.0
"""Seconds after which another process's word is no longer believed; it repeats it in time.

Nor is one that was written as many seconds ahead: before a clock was set back, most likely.
"""

UNHEARD: Final = 30
"""Looks at the store in a row without a word of it, after which a circuit is forgotten that was
known from others only: twice as many as there are from one repetition to the next."""


@frozen
class Known:
    """A circuit, when it last changed (seconds since the epoch), and how the app can be asked.

    ``unheard`` counts the looks at the store since another process said that the app is dead. It
    is `None` where this process has seen that by itself, and so is to say it to the others.
    """

    circuit: Circuit
    changed: float = 0.0
    probe: str | None = None
    unheard: int | None = None

    @property
    def closed(self) -> bool:
        return self.circuit.position is Position.CLOSED

    @property
    def has_seen_losses(self) -> bool:
        return self.circuit.reason == "losses" and self.unheard is None


@frozen
class Word:
    """What a process has said of an origin; instants are seconds since the epoch.

    ``changed`` is when the circuit was last opened or closed, ``written`` when that was said.
    """

    position: Position
    reason: str
    since: float
    changed: float
    written: float

    def is_believed(self, *, now: float) -> bool:
        return abs(now - self.written) <= STALE

    def is_to_be_erased(self, *, now: float) -> bool:
        """Whether nobody can need it: those who write it anew would have done so long ago."""
        return abs(now - self.written) > 2 * STALE

    def tells_of_a_check(self) -> bool:
        """Whether a check of the app is down, by that process's monitor."""
        return self.position is not Position.CLOSED and self.reason == "monitor"


def key_of(origin: Origin) -> str:
    return f"{origin[0]}:{origin[1]}"


def note_of(circuit: Circuit, *, changed: float, now: float) -> str:
    data = {
        "position": circuit.position.value,
        "reason": circuit.reason,
        "since": circuit.since,
        "changed": changed,
        "written": now,
    }
    return json.dumps(data)


def read_notes(notes: Mapping[str, str]) -> Mapping[Origin, Word]:
    """What the notes say; those that cannot be read, of another version perhaps, are left out."""
    found = {}
    for key, note in notes.items():
        try:
            host, _, port = key.rpartition(":")
            said = json.loads(note)
            found[host, int(port)] = Word(
                position=Position(said["position"]),
                reason=str(said["reason"]),
                since=float(said["since"]),
                changed=float(said["changed"]),
                written=float(said["written"]),
            )
        except (ValueError, KeyError, TypeError):
            continue
    return found


def taken_over(circuit: Circuit, word: Word, *, now: float) -> Circuit:
    """The circuit after another process's word, which is newer."""
    if word.position is Position.CLOSED:
        return Circuit()
    if circuit.position is not Position.CLOSED:
        return circuit
    since = min(word.since, now)  # that process's clock may be ahead
    return Circuit(Position.OPEN, since=since, reason=word.reason, trial_at=now)


def after_a_look(known: Known, word: Word | None, *, now: float) -> Known:
    """What is known of an origin after a look at the store; ``word`` is one that is believed."""
    if word is not None and word.changed > known.changed:
        circuit = taken_over(known.circuit, word, now=now)
        unheard = 0 if known.closed else known.unheard
        known = evolve(known, circuit=circuit, changed=word.changed, unheard=unheard)
    if known.circuit.reason != "losses" or known.unheard is None:
        return known
    if word is not None and word.position is not Position.CLOSED:
        return evolve(known, unheard=0)
    if known.unheard < UNHEARD:
        return evolve(known, unheard=known.unheard + 1)
    return Known(Circuit(), probe=known.probe)
