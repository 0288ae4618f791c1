"""Daemons for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, Daemons


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    """Daemons that end with the test, which fails if one of their logs speaks of a bug."""
    with _ended(Daemons(tmp_path)) as daemons:
        yield daemons


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for a whole module, for tests whose calls do not know of each other; waits 1 s."""
    with _ended(Daemons(tmp_path_factory.mktemp("daemons"))) as daemons:
        yield daemons.start(wait=1)


@contextmanager
def _ended(daemons: Daemons) -> Iterator[Daemons]:
    try:
        yield daemons
    finally:
        daemons.kill_all()
    assert daemons.mistakes() == []
