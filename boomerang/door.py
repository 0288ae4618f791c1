"""Lets nobody in while there is no descriptor left for them."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IListeningPort, IProtocol, IProtocolFactory
from twisted.logger import Logger
from zope.interface import implementer

from boomerang.process import RESERVED_DESCRIPTORS

LEFT_FREE: Final = RESERVED_DESCRIPTORS // 2
"""For the store, the log and deliveries. The other half is for callers who are not held."""

AT_ONCE: Final = 40
"""About how many connections a port takes in one go, whatever becomes of the first of them."""

LOOK_EVERY: Final = 0.02
"""Seconds between two looks whether there is room again."""


def room() -> int:
    """How many descriptors lie between the lowest free one and the limit; 0 if none is free."""
    try:
        lowest = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return 0
    os.close(lowest)
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - lowest


@implementer(IProtocolFactory)
class Door:
    """A factory that stops its ports from accepting while there is too little room.

    Callers wait in the kernel's queue then, and are served when others have left. Twisted itself
    would accept them with the last descriptor, and hang up.
    """

    _log = Logger()

    def __init__(
        self, factory: IProtocolFactory, *, reactor: Any, room: Callable[[], int] = room
    ) -> None:
        self.factory = factory
        self._reactor = reactor
        self._room = room
        self._ports: list[Any] = []
        self._is_shut = False

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """Serve one more; those after this one may have to wait."""
        self._ports = self._ports or list(filter(_is_port, self._reactor.getReaders()))
        for port in self._ports:  # Twisted takes more and more at once in a storm
            port.numberAccepts = AT_ONCE
        if not self._is_shut and self._room() <= LEFT_FREE:
            self._shut()
        return self.factory.buildProtocol(addr)

    def doStart(self) -> None:
        self.factory.doStart()

    def doStop(self) -> None:
        self.factory.doStop()

    def _shut(self) -> None:
        self._is_shut = True
        for port in self._ports:
            port.stopReading()
        self._log.warn("no room for more connections, new ones wait: the limit of open files")
        self._reactor.callLater(LOOK_EVERY, self._look)

    def _look(self) -> None:
        if self._room() <= LEFT_FREE:
            self._reactor.callLater(LOOK_EVERY, self._look)
            return
        self._is_shut = False
        for port in self._ports:
            if port.connected:  # not closed meanwhile
                port.startReading()
        self._log.info("there is room for connections again")


def _is_port(reader: object) -> bool:
    return bool(IListeningPort.providedBy(reader))
