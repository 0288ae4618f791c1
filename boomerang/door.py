"""How many a listening port lets in at once: all who wait, if there is room for them."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.tcp import Port
from twisted.logger import Logger

from boomerang.process import RESERVED_DESCRIPTORS

LEFT_FREE: Final = RESERVED_DESCRIPTORS // 2
"""For the store, the log and deliveries. The other half is for callers who are not held."""

MOST_AT_ONCE: Final = 10_000
"""More than a listen backlog has."""

AT_ONCE: Final = 250
"""Connections at rest that make room at each look, some 10,000 a second."""

LOOK_EVERY: Final = 0.02
"""Seconds between two looks whether there is room again."""


def room(connections: int) -> int:
    """How many descriptors are free for connections, of which there are so many already.

    There are no more than lie between the lowest free one and the limit, nor more than the limit
    leaves to connections.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MOST_AT_ONCE
    try:
        lowest = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return 0
    os.close(lowest)
    return min(limit - lowest, limit - connections) - LEFT_FREE


class Door:
    """Lets a port accept all who wait in the kernel's queue before any of them is read.

    Twisted's own number grows by 20 a turn, and each turn reads what was accepted in the last one.
    In a storm the queue overflows meanwhile, and a lost SYN comes again after 1 s, and then 3. And
    Twisted accepts with the last descriptor, and hangs up on whoever comes then. So there are never
    more let in than there is ``room`` for; callers wait in the queue until others have left, which
    ``make_room`` asks of those who do nothing.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        *,
        room: Callable[[], int],
        make_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._room = room
        self._make_room = make_room
        self._shut: set[Any] = set()

    def keep(self, port: IListeningPort) -> None:
        """Look after a port from now on. What is no plain socket is left as it is."""
        if not isinstance(port, Port):
            return
        accept = port.doRead

        def do_read() -> None:
            free = self._room()
            if free <= 0:
                self._shut_for_now(port)
                return
            port.numberAccepts = min(free, MOST_AT_ONCE)
            accept()

        setattr(port, "doRead", do_read)  # noqa: B010

    def let_all_in(self, port: IListeningPort) -> None:
        """Accept once more who waits; the kernel hangs up on the others when the port is closed."""
        if isinstance(port, Port) and port.connected:
            port.doRead()

    def _shut_for_now(self, port: Port) -> None:
        port.stopReading()
        if not self._shut:
            self._log.warn("no room for more connections, new ones wait: the limit of open files")
            self._clock.callLater(LOOK_EVERY, self._look)
        self._shut.add(port)

    def _look(self) -> None:
        if self._room() <= 0:
            self._make_room()
            self._clock.callLater(LOOK_EVERY, self._look)
            return
        ports, self._shut = self._shut, set()
        for port in ports:
            if port.connected:  # not closed meanwhile
                port.startReading()
        self._log.info("there is room for connections again")
