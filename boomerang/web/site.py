"""The HTTP server: its connections, and the requests under way."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.web.http import datetimeToString
from zope.interface import implementer

from boomerang.web.channel import GuardedChannel
from boomerang.web.limits import FIRST_BYTES, IDLE_TIME
from boomerang.web.request import GuardedRequest
from boomerang.web.resting import Resters

__all__ = ["GuardedRequest", "GuardedSite"]


_SPOKEN: Final = (b"http/1.1", b"http/1.0")
"""By the names of TLS (RFC 7301). A client that offers such names is turned away if none is
accepted, and most do offer some."""


@implementer(IProtocolNegotiationFactory)
class GuardedSite(ServerFactory):
    """A site that hands each request to ``handle``, and knows how many are under way.

    ``watch_refusal`` is called with the status of each request that never became one,
    ``before_reading`` before anything is read.
    """

    noisy = False

    def __init__(
        self,
        handle: Callable[[GuardedRequest], None],
        *,
        clock: IReactorTime,
        watch_refusal: Callable[[int], None],
    ) -> None:
        self.handle = handle
        self.clock = clock
        self.watch_refusal = watch_refusal
        self.before_reading: Callable[[], None] = lambda: None
        self.channels: set[GuardedChannel] = set()
        self.resters = Resters(clock, IDLE_TIME)
        self.under_way = 0
        self._date, self._date_until = b"", -inf
        self._draining: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> GuardedChannel:
        return GuardedChannel(self)

    def acceptableProtocols(self) -> list[bytes]:
        """The versions of HTTP that are spoken over TLS."""
        return [*_SPOKEN]

    def date(self) -> bytes:
        """The instant for a Date header, made once a second."""
        now = self.clock.seconds()
        if now >= self._date_until:
            self._date, self._date_until = datetimeToString(), now // 1 + 1
        return self._date

    @property
    def has_newcomers(self) -> bool:
        """Whether a connection was accepted just now on which nothing has been asked for yet."""
        just_now = self.clock.seconds() - FIRST_BYTES
        resting = self.resters.since
        return any(each.is_new and resting(each) >= just_now for each in self.channels)

    @property
    def draining(self) -> bool:
        """Whether connections are closed as soon as what they are for is over."""
        return self._draining is not None

    def entered(self) -> None:
        self.under_way += 1

    def left(self) -> None:
        self.under_way -= 1
        if not self.under_way and self._draining is not None and not self._draining.called:
            self._draining.callback(None)

    def drain(self) -> Deferred[None]:
        """Close what rests; fires when the requests under way have been answered."""
        if self._draining is None:
            self._draining = Deferred()
            for channel in tuple(self.channels):
                channel.close_when_idle()
            if not self.under_way:
                self._draining.callback(None)
        return self._draining
