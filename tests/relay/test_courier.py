"""The courier: at least once, in order, and none waits for another's app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent

from boomerang.relay.callback import State
from boomerang.relay.courier import LAST_DELIVERIES, Limits
from boomerang.relay.insisting import PATIENCE
from tests.relay.callbacks import a_callback
from tests.relay.delivering import BAD, DOWN, GONE, GOOD, Bench

HOST = "app.example.com"
OTHER = "https://other.example.com/x"


def ours(events: Sequence[LogEvent]) -> Iterator[str]:
    return (formatEvent(event) for event in events if event["log_namespace"] == "boomerang.relay")


def test_delivered() -> None:
    """What the app takes is forgotten."""
    bench = Bench()
    bench.app.always = lambda _: GOOD
    bench.start(a_callback())
    assert bench.app.keys == [a_callback().key]
    assert bench.held() == []
    assert bench.count("delivered") == 1


def test_at_once() -> None:
    """Nothing waits for the next look when it is announced; otherwise for a second at most."""
    bench = Bench()
    bench.app.always = lambda _: GOOD
    bench.start()
    bench.accept(a_callback(1))
    bench.wait(0.05)
    assert len(bench.app.seen) == 1
    bench.queue.queue.accept(a_callback(2))
    bench.wait(1.1)
    assert len(bench.app.seen) == 2


def test_order() -> None:
    """Callbacks of one call come one after the other, those of others meanwhile."""
    bench = Bench()
    order = f"CA{9:032x}"
    first, second, third = (a_callback(n, order=order) for n in (1, 2, 3))
    bench.start(first, second, third, a_callback(4))
    assert bench.app.waiting.keys() == {first.key, a_callback(4).key}
    bench.app.answer(first.key, BAD)
    bench.wait(0.9)
    assert bench.app.waiting.keys() == {a_callback(4).key}
    bench.wait(0.3)
    bench.app.answer(first.key, GOOD)
    bench.wait(0.1)
    bench.app.answer(second.key, GONE)
    bench.wait(0.1)
    bench.app.answer(third.key, GOOD)
    ordered = [key for key in bench.app.keys if order in key]
    assert ordered == [first.key, first.key, second.key, third.key]


def test_order_of_one_host() -> None:
    """A host that takes none of a call's callbacks does not delay those for another host."""
    bench = Bench()
    order = f"CA{9:032x}"
    dead, behind, other = (
        a_callback(n, order=order, url=f"https://{host}.example.com/ended")
        for n, host in enumerate(("dead", "dead", "other"), start=1)
    )
    bench.start(dead, behind, other)
    bench.app.answer(dead.key, DOWN)
    bench.app.answer(other.key, GOOD)
    bench.wait(0.5)
    assert bench.app.keys == [dead.key, other.key]
    bench.wait(1)
    assert bench.app.keys == [dead.key, other.key, dead.key]


def test_schedule() -> None:
    """It is tried again as the schedule says, and in the end it is a dead letter."""
    bench = Bench()
    bench.app.always = lambda _: BAD
    callback = a_callback(received_at=1000)
    bench.start(callback)
    bench.wait(200)
    waits = [round(at - 1000) for at, _ in bench.app.seen]
    assert len(waits) == 7
    assert all(0 <= at - due < 3 for at, due in zip(waits, (0, 1, 6, 36, 66, 96, 100), strict=True))
    (dead,) = bench.held(State.DEAD)
    assert (dead.callback, dead.attempts) == (callback, 7)
    assert dead.last == "given up; the last time: 500"
    assert (bench.count("retried"), bench.count("dead")) == (6, 1)


def test_short_waits() -> None:
    """A wait of a second or less is kept to, whenever the next look would have been."""
    bench = Bench(waits=(0.3, 0.5, 1), give_up_after=5)
    bench.app.always = lambda _: BAD
    bench.start(a_callback())
    bench.wait(4)
    waits = [at - 1000 for at, _ in bench.app.seen]
    assert all(
        0 <= at - due < 0.5 for at, due in zip(waits[:5], (0, 0.3, 0.8, 1.8, 2.8), strict=True)
    )


def test_never() -> None:
    """What the app will never take is a dead letter at once, with its body."""
    bench = Bench()
    bench.app.always = lambda _: GONE
    bench.start(a_callback())
    bench.wait(5)
    (dead,) = bench.held(State.DEAD)
    assert dead.callback == a_callback()
    assert len(bench.app.seen) == 1


def test_replayed() -> None:
    """A dead letter that is replayed goes through the schedule again, however old it is."""
    bench = Bench(give_up_after=3)
    bench.app.always = lambda _: BAD
    bench.start(a_callback(received_at=0))
    bench.wait(10)
    (dead,) = bench.held(State.DEAD)
    bench.app.seen.clear()
    bench.app.always = lambda queued: GOOD if queued.attempts else BAD
    bench.queue.queue.replay([dead.number])
    bench.wait(5)
    assert len(bench.app.seen) == 2
    assert bench.held() == []


def test_concurrency() -> None:
    """No more are under way than may be, in all and to one origin."""
    bench = Bench()
    bench.start(
        *[a_callback(n) for n in range(10)], *[a_callback(n, url=OTHER) for n in range(20, 30)]
    )
    assert len(bench.app.waiting) == 5
    assert sum(HOST in key for key in bench.app.waiting) == 3
    while bench.app.waiting:
        bench.app.answer(next(iter(bench.app.waiting)), GOOD)
        bench.wait(0.05)
    assert bench.app.busiest == 5
    assert len(bench.app.seen) == 20
    assert bench.held() == []


def test_slow_origin() -> None:
    """An app that hangs has its own share, and delays no other's callbacks."""
    bench = Bench()
    bench.start(*[a_callback(n) for n in range(50)])
    assert len(bench.app.waiting) == 3
    bench.accept(*[a_callback(n, url=OTHER) for n in range(100, 110)])
    for _ in range(20):
        for key in [key for key in bench.app.waiting if HOST not in key]:
            bench.app.answer(key, GOOD)
        bench.wait(0.05)
    assert sum(HOST not in key for key in bench.app.keys) == 10
    assert len(bench.app.waiting) == 3


def test_dead_origin() -> None:
    """A dead app gets one callback at a time as a probe; once it answers, all that it missed."""
    bench = Bench(waits=(1,), give_up_after=1000, limits=Limits(20, 10, 10))
    bench.app.always = lambda _: DOWN
    bench.start(*[a_callback(n) for n in range(40)])
    attempts = len(bench.app.seen)
    assert attempts <= 10
    bench.wait(60)
    assert len(bench.app.seen) - attempts <= 6
    bench.app.always = lambda _: GOOD
    bench.wait(35)
    assert bench.held() == []


def test_dead_origin_in_the_log() -> None:
    """It is told once that an origin is down, and once that it is back."""
    bench = Bench(waits=(1,), limits=Limits(20, 10, 10))
    bench.app.always = lambda _: DOWN
    with capturedLogs() as events:
        bench.start(*[a_callback(n) for n in range(5)])
        bench.wait(20)
        bench.app.always = lambda _: GOOD
        bench.wait(30)
    told = [line for line in ours(events) if line.startswith(f"{HOST}:443")]
    assert told == [
        f"{HOST}:443 takes no callbacks now (refused); it is probed with one at a time",
        f"{HOST}:443 takes callbacks again",
    ]


def test_overdue_behind_a_dead_origin() -> None:
    """What waits for a dead app is given up when its time is over, though it is never tried."""
    bench = Bench(waits=(1,), give_up_after=50, limits=Limits(20, 10, 10))
    bench.app.always = lambda _: DOWN
    bench.start(*[a_callback(n, received_at=1000) for n in range(40)])
    bench.wait(40)
    assert bench.held(State.DEAD) == []
    young = a_callback(99, received_at=1040)
    bench.accept(young)
    bench.wait(45)
    assert len(bench.held(State.DEAD)) == 40
    assert [each.callback for each in bench.held(State.WAITING)] == [young]
    assert len(bench.app.seen) < 25


def test_replayed_behind_a_dead_origin() -> None:
    """What is replayed long after it was given up has its time anew, though the app is down."""
    bench = Bench(waits=(1,), give_up_after=50, limits=Limits(20, 10, 10))
    bench.app.always = lambda _: DOWN
    bench.start(*[a_callback(n, received_at=1000) for n in range(20)])
    bench.wait(200)
    dead = bench.held(State.DEAD)
    assert len(dead) == 20
    bench.queue.queue.replay([each.number for each in dead])
    bench.courier.nudge()
    bench.wait(10)
    assert len(bench.held(State.DEAD)) < 5
    bench.app.always = lambda _: GOOD
    bench.wait(60)
    assert len(bench.held(State.DEAD)) < 5
    assert len(bench.held(State.WAITING)) == 0


def test_store_away() -> None:
    """While the store is away nothing is lost, and what was delivered is not delivered again."""
    bench = Bench()
    bench.start(a_callback(1))
    with capturedLogs() as events:
        bench.queue.there = False
        bench.app.answer(a_callback(1).key, GOOD)
        bench.wait(20)
        assert [part for part, _ in bench.standing.troubles()] == ["relay store"]
        asked = len(bench.queue.asked)
        bench.wait(20)
        assert len(bench.queue.asked) - asked <= 10
        assert bench.app.keys == [a_callback(1).key]
        bench.queue.there = True
        bench.wait(10)
    assert bench.held() == []
    assert bench.app.keys == [a_callback(1).key]
    told = [line for line in ours(events) if "store" in line]
    assert [line[:24] for line in told] == ["the relay's store is awa", "the relay's store is bac"]


def test_store_silent() -> None:
    """A store that says nothing counts as away, and is asked again."""
    bench = Bench()
    bench.start(a_callback(1))
    bench.queue.silent = True
    bench.app.answer(a_callback(1).key, GOOD)
    bench.wait(PATIENCE + 1)
    assert [part for part, _ in bench.standing.troubles()] == ["relay store"]
    bench.queue.silent = False
    bench.wait(PATIENCE + 1)
    assert bench.held() == []
    assert bench.standing.troubles() == []
    assert bench.app.keys == [a_callback(1).key]


def test_leases_are_kept() -> None:
    """While a delivery takes longer than its lease, nobody else gets it."""
    clock = Clock()
    clock.advance(1000)
    one = Bench(clock=clock)
    two = Bench(clock=clock, queue=one.queue, holder="two")
    one.start(a_callback(1))
    two.start()
    for _ in range(20):
        Deferred.fromCoroutine(one.courier.renew())
        one.wait(3)
    assert two.app.seen == []


def test_a_lease_that_ended() -> None:
    """What is still under way when its lease ends is not begun a second time."""
    bench = Bench()
    bench.start(a_callback(1))
    bench.wait(30)
    bench.app.answer(a_callback(1).key, GOOD)
    bench.wait(1)
    assert bench.app.keys == [a_callback(1).key]
    assert bench.held() == []


def test_lost_instance() -> None:
    """What a process had under way when it died is another's once its lease has ended."""
    bench = Bench()
    bench.queue.queue.accept(a_callback(1))
    bench.queue.queue.take("dead", most=5, lease=10, per_origin=5, origins={})
    bench.start()
    bench.wait(9.5)
    assert bench.app.seen == []
    bench.wait(2)
    assert bench.app.keys == [a_callback(1).key]


def test_shared() -> None:
    """Two instances share the work, and each callback is one's alone."""
    clock = Clock()
    clock.advance(1000)
    one = Bench(clock=clock)
    two = Bench(clock=clock, queue=one.queue, holder="two")
    one.start(*[a_callback(n) for n in range(10)])
    two.start()
    assert len(one.app.waiting) == len(two.app.waiting) == 3
    assert not one.app.waiting.keys() & two.app.waiting.keys()


async def test_stop_waits() -> None:
    """Stopping, it waits for what is under way, and begins nothing more."""
    bench = Bench()
    bench.start(*[a_callback(n) for n in range(10)])
    stopping = bench.courier.stopService()
    keys = list(bench.app.waiting)
    for key in keys:
        bench.app.answer(key, GOOD)
    await stopping
    assert len(bench.held()) == 10 - len(keys)
    assert bench.clock.getDelayedCalls() == []


async def test_stop_hands_back() -> None:
    """What takes too long is handed back: another instance has it at once."""
    bench = Bench()
    bench.start(*[a_callback(n) for n in range(2)])
    stopping = bench.courier.stopService()
    bench.wait(LAST_DELIVERIES - 0.1)
    assert not stopping.called
    bench.wait(0.2)
    await stopping
    assert bench.app.cancelled == 2
    assert len(bench.held()) == 2
    assert bench.clock.getDelayedCalls() == []
    two = Bench(clock=bench.clock, queue=bench.queue, holder="two")
    two.start()
    assert len(two.app.waiting) == 2


async def test_stop_without_store() -> None:
    """A store that is away does not keep the process from stopping."""
    bench = Bench()
    bench.start(a_callback(1))
    bench.queue.there = False
    bench.app.answer(a_callback(1).key, GOOD)
    bench.wait(2)
    stopping = bench.courier.stopService()
    bench.wait(5)
    await stopping
    assert bench.clock.getDelayedCalls() == []


def test_nothing_private_in_the_log() -> None:
    """No line of the log has a body, a query or a phone number."""
    bench = Bench(give_up_after=1)
    url = "https://app.example.com/calls/+14155551234/ended?secret=hunter2"
    bench.app.always = lambda _: BAD
    with capturedLogs() as events:
        bench.start(evolve(a_callback(url=url), body=b"From=%2B14155559999"))
        bench.wait(60)
    text = "\n".join(ours(events))
    assert "given up" in text
    assert not any(word in text for word in ("hunter2", "4155559999", "14155551234"))
