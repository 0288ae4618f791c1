"""What every store of notes promises, held against each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import field, frozen
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock, deferLater

from boomerang.stores.address import parse_store
from boomerang.stores.interfaces import NoteStore, Stores
from boomerang.stores.notes_memory import MemoryNotes
from boomerang.stores.opening import make_stores
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_notes import SqliteNotes
from boomerang.threads import Run
from tests.servers import RedisServer
from tests.stores.test_contract import WallClock

ODD = "ü €\n\"'\\{}[]:* \U0001f600"
"""A text with all that could be mistaken for something else."""


@frozen
class Backend:
    """A kind of store, and its time in units; ``another`` is a further process's store."""

    another: Callable[[], NoteStore]
    pass_time: Callable[[float], Awaitable[object]]
    unit: float
    opened: list[Stores] = field(factory=list)

    async def units(self, count: float) -> None:
        await self.pass_time(count * self.unit)


@pytest_twisted.async_yield_fixture(  # type: ignore[untyped-decorator]
    params=["memory", "sqlite", "sqlite in a thread", "redis"]
)
async def backend(
    request: pytest.FixtureRequest, tmp_path: Path, server: RedisServer, thread: Run
) -> AsyncIterator[Backend]:
    if request.param == "memory":
        clock = Clock()
        notes = MemoryNotes(clock)

        async def advance(seconds: float) -> None:
            clock.advance(seconds)

        yield Backend(lambda: notes, advance, unit=1.0)
    elif request.param == "redis":
        server.command("FLUSHALL")
        opened = [make_stores(parse_store(server.url()), reactor) for _ in range(2)]
        for stores in opened:
            await stores.claims.open()
        left = iter(opened)

        async def wait(seconds: float) -> None:
            await deferLater(reactor, seconds)

        yield Backend(lambda: next(left).notes, wait, unit=0.1)
        for stores in opened:
            await stores.claims.close()
    else:
        wall_clock = WallClock()
        files = [SqliteFile(str(tmp_path / "n.db"), wall_clock=wall_clock) for _ in range(2)]
        run = thread if "thread" in request.param else maybeDeferred
        rest = iter(files)
        yield Backend(lambda: SqliteNotes(next(rest), run=run), wall_clock.advance, unit=1.0)
        for file in files:
            file.close()


async def test_notes(backend: Backend) -> None:
    """Notes are read as they were written, from another process too, each topic apart."""
    one, two = backend.another(), backend.another()
    await one.write("topic", {"a": "1", "b": ODD, ODD: ""})
    await one.write("other", {"a": "2"})
    assert await two.read("topic") == {"a": "1", "b": ODD, ODD: ""}
    assert await two.read("other") == {"a": "2"}
    assert await two.read("nothing") == {}


async def test_notes_change(backend: Backend) -> None:
    """A note is written over or erased; the others stay."""
    notes = backend.another()
    await notes.write("topic", {"a": "1", "b": "2", "c": "3"})
    await notes.write("topic", {"a": "one", "b": None, "never": None, "d": "4"})
    assert await notes.read("topic") == {"a": "one", "c": "3", "d": "4"}
    await notes.write("topic", {"a": None, "c": None, "d": None})
    assert await notes.read("topic") == {}
    await notes.write("topic", {})
    assert await notes.read("topic") == {}


async def test_large_notes(backend: Backend) -> None:
    """A note may have 64 KiB, and a topic some thousand of them."""
    notes = backend.another()
    many = {f"key {number}": str(number) for number in range(3000)}
    await notes.write("many", many)
    await notes.write("large", {"key": "ü" * 32768})
    assert await notes.read("many") == many
    assert await notes.read("large") == {"key": "ü" * 32768}


async def test_journals(backend: Backend) -> None:
    """Journals keep the newest entries, oldest first, each journal apart."""
    one, two = backend.another(), backend.another()
    await one.append({"a": ["1", "2"], "b": [ODD]}, keep=3)
    await one.append({"a": ["3", "4"]}, keep=3)
    await two.append({"a": ["5"], "c": []}, keep=3)
    assert await two.journals(["a", "b", "c", "never"]) == {"a": ["3", "4", "5"], "b": [ODD]}
    assert await two.journals([]) == {}
    await two.append({}, keep=3)


async def test_long_journals(backend: Backend) -> None:
    """However many entries come at once, no more are kept; their order is that of their coming."""
    notes = backend.another()
    names = [f"check {number}" for number in range(50)]
    for start in (0, 40, 80):
        await notes.append(
            {name: list(map(str, range(start, start + 40))) for name in names}, keep=100
        )
    await notes.append({"burst": list(map(str, range(1000)))}, keep=100)
    found = await notes.journals([*names, "burst"])
    assert all(found[name] == list(map(str, range(20, 120))) for name in names)
    assert found["burst"] == list(map(str, range(900, 1000)))


async def test_shorter_journals(backend: Backend) -> None:
    """A journal that is to keep fewer entries than before keeps its newest, then more again."""
    notes = backend.another()
    await notes.append({"a": list("abcdef")}, keep=6)
    await notes.append({"a": ["g"]}, keep=2)
    assert await notes.journals(["a"]) == {"a": ["f", "g"]}
    await notes.append({"a": []}, keep=1)
    assert await notes.journals(["a"]) == {"a": ["g"]}
    await notes.append({"a": ["h", "i"]}, keep=6)
    assert await notes.journals(["a"]) == {"a": ["g", "h", "i"]}


async def test_changed_by_the_caller(backend: Backend) -> None:
    """What the caller changes after asking makes no difference."""
    notes = backend.another()
    wanted: dict[str, str | None] = {"a": "1"}
    entries = {"journal": ["1"]}
    written, appended = notes.write("topic", wanted), notes.append(entries, keep=3)
    wanted["b"] = "2"
    entries["journal"].append("2")
    await written
    await appended
    assert await notes.read("topic") == {"a": "1"}
    assert await notes.journals(["journal"]) == {"journal": ["1"]}


async def test_lease(backend: Backend) -> None:
    """One holder has a lease at a time; it may renew it, and loses it when it does not."""
    one, two = backend.another(), backend.another()
    assert await one.lease("watch", holder="one", seconds=4 * backend.unit)
    assert not await two.lease("watch", holder="two", seconds=4 * backend.unit)
    await backend.units(2.5)
    assert await one.lease("watch", holder="one", seconds=4 * backend.unit)
    await backend.units(2.5)
    assert not await two.lease("watch", holder="two", seconds=4 * backend.unit)
    await backend.units(2.5)
    assert await two.lease("watch", holder="two", seconds=4 * backend.unit)
    assert not await one.lease("watch", holder="one", seconds=4 * backend.unit)


async def test_lease_given_back(backend: Backend) -> None:
    """A holder gives its own lease back, and nobody else's; leases have names of their own."""
    one, two = backend.another(), backend.another()
    assert await one.lease("watch", holder="one", seconds=100)
    assert not await two.lease("watch", holder="two", seconds=0)
    assert not await two.lease("watch", holder="two", seconds=100)
    assert await two.lease("courier", holder="two", seconds=100)
    assert await one.lease("watch", holder="one", seconds=0)
    assert await two.lease("watch", holder="two", seconds=100)
