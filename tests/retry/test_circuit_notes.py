"""What processes tell one another of circuits."""

from __future__ import annotations

import attrs
import pytest

from boomerang.retry.circuit import Circuit, Position
from boomerang.retry.circuit_notes import (
    STALE,
    UNHEARD,
    Known,
    Word,
    after_a_look,
    key_of,
    note_of,
    read_notes,
    taken_over,
)

NOW = 1_800_000_000.0
APP = ("app.example.com", 443)
WORD = Word(Position.OPEN, reason="losses", since=NOW - 9.0, changed=NOW - 8.0, written=NOW)


@pytest.mark.parametrize(
    "origin", [APP, ("[2001:db8::1]", 8443), ("10.0.0.1", 80), ("xn--bcher-kva.example", 1)]
)
@pytest.mark.parametrize("position", list(Position))
def test_round_trip(origin: tuple[str, int], position: Position) -> None:
    """What one writes another can read."""
    circuit = Circuit(position, since=NOW - 9.0, losses=7, reason="losses", trial_at=NOW - 2.0)
    note = note_of(circuit, changed=NOW - 8.0, now=NOW)
    assert read_notes({key_of(origin): note}) == {origin: attrs.evolve(WORD, position=position)}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("app.example.com:443", ""),
        ("app.example.com:443", "no JSON"),
        ("app.example.com:443", "[]"),
        ("app.example.com:443", "7"),
        ("app.example.com:443", "{}"),
        ("app.example.com:443", '{"position": "ajar"}'),
        (
            "app.example.com:443",
            '{"position": "open", "reason": "", "since": null, "changed": 1, "written": 1}',
        ),
        ("app.example.com", note_of(Circuit(), changed=NOW, now=NOW)),
        ("app.example.com:https", note_of(Circuit(), changed=NOW, now=NOW)),
    ],
)
def test_unreadable(key: str, text: str) -> None:
    """What cannot be read is left out, and costs the others nothing."""
    good = note_of(Circuit(), changed=NOW, now=NOW)
    assert list(read_notes({key: text, "other.example.com:80": good})) == [
        ("other.example.com", 80)
    ]


@pytest.mark.parametrize(
    ("age", "believed", "erased"),
    [
        (0.0, True, False),
        (STALE, True, False),
        (STALE + 1.0, False, False),
        (2 * STALE, False, False),
        (2 * STALE + 1.0, False, True),
        (-5.0, True, False),
        (-STALE, True, False),
        (-STALE - 1.0, False, False),
        (-2 * STALE, False, False),
        (-2 * STALE - 1.0, False, True),
        (-3600.0, False, True),
    ],
)
def test_age(age: float, believed: bool, erased: bool) -> None:
    """A word is believed for two minutes, and erased after four; so is one of a future that only a
    clock set back can explain, but not that of a host whose clock is somewhat ahead."""
    assert WORD.is_believed(now=NOW + age) is believed
    assert WORD.is_to_be_erased(now=NOW + age) is erased


@pytest.mark.parametrize(
    ("position", "reason", "tells"),
    [
        (Position.OPEN, "monitor", True),
        (Position.HALF_OPEN, "monitor", True),
        (Position.CLOSED, "monitor", False),
        (Position.OPEN, "losses", False),
        (Position.OPEN, "unwatched", False),
    ],
)
def test_of_a_check(position: Position, reason: str, tells: bool) -> None:
    """Only a circuit that is open since a check is down tells of one."""
    assert attrs.evolve(WORD, position=position, reason=reason).tells_of_a_check() is tells


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        (Circuit(), Position.OPEN, Circuit(Position.OPEN, NOW - 9.0, 0, "losses", NOW)),
        (
            Circuit(losses=3),
            Position.HALF_OPEN,
            Circuit(Position.OPEN, NOW - 9.0, 0, "losses", NOW),
        ),
        (Circuit(Position.OPEN, 1.0, 5, "losses", 2.0), Position.CLOSED, Circuit()),
        (Circuit(losses=3), Position.CLOSED, Circuit()),
        (
            Circuit(Position.HALF_OPEN, 1.0, 5, "losses", 2.0),
            Position.OPEN,
            Circuit(Position.HALF_OPEN, 1.0, 5, "losses", 2.0),
        ),
    ],
)
def test_taken_over(before: Circuit, said: Position, after: Circuit) -> None:
    """Another's word opens and closes; what is known of an open one here stays."""
    assert taken_over(before, attrs.evolve(WORD, position=said), now=NOW) == after


def test_taken_over_from_one_ahead() -> None:
    """An app is not known to be dead since an instant that is yet to come here."""
    ahead = attrs.evolve(WORD, since=NOW + 20.0)
    assert taken_over(Circuit(), ahead, now=NOW).since == NOW


OPEN = Circuit(Position.OPEN, since=NOW - 9.0, reason="losses", trial_at=NOW)
BY_OTHERS = Known(OPEN, changed=NOW - 8.0, probe="https://a", unheard=5)
NEWER = attrs.evolve(WORD, changed=NOW - 7.0)
END = attrs.evolve(NEWER, position=Position.CLOSED)


@pytest.mark.parametrize(
    ("known", "word", "after"),
    [
        (Known(Circuit()), None, Known(Circuit())),
        (Known(Circuit()), WORD, Known(OPEN, WORD.changed, unheard=0)),
        (BY_OTHERS, WORD, attrs.evolve(BY_OTHERS, unheard=0)),
        (BY_OTHERS, None, attrs.evolve(BY_OTHERS, unheard=6)),
        (
            BY_OTHERS,
            attrs.evolve(END, changed=NOW - 8.5),
            attrs.evolve(BY_OTHERS, unheard=6),
        ),
        (
            attrs.evolve(BY_OTHERS, unheard=UNHEARD),
            None,
            Known(Circuit(), probe="https://a"),
        ),
        (
            attrs.evolve(BY_OTHERS, circuit=attrs.evolve(OPEN, reason="monitor")),
            None,
            attrs.evolve(BY_OTHERS, circuit=attrs.evolve(OPEN, reason="monitor")),
        ),
        (attrs.evolve(BY_OTHERS, unheard=None), None, attrs.evolve(BY_OTHERS, unheard=None)),
        (
            attrs.evolve(BY_OTHERS, unheard=None),
            NEWER,
            attrs.evolve(BY_OTHERS, unheard=None, changed=NEWER.changed),
        ),
    ],
)
def test_after_a_look(known: Known, word: Word | None, after: Known) -> None:
    """What others have seen is forgotten when they say it no more; what was seen here is not."""
    assert after_a_look(known, word, now=NOW) == after


@pytest.mark.parametrize("unheard", [None, 5])
def test_ended_by_another(unheard: int | None) -> None:
    """That it is over is believed whoever has seen it."""
    after = after_a_look(attrs.evolve(BY_OTHERS, unheard=unheard), END, now=NOW)
    assert (after.closed, after.changed, after.has_seen_losses) == (True, END.changed, False)
