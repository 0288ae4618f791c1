"""The process that supervises: who accepts what, what is answered for all, and the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent

from boomerang.settings import Settings
from boomerang.stores.address import SqliteAddress
from boomerang.systemd import SystemdService
from boomerang.workers.gathering import PATIENCE
from boomerang.workers.merging import families_of
from boomerang.workers.messages import LAST, Heard
from boomerang.workers.sockets import Sockets
from boomerang.workers.supervisor import LAST_WORDS, REMEMBER_EVERY, SILENCE, Supervisor
from boomerang.workers.workplace import Orders

NOON = 1_795_262_400.0


@pytest.fixture(autouse=True)
def _signals_are_left_alone() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Process:
    """A worker that does as the test says."""

    def __init__(self, heard: Heard, ended: Callable[[str], None]) -> None:
        self.pid = 7
        self.say = heard
        self.end = ended
        self.told: list[dict[str, Any]] = []
        self.signals: list[str] = []

    def send(self, **message: Any) -> None:
        self.told.append(message)

    def signal(self, name: str) -> None:
        self.signals.append(name)

    def last(self, kind: str) -> dict[str, Any]:
        """The last message of a kind that it was told."""
        return [message for message in self.told if kind in message][-1]


class House:
    """A supervisor of two workers, on a memory reactor, without any socket."""

    def __init__(self) -> None:
        self.reactor = MemoryReactorClock()
        self.systemd: list[str] = []
        self.given_up: list[None] = []
        self.set_by = 0.0
        self.processes: list[Process] = []
        settings = Settings(workers=2, store=SqliteAddress("b.db"), shutdown_grace=10)
        self.supervisor = Supervisor(
            reactor=self.reactor,
            settings=settings,
            sockets=Sockets(self.reactor, (), workers=2),
            spawn=self._spawn,
            systemd=SystemdService(self.systemd.append, interval=None, clock=self.reactor),
            host="host",
            wall_clock=lambda: NOON + self.set_by + self.reactor.seconds(),
            give_up=lambda: self.given_up.append(None),
            observer=None,
        )
        self.supervisor.privilegedStartService()
        self.supervisor.startService()

    def _spawn(self, orders: Orders, heard: Heard, ended: Callable[[str], None]) -> Process:
        self.processes.append(Process(heard, ended))
        return self.processes[-1]

    def begin(self) -> tuple[Process, Process]:
        """The reactor runs, and both workers are ready."""
        (hook,) = self.reactor.whenRunningHooks
        hook[0]()
        one, other = self.processes
        one.say({"state": "READY=1"})
        other.say({"state": "READY=1"})
        return one, other


def counted(count: int) -> list[Any]:
    """What a worker says of its metrics."""
    registry = CollectorRegistry()
    Counter("boomerang_decisions", "Answers.", registry=registry).inc(count)
    return families_of(registry)


def health(*, held: int) -> dict[str, Any]:
    """What a worker says of its health."""
    return {"status": "ok", "degraded": [], "held": held, "circuits": []}


def test_start() -> None:
    """Nothing is accepted before all are ready; then each has its own, and systemd hears of it."""
    house = House()
    (hook,) = house.reactor.whenRunningHooks
    hook[0]()
    one, other = house.processes
    other.say({"state": "READY=1"})
    assert (other.told, house.systemd) == ([], [])
    one.say({"state": "READY=1"})
    assert (one.told, other.told) == ([{"accept": (0,)}], [{"accept": (1,)}])
    assert house.systemd == ["READY=1"]


def test_standing_in() -> None:
    """The other one accepts for a worker that stops or has died, until it is ready again."""
    house = House()
    one, other = house.begin()
    one.say({"state": "STOPPING=1"})
    assert other.last("accept") == {"accept": (0, 1)}
    one.end("status 0")
    house.reactor.advance(1)
    house.processes[2].say({"state": "READY=1"})
    assert house.processes[2].told == [{"accept": (0,)}]
    assert other.last("accept") == {"accept": (1,)}
    assert house.systemd == ["READY=1"]


def test_health() -> None:
    """Whoever asks gets the answer of all."""
    house = House()
    one, other = house.begin()
    one.say({"gather": "health", "number": 5})
    for each, held in ((one, 1), (other, 2)):
        told = each.last("tell")
        each.say({"told": health(held=held), "of": "health", "round": told["round"]})
    answer = one.last("gathered")
    assert answer["number"] == 5
    assert (answer["gathered"]["status"], answer["gathered"]["held"]) == ("ok", 3)


def test_uptime() -> None:
    """How long the host has been there is not a question of what the clock was set to."""
    house = House()
    one, _ = house.begin()
    house.reactor.advance(90)
    house.set_by = -3600.0
    one.say({"gather": "health", "number": 1})
    one.say({"told": health(held=0), "of": "health", "round": one.last("tell")["round"]})
    house.reactor.advance(PATIENCE)
    found = one.last("gathered")["gathered"]
    assert (found["uptime_seconds"], found["started"]) == (91, "2026-11-21T12:00:00+00:00")


def test_health_of_some() -> None:
    """Who does not answer in time is missed, and so is one that is away, since it went."""
    house = House()
    one, other = house.begin()
    one.say({"gather": "health", "number": 1})
    one.say({"told": health(held=1), "of": "health", "round": 1})
    house.reactor.advance(PATIENCE)
    found = one.last("gathered")["gathered"]
    assert [each["part"] for each in found["degraded"]] == ["workers"]
    assert found["workers"] == {"of": 2, "answering": 1}

    other.end("killed by SIGKILL")
    house.reactor.advance(0.05)
    one.say({"gather": "health", "number": 2})
    one.say({"told": health(held=1), "of": "health", "round": 2})
    found = one.last("gathered")["gathered"]
    assert found["degraded"] == [{"part": "workers", "since": "2026-11-21T12:00:01+00:00"}]


def test_metrics() -> None:
    """What a worker said last counts on while it is silent, and once it is dead; it is asked now
    and then, so that this is little out of date."""
    house = House()
    one, other = house.begin()
    house.reactor.advance(REMEMBER_EVERY)
    other.say({"told": counted(5), "of": "metrics", "round": other.last("tell")["round"]})
    house.reactor.advance(PATIENCE)

    def total() -> str:
        one.say({"gather": "metrics", "number": 1})
        told = one.last("tell")
        one.say({"told": counted(2), "of": "metrics", "round": told["round"]})
        house.reactor.advance(PATIENCE)
        lines = one.last("gathered")["gathered"].splitlines()
        (found,) = [line for line in lines if line.startswith("boomerang_decisions_total")]
        return str(found.split()[1])

    assert total() == "7.0"
    other.end("killed by SIGKILL")
    assert total() == "7.0"
    house.reactor.advance(0.1)
    house.processes[2].say({"state": "READY=1"})
    assert total() == "7.0"
    house.processes[2].say({"told": counted(1), "of": "metrics", "round": 0})
    assert total() == "8.0"


def test_one_that_stops() -> None:
    """One that stops is asked like the others while it answers, and counts as away; what it says
    at its end is what counts of it from then on."""
    house = House()
    one, other = house.begin()
    other.say({"state": "STOPPING=1"})
    one.say({"gather": "health", "number": 1})
    for each, held in ((one, 1), (other, 2)):
        told = each.last("tell")
        each.say({"told": health(held=held), "of": "health", "round": told["round"]})
    found = one.last("gathered")["gathered"]
    assert found["held"] == 3
    assert [each["part"] for each in found["degraded"]] == ["workers"]
    assert found["workers"] == {"of": 2, "answering": 2}

    house.reactor.advance(REMEMBER_EVERY)
    for each, count in ((one, 2), (other, 5)):
        told = each.last("tell")
        each.say({"told": counted(count), "of": "metrics", "round": told["round"]})
    other.say({"told": counted(9), "of": "metrics", "round": LAST})
    other.end("status 0")
    one.say({"gather": "metrics", "number": 2})
    one.say({"told": counted(2), "of": "metrics", "round": one.last("tell")["round"]})
    assert "boomerang_decisions_total 11.0" in one.last("gathered")["gathered"]


def test_nudge() -> None:
    """Worker 0, which delivers, hears of what another one has accepted."""
    house = House()
    one, other = house.begin()
    other.say({"nudge": True})
    assert one.last("nudge") == {"nudge": True}


def test_start_that_fails() -> None:
    """Where a worker ends before all were ready once, the start is given up."""
    house = House()
    (hook,) = house.reactor.whenRunningHooks
    hook[0]()
    with capturedLogs() as events:
        house.processes[1].end("status 1")
    (line,) = map(formatEvent, events)
    assert line == "worker 1 has ended before it was ready, status 1; giving up"
    assert house.given_up == [None]
    assert house.processes[0].signals == ["TERM"]
    house.reactor.advance(60)
    assert len(house.processes) == 2


def test_stop() -> None:
    """All are told to end, and it is over when they have."""
    house = House()
    one, other = house.begin()
    over: list[None] = []
    house.supervisor.stopService().addCallback(over.append)
    assert [one.signals, other.signals] == [["TERM"], ["TERM"]]
    assert house.systemd == ["READY=1", "STOPPING=1"]
    one.say({"state": "STOPPING=1"})
    one.end("status 0")
    assert over == []
    other.end("status 0")
    assert over == [None]
    assert house.given_up == []
    assert house.reactor.getDelayedCalls() == []


def test_one_that_does_not_end() -> None:
    """A worker that does not end in time is killed, whatever it says; the status tells of it."""
    house = House()
    one, other = house.begin()
    over: list[None] = []
    house.supervisor.stopService().addCallback(over.append)
    one.end("status 0")
    for _ in range(10 + int(LAST_WORDS)):
        assert (other.signals, over) == (["TERM"], [])
        other.say({"state": "WATCHDOG=1"})
        house.reactor.advance(1)
    assert (other.signals, over) == (["TERM", "KILL"], [None])
    assert house.given_up == [None]
    assert house.reactor.getDelayedCalls() == []


def test_one_that_hangs_at_the_end() -> None:
    """One that is silent has the grace for its answers, and little more; the status tells of
    it."""
    house = House()
    one, other = house.begin()
    over: list[None] = []
    house.supervisor.stopService().addCallback(over.append)
    one.end("status 0")
    for _ in range(10 + int(SILENCE)):
        assert other.signals == ["TERM"]
        house.reactor.advance(1)
    assert (other.signals, over) == (["TERM", "KILL"], [])
    other.end("killed by SIGKILL")
    assert (over, house.given_up) == ([None], [None])
    assert house.reactor.getDelayedCalls() == []


def test_one_that_begins_to_hang_at_the_end() -> None:
    """One that falls silent later is found soon, too."""
    house = House()
    one, other = house.begin()
    house.supervisor.stopService()
    one.end("status 0")
    for _ in range(10 + int(SILENCE)):
        other.say({"state": "WATCHDOG=1"})
        house.reactor.advance(1)
    assert other.signals == ["TERM"]
    for _ in range(4):
        house.reactor.advance(1)
    assert other.signals == ["TERM", "KILL"]
