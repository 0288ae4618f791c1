"""How a command beside the daemon learns of the checks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from boomerang.cli.daemon_stores import is_missing, stores_of
from boomerang.monitor.records import Records
from boomerang.settings import Settings
from boomerang.stores.address import MemoryAddress


@asynccontextmanager
async def records_of(settings: Settings, reactor: Any) -> AsyncIterator[Records]:
    """The monitor's notes, while they are needed. Raises `CommandFailed` if they are away."""
    async with stores_of(settings, reactor) as stores:
        await stores.claims.open()
        yield Records(stores.notes, environment=settings.environment, clock=reactor)


async def paused_checks(settings: Settings, reactor: Any) -> frozenset[str]:
    """The checks that are paused now. Raises `CommandFailed`.

    In memory nobody can pause any; a file that is not there has none, and is not made.
    """
    store = settings.store
    if isinstance(store, MemoryAddress) or is_missing(store):
        return frozenset()
    async with records_of(settings, reactor) as records:
        pauses = await records.pauses()
    return frozenset(name for name, until in pauses.items() if until > time.time())
