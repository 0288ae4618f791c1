"""What the daemon has in its store: how a command beside it learns of the checks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import TimeoutError

from boomerang.cli.running import CommandFailed
from boomerang.monitor.records import Records
from boomerang.settings import Settings
from boomerang.stores.address import MemoryAddress, SqliteAddress, unverified
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.opening import make_stores


@asynccontextmanager
async def records_of(settings: Settings, reactor: Any) -> AsyncIterator[Records]:
    """The monitor's notes, while they are needed. Raises `CommandFailed` if they are away."""
    if isinstance(settings.store, MemoryAddress):
        raise CommandFailed("the store memory: is the daemon's own, nobody else can look into it")
    address = settings.store if settings.store_tls_verify else unverified(settings.store)
    stores = make_stores(address, reactor)
    try:
        await stores.claims.open()
        yield Records(stores.notes, environment=settings.environment, clock=reactor)
    except StoreUnavailable as error:
        raise CommandFailed(str(error)) from None
    except TimeoutError:
        raise CommandFailed(f"{settings.store} does not answer") from None
    finally:
        await stores.claims.close()


async def paused_checks(settings: Settings, reactor: Any) -> frozenset[str]:
    """The checks that are paused now. Raises `CommandFailed`.

    In memory nobody can pause any; a file that is not there has none, and is not made.
    """
    store = settings.store
    if isinstance(store, MemoryAddress):
        return frozenset()
    if isinstance(store, SqliteAddress) and not Path(store.path).exists():
        return frozenset()
    async with records_of(settings, reactor) as records:
        pauses = await records.pauses()
    return frozenset(name for name, until in pauses.items() if until > time.time())
