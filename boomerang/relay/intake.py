"""Takes callbacks in: what is acknowledged is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from boomerang.relay.callback import Callback
from boomerang.relay.record import RelayRecord
from boomerang.relay.standing import Standing
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.queue import QueueFull, QueueStore

PATIENCE: Final = 10.0
"""Seconds after which a store that says nothing counts as away; Twilio waits for 15."""


class Intake:
    """Stores callbacks, and tells the courier (``nudge``) of them."""

    def __init__(
        self,
        queue: QueueStore,
        *,
        clock: IReactorTime,
        record: RelayRecord,
        standing: Standing,
        nudge: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._record = record
        self._standing = standing
        self._nudge = nudge

    def take_in(self, callback: Callback) -> Deferred[None]:
        """Fires once the callback is stored. Fails with `StoreUnavailable` or `QueueFull`.

        Cancelling it, or its being late, does not stop the store: what is stored is delivered.
        """
        answer: Deferred[None] = Deferred()

        def stored(is_new: bool) -> None:
            self._standing.store_answered()
            if is_new:
                self._standing.accepted()
            self._record.accepted(callback, is_new=is_new)
            self._nudge()
            _end(None)

        def failed(trouble: Failure) -> None:
            if isinstance(trouble.value, StoreUnavailable):
                self._standing.store_failed(trouble.value.brief)
            elif isinstance(trouble.value, QueueFull):
                self._standing.refused(str(trouble.value))
            _end(trouble)

        def _end(result: Failure | None) -> None:
            if timer.active():
                timer.cancel()
            if not answer.called:
                answer.callback(result) if result is None else answer.errback(result)

        timer = self._clock.callLater(
            PATIENCE, failed, Failure(StoreUnavailable(f"no answer within {PATIENCE:g} s"))
        )
        self._queue.accept(callback).addCallbacks(stored, failed)
        return answer
