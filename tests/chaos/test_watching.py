"""What is seen of a daemon's health."""

from __future__ import annotations

import os
import subprocess

import pytest

from chaos.judge import STORE
from chaos.watching import Look, degraded, descriptors, kib, recovered
from tests.integration.daemon import children, eventually

WELL: frozenset[str] = frozenset()
ILL = frozenset({STORE})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([WELL, WELL, WELL], 0.0),
        ([ILL, WELL, WELL], 0.0),
        ([ILL, ILL, ILL, WELL], 1.0),
        ([None, None, None, WELL], 1.0),
        ([WELL, WELL, ILL, ILL, WELL], 2.0),
        ([WELL, WELL, ILL], None),
        ([WELL, None], None),
        ([], None),
    ],
)
def test_recovered(said: list[frozenset[str] | None], expected: float | None) -> None:
    """It has recovered when it is well for good, counted from the fault's end at 2 s."""
    looks = [Look(at, parts) for at, parts in enumerate(said)]
    assert recovered(looks, mended=2) == expected


def test_degraded() -> None:
    """All parts count that were named since the fault began, silence does not."""
    other = frozenset({"relay"})
    looks = [Look(0, other), Look(1, ILL), Look(2, None), Look(3, WELL)]
    assert degraded(looks, since=1) == ILL
    assert degraded(looks, since=0) == ILL | other
    assert degraded([], since=0) == WELL


def test_process() -> None:
    """A process's descriptors are those that are open, its memory some megabytes."""
    before = descriptors(os.getpid())
    with open(os.devnull, "rb"):
        assert descriptors(os.getpid()) == before + 1
    assert kib(os.getpid()) > 1000


def test_processes() -> None:
    """Those that a process has started belong to it until they have ended."""
    before = children(os.getpid())
    with (
        subprocess.Popen(["cat"], stdin=subprocess.PIPE) as one,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other,
    ):
        both = (one.pid, other.pid)
        assert children(os.getpid()) - before == {*both}
        # Not at once: while a program is loaded it has more descriptors, and other memory.
        eventually(lambda: [*map(descriptors, both), descriptors(*both)] == [3, 3, 6])
        eventually(lambda: kib(*both) > kib(one.pid) > 0)
    assert children(os.getpid()) == before
