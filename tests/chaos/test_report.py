"""The table."""

from __future__ import annotations

import pytest
from attrs import evolve

from chaos.fault import Fault, Result
from chaos.judge import STORE, Promise, Seen
from chaos.report import markdown, promised, summary, verdict

FAULT = Fault("redis slow", lambda scene: None, "Redis | is slow", Promise())
SEEN = Seen(calls=10, answered=9, late=1, worst=1.5, lost=1, acknowledged=4, recovered=0.25)
SEEN = evolve(SEEN, forgotten=3, refused=2, descriptors=5, kib=1536)


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        (Promise(), "none lost, none late, well within 3 s"),
        (
            Promise(cut=True, early=True, recovered=1),
            "none lost but those cut off by the fault itself, none late,"
            " some may be sent back at once, well within 1 s",
        ),
        (
            Promise(lost=2, late_by=3, forgotten=4, missing=None, kib=2048),
            "at most 2 lost, at most 3 s late, at most 4 second failures taken for first ones,"
            " callbacks that were in the file go with it,"
            " well within 3 s, at most 2 MiB more",
        ),
        (
            Promise(degraded=frozenset({STORE})),
            "none lost, none late, /health degraded: store, well within 3 s",
        ),
    ],
)
def test_promised(promise: Promise, words: str) -> None:
    """All that may happen is said."""
    assert promised(promise) == words


def test_row() -> None:
    """A row has what was promised, what was seen, and the verdict."""
    page = markdown([Result(FAULT, SEEN, ("1 calls lost",), ("a remark",))], {"Redis": "7"})
    (row,) = [line for line in page.splitlines() if line.startswith("| redis slow")]
    assert row == (
        r"| redis slow | Redis \| is slow | none lost, none late, well within 3 s | 10 | 9 |"
        " 1 (1.5 s) | 1 | 3 | 4 | 0 | 2 | 0.2 s | 5 fd, 1.5 MiB | **broken**: 1 calls lost |"
    )
    assert "Redis 7." in page
    assert page.endswith("\n- redis slow: a remark\n")


def test_columns() -> None:
    """Every row has as many cells as the head, done or not."""
    results = [Result(FAULT, SEEN), Result(FAULT, None, ("x",)), Result(FAULT, None, skipped="y")]
    rows = [line for line in markdown(results, {}).splitlines() if line.startswith("| ")]
    assert {row.replace(r"\|", "").count("|") for row in rows} == {15}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Result(FAULT, SEEN), "kept"),
        (Result(FAULT, SEEN, ("one", "two")), "**broken**: one; two"),
        (Result(FAULT, None, skipped="no root"), "not done: no root"),
    ],
)
def test_verdict(result: Result, words: str) -> None:
    """Kept, broken and how, or not done and why."""
    assert verdict(result) == words
    assert summary(result).startswith(f"redis slow: {words}")
