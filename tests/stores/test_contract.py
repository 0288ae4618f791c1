"""What every store promises, held against each of them; and the rule in Lua against Python's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.task import Clock, deferLater

from boomerang.stores.address import parse_store
from boomerang.stores.interfaces import Claim, ClaimStore, Failure, Marked
from boomerang.stores.marks import Mark, count_failure
from boomerang.stores.memory import MemoryStore
from boomerang.stores.opening import make_stores
from boomerang.stores.sqlite import SqliteStore
from boomerang.stores.sqlite_file import SqliteFile
from boomerang.stores.sqlite_marks import SqliteMarks
from boomerang.threads import Run
from tests.servers import Conversation, RedisServer

AGES: Final = 1000.0
"""Longer than any test, in units of any backend."""


@frozen
class Backend:
    """A kind of store, and its time.

    ``another`` makes one more store object on the same marks; ``unit`` is the number of seconds in
    which these tests count, short where time is real; ``durable``: the marks outlive the store.
    """

    another: Callable[[], ClaimStore]
    pass_time: Callable[[float], Awaitable[object]]
    unit: float
    durable: bool
    opened: list[ClaimStore] = field(factory=list)

    async def store(self) -> ClaimStore:
        store = self.another()
        self.opened.append(store)
        await store.open()
        return store

    async def units(self, count: float) -> None:
        """Let units of time pass."""
        await self.pass_time(count * self.unit)

    def failure(
        self,
        identity: str = "identity",
        call: str | None = "call",
        *,
        wait: float = 1.0,
        window: float = AGES,
        call_window: float = AGES,
        attempts: int = 1,
        only_again: bool = False,
    ) -> Failure:
        """A failure, with wait and windows in units."""
        return Failure(
            identity=identity,
            call=call,
            wait=wait * self.unit,
            window=window * self.unit,
            call_window=call_window * self.unit,
            attempts=attempts,
            only_again=only_again,
        )


class WallClock:
    """Seconds since the epoch, as a test has them."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    async def advance(self, seconds: float) -> None:
        self.now += seconds


class NoTimePasses:
    """The reactor, without its clock: seconds pass for a file when a test says so."""

    callLater = staticmethod(reactor.callLater)

    def seconds(self) -> float:
        return 0.0


def memory_backend() -> Backend:
    clock = Clock()
    store = MemoryStore(clock)

    async def pass_time(seconds: float) -> None:
        clock.advance(seconds)

    return Backend(lambda: store, pass_time, unit=1.0, durable=False)


def sqlite_backend(path: Path, run: Run) -> Backend:
    clock = WallClock()

    def another() -> ClaimStore:
        marks = SqliteMarks(SqliteFile(str(path), wall_clock=clock))
        return SqliteStore(marks, run=run, clock=NoTimePasses())  # type: ignore[arg-type]

    return Backend(another, clock.advance, unit=1.0, durable=True)


def redis_backend(server: RedisServer) -> Backend:
    def another() -> ClaimStore:
        return make_stores(parse_store(server.url()), reactor).claims

    async def pass_time(seconds: float) -> None:
        await deferLater(reactor, seconds + 0.005)

    return Backend(another, pass_time, unit=0.1, durable=True)


@pytest_twisted.async_yield_fixture(  # type: ignore[untyped-decorator]
    params=["memory", "sqlite", "sqlite in a thread", "redis"]
)
async def backend(
    request: pytest.FixtureRequest, tmp_path: Path, server: RedisServer, thread: Run
) -> AsyncIterator[Backend]:
    match request.param:
        case "memory":
            made = memory_backend()
        case "sqlite":
            made = sqlite_backend(tmp_path / "claims.db", maybeDeferred)
        case "sqlite in a thread":
            made = sqlite_backend(tmp_path / "claims.db", thread)
        case _:
            server.command("FLUSHALL")
            made = redis_backend(server)
    yield made
    for store in made.opened:
        await store.close()


# Attempts


async def test_first_failure(backend: Backend) -> None:
    """The first failure is attempt 1, held for the whole wait, the call's first round."""
    store = await backend.store()
    failure = backend.failure(wait=80)
    claim = await store.claim(failure)
    assert claim == Claim(attempt=1, hold=failure.wait, round=1)


async def test_second_and_third_failure(backend: Backend) -> None:
    """Failures after the hold are counted on, and no longer held."""
    store = await backend.store()
    await store.claim(backend.failure(wait=1))
    await backend.units(1.5)
    second = await store.claim(backend.failure(wait=1))
    third = await store.claim(backend.failure(wait=1))
    assert second == Claim(attempt=2, hold=0.0, round=2)
    assert third == Claim(attempt=3, hold=0.0, round=3)


async def test_repeat_while_held(backend: Backend) -> None:
    """A repeat during the hold is the same attempt, released at the same instant, no new round."""
    store = await backend.store()
    failure = backend.failure(wait=AGES / 2)
    first = await store.claim(failure)
    await backend.units(1)
    repeats = [await store.claim(failure) for _ in range(3)]
    for repeat in repeats:
        assert (repeat.attempt, repeat.round) == (1, 1)
        assert 0 < repeat.hold <= first.hold - backend.unit


async def test_release(backend: Backend) -> None:
    """After an early release the next failure is a second one, however long the wait was."""
    store = await backend.store()
    held, other = backend.failure(wait=AGES / 2), backend.failure("other", wait=AGES / 2)
    await store.claim(held)
    await store.claim(other)
    await store.release([Marked("identity", "call"), Marked("unheard of", "call")])
    await backend.units(0.5)
    assert (await store.claim(held)).attempt == 2
    assert (await store.claim(other)).attempt == 1


async def test_release_of_several(backend: Backend) -> None:
    """Of what one call failed with, only that is released which is meant."""
    store = await backend.store()
    failures = [backend.failure(name, wait=AGES / 2) for name in ("first", "second", "third")]
    for failure in failures:
        await store.claim(failure)
    await store.release([Marked("second", "call")])
    assert await store.attempts([Marked(name, "call") for name in ("first", "third")]) == [1, 1]
    assert [(await store.claim(failure)).attempt for failure in failures] == [1, 2, 1]
    await store.release([Marked("first", "call")])
    assert [(await store.claim(failure)).attempt for failure in failures] == [2, 3, 1]


async def test_release_is_not_late(backend: Backend) -> None:
    """A release after the release instant changes nothing."""
    store = await backend.store()
    await store.claim(backend.failure(wait=1))
    await backend.units(2)
    await store.release([Marked("identity", "call")])
    await backend.units(2)
    claim = await store.claim(backend.failure(wait=1))
    assert claim.attempt == 2
    assert claim.after is not None
    assert claim.after >= 3 * backend.unit


async def test_attempts(backend: Backend) -> None:
    """The store knows how often each has failed, in the order in which it is asked."""
    store, another = await backend.store(), await backend.store()
    for failure in (backend.failure(wait=0), backend.failure(wait=0), backend.failure("b", None)):
        await store.claim(failure)
    asked = [Marked("b", None), Marked("never", "call"), Marked("identity", "call")]
    assert await another.attempts(asked) == [1, 0, 2]
    assert await another.attempts([]) == []


async def test_attempts_within_the_window(backend: Backend) -> None:
    """What is forgotten has not failed."""
    store = await backend.store()
    await store.claim(backend.failure(wait=0, window=2))
    await backend.units(3)
    assert await store.attempts([Marked("identity", "call")]) == [0]


async def test_after(backend: Backend) -> None:
    """A second failure tells how long ago the hold of the first had ended."""
    store = await backend.store()
    first = await store.claim(backend.failure(wait=1))
    await backend.units(4)
    second = await store.claim(backend.failure(wait=1))
    assert first.after is None
    assert second.after is not None
    assert 2.9 * backend.unit <= second.after < 3 * backend.unit + 1.0


async def test_repeat_with_another_wait(backend: Backend) -> None:
    """A repeat does not move the release instant, whatever wait it comes with."""
    store = await backend.store()
    first = await store.claim(backend.failure(wait=500))
    longer = await store.claim(backend.failure(wait=900))
    shorter = await store.claim(backend.failure(wait=1))
    assert longer.attempt == shorter.attempt == 1
    assert first.hold - 20 * backend.unit < shorter.hold <= longer.hold <= first.hold


async def test_several_attempts(backend: Backend) -> None:
    """With two attempts the second failure is held like the first, the third no more."""
    store = await backend.store()
    held = backend.failure(wait=1, attempts=2)
    first = await store.claim(held)
    await backend.units(1.5)
    second = await store.claim(held)
    await backend.units(1.5)
    third = await store.claim(held)
    assert first == Claim(attempt=1, hold=held.wait, round=1)
    assert second == Claim(attempt=2, hold=held.wait, round=2)
    assert third == Claim(attempt=3, hold=0.0, round=3)


async def test_repeat_of_the_second_attempt(backend: Backend) -> None:
    """A repeat while the second attempt is held is that second attempt."""
    store = await backend.store()
    await store.claim(backend.failure(wait=0, attempts=2))
    second = await store.claim(backend.failure(wait=500, attempts=2))
    repeat = await store.claim(backend.failure(wait=500, attempts=2))
    assert (second.attempt, repeat.attempt) == (2, 2)
    assert 0 < repeat.hold <= second.hold
    assert (second.round, repeat.round) == (2, 2)


@pytest.mark.parametrize(("wait", "attempts"), [(0, 1), (5, 0)])
async def test_nothing_is_held(backend: Backend, wait: float, attempts: int) -> None:
    """With wait 0 or no attempts nothing is held, and every failure counts."""
    store = await backend.store()
    failure = backend.failure(wait=wait, attempts=attempts)
    claims = [await store.claim(failure) for _ in range(3)]
    assert claims == [Claim(attempt=n, hold=0.0, round=n) for n in (1, 2, 3)]


# The window


async def test_window_expiry(backend: Backend) -> None:
    """After the window everything begins anew, the call's rounds too."""
    store = await backend.store()
    failure = backend.failure(wait=0, window=3, call_window=3)
    await store.claim(failure)
    await backend.units(3.1)
    assert await store.claim(failure) == Claim(attempt=1, hold=0.0, round=1)


async def test_window_counts_from_the_first_failure(backend: Backend) -> None:
    """Later failures do not prolong the window."""
    store = await backend.store()
    failure = backend.failure(wait=0, window=8, call_window=8)
    await store.claim(failure)
    await backend.units(3)
    assert await store.claim(failure) == Claim(attempt=2, hold=0.0, round=2)
    await backend.units(5.5)
    assert await store.claim(failure) == Claim(attempt=1, hold=0.0, round=1)


async def test_wait_longer_than_the_window(backend: Backend) -> None:
    """A hold that outlasts the window is joined like any other, as long as it is remembered."""
    store = await backend.store()
    failure = backend.failure(wait=900, window=300)
    first = await store.claim(failure)
    repeat = await store.claim(failure)
    assert (first.attempt, repeat.attempt) == (1, 1)
    assert 0 < repeat.hold <= first.hold


# Calls and identities


async def test_rounds_of_a_call(backend: Backend) -> None:
    """A call's rounds count the failures of all its URLs; another call has its own."""
    store = await backend.store()
    one = await store.claim(backend.failure("url 1", "call 1", wait=500))
    two = await store.claim(backend.failure("url 2", "call 1", wait=500))
    other = await store.claim(backend.failure("url 3", "call 2", wait=500))
    repeat = await store.claim(backend.failure("url 1", "call 1", wait=500))
    assert [claim.round for claim in (one, two, other, repeat)] == [1, 2, 1, 2]
    assert [claim.attempt for claim in (one, two, other, repeat)] == [1, 1, 1, 1]


async def test_only_again(backend: Backend) -> None:
    """What is only counted again counts for the call's rounds, until it has failed before."""
    store = await backend.store()
    hopeless = backend.failure(wait=0, attempts=0, only_again=True)
    rounds = [await store.claim(hopeless) for _ in range(3)]
    assert rounds == [Claim(attempt=0, hold=0.0, round=n) for n in (1, 2, 3)]
    first = await store.claim(backend.failure(wait=0))
    assert (first.attempt, first.round) == (1, 4)
    again = await store.claim(hopeless)
    assert (again.attempt, again.round, again.hold) == (2, 5, 0.0)
    assert again.after is not None
    assert await store.attempts([Marked("identity", "call")]) == [2]


async def test_rounds_of_several_windows(backend: Backend) -> None:
    """A call's rounds are counted in a window of their own, whatever those of its URLs are."""
    store = await backend.store()
    long, short = backend.failure("url 1", wait=0), backend.failure("url 2", wait=0, window=2)
    rounds = [(await store.claim(each)).round for each in (short, long, short, long)]
    assert rounds == [1, 2, 3, 4]
    await backend.units(3)
    claim = await store.claim(short)
    assert (claim.attempt, claim.round) == (1, 5)


async def test_without_call(backend: Backend) -> None:
    """Without a call only the identity's attempts are counted."""
    store = await backend.store()
    failure = backend.failure("identity", None, wait=0)
    claims = [await store.claim(failure) for _ in range(3)]
    assert claims == [Claim(attempt=n, hold=0.0, round=0) for n in (1, 2, 3)]


async def test_repeat_without_call(backend: Backend) -> None:
    """Without a call, too, a repeat during the hold is the same attempt."""
    store = await backend.store()
    failure = backend.failure("identity", None, wait=500)
    first, repeat = await store.claim(failure), await store.claim(failure)
    assert (first.attempt, repeat.attempt, repeat.round) == (1, 1, 0)
    assert 0 < repeat.hold <= first.hold


async def test_others_are_untouched(backend: Backend) -> None:
    """The failures of one identity never cost another one its first attempt."""
    store = await backend.store()
    for _ in range(3):
        await store.claim(backend.failure("one", "call 1", wait=0))
    other = backend.failure("other", "call 2", wait=0)
    assert await store.claim(other) == Claim(attempt=1, hold=0.0, round=1)


async def test_many_at_once(backend: Backend) -> None:
    """Thousands of calls that fail in the same second all get their first attempt."""
    store = await backend.store()
    failures = [backend.failure(f"identity {n}", f"call {n}", wait=500) for n in range(3000)]
    claims = await gatherResults([store.claim(failure) for failure in failures])
    assert Counter((claim.attempt, claim.round) for claim in claims) == {(1, 1): 3000}
    assert {claim.hold for claim in claims} == {500 * backend.unit}


# Atomicity


async def test_concurrent_failures(backend: Backend) -> None:
    """Of concurrent claims of one identity from two stores, exactly one is the first attempt."""
    stores = [await backend.store(), await backend.store()]
    failure = backend.failure(wait=0)
    claims = await gatherResults([stores[n % 2].claim(failure) for n in range(400)])
    assert sorted(claim.attempt for claim in claims) == list(range(1, 401))
    assert sorted(claim.round for claim in claims) == list(range(1, 401))


async def test_concurrent_repeats(backend: Backend) -> None:
    """Concurrent claims while the first is held are all the first attempt, and one round."""
    stores = [await backend.store(), await backend.store()]
    failure = backend.failure(wait=500)
    claims = await gatherResults([stores[n % 2].claim(failure) for n in range(400)])
    assert Counter((claim.attempt, claim.round) for claim in claims) == {(1, 1): 400}
    assert all(0 < claim.hold <= failure.wait for claim in claims)


async def test_another_store_sees_the_marks(backend: Backend) -> None:
    """What one store object counted, another on the same marks counts on."""
    one, other = await backend.store(), await backend.store()
    await one.claim(backend.failure(wait=0))
    assert (await other.claim(backend.failure(wait=0))).attempt == 2


# Life


async def test_probe(backend: Backend) -> None:
    """A probe of a store in order fires, and counts nothing."""
    store = await backend.store()
    await store.probe()
    assert (await store.claim(backend.failure(wait=0))).round == 1


async def test_open_again(backend: Backend) -> None:
    """Opening an open store changes nothing."""
    store = await backend.store()
    await store.claim(backend.failure(wait=0))
    await store.open()
    assert (await store.claim(backend.failure(wait=0))).attempt == 2


async def test_close_and_reopen(backend: Backend) -> None:
    """After closing, a new store knows the old marks if they are durable."""
    store = await backend.store()
    await store.claim(backend.failure(wait=0))
    await store.close()
    again = await backend.store()
    attempt = (await again.claim(backend.failure(wait=0))).attempt
    assert attempt == (2 if backend.durable else 1)


async def test_close_twice(backend: Backend) -> None:
    """Closing a closed store, or one that was never opened, is harmless."""
    store = await backend.store()
    await store.close()
    await store.close()
    await backend.another().close()


# The rule in Lua

_SHIM: Final = """
-- A clock and two keys of the test's own, in place of those of Redis; the rest is claim.lua.
local real, marks = redis, cjson.decode(ARGV[#ARGV])
local now = marks.now
local redis = {}
function redis.call(command, key, value, how, window)
  local mark = marks[key]
  if mark and mark.expires_at <= now then mark = nil end
  if command == 'TIME' then
    return {string.format('%d', math.floor(now / 1000)), string.format('%d', now % 1000 * 1000)}
  elseif command == 'GET' then
    return mark and mark.value or false
  elseif command == 'PTTL' then
    return mark and mark.expires_at - now or -2
  elseif command == 'SET' then
    local expires_at = how == 'PX' and now + window or mark.expires_at
    marks[key] = {value = value, expires_at = expires_at}
    return 'OK'
  end
  error('the shim has no ' .. command)
end
local function claim()
"""
_SHIM_END: Final = """
end
local reply = claim()
return {reply[1], reply[2], reply[3], cjson.encode(marks)}
"""
_SCRIPT: Final = _SHIM + files("boomerang.stores").joinpath("claim.lua").read_text() + _SHIM_END


class LuaRule:
    """``claim.lua`` in a real Redis, with a clock that a test can set."""

    def __init__(self, redis: Conversation) -> None:
        self._redis = redis
        self._marks: dict[str, Any] = {}

    def claim(self, failure: Failure, *, now: float) -> Claim:
        keys = [name for name in (failure.identity, failure.call) if name is not None]
        marks = json.dumps({**self._marks, "now": round(now * 1000)})
        times = [
            round(seconds * 1000) for seconds in (failure.wait, failure.window, failure.call_window)
        ]
        rest = failure.attempts, int(failure.only_again), marks
        attempt, hold, round_, after = self._redis.ask(
            "EVAL", _SCRIPT, len(keys), *keys, *times, *rest
        )
        self._marks = json.loads(after)
        return Claim(attempt=attempt, hold=hold / 1000, round=round_)


class PythonRule:
    """``marks.py`` over a dict."""

    def __init__(self) -> None:
        self._marks: dict[str, Mark] = {}

    def claim(self, failure: Failure, *, now: float) -> Claim:
        names = failure.identity, failure.call or "-"
        identity, call, claim = count_failure(
            failure, identity=self._marks.get(names[0]), call=self._marks.get(names[1]), now=now
        )
        for name, mark in zip(names, (identity, call), strict=True):
            if name != "-" and mark is not None:
                self._marks[name] = mark
        return claim


def eighths(most: float) -> st.SearchStrategy[float]:
    """Seconds that a float and a number of milliseconds can both be exactly."""
    return st.integers(0, round(most * 8)).map(lambda count: count / 8)


FAILURES: Final = st.builds(
    Failure,
    identity=st.sampled_from(["i", "j"]),
    call=st.sampled_from(["c", "d", None]),
    wait=eighths(4),
    window=eighths(6).filter(bool),
    call_window=eighths(6).filter(bool),
    attempts=st.integers(0, 3),
    only_again=st.booleans(),
)
STEPS: Final = st.tuples(eighths(3), FAILURES)


@settings(max_examples=300)
@given(
    steps=st.lists(STEPS, max_size=12),
    set_back=st.none() | st.tuples(st.integers(0, 11), eighths(20)),
)
def test_lua_and_python_agree(
    server: RedisServer, steps: list[tuple[float, Failure]], set_back: tuple[int, float] | None
) -> None:
    """claim.lua and marks.py answer alike, whatever fails when, the clock set back included."""
    now = 1_800_000_000.0
    with server.talk() as redis:
        in_lua, in_python = LuaRule(redis), PythonRule()
        for position, (seconds, failure) in enumerate(steps):
            now += seconds
            if set_back is not None and position == set_back[0]:
                now -= set_back[1]
            assert in_lua.claim(failure, now=now) == in_python.claim(failure, now=now)
