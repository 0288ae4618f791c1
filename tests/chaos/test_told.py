"""What the load tells, and what it means."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from chaos.told import CallTold, Costs, Gone, Lag, Rescue, costs, read, written

RETRY = Rescue(asked=10.0, seconds=1.0, status=200, decision="retry; attempt=1")
FALLBACK = Rescue(asked=11.1, seconds=0.1, status=200, decision="fallback; attempt=2")
SILENCE = Rescue(asked=10.0, seconds=0.5, refused="closed the connection")

SAVED = CallTold("saved", "", stubborn=False, rescues=[RETRY])
APOLOGISED = CallTold("apologised", "", stubborn=True, rescues=[RETRY, FALLBACK])
LOST = CallTold("lost", "closed the connection", stubborn=False, rescues=[SILENCE])


def test_there_and_back() -> None:
    """What is written is read as it was."""
    lines = [
        written(SAVED),
        json.dumps({"kind": "acknowledged", "id": "a"}),
        json.dumps({"kind": "acknowledged", "id": "b"}),
        written(APOLOGISED),
        json.dumps({"kind": "arrived", "id": "b"}),
        json.dumps({"kind": "refused", "id": "c"}),
    ]
    told = read(lines)
    assert told.calls == [SAVED, APOLOGISED]
    assert told.missing == {"a"}
    assert (told.refused, told.unanswered) == (1, 0)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (SAVED, Costs(calls=1, answered=1)),
        (APOLOGISED, Costs(calls=1, answered=1, worst=0.1)),
        (evolve(SAVED, outcome="apologised"), Costs(calls=1, answered=1, wrong=1)),
        (
            evolve(APOLOGISED, outcome="saved"),
            Costs(calls=1, answered=1, worst=0.1, forgotten=1),
        ),
        (
            evolve(SAVED, rescues=[evolve(RETRY, seconds=3.5)]),
            Costs(calls=1, answered=1, late=1, worst=2.5),
        ),
        (
            evolve(SAVED, rescues=[evolve(RETRY, seconds=0.5)]),
            Costs(calls=1, answered=1, early=1, worst=-0.5),
        ),
        (LOST, Costs(calls=1, lost=1, reasons=("closed the connection",))),
    ],
)
def test_costs(call: CallTold, expected: Costs) -> None:
    """Each call counts as what became of it, and its answers by their lateness."""
    assert costs([call], wait=1, gone=[]) == expected


@pytest.mark.parametrize(
    ("gone", "cut"),
    [
        (Gone(10.4, 12, abrupt=True), True),  # it was held when the process was killed
        (Gone(10.4, 12, abrupt=False), False),  # it was accepted: it should have been answered
        (Gone(9, 12, abrupt=False), True),  # there was nobody to ask
        (Gone(8, 9.9, abrupt=True), False),  # there was somebody again
        (Gone(11, 12, abrupt=True), False),  # it was lost before
    ],
)
def test_cut(gone: Gone, cut: bool) -> None:
    """A call is cut off if there was no process, or if it was killed with the call."""
    found = costs([LOST], wait=1, gone=[gone])
    assert (found.cut, found.lost) == (cut, not cut)


@pytest.mark.parametrize(
    ("lags", "worst"),
    [
        ([], 1.5),
        ([Lag(10.5, 11.0)], 1.0),
        ([Lag(10.5, 11.0), Lag(11.2, 11.9)], 0.3),
        ([Lag(10.1, 10.2), Lag(10.5, 11.0), Lag(11.2, 11.9)], 0.3),  # no more than two
        ([Lag(9.0, 10.0)], 0.5),  # it was sent late
        ([Lag(10.0, 12.5)], 0.0),
        ([Lag(9.0, 9.9), Lag(12.6, 14.0)], 1.5),  # before and after
    ],
)
def test_lag(lags: list[Lag], worst: float) -> None:
    """What the load itself was late during a request is taken off the answer's lateness."""
    call = evolve(SAVED, rescues=[evolve(RETRY, seconds=2.5)])
    assert costs([call], wait=1, lags=lags).worst == pytest.approx(worst)


def test_nothing_told() -> None:
    """No calls cost nothing."""
    assert costs([], wait=1, gone=[]) == Costs()
