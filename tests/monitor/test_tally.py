"""What the retry service did in a period."""

from __future__ import annotations

import pytest

from boomerang.monitor.tally import Figures, Spread, Tally
from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.request import parse_failed_request
from boomerang.retry.service import NOT_HELD, DecisionWatcher

FAILED = parse_failed_request([("ErrorCode", "11200"), ("ErrorUrl", "https://a.example/")], [])
NONE = {kind.value: 0 for kind in Kind}


def held(overshoot: float, *, early: bool = False) -> Held:
    return Held(seconds=8.0 + overshoot, overshoot=overshoot, early=early)


def decide(tally: DecisionWatcher, kind: Kind, how: Held = NOT_HELD) -> None:
    tally.decided(FAILED, Decision(kind, 1, ""), held=how, degraded=False)


def test_decisions() -> None:
    """Decisions are counted by kind, and each kind is there."""
    tally = Tally(held=lambda: 3)
    for kind in (Kind.RETRY, Kind.RETRY, Kind.GIVE_UP):
        decide(tally, kind)
    tally.hung_up(FAILED)
    assert tally.take() == Figures(
        decisions={**NONE, "retry": 2, "give-up": 1}, held=3, overshoot=None
    )


def test_period() -> None:
    """Taking the figures begins a new period, and leaves those that were taken as they are."""
    tally = Tally(held=lambda: 0)
    decide(tally, Kind.RETRY, held(0.5))
    first = tally.take()
    decide(tally, Kind.FALLBACK, held(0.25))
    second = tally.take()
    assert first.decisions == {**NONE, "retry": 1}
    assert first.overshoot == Spread(count=1, sum=0.5, min=0.5, max=0.5)
    assert second.decisions == {**NONE, "fallback": 1}
    assert second.overshoot == Spread(count=1, sum=0.25, min=0.25, max=0.25)
    assert tally.take().overshoot is None


def test_two_consumers() -> None:
    """Two that take figures have a tally each, and neither misses anything."""
    tallies = [Tally(held=lambda: 0), Tally(held=lambda: 0)]
    for tally in tallies:
        decide(tally, Kind.RETRY)
    assert [tally.take().decisions["retry"] for tally in tallies] == [1, 1]


def test_overshoot() -> None:
    """Overshoots are put together; neither what was not held nor what was cut short has one."""
    tally = Tally(held=lambda: 0)
    for how in (held(0.25), held(0.0), held(1.0), NOT_HELD, held(0.0, early=True)):
        decide(tally, Kind.RETRY, how)
    assert tally.take().overshoot == Spread(count=3, sum=1.25, min=0.0, max=1.0)


def test_held_now() -> None:
    """The number of held requests is that of the moment when it is asked for."""
    now = [1]
    tally = Tally(held=lambda: now[0])
    now[0] = 7
    assert tally.take().held == 7


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Spread.one(1.0), Spread.one(3.0), Spread(count=2, sum=4.0, min=1.0, max=3.0)),
        (
            Spread(count=2, sum=4.0, min=1.0, max=3.0),
            Spread.one(2.0),
            Spread(count=3, sum=6.0, min=1.0, max=3.0),
        ),
    ],
)
def test_spread(one: Spread, other: Spread, both: Spread) -> None:
    """Two spreads make one, whichever comes first."""
    assert one.joined(other) == other.joined(one) == both
