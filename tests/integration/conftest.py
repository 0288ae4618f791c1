"""Daemons for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon, Daemons, ended


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    """Daemons that end with the test, which fails if one of their logs speaks of a bug."""
    with ended(Daemons(tmp_path)) as daemons:
        yield daemons


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for a whole module, for tests whose calls do not know of each other; waits 1 s."""
    with ended(Daemons(tmp_path_factory.mktemp("daemons"))) as daemons:
        yield daemons.start(wait=1)
