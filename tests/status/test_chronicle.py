"""What a process has seen lately."""

from __future__ import annotations

from itertools import count
from weakref import ref

import pytest

from boomerang.retry.policy import Kind
from boomerang.status.chronicle import Chronicle, short
from boomerang.status.report import TOLD, TOLD_OF_ENDPOINT, Minute
from tests.retry.serving import failure
from tests.status.telling import HELD, NOON, NOT_HELD, chance, decision

MINUTE = int(NOON // 60)
SID = "CA0123456789abcdef0123456789abcdef"


class Time:
    """A wall clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def test_told() -> None:
    """A decision is told as it was made, its SID shortened."""
    chronicle = Chronicle(Time())
    failed = failure("https://user:pw@app.example.com/voice?token=x", sid=SID)
    chronicle.decided(failed, decision(), held=HELD, degraded=True)
    (told,) = chronicle.decisions()
    assert (told.at, told.decision, told.attempt, told.code) == (NOON, "retry", 1, "11200")
    assert (told.product, told.endpoint, told.held) == ("voice", "unknown", 8.0)
    assert (told.url, told.sid) == ("app.example.com/voice", "CA01…cdef")
    assert (told.reason, told.outcome, told.degraded) == ("", "", True)
    assert chronicle.failures() == {"unknown": (told,)}


@pytest.mark.parametrize(
    ("sid", "shown"),
    [
        (SID, "CA01…cdef"),
        ("", "-"),
        ("CA1", "CA1"),
        ("+15005550006", "+*06"),
        ("<script>alert(1)</script>", "<scr…ipt>"),
    ],
)
def test_short(sid: str, shown: str) -> None:
    """Of a SID its kind and its end are shown; nothing of a phone number but its end."""
    assert short(sid) == shown


def test_no_phone_numbers() -> None:
    """A phone number in a path is not told, and a long path is cut."""
    chronicle = Chronicle(Time())
    failed = failure("https://app.example.com/to/+15005550006/" + "x" * 200)
    chronicle.decided(failed, decision(), held=HELD, degraded=False)
    (told,) = chronicle.decisions()
    assert told.url.startswith("app.example.com/to/+*06/xxx")
    assert len(told.url) == 120


@pytest.mark.parametrize(
    ("kind", "minute"),
    [
        (Kind.FALLBACK, Minute(apologised=1)),
        (Kind.APOLOGY, Minute(apologised=1)),
        (Kind.GIVE_UP, Minute(lost=1)),
    ],
)
def test_ends(kind: Kind, minute: Minute) -> None:
    """Whoever got a last resort was apologised to; whoever got none was lost."""
    chronicle = Chronicle(Time())
    chronicle.decided(failure(), decision(kind), held=NOT_HELD, degraded=False)
    assert chronicle.minutes() == {MINUTE: minute}


def test_thousands() -> None:
    """Whoever nobody is told of any more is forgotten; of the others it is known who was saved."""
    chronicle = Chronicle(Time())
    first = failure(sid="CA0")
    seen = ref(first)
    chronicle.decided(first, decision(), held=HELD, degraded=False)
    del first
    for number in range(1, 3000):
        chronicle.decided(failure(sid=f"CA{number}"), decision(), held=HELD, degraded=False)
    assert seen() is None
    assert [told.sid for told in chronicle.decisions()[:2]] == ["CA2999", "CA2998"]
    for number in (0, 2950, 2999):
        chronicle.recovered(chance(failure(sid=f"CA{number}")))
    saved = [told.sid for told in chronicle.decisions() if told.outcome == "saved"]
    assert saved == ["CA2999", "CA2950"]


def test_second_chances() -> None:
    """A second chance counts once it is known what became of it; until then nothing does."""
    time = Time()
    chronicle = Chronicle(time)
    saved, lost = failure(sid="CA1"), failure(sid="CA2")
    for failed in (saved, lost):
        chronicle.decided(failed, decision(), held=HELD, degraded=False)
    assert chronicle.minutes() == {}
    time.now += 60
    chronicle.recovered(chance(saved))
    chronicle.lost(chance(lost))
    chronicle.decided(lost, decision(Kind.GIVE_UP, attempt=2), held=NOT_HELD, degraded=False)
    assert chronicle.minutes() == {MINUTE + 1: Minute(saved=1, lost=1)}
    assert [(each.decision, each.outcome) for each in chronicle.decisions()] == [
        ("give-up", ""),
        ("retry", "lost"),
        ("retry", "saved"),
    ]


def test_held_on() -> None:
    """A call that is told to come back is not decided about yet."""
    chronicle = Chronicle(Time())
    chronicle.decided(failure(), decision(Kind.HOLD), held=HELD, degraded=False)
    assert (chronicle.decisions(), chronicle.minutes()) == ((), {})


def test_hung_up() -> None:
    """A caller who hung up while being held was lost."""
    chronicle = Chronicle(Time())
    chronicle.hung_up(failure())
    assert chronicle.minutes() == {MINUTE: Minute(lost=1)}


def test_unknown_chance() -> None:
    """The outcome of a chance that is no longer remembered is counted all the same."""
    chronicle = Chronicle(Time())
    chronicle.recovered(chance(failure()))
    assert chronicle.minutes() == {MINUTE: Minute(saved=1)}


def test_bounded() -> None:
    """Only the last decisions are kept, of each endpoint the last few, and what an hour has."""
    time = Time()
    chronicle = Chronicle(time)
    numbers = count()
    for _ in range(3 * TOLD):
        failed = failure(sid=f"CA{next(numbers)}")
        chronicle.decided(failed, decision(Kind.GIVE_UP), held=NOT_HELD, degraded=False)
        time.now += 60
    time.now -= 60
    assert [each.sid for each in chronicle.decisions()][:2] == ["CA149", "CA148"]
    assert len(chronicle.decisions()) == TOLD
    assert len(chronicle.failures()["unknown"]) == TOLD_OF_ENDPOINT
    assert len(chronicle.minutes()) == 60
    assert max(chronicle.minutes()) == int(time.now // 60)


def test_forgets_by_itself() -> None:
    """An hour later nothing of it is left, though nothing else has happened."""
    time = Time()
    chronicle = Chronicle(time)
    chronicle.hung_up(failure())
    time.now += 3600
    assert chronicle.minutes() == {}


def test_a_clock_set_back() -> None:
    """Minutes of the future do not stay until then."""
    time = Time()
    chronicle = Chronicle(time)
    chronicle.hung_up(failure())
    time.now -= 7200
    assert chronicle.minutes() == {}
