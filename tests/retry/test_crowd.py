"""Whose requests are held, and who has more than a fair share of the places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogEvent, capturedLogs

from boomerang.logs import message
from boomerang.retry.crowd import ACCOUNT, FULL, SHARE, Crowd

ONE, OTHER, THIRD = "AC1", "AC2", "AC3"


@pytest.fixture
def events() -> Iterator[Sequence[LogEvent]]:
    with capturedLogs() as captured:
        yield captured


def crowd(*, most: int = 100, most_each: int | None = None, **held: int) -> Crowd:
    """A crowd in which so many are held of each party."""
    made = Crowd(most=most, most_each=most if most_each is None else most_each)
    for party, count in held.items():
        for _ in range(count):
            made.enter(party)
    return made


def come(made: Crowd, party: str) -> str:
    """A request of the party; why it is not held, empty if it is."""
    why = made.why_not(party)
    if why:
        made.turned_away(party, why)
    else:
        made.enter(party)
    return why


def test_alone() -> None:
    """As long as there has been but one party it may have all places, and not one more."""
    made = crowd()
    assert [come(made, ONE) for _ in range(101)] == [""] * 100 + [FULL]
    assert len(made) == 100


@pytest.mark.parametrize(
    ("held", "party", "why"),
    [
        ({ONE: 74, OTHER: 0}, ONE, ""),
        ({ONE: 73, OTHER: 1}, ONE, ""),
        ({ONE: 74, OTHER: 1}, ONE, SHARE),
        ({ONE: 74, OTHER: 1}, OTHER, ""),
        ({ONE: 74, OTHER: 1}, THIRD, ""),
        ({ONE: 74, OTHER: 26}, OTHER, FULL),
        ({ONE: 45, OTHER: 44}, OTHER, ""),
        ({ONE: 45, OTHER: 44}, ONE, SHARE),
        ({ONE: 44, OTHER: 44}, ONE, ""),
        ({ONE: 40, OTHER: 20, THIRD: 20}, ONE, SHARE),
        ({ONE: 40, OTHER: 20, THIRD: 20}, OTHER, ""),
        ({ONE: 30, OTHER: 29, THIRD: 29}, OTHER, ""),
        ({ONE: 30, OTHER: 29, THIRD: 29}, ONE, SHARE),
        ({ONE: 45, OTHER: 45}, ONE, SHARE),
        ({ONE: 45, OTHER: 45}, THIRD, ""),
        ({ONE: 46, OTHER: 44, THIRD: 9}, OTHER, SHARE),
        ({ONE: 46, OTHER: 44, THIRD: 9}, THIRD, ""),
        ({ONE: 45, OTHER: 44, THIRD: 10}, THIRD, SHARE),
    ],
)
def test_shares(held: dict[str, int], party: str, why: str) -> None:
    """From three quarters of the places on, who has the share of one of many gets no more.

    The last tenth is for those who have less than that.
    """
    assert crowd(**held).why_not(party) == why


def test_noisy() -> None:
    """One party cannot use up the places, if there has ever been another one."""
    made = crowd(AC2=1)
    made.leave(OTHER)
    assert [come(made, ONE) for _ in range(200)] == [""] * 90 + [SHARE] * 110
    assert [come(made, OTHER) for _ in range(11)] == [""] * 10 + [FULL]


def test_few_places() -> None:
    """Of less than ten places none is kept free."""
    made = crowd(most=9, AC2=1)
    made.leave(OTHER)
    assert [come(made, ONE) for _ in range(10)] == [""] * 9 + [FULL]


def test_storm_and_a_quiet_account() -> None:
    """A storm that has all places turns one call of another account away, and then no more.

    Not even if the storm is always the first to come when a place is free. If it becomes a second
    storm it is told to wait until a tenth of the places is free, and then gets half of the others.
    """
    made = crowd(AC1=100)
    quiet = []
    for _ in range(80):
        quiet.append(come(made, OTHER))
        made.leave(ONE)
        come(made, ONE)
    assert quiet[:56] == [FULL, *[""] * 10, *[SHARE] * 10, *[""] * 35], "half of 90 places"
    assert "" not in quiet[56:]


def test_who_does_not_come_again() -> None:
    """Who came in vain is remembered until half of the places are free, and not longer."""
    made = crowd(AC1=100)
    come(made, OTHER)
    made.leave(ONE)
    assert made.why_not(ONE) == SHARE
    for _ in range(49):
        made.leave(ONE)
    assert [come(made, ONE) for _ in range(51)] == [""] * 40 + [SHARE] * 11


def test_many_in_vain() -> None:
    """No more are remembered than there are places."""
    made = crowd(most=10, AC1=10)
    for number in range(100):
        come(made, f"192.0.2.{number}")
    assert len(vars(made)["_in_vain"]) == 10


def test_most_each() -> None:
    """No party has more than one may have, however many places are free."""
    made = crowd(most_each=10)
    assert [come(made, ONE) for _ in range(12)] == [""] * 10 + [ACCOUNT] * 2
    assert come(made, OTHER) == ""
    made.leave(ONE)
    assert come(made, ONE) == ""


def test_no_places() -> None:
    """Where there is no place at all, nothing is held."""
    assert come(crowd(most=0), ONE) == FULL


@given(st.lists(st.tuples(st.sampled_from([ONE, OTHER, THIRD, ""]), st.booleans()), max_size=300))
def test_counts(steps: list[tuple[str, bool]]) -> None:
    """Whatever comes and goes, there are never more than places, and nothing is left at the end.

    Who has none is turned away only where no place is left.
    """
    made, held = crowd(most=20, most_each=16), Counter[str]()
    for party, comes in steps:
        if comes:
            why = come(made, party)
            held[party] += not why
            assert why in ("", FULL) or held[party]
        elif held[party]:
            made.leave(party)
            held[party] -= 1
        assert len(made) == held.total() <= 20
        assert max(held.values(), default=0) <= 16
    for party in held.elements():
        made.leave(party)
    assert len(made) == 0
    assert vars(made)["_held"] == {}
    assert vars(made)["_over"] == {}


def test_lines(events: Sequence[LogEvent]) -> None:
    """One line tells that requests are turned away, one that half of the places are free."""
    made = crowd(most=4, AC1=3, AC2=1)
    for _ in range(5):
        come(made, ONE)
        come(made, THIRD)
    assert [message(event) for event in events] == [
        "4 of 4 requests are held, of 2 parties: those of AC1, which has 3, are redirected at once,"
        " and so are others that have their share"
    ]
    made.leave(ONE)
    assert len(events) == 1
    made.leave(ONE)
    assert message(events[-1]) == ("half of the places are free again; 10 requests were not held")
    made.leave(ONE)
    assert len(events) == 2


def test_lines_of_one(events: Sequence[LogEvent]) -> None:
    """So it is for a party that has as many as one may have."""
    made = crowd(most_each=2)
    for _ in range(5):
        come(made, ONE)
    assert [message(event) for event in events] == [
        "AC1 has 2 requests held, as many as one may have: its others are redirected at once"
        " (retry.max_held_per_account)"
    ]
    made.leave(ONE)
    assert message(events[-1]) == (
        "AC1 has half as many requests held as one may have, or fewer; 3 were not held"
    )
    made.leave(ONE)
    assert len(events) == 2


def test_lines_of_a_storm(events: Sequence[LogEvent]) -> None:
    """However often places come and go while few are free, that is one line."""
    made = crowd(AC1=100)
    for _ in range(1000):
        come(made, OTHER)
        made.leave(ONE)
        come(made, ONE)
    assert len(events) == 1
