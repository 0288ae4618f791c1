"""Which outages begin and end: each cause once, and nothing that only follows from another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

from attrs import evolve, frozen

from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.verdict import Standing, State
from boomerang.settings.checks import Check

_PATIENCE: Final = 2
"""How many times ``failures`` a check may fail before it is a cause whatever is still unclear."""


@frozen
class Seen:
    """What is known of a check when it is asked who is to blame.

    ``results`` are the newest last; ``above`` names all that the check depends on, directly or
    through others; ``below`` all that depends on it.
    """

    check: Check
    standing: Standing
    results: Sequence[Result]
    paused: bool
    above: frozenset[str]
    below: tuple[str, ...] = ()


def is_down(seen: Seen) -> bool:
    """Whether others may put their troubles down to this one; a paused check says nothing."""
    return seen.standing.state is State.DOWN and not seen.paused


def news(
    names: Iterable[str], seen: Mapping[str, Seen], outages: Mapping[str, Outage]
) -> Iterator[Outage]:
    """The outages of the named checks that begin or end now, ``outages`` being those that last.

    ``seen`` has these checks, and all that they depend on.

    One begins with a check that is down while all that it depends on is well. While one of these
    has begun to fail, and may be found to be the cause, the check waits, but not for ever.
    """
    for name in names:
        one = seen[name]
        state = one.standing.state
        if one.paused:
            continue
        if name in outages:
            if state in (State.UP, State.SLOW):
                yield evolve(outages[name], ended=one.standing.since)
        elif state is State.DOWN and _is_cause(one, [seen[each] for each in one.above]):
            yield Outage(
                check=name,
                began=one.standing.since or one.results[-1].at,
                reason=one.standing.reason or Reason.ERROR,
                detail=one.standing.detail,
                affects=one.below,
            )


def _is_cause(one: Seen, above: Sequence[Seen]) -> bool:
    if any(is_down(each) for each in above):
        return False
    recovered = max((each.standing.recovered or 0.0 for each in above), default=0.0)
    if _failures_since(recovered, one) < one.check.failures:
        return False  # it may need a moment to recover from what it depends on
    unclear = any(each.standing.suspect and not each.paused for each in above)
    return not unclear or one.standing.failed.count >= _PATIENCE * one.check.failures


def _failures_since(instant: float, one: Seen) -> int:
    if instant <= one.standing.failed.since:
        return one.standing.failed.count
    return len(list(takewhile(lambda r: r.at > instant and not r.well, reversed(one.results))))
