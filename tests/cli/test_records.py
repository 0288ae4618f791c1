"""What a command reads of the monitor's notes in the store."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from boomerang.cli.records import paused_checks, records_of
from boomerang.cli.running import CommandFailed
from boomerang.monitor.records import FOR_EVER
from boomerang.settings import Settings
from boomerang.stores.address import MemoryAddress, RedisAddress, SqliteAddress
from tests.servers import free_port


async def test_paused(tmp_path: Path) -> None:
    """The paused checks are those whose pause is not over, in this environment."""
    from twisted.internet import reactor

    file = tmp_path / "boomerang.db"
    file.touch()
    settings = Settings(store=SqliteAddress(str(file)))
    other = Settings(store=settings.store, environment="staging")
    async with records_of(settings, reactor) as records:
        await records.pause("web", until=time.time() + 60)
        await records.pause("api", until=FOR_EVER)
        await records.pause("cloud", until=time.time() - 1)
        await records.pause("resumed", until=FOR_EVER)
        await records.resume("resumed")
    async with records_of(other, reactor) as records:
        await records.pause("page", until=FOR_EVER)
    assert await paused_checks(settings, reactor) == {"web", "api"}
    assert await paused_checks(other, reactor) == {"page"}


async def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is not made for the sake of looking into it."""
    from twisted.internet import reactor

    file = tmp_path / "boomerang.db"
    assert await paused_checks(Settings(store=SqliteAddress(str(file))), reactor) == set()
    assert not file.exists()


async def test_memory() -> None:
    """The daemon's memory cannot be looked into; so nobody can pause a check in it."""
    from twisted.internet import reactor

    settings = Settings(store=MemoryAddress())
    assert await paused_checks(settings, reactor) == set()
    with pytest.raises(CommandFailed, match="nobody else can look into it"):
        async with records_of(settings, reactor):
            pass


async def test_away(tmp_path: Path) -> None:
    """A store that is away is an error in one line."""
    from twisted.internet import reactor

    (tmp_path / "boomerang.db").write_text("no database, but long enough to be one" * 10)
    for store in (
        RedisAddress((("127.0.0.1", free_port()),), password="hunter2"),
        SqliteAddress(str(tmp_path / "boomerang.db")),
    ):
        with pytest.raises(CommandFailed) as failed:
            await paused_checks(Settings(store=store), reactor)
        assert "\n" not in str(failed.value)
        assert "hunter2" not in str(failed.value)
        assert str(failed.value)
