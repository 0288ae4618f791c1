"""What holds for the tests of the web layer."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def _old_objects_are_left_alone() -> Iterator[None]:
    """Each test looks for garbage at its end: without this, among all objects of pytest's too,
    which takes ten times as long as the tests themselves."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
