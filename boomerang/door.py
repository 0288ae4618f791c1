"""How many a listening port lets in at once: all who wait, if there is room for them."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.tcp import Port
from twisted.logger import Logger

from boomerang.process import RESERVED_DESCRIPTORS

LEFT_FREE: Final = RESERVED_DESCRIPTORS // 2
"""For the store, the log and deliveries. The other half is for callers who are not held."""

MOST_AT_ONCE: Final = 10_000
"""More than a listen backlog has."""

TOP_UP: Final = 100
"""Connections that are begun before the kernel's queue is emptied again, while others wait."""

FEW: Final = 10
"""Connections that are begun so fast that it is not worth another look who has come meanwhile."""

AT_ONCE: Final = 250
"""Connections at rest that are looked at together when there is no room; some 10 ms of CPU."""

GLANCE_EVERY: Final = 0.02
"""Seconds for which a turn of the reactor may read, and not look who waits: of 10,000 callers in
half a second 400 come meanwhile, and the kernel's queue holds 4096."""

LOOK_EVERY: Final = 0.02
"""Seconds between two looks whether there is room again, while nobody can be asked to leave."""

CALM: Final = 1.0
"""Seconds without a lack of room after which it is over; in a flood it comes and goes."""


def room(connections: int) -> int:
    """How many descriptors are free for connections, of which there are so many already.

    There are no more than lie between the lowest free one and the limit, nor more than the limit
    leaves to connections. Of a small limit a quarter is left free, and whatever is open counts; of
    a large one that would take too long at each turn.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MOST_AT_ONCE
    try:
        lowest = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return 0
    os.close(lowest)
    if limit < 4 * LEFT_FREE:
        with suppress(OSError):  # there is no such file system
            return limit - len(os.listdir("/proc/self/fd")) - limit // 4
    return min(limit - lowest, limit - connections) - LEFT_FREE


class Queue:
    """A listening socket, whose queue in the kernel is emptied before anybody's turn comes.

    Beginning a connection takes many times as long as accepting it. In a storm more come meanwhile
    than the kernel's queue holds, so it is emptied first, and again after every `TOP_UP`, until
    there is hardly anybody; ``most`` bounds how many there are in all.
    """

    def __init__(self, listening: socket.socket, most: int) -> None:
        self._listening = listening
        self._left = most
        self._begun = TOP_UP
        self._waiting: deque[tuple[socket.socket, Any]] = deque()
        self._end = errno.EAGAIN  # an error itself would keep its frames, and they this

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listening, name)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next who waits, as `socket.socket.accept` says.

        Raises what that raised when it was last asked; who has come since waits for the next turn.
        """
        if self._begun >= (TOP_UP if self._waiting else FEW):
            self._empty()
        if not self._waiting:
            raise OSError(self._end, os.strerror(self._end))
        self._begun += 1
        return self._waiting.popleft()

    def _empty(self) -> None:
        self._begun = 0
        try:
            while self._left > 0:
                self._waiting.append(self._listening.accept())
                self._left -= 1
        except OSError as end:
            self._end = end.errno or errno.EAGAIN

    def hang_up(self) -> None:
        """Close the connections of those whose turn has not come."""
        while self._waiting:
            self._waiting.popleft()[0].close()


class Door:
    """Lets a port accept all who wait in the kernel's queue before any of them is read.

    Twisted's own number grows by 20 a turn, and each turn reads what was accepted in the last one.
    In a storm the queue overflows meanwhile, and a lost SYN comes again after 1 s, and then 3. And
    Twisted accepts with the last descriptor, and hangs up on whoever comes then. So there are never
    more let in than there is ``room`` for; callers wait in the queue until others have left, which
    ``make_room`` asks of those who do nothing, and says how many of them there were.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        *,
        room: Callable[[], int],
        make_room: Callable[[], int] = lambda: 0,
    ) -> None:
        self._clock = clock
        self._room = room
        self._make_room = make_room
        self._ports: set[Port] = set()
        self._shut: set[Any] = set()
        self._looked_at = clock.seconds()
        self._calm: IDelayedCall | None = None  # runs while there is room after a lack of it

    def keep(self, port: IListeningPort) -> None:
        """Look after a port until it is let go. What is no plain socket is left as it is."""
        if not isinstance(port, Port):
            return
        accept = port.doRead
        self._ports.add(port)

        def do_read() -> None:
            free = self._room()
            if free <= 0:
                self._shut_for_now(port)
                return
            port.numberAccepts = most = min(free, MOST_AT_ONCE)
            listening = port.socket
            queue = port.socket = Queue(listening, most)
            try:
                accept()
            finally:
                port.socket = listening
                queue.hang_up()
                self._looked_at = self._clock.seconds()

        setattr(port, "doRead", do_read)  # noqa: B010

    def glance(self) -> None:
        """Let in who waits, unless that was done just now.

        To be called before something is read: in a storm one turn of the reactor reads thousands of
        requests, for half a second, while as many others come.
        """
        if self._clock.seconds() - self._looked_at < GLANCE_EVERY:
            return
        self._looked_at = self._clock.seconds()
        for port in self._ports - self._shut:
            self._let_all_in(port)

    def let_go(self, port: IListeningPort) -> None:
        """Accept once more who waits, and then look no more; to be called before it is closed.

        The kernel hangs up on the others when it is.
        """
        if isinstance(port, Port) and port in self._ports:
            self._let_all_in(port)
            self._ports.discard(port)

    def _let_all_in(self, port: Port) -> None:
        if port.connected:
            port.doRead()

    def _shut_for_now(self, port: Port) -> None:
        port.stopReading()
        if not self._shut:
            self._say_shut()
            self._clock.callLater(0, self._look)
        self._shut.add(port)

    def _look(self) -> None:
        if self._room() <= 0:
            # Who is asked to leave does so in the next turn of the reactor.
            self._clock.callLater(0 if self._make_room() else LOOK_EVERY, self._look)
            return
        ports, self._shut = self._shut, set()
        for port in ports & self._ports:  # not let go meanwhile
            if port.connected:
                port.startReading()
        self._calm = self._clock.callLater(CALM, self._say_open)

    def _say_shut(self) -> None:
        if self._calm is None:
            self._log.warn("no room for more connections, new ones wait: the limit of open files")
        else:
            self._calm.cancel()

    def _say_open(self) -> None:
        self._calm = None
        self._log.info("there is room for connections again")
