"""What the tests of commands share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes out of the environment what could be a setting."""
    for name in list(os.environ):
        if name.startswith(("BOOMERANG_", "TWILIO_", "LIBRATO_")) or name in ("PORT", "REDIS_URL"):
            monkeypatch.delenv(name)
