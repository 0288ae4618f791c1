"""One limit for many Deferreds."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Patience:
    """Cancels what has not fired some seconds after it was handed over.

    All have the same limit, so that they end in the order in which they came, and one timer is
    enough; a timer for each (`Deferred.addTimeout`) costs more than the claim.
    """

    def __init__(self, clock: IReactorTime, *, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._waiting: deque[tuple[float, Deferred[Any]]] = deque()
        self._timer: IDelayedCall | None = None

    def limit(self, deferred: Deferred[Any]) -> None:
        """Cancel the Deferred when its time is over, unless it has fired by then."""
        if deferred.called and not isinstance(deferred.result, Deferred):
            return
        self._waiting.append((self._clock.seconds() + self._seconds, deferred))
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._first_read_what_is_there)

    def _first_read_what_is_there(self) -> None:
        """Let the reactor look at its sockets once more before anything is called late.

        In a storm one turn of the reactor may take longer than the limit, and timers come first in
        the next one: the answers that arrived meanwhile would be taken for missing.
        """
        self._timer = self._clock.callLater(0, self._cancel_late)

    def _cancel_late(self) -> None:
        now = self._clock.seconds()
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting.popleft()[1].cancel()  # which does nothing to those that have fired
        self._timer = None
        if self._waiting:
            wait = self._waiting[0][0] - now
            self._timer = self._clock.callLater(wait, self._first_read_what_is_there)
