"""Was it saved? Follows each second chance for a while after it was given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure as Trouble

from boomerang.endpoints.rules import EndpointRules
from boomerang.retry.request import FailedRequest
from boomerang.stores.interfaces import Marked
from boomerang.values import quick_frozen

FOLLOWED: Final = 30.0
"""Seconds after which a second chance that has not failed again has saved its call."""

SWEEP_EVERY: Final = 1.0
_MOST_IN_A_SWEEP: Final = 5000

MOST: Final = 200_000
"""Second chances that are followed at once; beyond it the oldest are let go, and not counted."""


@quick_frozen
class Chance:
    """A second chance: whose, which in number, and when it was given (monotonic seconds).

    ``circuit`` says whether the endpoint wants to know if its app is dead.
    """

    marked: Marked
    attempt: int
    endpoint: str
    circuit: bool
    product: str
    sid: str
    origin: tuple[str, int]
    given_at: float


class OutcomeWatcher(Protocol):
    """Whoever tells what became of second chances."""

    def recovered(self, chance: Chance) -> None:
        """The request did not fail again."""

    def lost(self, chance: Chance) -> None:
        """The same request failed again."""


class AttemptStore(Protocol):
    """Knows how often requests have failed, in other processes too."""

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]: ...


class Outcomes:
    """The second chances of which it is not yet known whether they saved anything."""

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        store: AttemptStore,
        watcher: OutcomeWatcher,
        *,
        most: int = MOST,
    ) -> None:
        self._clock = clock
        self._store = store
        self._watcher = watcher
        self._most = most
        self._open: dict[str, Chance] = {}
        self._sweeping: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._open)

    def given(self, failed: FailedRequest, rules: EndpointRules, *, attempt: int) -> None:
        """A call or message was sent back to the URL that failed."""
        identity = failed.identity
        self._open.pop(identity, None)  # its place is by the time of the last chance
        self._open[identity] = self._chance(failed, rules, attempt)
        if len(self._open) > self._most:
            del self._open[next(iter(self._open))]
        if self._sweeping is None:
            self._sweeping = self._clock.callLater(SWEEP_EVERY, self._sweep)

    def failed_again(
        self, failed: FailedRequest, rules: EndpointRules, *, after: float | None
    ) -> None:
        """A request has failed: if it had a second chance lately, that did not save it.

        ``after`` is how long ago that was (seconds) by the store, which knows of other processes.
        """
        chance = self._open.pop(failed.identity, None)
        if chance is None and after is not None and after <= FOLLOWED:
            chance = self._chance(failed, rules, 1)
        if chance is not None:
            self._watcher.lost(chance)

    def stop(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    def _chance(self, failed: FailedRequest, rules: EndpointRules, attempt: int) -> Chance:
        return Chance(
            Marked(failed.identity, failed.call),
            attempt,
            rules.name,
            rules.circuit,
            failed.product,
            failed.sid,
            failed.error.parts.origin,
            self._clock.seconds(),
        )

    def _sweep(self) -> None:
        """Ask the store about those that have been followed long enough."""
        self._sweeping = None
        over = self._clock.seconds() - FOLLOWED
        ripe = []
        for chance in islice(self._open.values(), _MOST_IN_A_SWEEP):
            if chance.given_at > over:
                break
            ripe.append(chance)
        for chance in ripe:
            del self._open[chance.marked.identity]
        if ripe:
            asked = self._store.attempts([chance.marked for chance in ripe])
            asked.addCallback(self._settle, ripe).addErrback(self._unexpected)
        if self._open:
            self._sweeping = self._clock.callLater(SWEEP_EVERY, self._sweep)

    def _settle(self, attempts: Sequence[int], chances: Sequence[Chance]) -> None:
        """Of those that failed again in another process, that one has told."""
        for chance, count in zip(chances, attempts, strict=True):
            if count <= chance.attempt:
                self._watcher.recovered(chance)

    def _unexpected(self, trouble: Trouble) -> None:
        self._log.failure("the outcome of second chances could not be told", trouble)
