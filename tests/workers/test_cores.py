"""Which core a worker stays on."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from boomerang.workers.cores import core_of
from boomerang.workers.identity import ALONE, Worker


@pytest.mark.parametrize(
    ("worker", "available", "core"),
    [
        (ALONE, {3}, None),
        (ALONE, {0, 1}, None),
        (Worker(0, 2), {0, 1}, 0),
        (Worker(1, 2), {0, 1}, 1),
        (Worker(1, 3), {9, 4, 6}, 6),
        (Worker(0, 2), {0, 1, 2}, None),
        (Worker(1, 2), {0}, None),
    ],
)
def test_core_of(worker: Worker, available: Collection[int], core: int | None) -> None:
    """Each has a core of its own where there are as many as workers; else all run on any."""
    assert core_of(worker, available) == core
