"""Everybody who waits is let in, and nobody while there is no descriptor left for them."""

from __future__ import annotations

import gc
import os
import resource
import select
import socket
import weakref
from contextlib import ExitStack

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Port
from twisted.internet.testing import MemoryReactor
from twisted.logger import capturedLogs, formatEvent

from boomerang.door import (
    CALM,
    FEW,
    GLANCE_EVERY,
    LEFT_FREE,
    LOOK_EVERY,
    MOST_AT_ONCE,
    TOP_UP,
    Door,
    Queue,
    room,
)
from tests.servers import HOST


class QuietPort(Port):
    """A port that says how many it was to accept, instead of accepting them."""

    def __init__(self) -> None:
        super().__init__(0, Factory.forProtocol(Protocol), reactor=MemoryReactor())
        self.connected = True
        self.reading = True
        self.socket = None
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
        self.idle = 0
        self.door = Door(self.clock, room=lambda: self.room, make_room=self.ask_to_leave)
        for port in self.ports:
            self.door.keep(port)

    def ask_to_leave(self) -> int:
        """The idle leave in the next turn."""
        self.asked_to_leave += 1
        leaving, self.idle = self.idle, 0
        self.clock.callLater(0, self.leave, leaving)
        return leaving

    def leave(self, many: int) -> None:
        self.room += many

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
    """Without room nobody is, and who does nothing is asked to leave, again and again; the ports go
    on when there is room."""
    house.room = 0
    house.knock()
    assert house.open == [False, False]
    assert [port.accepted for port in house.ports] == [[], []]
    house.clock.advance(0)
    assert house.open == [False, False]
    assert house.asked_to_leave == 1
    house.clock.advance(LOOK_EVERY)
    assert house.asked_to_leave == 2
    house.room = 1
    house.clock.advance(LOOK_EVERY)
    assert house.open == [True, True]
    assert house.asked_to_leave == 2


def test_room_is_made(house: House) -> None:
    """Where somebody leaves, the ports go on at once."""
    house.idle = 5
    house.room = 0
    house.knock()
    assert house.open == [False, False]
    house.clock.advance(0)
    assert house.open == [True, True]
    house.knock()
    assert [port.accepted for port in house.ports] == [[5], [5]]


def test_told_once(house: House) -> None:
    """However often the room runs out in a flood, the log says once that it did, and once that it
    is over, when there has been room for a while."""
    with capturedLogs() as events:
        for _ in range(20):
            house.idle = 5
            house.room = 0
            house.knock()
            house.clock.pump([0, 0, CALM / 2])
            assert house.open == [True, True]
        assert len(events) == 1
        house.clock.advance(CALM)
        assert [formatEvent(event) for event in events] == [
            "no room for more connections, new ones wait: the limit of open files",
            "there is room for connections again",
        ]
        assert house.clock.getDelayedCalls() == []
        house.room = 0
        house.knock()
        assert len(events) == 3


def test_glance(house: House) -> None:
    """Who comes while many are read is let in meanwhile, but not more often than needs be; a port
    without room, or a closed one, is left alone."""
    house.door.glance()
    assert [port.accepted for port in house.ports] == [[], []]
    house.clock.advance(GLANCE_EVERY)
    for _ in range(3):
        house.door.glance()
    assert [len(port.accepted) for port in house.ports] == [1, 1]
    house.clock.advance(GLANCE_EVERY)
    house.ports[0].connected = False
    house.door.glance()
    assert [len(port.accepted) for port in house.ports] == [1, 2]
    house.clock.advance(GLANCE_EVERY)
    house.knock()
    house.door.glance()
    assert [len(port.accepted) for port in house.ports] == [2, 3]
    house.room = 0
    house.knock()
    for _ in range(3):
        house.clock.advance(GLANCE_EVERY)
        house.door.glance()
    assert [len(port.accepted) for port in house.ports] == [2, 3]


def test_let_go(house: House) -> None:
    """A port that was let go is asked no more, opened no more, and forgotten: workers take each
    other's over whenever one of them hangs."""
    let_go = house.ports.pop()
    house.door.let_go(let_go)
    assert let_go.accepted == [MOST_AT_ONCE]
    house.clock.advance(GLANCE_EVERY)
    house.door.glance()
    assert len(let_go.accepted) == 1
    seen = weakref.ref(let_go)
    del let_go
    gc.collect()
    assert seen() is None


def test_let_go_without_room(house: House) -> None:
    """A port that is let go while there is no room stays as it is when there is room again."""
    house.room = 0
    house.knock()
    house.door.let_go(house.ports[0])
    house.room = 1000
    house.clock.advance(LOOK_EVERY)
    assert house.open == [False, True]
    house.door.glance()
    assert [port.accepted for port in house.ports] == [[], [1000]]


def test_before_it_is_closed(house: House) -> None:
    """Who waits is let in once more, but not at a port that is closed already."""
    house.ports[1].connected = False
    for port in house.ports:
        house.door.let_go(port)
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


def test_few_descriptors() -> None:
    """Of a small limit a quarter is left free, and no descriptor that is open counts as free."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        low = stack.enter_context(open(os.devnull, "rb"))
        for _ in range(50):
            stack.enter_context(open(os.devnull, "rb"))
        low.close()
        taken = len(os.listdir("/proc/self/fd"))
        limit = taken + 150
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (before, hard))
        assert room(0) == 150 - limit // 4 > 0


def test_holes() -> None:
    """Nor is there more than connections leave, however low the lowest free descriptor is."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert room(limit - LEFT_FREE - 3) == 3
    assert room(limit) < 0


class Crowd:
    """A listening socket with a real queue in the kernel, and those who wait in it."""

    def __init__(self, stack: ExitStack, most: int) -> None:
        self._stack = stack
        self.listening = stack.enter_context(socket.create_server((HOST, 0), backlog=500))
        self.listening.setblocking(False)
        self.queue = Queue(self.listening, most)

    def come(self, many: int) -> list[int]:
        """So many come; the ports that they come from."""
        came = []
        for _ in range(many):
            caller = socket.create_connection(self.listening.getsockname())
            came.append(self._stack.enter_context(caller).getsockname()[1])
        return came

    def accept(self, many: int) -> list[int]:
        """So many are accepted; the ports that they come from."""
        accepted = []
        for _ in range(many):
            connection, address = self.queue.accept()
            self._stack.enter_context(connection)
            accepted.append(address[1])
        return accepted

    def waiting(self) -> bool:
        """Whether anybody waits in the kernel's queue."""
        return bool(select.select([self.listening], [], [], 0)[0])


def test_queue_is_emptied() -> None:
    """Who waits is taken out of the kernel's queue before anybody's turn, in order, and so are
    those who come meanwhile."""
    with ExitStack() as stack:
        crowd = Crowd(stack, most=1000)
        came = crowd.come(TOP_UP + 1)
        assert crowd.accept(1) == came[:1]
        assert not crowd.waiting()
        came += crowd.come(1)
        assert crowd.accept(TOP_UP - 1) == came[1:TOP_UP]
        assert crowd.waiting()
        assert crowd.accept(1) == came[TOP_UP:-1]
        assert not crowd.waiting()
        assert crowd.accept(1) == came[-1:]
        with pytest.raises(BlockingIOError):
            crowd.accept(1)


@pytest.mark.parametrize(("many", "looks_again"), [(FEW - 1, False), (FEW, True)])
def test_queue_is_empty(many: int, looks_again: bool) -> None:
    """Who comes while many are begun is served with them, else in the next turn."""
    with ExitStack() as stack:
        crowd = Crowd(stack, most=1000)
        came = crowd.come(many)
        assert crowd.accept(many) == came
        came += crowd.come(1)
        if looks_again:
            assert crowd.accept(1) == came[many:]
        with pytest.raises(BlockingIOError):
            crowd.accept(1)
        assert crowd.waiting() != looks_again


def test_queue_leaves_no_garbage() -> None:
    """Every turn has a queue of its own, which goes with it, without the garbage collector."""
    with ExitStack() as stack:
        crowd = Crowd(stack, most=1000)
        came = crowd.come(1)
        assert crowd.accept(1) == came
        with pytest.raises(BlockingIOError) as raised:
            crowd.accept(1)
        del raised
        gone = weakref.ref(crowd.queue)
        gc.disable()
        stack.callback(gc.enable)
        crowd.queue = Queue(crowd.listening, 1)
        assert gone() is None


def test_queue_is_bounded() -> None:
    """No more are taken out than there is room for; they hear nothing, and come next."""
    with ExitStack() as stack:
        crowd = Crowd(stack, most=2)
        came = crowd.come(3)
        assert crowd.accept(2) == came[:2]
        assert crowd.waiting()


def test_queue_is_left() -> None:
    """If something goes wrong, nobody is left who is neither served nor hung up on."""
    with ExitStack() as stack:
        crowd = Crowd(stack, most=1000)
        caller = stack.enter_context(socket.create_connection(crowd.listening.getsockname()))
        came = caller.getsockname()[1]
        other = stack.enter_context(socket.create_connection(crowd.listening.getsockname()))
        assert crowd.accept(1) == [came]
        crowd.queue.hang_up()
        assert other.recv(1) == b""
        assert crowd.queue.fileno() == crowd.listening.fileno()
