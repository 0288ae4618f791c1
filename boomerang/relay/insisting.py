"""Asks a store until it answers: what was begun must be noted, however long the store is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater

from boomerang.relay.standing import Standing
from boomerang.stores.interfaces import StoreUnavailable

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds after which a store that says nothing is asked again; leases that it gave end."""

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 5.0
"""Seconds between the attempts to reach a store that is away."""


@frozen(eq=False)
class Insistence:
    """Asks less and less often, while the store is away. ``random`` gives numbers from 0 to 1."""

    standing: Standing
    clock: Any
    random: Callable[[], float]

    async def until_answered(self, ask: Callable[[], Deferred[T]]) -> T:
        """What the store says in the end."""
        wait = FIRST_WAIT
        while True:
            try:
                answer = await ask().addTimeout(PATIENCE, self.clock)
            except StoreUnavailable as error:
                self.standing.store_failed(error.brief)
            except TimeoutError:
                self.standing.store_failed(f"no answer within {PATIENCE:g} s")
            else:
                self.standing.store_answered()
                return answer
            await deferLater(self.clock, wait * (1 + 0.2 * self.random()))
            wait = min(2 * wait, LONGEST_WAIT)
