"""Everybody who waits is let in, and nobody while there is no descriptor left for them."""

from __future__ import annotations

import os
import resource

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Port
from twisted.internet.testing import MemoryReactor

from boomerang.door import LEFT_FREE, LOOK_EVERY, MOST_AT_ONCE, Door, room


class QuietPort(Port):
    """A port that says how many it was to accept, instead of accepting them."""

    def __init__(self) -> None:
        super().__init__(0, Factory.forProtocol(Protocol), reactor=MemoryReactor())
        self.connected = True
        self.reading = True
        self.accepted: list[int] = []

    def doRead(self) -> None:
        self.accepted.append(self.numberAccepts)

    def stopReading(self) -> None:
        self.reading = False

    def startReading(self) -> None:
        self.reading = True


class House:
    """A door, its ports, and how much room there is."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ports = [QuietPort(), QuietPort()]
        self.room = MOST_AT_ONCE
        self.asked_to_leave = 0
        self.door = Door(self.clock, room=lambda: self.room, make_room=self.ask_to_leave)
        for port in self.ports:
            self.door.keep(port)

    def ask_to_leave(self) -> None:
        self.asked_to_leave += 1

    def knock(self) -> None:
        """Somebody waits at each port, as the reactor finds."""
        for port in self.ports:
            port.doRead()

    @property
    def open(self) -> list[bool]:
        return [port.reading for port in self.ports]


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(("free", "let_in"), [(1, 1), (500, 500), (50_000, MOST_AT_ONCE)])
def test_room(house: House, free: int, let_in: int) -> None:
    """As many are let in at once as there is room for."""
    house.room = free
    house.knock()
    assert [port.accepted for port in house.ports] == [[let_in], [let_in]]
    assert house.open == [True, True]
    assert house.clock.getDelayedCalls() == []


def test_no_room(house: House) -> None:
    """Without room nobody is, and who does nothing is asked to leave; the ports go on when there is
    some again."""
    house.room = 0
    house.knock()
    assert house.open == [False, False]
    assert [port.accepted for port in house.ports] == [[], []]
    house.clock.advance(LOOK_EVERY)
    assert house.open == [False, False]
    assert house.asked_to_leave == 1
    house.room = 1
    house.clock.advance(LOOK_EVERY)
    assert house.open == [True, True]
    assert house.clock.getDelayedCalls() == []


def test_before_it_is_closed(house: House) -> None:
    """Who waits is let in once more, but not at a port that is closed already."""
    house.ports[1].connected = False
    for port in house.ports:
        house.door.let_all_in(port)
    assert [port.accepted for port in house.ports] == [[MOST_AT_ONCE], []]


def test_closed_meanwhile(house: House) -> None:
    """A port that was closed while the door was shut stays closed."""
    house.room = -5
    house.knock()
    house.ports[0].connected = False
    house.room = 1000
    house.clock.advance(LOOK_EVERY)
    assert house.open == [False, True]


def test_descriptors() -> None:
    """The room is what lies between the lowest free descriptor and the limit, but for a reserve."""
    before = room(0)
    with open(os.devnull, "rb") as lowest:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert room(0) < before == limit - lowest.fileno() - LEFT_FREE


def test_holes() -> None:
    """Nor is there more than connections leave, however low the lowest free descriptor is."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert room(limit - LEFT_FREE - 3) == 3
    assert room(limit) < 0
