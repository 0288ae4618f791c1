"""Is an origin known to be dead?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from boomerang.retry.circuit import (
    LOSSES,
    SLACK,
    TRIAL_EVERY,
    Circuit,
    Position,
    admits,
    found_down,
    found_up,
    lost,
    saved,
    unwatched,
)

DO: dict[str, Callable[..., Circuit]] = {"l": lost, "d": found_down, "u": found_up, "w": unwatched}


def after(events: str) -> Circuit:
    """The circuit after these events, a second apart.

    They are l(ost), s(aved), d(own), u(p), un(w)atched, t(rial).
    """
    circuit = Circuit()
    for second, event in enumerate(events, start=1):
        if event == "t":
            circuit = admits(circuit, now=float(second))[1]
        elif event == "s":
            circuit = saved(circuit, given_at=float(second), now=float(second))
        else:
            circuit = DO[event](circuit, now=float(second))
    return circuit


@pytest.mark.parametrize(
    ("events", "position", "reason"),
    [
        ("", "closed", ""),
        ("llll", "closed", ""),
        ("lllll", "open", "losses"),
        ("llllslll", "closed", ""),
        ("lllllls", "closed", ""),
        ("llllll", "open", "losses"),
        ("lllllu", "closed", ""),
        ("d", "open", "monitor"),
        ("dl", "open", "monitor"),
        ("ds", "open", "monitor"),
        ("du", "closed", ""),
        ("llllld", "open", "monitor"),
        ("lllll....t".replace(".", "t"), "half-open", "losses"),
        ("lllllttttts", "closed", ""),
        ("lllllttttttl", "open", "losses"),
        ("duttttt", "closed", ""),
        ("dttttttttt", "open", "monitor"),
        ("tttt", "closed", ""),
        ("dw", "open", "unwatched"),
        ("dwttttt", "half-open", "unwatched"),
        ("dwttttts", "closed", ""),
        ("dwtttttl", "open", "losses"),
        ("dwu", "closed", ""),
        ("dwd", "open", "monitor"),
        ("w", "closed", ""),
        ("lllllw", "open", "losses"),
    ],
)
def test_positions(events: str, position: str, reason: str) -> None:
    """Five losses in a row or the monitor open it; a saved call or an answer closes it."""
    circuit = after(events)
    assert (circuit.position.value, circuit.reason) == (position, reason)


def test_trials() -> None:
    """While it is open for its losses, one call in five seconds is let through."""
    circuit = after("l" * LOSSES)
    admitted = []
    for tenth in range(1, 151):
        now = LOSSES + tenth / 10
        let_through, circuit = admits(circuit, now=now)
        if let_through:
            admitted.append(tenth / 10)
    assert admitted == [TRIAL_EVERY, 2 * TRIAL_EVERY, 3 * TRIAL_EVERY]


def test_no_trials_by_the_monitor() -> None:
    """While a check of the app is down no call is risked: the check tells when it is back."""
    circuit = after("d")
    assert not any(admits(circuit, now=float(second))[0] for second in range(2, 600))


@pytest.mark.parametrize(("given_at", "position"), [(4.9, "open"), (5.0, "open"), (5.1, "closed")])
def test_saved_before(given_at: float, position: str) -> None:
    """A call that had its second chance before the app was found dead does not prove it alive."""
    circuit = saved(after("lllll"), given_at=given_at, now=40.0)
    assert circuit.position.value == position


HOUR = 3600.0


@pytest.mark.parametrize(
    ("passed", "admitted"),
    [
        (0.0, False),
        (TRIAL_EVERY - 0.1, False),
        (TRIAL_EVERY, True),
        (HOUR, True),
        (-SLACK, False),
        (-SLACK - 0.1, True),
        (-HOUR, True),
    ],
)
def test_trial_by_a_clock_that_is_set(passed: float, admitted: bool) -> None:
    """A trial of an instant that is yet to come was made before the clock was set back: it is over,
    and the next ones are five seconds apart again."""
    now = HOUR + passed
    half_open = Circuit(Position.HALF_OPEN, since=1.0, losses=5, reason="losses", trial_at=HOUR)
    let_through, after_it = admits(half_open, now=now)
    assert let_through is admitted
    if admitted:
        assert not admits(after_it, now=now + TRIAL_EVERY - 0.1)[0]
        assert admits(after_it, now=now + TRIAL_EVERY)[0]


@pytest.mark.parametrize(
    ("opened", "given", "position"),
    [
        (0.0, 0.1, "closed"),
        (0.0, -0.1, "open"),
        (HOUR, 0.1, "closed"),
        (HOUR, -0.1, "closed"),
        (-HOUR, 0.1, "closed"),
        (SLACK, 0.1, "open"),
        (SLACK + 0.1, 0.1, "closed"),
    ],
)
def test_saved_by_a_clock_that_is_set(opened: float, given: float, position: str) -> None:
    """A circuit that was opened at an instant yet to come is closed by whatever call is saved."""
    now = 2 * HOUR
    circuit = Circuit(Position.OPEN, since=now + opened, losses=5, reason="losses", trial_at=now)
    assert saved(circuit, given_at=now + given, now=now).position.value == position


def test_since() -> None:
    """It is open since it was opened, whatever adds to it."""
    assert after("lllllllld").since == 5.0
    assert after("lllllttttttl").since == 5.0
    assert after("lllllu").since == 6.0


def test_untouched() -> None:
    """An app that is up leaves a circuit that knows of nothing as it is."""
    assert found_up(Circuit(), now=9.0) == Circuit()
    assert admits(Circuit(), now=9.0) == (True, Circuit())
    assert Circuit().position is Position.CLOSED
