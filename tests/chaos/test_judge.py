"""Whether a promise was kept."""

from __future__ import annotations

import pytest
from attrs import evolve

from chaos.judge import STORE, Promise, Seen, broken

GOOD = Seen(calls=100, answered=100, acknowledged=50)

STRICT = Promise()

LENIENT = Promise(
    late_by=3, lost=5, cut=True, early=True, forgotten=1, missing=None, recovered=7, kib=1024
)


def test_nothing_happened() -> None:
    """What was promised was seen."""
    assert broken(STRICT, GOOD) == broken(LENIENT, GOOD) == []


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (evolve(GOOD, lost=6), "6 calls lost"),
        (evolve(GOOD, worst=3.1), "an answer 3.1 s late"),
        (evolve(GOOD, wrong=1), "1 calls answered wrongly"),
        (evolve(GOOD, forgotten=2), "2 failures forgotten"),
        (evolve(GOOD, recovered=None), "did not recover"),
        (evolve(GOOD, recovered=7.1), "recovered after 7.1 s"),
        (evolve(GOOD, descriptors=16), "16 descriptors more than before"),
        (
            evolve(GOOD, mistakes=("Traceback", "Unhandled")),
            "2 errors in the log: Traceback",
        ),
        (Seen(), "no call was made"),
    ],
)
@pytest.mark.parametrize("promise", [STRICT, LENIENT])
def test_broken_in_any_case(promise: Promise, seen: Seen, words: str) -> None:
    """What neither promise allows breaks both."""
    assert broken(promise, seen) == [words]


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (evolve(GOOD, lost=5), "5 calls lost"),
        (evolve(GOOD, cut=1), "1 calls cut off"),
        (evolve(GOOD, worst=2.1), "an answer 2.1 s late"),
        (evolve(GOOD, early=3), "3 calls sent back too early"),
        (evolve(GOOD, forgotten=1), "1 failures forgotten"),
        (evolve(GOOD, missing=1), "1 acknowledged callbacks lost"),
        (evolve(GOOD, recovered=6.9), "recovered after 6.9 s"),
    ],
)
def test_allowed(seen: Seen, words: str) -> None:
    """What one promise allows breaks the other."""
    assert broken(STRICT, seen) == [words]
    assert broken(LENIENT, seen) == []


def test_unsaid() -> None:
    """A part that is not well, and of which nothing was said, breaks the promise."""
    promise = Promise(degraded=frozenset({STORE}))
    assert broken(promise, evolve(GOOD, degraded=frozenset({STORE, "relay"}))) == []
    assert broken(promise, GOOD) == ["/health did not say that this is degraded: store"]


def test_memory() -> None:
    """Memory counts where something is promised of it."""
    grown = evolve(GOOD, kib=1025)
    assert broken(STRICT, grown) == []
    assert broken(LENIENT, grown) == ["1025 KiB more than before"]


def test_all_of_it() -> None:
    """Whatever is broken is named, not only the first of it."""
    assert len(broken(STRICT, evolve(GOOD, lost=1, missing=1, recovered=None))) == 3
