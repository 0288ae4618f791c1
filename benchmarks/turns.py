"""Rounds in which servers that run side by side are loaded in turn.

A machine whose speed changes from one second to the next favours whoever is measured at the right
time. So a round takes little time, and there are many of them.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from benchmarks.steps import Step

Variant = TypeVar("Variant")

TOGETHER = 5
"""Rounds for which servers run before they are started afresh."""


def steps(
    part: str,
    rounds: int,
    *,
    start_seconds: float,
    round_seconds: float,
    run: Callable[[Sequence[int]], Any],
) -> list[Step]:
    """The rounds of a part, several to a step; ``run`` is given their numbers."""
    found = []
    for first in range(1, rounds + 1, TOGETHER):
        numbers = range(first, min(first + TOGETHER, rounds + 1))
        took = start_seconds + len(numbers) * round_seconds
        name = f"{part}: rounds {first} to {numbers[-1]} of {rounds}, all servers in turn"
        found.append(Step(name, took, partial(run, numbers)))
    return found


def turns(numbers: Sequence[int], variants: Sequence[Variant]) -> Iterator[tuple[int, Variant]]:
    """Every variant once per round; every other round backwards, so that a drift of the machine
    favours nobody."""
    for number in numbers:
        for variant in variants[:: 1 if number % 2 else -1]:
            yield number, variant
