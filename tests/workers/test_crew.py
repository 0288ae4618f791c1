"""The workers of a host are kept running, watched, and ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent

from boomerang.settings import Settings
from boomerang.workers.crew import HANGS, LOOK_EVERY, QUIET, SLOWEST_START, Crew
from boomerang.workers.identity import Worker
from boomerang.workers.messages import Heard
from boomerang.workers.workplace import Orders


class Process:
    """A worker's process, as far as the supervisor sees it."""

    def __init__(
        self, orders: Orders, heard: Heard, ended: Callable[[str], None], pid: int
    ) -> None:
        self.orders = orders
        self.say = heard
        self.end = ended
        self.pid = pid
        self.told: list[dict[str, Any]] = []
        self.signals: list[str] = []

    def send(self, **message: Any) -> None:
        self.told.append(message)

    def signal(self, name: str) -> None:
        self.signals.append(name)


class House:
    """A crew whose processes do as the test says."""

    def __init__(self, of: int = 2, *, stops_at_a_death: bool = False) -> None:
        self._stops_at_a_death = stops_at_a_death
        self.clock = Clock()
        self.processes: list[Process] = []
        self.heard: list[tuple[int, dict[str, Any]]] = []
        self.ready: list[list[int]] = []
        self.died: list[tuple[int, str]] = []
        self.restarted: list[int] = []
        self.crew = Crew(
            of,
            spawn=self._spawn,
            orders=lambda worker: Orders(Settings(), worker, "host", ()),
            clock=self.clock,
            heard=lambda number, message: self.heard.append((number, message)),
            changed=lambda: self.ready.append(list(self.crew.ready)),
            died=self._died,
            restarted=self.restarted.append,
        )
        self.crew.start()

    def _spawn(self, orders: Orders, heard: Heard, ended: Callable[[str], None]) -> Process:
        process = Process(orders, heard, ended, pid=100 + len(self.processes))
        self.processes.append(process)
        return process

    def _died(self, number: int, ending: str) -> None:
        self.died.append((number, ending))
        if self._stops_at_a_death:
            self.crew.stop()

    def look(self, times: int) -> None:
        for _ in range(times):
            self.clock.advance(LOOK_EVERY)
            self.crew.look()


def test_start() -> None:
    """Each is started with its number; they are ready when they say so, and until they stop."""
    house = House()
    one, other = house.processes
    assert [each.orders.worker for each in house.processes] == [Worker(0, 2), Worker(1, 2)]
    assert house.crew.ready == []
    other.say({"state": "READY=1"})
    one.say({"state": "READY=1"})
    one.say({"state": "WATCHDOG=1"})
    one.say({"state": "STOPPING=1"})
    assert house.ready == [[1], [0, 1], [1]]


def test_messages() -> None:
    """What else a worker says is passed on; what it is told reaches it, if it is there."""
    house = House()
    house.processes[1].say({"nudge": True})
    assert house.heard == [(1, {"nudge": True})]
    house.crew.send(0, hurry=True)
    assert house.processes[0].told == [{"hurry": True}]
    house.processes[0].end("status 0")
    house.crew.send(0, hurry=True)
    assert len(house.processes[0].told) == 1


def test_death() -> None:
    """One that dies is started again after a moment, and the other one is left alone."""
    house = House()
    house.processes[0].say({"state": "READY=1"})
    with capturedLogs() as events:
        house.processes[0].end("killed by SIGKILL")
    (line,) = map(formatEvent, events)
    assert line == (
        "worker 0 (process 100) has ended, killed by SIGKILL; it is started again in 0.1 s"
    )
    assert house.died == [(0, "killed by SIGKILL")]
    assert house.ready[-1] == []
    house.clock.advance(0.05)
    assert len(house.processes) == 2
    house.clock.advance(0.05)
    assert house.processes[2].orders.worker == Worker(0, 2)
    assert house.restarted == [0]


def test_crash_loop() -> None:
    """A crash loop is reported once, and again if there was a good time between."""
    house = House(of=1)

    def loops(lives: int, *, seconds: float) -> int:
        with capturedLogs() as events:
            for _ in range(lives):
                house.clock.advance(seconds)
                house.processes[-1].end("status 1")
                house.clock.advance(30)
        return [event["log_level"] for event in events].count(LogLevel.error)

    assert loops(2, seconds=1) == 0
    assert loops(8, seconds=1) == 1
    assert loops(1, seconds=60) == 0
    assert loops(3, seconds=1) == 1


@pytest.mark.parametrize(("says", "looks"), [(True, HANGS), (False, SLOWEST_START)])
def test_hanging(says: bool, looks: int) -> None:
    """One that gives no more signs of life is killed; a start may take longer."""
    house = House(of=1)
    (process,) = house.processes
    if says:
        process.say({"state": "READY=1"})
        house.look(looks - 1)
        process.say({"state": "WATCHDOG=1"})
    house.look(looks - 1)
    assert process.signals == []
    house.look(3)
    assert process.signals == ["KILL"]


def test_hanging_at_the_end() -> None:
    """Once patience is lost the quiet ones are killed, each once; one that gives signs is not."""
    house = House(of=3)
    one, other, third = house.processes
    for each in house.processes:
        each.say({"state": "READY=1"})
    house.crew.stop()
    house.look(QUIET)
    other.say({"state": "WATCHDOG=1"})
    assert house.crew.ended_well
    house.crew.lose_patience()
    house.look(1)
    assert [one.signals, other.signals, third.signals] == [
        ["TERM", "KILL"],
        ["TERM"],
        ["TERM", "KILL"],
    ]
    assert not house.crew.ended_well
    assert house.crew.kill() == 3
    assert other.signals == ["TERM", "KILL"]


def test_hanging_before_the_end() -> None:
    """Whoever was killed before all were told to end, that is no bad end."""
    house = House(of=1)
    house.look(SLOWEST_START)
    house.processes[0].end("killed by SIGKILL")
    house.crew.stop()
    assert house.crew.ended_well


def test_quiet() -> None:
    """One that is quiet does not count as ready, until it is heard again."""
    house = House()
    for process in house.processes:
        process.say({"state": "READY=1"})
    one, other = house.processes
    for _ in range(3):
        other.say({"state": "WATCHDOG=1"})
        house.look(1)
    one.say({"state": "WATCHDOG=1"})
    assert house.ready == [[0], [0, 1], [1], [0, 1]]


def test_answering() -> None:
    """One that stops still answers questions, until it has ended; one that starts, or is quiet,
    does not."""
    house = House()
    one, other = house.processes
    one.say({"state": "WATCHDOG=1"})
    other.say({"state": "READY=1"})
    assert house.crew.answering == [1]
    other.say({"state": "STOPPING=1"})
    assert (house.crew.ready, house.crew.answering) == ([], [1])
    house.look(2)
    assert house.crew.answering == []
    other.say({"state": "WATCHDOG=1"})
    assert house.crew.answering == [1]
    other.end("status 0")
    assert house.crew.answering == []


def test_stop() -> None:
    """All are told to end; it is over when the last one has, and none is started again."""
    house = House(of=3)
    house.processes[2].end("status 1")
    over: list[None] = []
    house.crew.stop().addCallback(over.append)
    assert [each.signals for each in house.processes] == [["TERM"], ["TERM"], []]
    house.processes[0].end("status 0")
    assert over == []
    house.processes[1].end("status 0")
    assert over == [None]
    assert house.died == [(2, "status 1")]
    house.clock.advance(60)
    assert len(house.processes) == 3
    assert house.clock.getDelayedCalls() == []


def test_stop_without_any() -> None:
    """Where none is running it is over at once."""
    house = House(of=1)
    house.processes[0].end("status 1")
    over: list[None] = []
    house.crew.stop().addCallback(over.append)
    assert over == [None]


def test_giving_up() -> None:
    """Whoever stops the crew when one dies is not told of another start."""
    house = House(of=1, stops_at_a_death=True)
    with capturedLogs() as events:
        house.processes[0].end("status 1")
    assert events == []
    assert house.clock.getDelayedCalls() == []
