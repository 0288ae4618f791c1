"""What the daemon has in its store, for commands beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeGuard

from twisted.internet.defer import TimeoutError

from boomerang.cli.running import CommandFailed
from boomerang.settings import Settings
from boomerang.stores.address import MemoryAddress, SqliteAddress, StoreAddress, unverified
from boomerang.stores.interfaces import Stores, StoreUnavailable
from boomerang.stores.opening import make_stores


def is_missing(store: StoreAddress) -> TypeGuard[SqliteAddress]:
    """Whether the store is a file that nobody has made yet."""
    return isinstance(store, SqliteAddress) and not Path(store.path).exists()


@asynccontextmanager
async def stores_of(settings: Settings, reactor: Any) -> AsyncIterator[Stores]:
    """The daemon's stores while they are needed, to be opened by whoever needs them.

    Raises `CommandFailed` where nobody else can look into them, and when they are away. A file that
    is not there is not made: it would be another than the daemon's, with nothing in it.
    """
    if isinstance(settings.store, MemoryAddress):
        raise CommandFailed("the store memory: is the daemon's own, nobody else can look into it")
    if is_missing(settings.store):
        raise CommandFailed(f"{settings.store.path} is not there: is it here that the daemon runs?")
    address = settings.store if settings.store_tls_verify else unverified(settings.store)
    stores = make_stores(address, reactor)
    try:
        yield stores
    except StoreUnavailable as error:
        raise CommandFailed(str(error)) from None
    except TimeoutError:
        raise CommandFailed(f"{settings.store} does not answer") from None
    finally:
        await stores.claims.close()
