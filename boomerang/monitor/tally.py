"""What the retry service did in a period, for reports that are sent one period at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

from attrs import frozen

from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.request import FailedRequest


@frozen
class Spread:
    """Many values in four numbers; ``count`` is at least 1."""

    count: int
    sum: float
    min: float
    max: float

    @classmethod
    def one(cls, value: float) -> Self:
        return cls(count=1, sum=value, min=value, max=value)

    def joined(self, other: Spread) -> Spread:
        """Both together."""
        return Spread(
            count=self.count + other.count,
            sum=self.sum + other.sum,
            min=min(self.min, other.min),
            max=max(self.max, other.max),
        )


@frozen
class Figures:
    """The retry service in one period.

    ``decisions`` counts by `boomerang.retry.policy.Kind`, every kind being there. ``held`` is how
    many requests are held at the end of the period. ``overshoot`` is how much later than its
    instant each was answered (seconds), `None` if no hold has ended.
    """

    decisions: Mapping[str, int]
    held: int
    overshoot: Spread | None


class Tally:
    """A `DecisionWatcher` that adds up until somebody takes the figures, which begins a new period.

    Each consumer has a tally of its own: what one takes is not there for another. ``held`` says
    how many requests are held now.
    """

    def __init__(self, held: Callable[[], int]) -> None:
        self._held = held
        self._decisions = {kind.value: 0 for kind in Kind}
        self._overshoot: Spread | None = None

    def decided(
        self, failed: FailedRequest, decision: Decision, *, held: Held, degraded: bool
    ) -> None:
        self._decisions[decision.kind.value] += 1
        if held.seconds and not held.early:
            one = Spread.one(held.overshoot)
            self._overshoot = one if self._overshoot is None else self._overshoot.joined(one)

    def hung_up(self, failed: FailedRequest) -> None:
        """Nothing was decided for a client that hung up."""

    def take(self) -> Figures:
        """The figures since they were last taken."""
        figures = Figures(decisions=self._decisions, held=self._held(), overshoot=self._overshoot)
        self._decisions = dict.fromkeys(self._decisions, 0)
        self._overshoot = None
        return figures
