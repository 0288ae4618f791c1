"""What the load tells of itself: one JSON value a line. Instants are of the monotonic clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs
from attrs import field, frozen

from chaos.judge import LATE

SOON: Final = 0.2
"""Seconds by which an answer may be early; requests are timed from where they are sent."""

CLOSE: Final = 0.05
"""Seconds before SIGTERM in which a request may have been sent on a connection that rested, and is
being closed at the same moment."""


@frozen
class Rescue:
    """One request to boomerang: when, for how long (seconds), and what came of it.

    ``decision`` is boomerang's own header; ``refused`` is why there was no answer.
    """

    asked: float
    seconds: float
    status: int = 0
    decision: str = ""
    refused: str = ""

    def lateness(self, wait: float) -> float:
        """Seconds after its time; negative if it was early."""
        due = wait if self.decision.startswith("retry") else 0.0
        return self.seconds - due


@frozen
class CallTold:
    """A call that has ended. ``stubborn``: its app fails twice, so that it must be apologised."""

    outcome: str
    reason: str
    stubborn: bool
    rescues: Sequence[Rescue]

    @property
    def expected(self) -> str:
        return "apologised" if self.stubborn else "saved"


@frozen
class Lag:
    """From when to when the load itself had no CPU."""

    since: float
    until: float

    def within(self, rescue: Rescue) -> float:
        """Seconds that an answer may seem to be late because of it."""
        overlaps = self.since <= rescue.asked + rescue.seconds and rescue.asked <= self.until
        return self.until - self.since if overlaps else 0.0


@frozen
class Told:
    """All that the load has told."""

    calls: Sequence[CallTold] = ()
    acknowledged: frozenset[str] = frozenset()
    arrived: frozenset[str] = frozenset()
    refused: int = 0
    unanswered: int = 0
    lags: Sequence[Lag] = ()

    @property
    def missing(self) -> frozenset[str]:
        return self.acknowledged - self.arrived


@frozen
class Gone:
    """From when to when there was no process; ``abrupt``: what it had accepted went with it."""

    since: float
    until: float
    abrupt: bool = field(kw_only=True)

    def took(self, rescue: Rescue) -> bool:
        """Whether a request had no answer because of it."""
        if rescue.status or rescue.asked > self.until:
            return False
        last = rescue.asked + rescue.seconds if self.abrupt else rescue.asked
        return last >= self.since - CLOSE


@frozen
class Costs:
    """What became of the calls; the names are those of `chaos.judge.Seen`."""

    calls: int = 0
    answered: int = 0
    late: int = 0
    worst: float = 0.0
    early: int = 0
    lost: int = 0
    cut: int = 0
    wrong: int = 0
    forgotten: int = 0
    reasons: tuple[str, ...] = field(default=())


def read(lines: Iterable[str]) -> Told:
    """Read what was told."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        value = json.loads(line)
        kinds.setdefault(value.pop("kind"), []).append(value)
    return Told(
        calls=[_call(value) for value in kinds.get("call", ())],
        acknowledged=frozenset(value["id"] for value in kinds.get("acknowledged", ())),
        arrived=frozenset(value["id"] for value in kinds.get("arrived", ())),
        refused=len(kinds.get("refused", ())),
        unanswered=len(kinds.get("unanswered", ())),
        lags=[Lag(**value) for value in kinds.get("lag", ())],
    )


def _call(value: dict[str, Any]) -> CallTold:
    return CallTold(**{**value, "rescues": [Rescue(**each) for each in value["rescues"]]})


def written(call: CallTold) -> str:
    """A call as a line."""
    return json.dumps({"kind": "call", **attrs.asdict(call)})


def costs(
    calls: Sequence[CallTold], *, wait: float, gone: Sequence[Gone] = (), lags: Sequence[Lag] = ()
) -> Costs:
    """Count what became of calls.

    ``gone``: when there was no process to ask. ``lags``: when the load itself was late; the two
    longest of them during a request are taken off its lateness.
    """
    answers = [each for call in calls for each in call.rescues if each.status]
    lateness = [_less(each.lateness(wait), (lag.within(each) for lag in lags)) for each in answers]
    lost = [call for call in calls if call.outcome == "lost"]
    cut = [
        call for call in lost if any(each.took(rescue) for each in gone for rescue in call.rescues)
    ]
    wrong = [call for call in calls if call.outcome not in ("lost", call.expected)]
    forgotten = [call for call in wrong if call.stubborn]
    return Costs(
        calls=len(calls),
        answered=len(calls) - len(lost),
        late=sum(each > LATE for each in lateness),
        worst=max(lateness, default=0.0),
        early=sum(each < -SOON for each in lateness),
        lost=len(lost) - len(cut),
        cut=len(cut),
        wrong=len(wrong) - len(forgotten),
        forgotten=len(forgotten),
        reasons=tuple(sorted({call.reason for call in lost if call not in cut})),
    )


def _less(lateness: float, lags: Iterable[float]) -> float:
    """Once it may have been sent late, and once read late."""
    return max(0.0, lateness - sum(sorted(lags)[-2:])) if lateness > 0 else lateness
