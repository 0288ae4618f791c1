"""Nobody is let in while there is no descriptor left for them."""

from __future__ import annotations

import os
import resource
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IListeningPort, IProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from zope.interface import directlyProvides

from boomerang.door import AT_ONCE, LEFT_FREE, LOOK_EVERY, Door, room

SOMEBODY = IPv4Address("TCP", "192.0.2.1", 12345)


class Port:
    """As much of a listening port as a door sees."""

    def __init__(self) -> None:
        directlyProvides(self, IListeningPort)
        self.numberAccepts = 500
        self.connected = True
        self.reading = True

    def stopReading(self) -> None:
        self.reading = False

    def startReading(self) -> None:
        self.reading = True


class House:
    """A door, its ports, and how much room there is."""

    def __init__(self) -> None:
        self.reactor = MemoryReactorClock()
        self.ports = [Port(), Port()]
        self.room = LEFT_FREE + 1
        for each in (*self.ports, object()):
            self.reactor.addReader(each)
        factory: Any = Factory.forProtocol(Protocol)
        self.door = Door(factory, reactor=self.reactor, room=lambda: self.room)

    def enter(self) -> IProtocol | None:
        return self.door.buildProtocol(SOMEBODY)

    @property
    def is_open(self) -> bool:
        (is_open,) = {port.reading for port in self.ports}
        return is_open


@pytest.fixture
def house() -> House:
    return House()


def test_room(house: House) -> None:
    """With room the ports go on accepting, though not too many in one go."""
    assert house.enter() is not None
    assert house.is_open
    assert {port.numberAccepts for port in house.ports} == {AT_ONCE}
    assert house.reactor.getDelayedCalls() == []


def test_no_room(house: House) -> None:
    """Without room they stop, and go on when there is some again; who was let in is served."""
    house.room = LEFT_FREE
    assert house.enter() is not None
    assert not house.is_open
    house.reactor.advance(LOOK_EVERY)
    assert not house.is_open
    house.room = LEFT_FREE + 1
    house.reactor.advance(LOOK_EVERY)
    assert house.is_open
    assert house.reactor.getDelayedCalls() == []


def test_more_at_once(house: House) -> None:
    """Those who come in the same go as the last one are served, too."""
    house.room = 0
    assert None not in [house.enter() for _ in range(AT_ONCE)]
    assert len(house.reactor.getDelayedCalls()) == 1


def test_closed_meanwhile(house: House) -> None:
    """A port that was closed while the door was shut stays closed."""
    house.room = 0
    house.enter()
    house.ports[0].connected = False
    house.room = 1000
    house.reactor.advance(LOOK_EVERY)
    assert [port.reading for port in house.ports] == [False, True]


def test_descriptors() -> None:
    """The room is what lies between the lowest free descriptor and the limit."""
    before = room()
    with open(os.devnull, "rb") as lowest:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert room() < before == limit - lowest.fileno()
