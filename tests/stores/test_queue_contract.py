"""What every queue promises, held against each of them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from time import time
from typing import Any, Final

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import evolve, field, frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.task import Clock, deferLater

from boomerang.relay.callback import Callback, Queued, State
from boomerang.stores.address import parse_store
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.opening import make_stores
from boomerang.stores.queue import Bounds, Filter, QueueFull, QueueStore
from boomerang.stores.queue_memory import MemoryQueue
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_queue import SqliteQueue
from boomerang.threads import Run
from tests.servers import RedisServer
from tests.stores.test_sqlite import WallClock

ODD: Final = "ü €\n\"'\\{}[]:*% \U0001f600"
"""A text with all that could be mistaken for something else."""

HOUR: Final = 3600.0
DAY: Final = 86_400.0


@frozen
class Backend:
    """A kind of store, and its time in units; ``another`` is a further process's queue."""

    another: Callable[..., QueueStore]
    pass_time: Callable[[float], Awaitable[object]]
    now: Callable[[], float]
    unit: float
    set_back: Callable[[float], object]
    opened: list[QueueStore] = field(factory=list)

    async def units(self, count: float) -> None:
        await self.pass_time(count * self.unit)

    def callback(self, key: str, **changes: Any) -> Callback:
        """A callback of the call ``key`` begins with: of "a1" and "a2" it is "a"."""
        given = Callback(
            key=key,
            order=key[:1],
            url="https://app.example.com/ended",
            method="POST",
            content_type="application/x-www-form-urlencoded",
            body=f"CallSid={key}".encode(),
            account_sid="AC1",
            endpoint="ended",
            received_at=self.now(),
        )
        return evolve(given, **changes)


@pytest_twisted.async_yield_fixture(  # type: ignore[untyped-decorator]
    params=["memory", "sqlite", "sqlite in a thread", "redis"]
)
async def backend(
    request: pytest.FixtureRequest, tmp_path: Path, server: RedisServer, thread: Run
) -> AsyncIterator[Backend]:
    if request.param == "memory":
        clock = Clock()
        clock.advance(1_800_000_000)
        made: dict[Any, MemoryQueue] = {}

        def in_memory(bounds: Bounds | None = None) -> QueueStore:
            return made.setdefault("queue", MemoryQueue(clock.seconds, bounds=bounds))

        async def advance(seconds: float) -> None:
            clock.advance(seconds)

        def set_back(seconds: float) -> None:
            clock.rightNow -= seconds

        yield Backend(in_memory, advance, clock.seconds, 1.0, set_back)
    elif request.param == "redis":
        server.command("FLUSHALL")
        opened: list[QueueStore] = []
        address = parse_store(server.url())

        def in_redis(bounds: Bounds | None = None) -> QueueStore:
            opened.append(make_stores(address, reactor, bounds=bounds).queue)
            return opened[-1]

        async def wait(seconds: float) -> None:
            await deferLater(reactor, seconds)

        def set_redis_back(seconds: float) -> None:
            """Move all that is noted in Redis instead: its clock is the machine's."""
            later, base = round(seconds * 1000), "boomerang:{relay}:"
            server.command("HINCRBY", f"{base}queue", "seen", later)
            for number in server.command("ZRANGE", f"{base}waiting", 0, -1):
                server.command("HINCRBY", f"{base}{number}", "due", later)
            for ready in server.command("KEYS", "*:ready:*"):
                for number in server.command("ZRANGE", ready, 0, -1):
                    server.command("ZINCRBY", ready, later, number)
            leases = server.command("HGETALL", f"{base}leases")
            for line, lease in zip(leases[::2], leases[1::2], strict=True):
                number, ends, holder = lease.split(" ")
                moved = f"{number} {int(ends) + later} {holder}"
                server.command("HSET", f"{base}leases", line, moved)

        yield Backend(in_redis, wait, time, 0.1, set_redis_back)
        for queue in opened:
            await queue.close()
    else:
        wall_clock = WallClock()
        files: list[SqliteFile] = []
        run = thread if "thread" in request.param else maybeDeferred

        def in_file(bounds: Bounds | None = None) -> QueueStore:
            files.append(SqliteFile(str(tmp_path / "queue.db"), wall_clock=wall_clock))
            return SqliteQueue(files[-1], run=run, clock=reactor, bounds=bounds)

        def set_wall_clock_back(seconds: float) -> None:
            wall_clock.now -= seconds

        async def advance_wall_clock(seconds: float) -> None:
            wall_clock.now += seconds

        yield Backend(in_file, advance_wall_clock, wall_clock, 1.0, set_wall_clock_back)
        for file in files:
            file.close()


async def opened(backend: Backend, bounds: Bounds | None = None) -> QueueStore:
    queue = backend.another(bounds)
    await queue.open()
    return queue


async def accepted(backend: Backend, queue: QueueStore, *keys: str, **changes: Any) -> None:
    for key in keys:
        assert await queue.accept(backend.callback(key, **changes))


async def taken(queue: QueueStore, holder: str = "one", **options: Any) -> Sequence[Queued]:
    settings = {"most": 10, "lease": 1000.0, "per_origin": 10, "origins": {}, **options}
    return await queue.take(holder, **settings)


def keys(found: Sequence[Queued]) -> list[str]:
    return [queued.callback.key for queued in found]


async def all_of(queue: QueueStore, **which: Any) -> list[str]:
    return keys(await queue.look(Filter(**which), most=1000))


# Accepting


async def test_as_it_came(backend: Backend) -> None:
    """A callback comes out of the queue as it went in, in another process too."""
    one, two = await opened(backend), await opened(backend)
    given = backend.callback(
        ODD,
        order=ODD,
        url="https://app.example.com/ended?a=1&a=2",
        content_type=ODD,
        endpoint=ODD,
        body=b"\0\xff\xc3\r\n" + ODD.encode(),
        signed_by=ODD,
    )
    assert await one.accept(given)
    (queued,) = await taken(two)
    assert queued.callback == given
    assert (queued.state, queued.attempts, queued.last) == (State.WAITING, 0, "")
    assert queued.due_at == pytest.approx(backend.now(), abs=1.0)


@pytest.mark.parametrize("size", [0, 1, 65_536])
async def test_any_bytes(backend: Backend, size: int) -> None:
    """A body may have any bytes, up to 64 KiB of them and more."""
    queue = await opened(backend)
    bodies = [random.Random(n).randbytes(size) for n in range(3)]
    for n, body in enumerate(bodies):
        await accepted(backend, queue, f"{n}", body=body)
    assert [queued.callback.body for queued in await taken(queue)] == bodies
    found = await queue.look(Filter(), most=10)
    assert [queued.callback.body for queued in found] == bodies


async def test_duplicates(backend: Backend) -> None:
    """A callback with a known key is stored once, whoever brings it, delivered or not."""
    one, two = await opened(backend), await opened(backend)
    assert await one.accept(backend.callback("a1"))
    assert not await one.accept(backend.callback("a1"))
    assert not await two.accept(backend.callback("a1", body=b"other"))
    (queued,) = await taken(two)
    assert await two.delivered("one", queued.number)
    assert not await one.accept(backend.callback("a1"))
    assert await taken(one) == []


async def test_duplicates_at_once(backend: Backend) -> None:
    """Of the same callback many times in one instant one is stored."""
    one, two = await opened(backend), await opened(backend)
    answers = [queue.accept(backend.callback("a1")) for queue in [one, two] * 10]
    assert sorted(await gatherResults(answers)) == [False] * 19 + [True]
    assert len(await all_of(one)) == 1


async def test_many_at_once(backend: Backend) -> None:
    """Those that come at once are stored in the order of their coming."""
    queue = await opened(backend)
    names = [f"{n % 10}{n}" for n in range(1200)]
    stored: list[Deferred[Any]] = [queue.accept(backend.callback(name)) for name in names]
    assert all(await gatherResults(stored))
    found = await queue.look(Filter(), most=2000)
    assert keys(found) == names
    numbers = [queued.number for queued in found]
    assert numbers == sorted({*numbers})


@pytest.mark.parametrize("name", ["key", "order", "endpoint"])
@pytest.mark.parametrize("bad", ["a\0b", "\ud800"], ids=["nul", "surrogate"])
async def test_bad_names(backend: Backend, name: str, bad: str) -> None:
    """A name that no database takes is refused, and harms no other."""
    queue = await opened(backend)
    changes: dict[str, Any] = {name: bad}
    good = queue.accept(backend.callback("a1"))
    with pytest.raises(ValueError, match="NUL or a lone surrogate"):
        await queue.accept(evolve(backend.callback("b1"), **changes))
    assert await good


async def test_full_by_number(backend: Backend) -> None:
    """Beyond the most that may wait nothing is accepted, until there is room again."""
    queue = await opened(backend, Bounds(most=2))
    await accepted(backend, queue, "a1", "b1")
    with pytest.raises(QueueFull, match="2 callbacks"):
        await queue.accept(backend.callback("c1"))
    assert not await queue.accept(backend.callback("a1"))
    assert await queue.delivered("one", (await taken(queue))[0].number)
    await accepted(backend, queue, "c1")


async def test_full_by_size(backend: Backend) -> None:
    """Beyond the most bytes nothing is accepted that does not fit; dead letters do not count."""
    queue = await opened(backend, Bounds(most_bytes=10_000))
    await accepted(backend, queue, "a1", body=b"x" * 6000)
    with pytest.raises(QueueFull, match="bytes"):
        await queue.accept(backend.callback("b1", body=b"x" * 6000))
    await accepted(backend, queue, "c1", body=b"x" * 1000)
    first = (await taken(queue))[0]
    assert await queue.bury("one", first.number, last="no")
    await accepted(backend, queue, "b1", body=b"x" * 6000)


async def test_full_within_a_batch(backend: Backend) -> None:
    """Of those that come at once as many are accepted as there is room for."""
    queue = await opened(backend, Bounds(most=3))
    answers = [queue.accept(backend.callback(key)) for key in "abcde"]
    for answer in answers[:3]:
        assert await answer
    for answer in answers[3:]:
        with pytest.raises(QueueFull):
            await answer


# Taking


async def test_order_of_a_call(backend: Backend) -> None:
    """Callbacks of one call are handed out one after the other; other calls do not wait."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "a2", "b1", "a3")
    first = await taken(queue)
    assert keys(first) == ["a1", "b1"]
    assert await taken(queue, "two") == []
    assert await queue.delivered("one", first[0].number)
    second = await taken(queue, "two")
    assert keys(second) == ["a2"]
    assert await queue.delivered("two", second[0].number)
    assert keys(await taken(queue)) == ["a3"]


async def test_put_off(backend: Backend) -> None:
    """What was put off is due after its pause; the rest of its call waits behind it."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "a2")
    (queued,) = await taken(queue)
    assert await queue.put_off("one", queued.number, pause=4 * backend.unit, last="503")
    await backend.units(2)
    assert await taken(queue) == []
    await backend.units(3)
    (again,) = await taken(queue)
    assert (again.callback.key, again.attempts, again.last) == ("a1", 1, "503")
    assert await queue.delivered("one", again.number)
    assert keys(await taken(queue)) == ["a2"]


async def test_bury(backend: Backend) -> None:
    """What is given up is kept with its body; the rest of its call goes on."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "a2")
    (queued,) = await taken(queue)
    assert await queue.bury("one", queued.number, last=f"410 {ODD}")
    assert keys(await taken(queue)) == ["a2"]
    (dead,) = await queue.look(Filter(state=State.DEAD), most=10)
    assert dead.callback == queued.callback
    assert (dead.state, dead.attempts, dead.last) == (State.DEAD, 1, f"410 {ODD}")
    assert not await queue.bury("one", queued.number, last="again")
    assert not await queue.put_off("one", queued.number, pause=1, last="again")


async def test_odd_last_words(backend: Backend) -> None:
    """Last words that no database takes, or that have no end, are told as well as they can be."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "b1")
    one, two = await taken(queue)
    ended = [
        queue.put_off("one", one.number, pause=0, last="bad \ud800\0"),
        queue.bury("one", two.number, last="x" * 100_000),
    ]
    assert await gatherResults(ended) == [True, True]
    first, second = await queue.look(Filter(), most=10)
    assert first.last.startswith("bad ?")
    assert second.last.startswith("xxx")
    assert len(second.last) <= 500


async def test_oldest_first(backend: Backend) -> None:
    """Those that have been due for longest are handed out first, no more than are asked for."""
    queue = await opened(backend)
    for key in ("a1", "b1", "c1", "d1"):
        await accepted(backend, queue, key)
        await backend.units(0.1)
    assert keys(await taken(queue, most=3)) == ["a1", "b1", "c1"]
    assert keys(await taken(queue, most=3)) == ["d1"]
    assert await taken(queue, most=0) == []


async def test_origins(backend: Backend) -> None:
    """Of each origin no more is handed out than its room, or the room for every other."""
    queue = await opened(backend)
    for n, host in enumerate(["a.example", "b.example:8443", "c.example"]):
        for m in range(4):
            await accepted(backend, queue, f"{n}{m}", order=f"{n}{m}", url=f"https://{host}/")
    room = {"a.example:443": 0, "b.example:8443": 1, "c.example": 0}
    assert keys(await taken(queue, per_origin=2, origins=room)) == ["10", "20", "21"]
    assert keys(await taken(queue, per_origin=0, origins={"a.example:443": 9})) == [
        *("00", "01", "02", "03")
    ]


async def test_many_origins(backend: Backend) -> None:
    """Origins that are left out cost others nothing, however many they are."""
    queue = await opened(backend)
    urls = [f"http://host{n}.example:{8000 + n}/" for n in range(300)]
    stored = [
        queue.accept(backend.callback(f"{n}", order=f"{n}", url=url)) for n, url in enumerate(urls)
    ]
    await gatherResults(stored)
    closed = {f"host{n}.example:{8000 + n}": 0 for n in range(299)}
    assert keys(await taken(queue, origins=closed)) == ["299"]


async def test_order_across_origins(backend: Backend) -> None:
    """An order is kept at each origin, and at none for the sake of another."""
    queue = await opened(backend)
    for number, host in enumerate(("one", "two", "one", "two"), start=1):
        await accepted(backend, queue, f"a{number}", url=f"https://{host}.example/")
    (second,) = await taken(queue, origins={"one.example:443": 0})
    assert second.callback.key == "a2"
    assert keys(await taken(queue)) == ["a1"]
    assert await queue.put_off("one", second.number, pause=5 * backend.unit, last="no")
    assert await taken(queue) == []
    assert await all_of(queue, order="a") == ["a1", "a2", "a3", "a4"]


# Leases


async def test_lease_ends(backend: Backend) -> None:
    """Another process takes over what a dead one had, once its lease has ended, attempts as they
    were."""
    one, two = await opened(backend), await opened(backend)
    await accepted(backend, one, "a1", "a2")
    assert keys(await taken(one, lease=4 * backend.unit)) == ["a1"]
    await backend.units(2)
    assert await taken(two, "two") == []
    await backend.units(3)
    (again,) = await taken(two, "two")
    assert (again.callback.key, again.attempts) == ("a1", 0)


async def test_renew(backend: Backend) -> None:
    """A lease that is renewed lasts for longer; one that has ended is not renewed."""
    one, two = await opened(backend), await opened(backend)
    await accepted(backend, one, "a1", "b1")
    a, b = await taken(one, lease=4 * backend.unit)
    await backend.units(2.5)
    assert await one.renew("one", [a.number, 999], lease=4 * backend.unit) == {a.number}
    assert await one.renew("two", [b.number], lease=100) == set()
    await backend.units(2.5)
    assert keys(await taken(two, "two")) == ["b1"]
    assert await one.renew("one", [a.number, b.number], lease=4 * backend.unit) == {a.number}
    await backend.units(5)
    assert await one.renew("one", [a.number], lease=100) == set()
    assert await one.renew("one", [], lease=100) == set()


async def test_hand_back(backend: Backend) -> None:
    """What is handed back can be taken at once, its attempts as they were; others' leases stay."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "b1")
    numbers = [queued.number for queued in await taken(queue)]
    await queue.hand_back("two", numbers)
    assert await taken(queue, "two") == []
    await queue.hand_back("one", numbers)
    assert [queued.attempts for queued in await taken(queue, "two")] == [0, 0]
    await queue.hand_back("two", [])


async def test_lost_lease(backend: Backend) -> None:
    """Who has lost a lease cannot put off or bury any more; what was delivered is gone even so."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "a2")
    (queued,) = await taken(queue, lease=1 * backend.unit)
    await backend.units(2)
    assert keys(await taken(queue, "two")) == ["a1"]
    assert not await queue.put_off("one", queued.number, pause=0, last="no")
    assert not await queue.bury("one", queued.number, last="no")
    assert await queue.delivered("one", queued.number)
    assert await taken(queue, "three") == []
    assert not await queue.delivered("two", queued.number)
    assert keys(await taken(queue, "three")) == ["a2"]


async def test_late_outcome(backend: Backend) -> None:
    """An outcome after the lease has ended counts, unless another has taken the callback."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1")
    (queued,) = await taken(queue, lease=1 * backend.unit)
    await backend.units(2)
    assert await queue.put_off("one", queued.number, pause=0, last="slow")
    assert [queued.attempts for queued in await taken(queue, "two")] == [1]


async def test_outcomes_at_once(backend: Backend) -> None:
    """Many outcomes at once are each recorded; for what is gone or never was they are false."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "b1", "c1", "d1")
    a, b, c, d = await taken(queue)
    outcomes = [
        queue.delivered("one", a.number),
        queue.put_off("one", b.number, pause=HOUR, last="later"),
        queue.bury("one", c.number, last="never"),
        queue.delivered("one", 999),
        queue.put_off("one", 998, pause=0, last=""),
        queue.put_off("two", d.number, pause=0, last=""),
    ]
    assert await gatherResults(outcomes) == [True, True, True, False, False, False]
    found = {one.callback.key: one for one in await queue.look(Filter(), most=10)}
    assert {key: (one.state.value, one.attempts) for key, one in found.items()} == {
        "b1": ("waiting", 1),
        "c1": ("dead", 1),
        "d1": ("waiting", 0),
    }
    assert found["b1"].due_at == pytest.approx(backend.now() + HOUR, abs=2)


async def test_two_processes(backend: Backend) -> None:
    """Processes that take at the same time never get the same callback, nor one call's twice."""
    queues = [await opened(backend), await opened(backend)]
    for n in range(60):
        await accepted(backend, queues[0], f"{n}", order=f"{n % 30}")
    given = await gatherResults([taken_by(queue, f"{n}") for n, queue in enumerate(queues * 5)])
    orders = [queued.callback.order for each in given for queued in each]
    assert len(orders) == len({*orders}) == 30


def taken_by(queue: QueueStore, holder: str) -> Deferred[Sequence[Queued]]:
    return Deferred.fromCoroutine(taken(queue, holder, most=7))


async def test_clock_set_back(backend: Backend) -> None:
    """After the clock was set back nothing is due later than it would have been."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "b1", "c1")
    _, b, c = await taken(queue, lease=3 * backend.unit)
    assert await queue.put_off("one", b.number, pause=3 * backend.unit, last="")
    backend.set_back(10 * HOUR)
    await backend.units(1)
    assert await queue.put_off("one", c.number, pause=0, last="")
    assert keys(await taken(queue, "two")) == ["c1"]
    await backend.units(6)  # the clock is noted within a quarter of a second
    assert sorted(keys(await taken(queue, "two"))) == ["a1", "b1"]


# Seeing and mending


async def test_filters(backend: Backend) -> None:
    """People see what they ask for, by number."""
    queue = await opened(backend)
    now = backend.now()
    await accepted(backend, queue, "a1", received_at=now - 300)
    await accepted(backend, queue, "b1", url="http://b.example:8080/x", received_at=now - 200)
    await accepted(backend, queue, "c1", endpoint="sms", received_at=now - 100)
    await accepted(backend, queue, "a2")
    (first, *_) = await taken(queue)
    assert await queue.bury("one", first.number, last="no")
    assert await all_of(queue) == ["a1", "b1", "c1", "a2"]
    assert await all_of(queue, state=State.DEAD) == ["a1"]
    assert await all_of(queue, state=State.WAITING) == ["b1", "c1", "a2"]
    assert await all_of(queue, host="b.example") == ["b1"]
    assert await all_of(queue, host="b.example:8080") == ["b1"]
    for other in ("b.example:80", "example", "b.exampl", "", "%", "*"):
        assert await all_of(queue, host=other) == []
    assert await all_of(queue, endpoint="sms") == ["c1"]
    assert await all_of(queue, order="a") == ["a1", "a2"]
    assert await all_of(queue, numbers=[first.number + 2, first.number, 999]) == ["a1", "c1"]
    assert await all_of(queue, numbers=[]) == []
    assert await all_of(queue, older_than=150) == ["a1", "b1"]
    assert await all_of(queue, younger_than=250) == ["b1", "c1", "a2"]
    assert await all_of(queue, order="a", state=State.WAITING, younger_than=50) == ["a2"]


async def test_pages(backend: Backend) -> None:
    """Long lists come in pages; what is leased is in them."""
    queue = await opened(backend)
    names = [f"{n}" for n in range(250)]
    await gatherResults([queue.accept(backend.callback(name)) for name in names])
    await taken(queue)
    seen: list[str] = []
    after = 0
    while page := await queue.look(Filter(), most=110, after=after):
        assert len(page) <= 110
        seen += keys(page)
        after = page[-1].number
    assert seen == names
    assert len(await queue.look(Filter(endpoint="ended"), most=200)) == 200
    assert await queue.look(Filter(), most=0) == []


async def test_replay(backend: Backend) -> None:
    """Dead letters and waiting callbacks are made due now, with no attempts, in their old order."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "a2", "b1")
    a, b = await taken(queue)
    assert await queue.bury("one", a.number, last="410")
    assert await queue.put_off("one", b.number, pause=HOUR, last="503")
    assert await queue.replay([a.number, b.number, b.number, 999]) == 2
    again = await taken(queue, "two")
    assert {queued.callback.key: queued.attempts for queued in again} == {"a1": 0, "b1": 0}
    assert {queued.state for queued in again} == {State.WAITING}
    assert await queue.delivered("two", a.number)
    assert keys(await taken(queue)) == ["a2"]
    assert await queue.replay([]) == 0


async def test_replay_during_a_lease(backend: Backend) -> None:
    """A dead letter that is made to wait again while the next of its call is being delivered waits
    for that one's end."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "a2")
    (a1,) = await taken(queue)
    assert await queue.bury("one", a1.number, last="410")
    (a2,) = await taken(queue)
    assert await queue.replay([a1.number, a2.number]) == 2
    assert await taken(queue, "two") == []
    assert await queue.put_off("one", a2.number, pause=0, last="503")
    assert keys(await taken(queue, "two")) == ["a1"]


async def test_drop(backend: Backend) -> None:
    """What is dropped is gone, dead or waiting; the next of its call is the first then."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "a2", "b1")
    a, b = await taken(queue)
    assert await queue.bury("one", b.number, last="410")
    await queue.hand_back("one", [a.number])
    assert await queue.drop([a.number, b.number, a.number, 999]) == 2
    assert await all_of(queue) == ["a2"]
    assert keys(await taken(queue)) == ["a2"]
    assert await queue.drop([]) == 0


async def test_drop_during_a_lease(backend: Backend) -> None:
    """While what was dropped is being delivered, the next of its call waits."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "a2")
    (a1,) = await taken(queue)
    assert await queue.drop([a1.number]) == 1
    assert await taken(queue, "two") == []
    assert not await queue.put_off("one", a1.number, pause=0, last="")
    assert keys(await taken(queue, "two")) == ["a2"]


async def test_sweep_by_age(backend: Backend) -> None:
    """Dead letters are forgotten some time after they died, and nothing else is."""
    queue = await opened(backend)
    await accepted(backend, queue, "a1", "b1", "c1")
    a, b, _ = await taken(queue)
    assert await queue.bury("one", a.number, last="")
    await backend.units(5)
    assert await queue.bury("one", b.number, last="")
    assert await queue.sweep(retention=3 * backend.unit, most_bytes=10**9) == {"age": 1, "size": 0}
    assert await all_of(queue) == ["b1", "c1"]
    assert await queue.sweep(retention=HOUR, most_bytes=10**9) == {"age": 0, "size": 0}


async def test_sweep_by_size(backend: Backend) -> None:
    """Of too many dead letters the ones that died first are forgotten."""
    queue = await opened(backend)
    await accepted(backend, queue, *"abcd", body=b"x" * 1000)
    dead = await taken(queue)
    for queued in (*dead[1:3], dead[0]):
        assert await queue.bury("one", queued.number, last="")
        await backend.units(0.1)
    assert await queue.sweep(retention=HOUR, most_bytes=2999) == {"age": 0, "size": 1}
    assert await all_of(queue) == ["a", "c", "d"]
    assert await queue.sweep(retention=HOUR, most_bytes=0) == {"age": 0, "size": 2}
    assert await all_of(queue) == ["d"]


async def test_sweep_many(backend: Backend) -> None:
    """However many there are to forget, one sweep forgets them."""
    queue = await opened(backend)
    names = [f"{n}" for n in range(2500)]
    await gatherResults([queue.accept(backend.callback(name, order=name)) for name in names])
    dead = await taken(queue, most=2500, per_origin=2500)
    await gatherResults([queue.bury("one", queued.number, last="") for queued in dead])
    assert (await queue.stats()).dead == 2500
    assert await queue.sweep(retention=HOUR, most_bytes=0) == {"age": 0, "size": 2500}
    assert (await queue.stats()).dead == (await queue.stats()).dead_bytes == 0


async def test_keys_are_bounded(backend: Backend) -> None:
    """Of too many keys the oldest are forgotten."""
    queue = await opened(backend, Bounds(most_keys=2))
    for key in "abc":
        await accepted(backend, queue, key)
        await backend.units(0.1)
    await queue.sweep(retention=HOUR, most_bytes=10**9)
    assert not await queue.accept(backend.callback("b"))
    assert not await queue.accept(backend.callback("c"))
    assert await queue.accept(backend.callback("a"))


async def test_stats(backend: Backend) -> None:
    """The queue tells how much waits, since when, how much is dead, and what it takes."""
    queue = await opened(backend)
    empty = await queue.stats()
    assert (empty.waiting, empty.dead, empty.oldest) == (0, 0, None)
    assert (empty.waiting_bytes, empty.dead_bytes) == (0, 0)
    now = round(backend.now())
    await accepted(backend, queue, "a1", received_at=now - 300.0)
    await accepted(backend, queue, "a2", received_at=now - 200.0, body=b"x" * 5000)
    (queued,) = await taken(queue)
    before = await queue.stats()
    assert (before.waiting, before.dead, before.oldest) == (2, 0, now - 300.0)
    assert 5000 < before.waiting_bytes < 7000
    assert await queue.bury("one", queued.number, last="no")
    after = await queue.stats()
    assert (after.waiting, after.dead, after.oldest) == (1, 1, now - 200.0)
    assert after.waiting_bytes + after.dead_bytes == before.waiting_bytes
    assert await queue.replay([queued.number]) == 1
    assert await queue.stats() == before
    assert await queue.drop([queued.number, queued.number + 1]) == 2
    assert await queue.stats() == empty


async def test_random_use(backend: Backend) -> None:
    """After any sequence of steps each callback is where it should be, and the totals agree."""
    chance = random.Random(5)
    queue = await opened(backend)
    living: set[str] = set()
    held: dict[int, str] = {}
    for n in range(300):
        match chance.randrange(6):
            case 0 | 1:
                key = f"{chance.choice('abcde')}{n}"
                await accepted(backend, queue, key)
                living.add(key)
            case 2:
                some = await taken(queue, most=2)
                orders = {key[0] for key in held.values()}
                assert not orders & {queued.callback.order for queued in some}
                held |= {queued.number: queued.callback.key for queued in some}
            case 3 if held:
                number, key = held.popitem()
                assert await queue.delivered("one", number)
                living.remove(key)
            case 4 if held:
                number, _ = held.popitem()
                ended = queue.bury if chance.random() < 0.5 else queue.put_off
                pause = {} if ended == queue.bury else {"pause": 0}
                assert await ended("one", number, last="x", **pause)
            case 5:
                dead = await queue.look(Filter(state=State.DEAD), most=2)
                await queue.replay([queued.number for queued in dead])
    found = await queue.look(Filter(), most=1000)
    assert {*keys(found)} == living
    stats = await queue.stats()
    assert stats.waiting + stats.dead == len(living)
    await queue.hand_back("one", list(held))
    await queue.replay([queued.number for queued in found])
    delivered: list[str] = []
    while some := await taken(queue):
        for queued in some:
            delivered.append(queued.callback.key)
            assert await queue.delivered("one", queued.number)
    assert sorted(delivered) == sorted(living)
    for order in "abcde":
        numbers = [int(key[1:]) for key in delivered if key[0] == order]
        assert numbers == sorted(numbers)
    assert (await queue.stats()).waiting_bytes == 0


async def test_closed(backend: Backend) -> None:
    """A closed queue accepts nothing more, and what it was given before is answered."""
    queue = await opened(backend)
    if isinstance(queue, MemoryQueue):
        return
    under_way = [queue.accept(backend.callback(f"{n}")) for n in range(5)]
    await queue.close()
    for answer in under_way:
        with pytest.raises(StoreUnavailable, match="closed"):
            await answer
    with pytest.raises(StoreUnavailable, match="closed"):
        await queue.accept(backend.callback("b1"))
