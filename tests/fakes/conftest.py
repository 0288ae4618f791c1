"""What the stand-in for Librato is tested with."""

from __future__ import annotations

import pytest

from tests.fakes.librato_account import Account
from tests.fakes.librato_bench import SOURCE, TAGS, LibratoBench


@pytest.fixture
def account() -> Account:
    """An account of the old kind, whose measurements have a source."""
    return Account(LibratoBench(SOURCE))


@pytest.fixture
def tagged() -> Account:
    """An account of the new kind, whose measurements have tags."""
    return Account(LibratoBench(TAGS))
