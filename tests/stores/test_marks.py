"""The rule by which failures are counted; what is seen from outside is in the contract suite."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from boomerang.stores.interfaces import Claim, Failure
from boomerang.stores.marks import Mark, count_failure

NOW: Final = 1000.0
FAILURE: Final = Failure(
    identity="i", call="c", wait=8.0, window=900.0, call_window=900.0, attempts=1
)
NEW: Final = Mark(count=1, release_at=NOW + 8, expires_at=NOW + 900)
NEW_CALL: Final = Mark(count=1, release_at=NOW, expires_at=NOW + 900)


def mark(count: int = 1, *, release: float = -50.0, expiry: float = 100.0) -> Mark:
    """A mark, with its instants in seconds from now."""
    return Mark(count=count, release_at=NOW + release, expires_at=NOW + expiry)


@pytest.mark.parametrize(
    ("identity", "call", "new_identity", "new_call", "claim"),
    [
        # nothing known: the first failure, held
        (None, None, NEW, NEW_CALL, Claim(1, 8.0, 1)),
        # another URL of a known call
        (None, mark(4), NEW, mark(5, release=0), Claim(1, 8.0, 5)),
        # held before: the next attempt, not held; the expiry stays
        (mark(1), mark(1), mark(2, release=0), mark(2, release=0), Claim(2, 0.0, 2)),
        (mark(7), mark(9), mark(8, release=0), mark(10, release=0), Claim(8, 0.0, 10)),
        # the call's mark is gone, the identity's not
        (mark(1), None, mark(2, release=0), NEW_CALL, Claim(2, 0.0, 1)),
        # still held: the same attempt, nothing to write
        (mark(1, release=3), mark(1), mark(1, release=3), mark(1), Claim(1, 3.0, 1)),
        (mark(3, release=3), None, mark(3, release=3), None, Claim(3, 3.0, 0)),
        # the release instant itself is no longer held
        (mark(1, release=0), mark(1), mark(2, release=0), mark(2, release=0), Claim(2, 0.0, 2)),
        # expired, at this very instant too
        (mark(5, expiry=-1), mark(5, expiry=-1), NEW, NEW_CALL, Claim(1, 8.0, 1)),
        (mark(5, expiry=0), mark(5, expiry=0), NEW, NEW_CALL, Claim(1, 8.0, 1)),
        # expired while held
        (mark(1, release=3, expiry=0), None, NEW, NEW_CALL, Claim(1, 8.0, 1)),
        # of a future that only a clock set back can explain
        (mark(5, expiry=901.5), mark(5, expiry=4500), NEW, NEW_CALL, Claim(1, 8.0, 1)),
        (mark(1, release=3600, expiry=4500), None, NEW, NEW_CALL, Claim(1, 8.0, 1)),
        # two looks at the clock may differ a little
        (
            mark(1, expiry=901),
            None,
            mark(2, release=0, expiry=901),
            NEW_CALL,
            Claim(2, 0.0, 1),
        ),
    ],
)
def test_count_failure(
    identity: Mark | None,
    call: Mark | None,
    new_identity: Mark | None,
    new_call: Mark | None,
    claim: Claim,
) -> None:
    """From the marks that are known to those to be written, and the answer."""
    counted = count_failure(FAILURE, identity=identity, call=call, now=NOW)
    assert counted == (new_identity, new_call, claim)


def test_unchanged_marks() -> None:
    """Marks that need no writing are the very ones that were given."""
    identity, call = mark(1, release=3), mark(1)
    counted = count_failure(FAILURE, identity=identity, call=call, now=NOW)
    assert counted[0] is identity
    assert counted[1] is call


@pytest.mark.parametrize(
    ("attempts", "count", "held"),
    [(0, 0, False), (1, 0, True), (1, 1, False), (3, 2, True), (3, 3, False)],
)
def test_attempts(attempts: int, count: int, held: bool) -> None:
    """As many failures are held as there are attempts."""
    failure = evolve(FAILURE, attempts=attempts)
    before = mark(count) if count else None
    *_, claim = count_failure(failure, identity=before, call=None, now=NOW)
    assert claim == Claim(attempt=count + 1, hold=8.0 if held else 0.0, round=1)


def test_only_again() -> None:
    """Where only what failed before is counted, of anything else the call alone is."""
    failure = evolve(FAILURE, wait=0.0, only_again=True)
    counted = count_failure(failure, identity=None, call=mark(1), now=NOW)
    assert counted == (None, mark(2, release=0), Claim(0, 0.0, 2))


def test_without_call() -> None:
    """Without a call only the identity is counted."""
    failure = evolve(FAILURE, call=None)
    counted = count_failure(failure, identity=mark(1), call=None, now=NOW)
    assert counted == (mark(2, release=0), None, Claim(2, 0.0, 0))


SECONDS: Final = st.floats(min_value=0, max_value=1e6)
MARKS: Final = st.none() | st.builds(
    Mark,
    count=st.integers(1, 1000),
    release_at=st.floats(min_value=0, max_value=2e9),
    expires_at=st.floats(min_value=0, max_value=2e9),
)


@given(
    wait=SECONDS,
    window=SECONDS.filter(bool),
    attempts=st.integers(0, 10),
    identity=MARKS,
    call=MARKS,
    now=st.floats(min_value=0, max_value=2e9),
)
def test_whatever_is_marked(
    wait: float,
    window: float,
    attempts: int,
    identity: Mark | None,
    call: Mark | None,
    now: float,
) -> None:
    """Whatever marks there are, the answer is an attempt, a round and a hold that make sense."""
    failure = Failure(
        identity="i", call="c", wait=wait, window=window, call_window=window, attempts=attempts
    )
    new_identity, new_call, claim = count_failure(failure, identity=identity, call=call, now=now)
    assert new_identity is not None
    assert claim.attempt == new_identity.count >= 1
    assert claim.round == (new_call.count if new_call else 0)
    assert claim.hold >= 0
    if claim.hold and new_identity is not identity:
        assert claim.attempt <= attempts
        assert claim.hold == pytest.approx(wait, abs=1e-6)


@given(
    failure=st.builds(
        Failure,
        identity=st.just("i"),
        call=st.none() | st.just("c"),
        wait=SECONDS,
        window=SECONDS.filter(bool),
        call_window=SECONDS.filter(bool),
        attempts=st.integers(0, 2),
        only_again=st.booleans(),
    ),
    now=st.floats(min_value=0, max_value=2e9),
)
def test_what_nobody_has_seen(failure: Failure, now: float) -> None:
    """What has no marks is counted like what has marks that are over, which count for nothing."""
    over = Mark(count=5, release_at=0.0, expires_at=now)
    fresh = count_failure(failure, identity=None, call=None, now=now)
    assert fresh == count_failure(
        failure, identity=over, call=None if failure.call is None else over, now=now
    )
