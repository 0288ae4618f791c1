"""The retry service, put together from the settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import field, frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from boomerang.endpoints.rules import RuleBook
from boomerang.metrics import Metrics
from boomerang.retry import keys
from boomerang.retry.awake import Ask
from boomerang.retry.circuits import Circuits
from boomerang.retry.continuation import Returns, Tokens
from boomerang.retry.gate import Gate, Origin
from boomerang.retry.hold import Hold
from boomerang.retry.outcomes import Outcomes, OutcomeWatcher
from boomerang.retry.record import DecisionRecord, OutcomeRecord, OutcomeWatchers, Watchers
from boomerang.retry.service import DecisionWatcher, RetryService
from boomerang.settings import Settings
from boomerang.stores.failsafe import FailsafeStore
from boomerang.stores.interfaces import NoteStore


@frozen(eq=False)
class Surroundings:
    """What is around the retry service.

    ``ask`` asks whether an app is awake, ``apps`` says what the monitor has found of origins,
    ``watchers`` hear of decisions beside the log and the metrics, ``outcome_watchers`` of what
    became of second chances. ``wall_clock`` gives seconds since the epoch, ``random`` numbers from
    0 to 1. ``own_keys`` are for the tokens of held calls, where there is no secret to derive
    them from.
    """

    reactor: Any
    store: FailsafeStore
    notes: NoteStore
    hold: Hold
    metrics: Metrics
    ask: Ask
    apps: Callable[[], Mapping[Origin, bool]]
    watchers: Sequence[DecisionWatcher]
    outcome_watchers: Sequence[OutcomeWatcher]
    wall_clock: Callable[[], float]
    random: Callable[[], float]
    own_keys: keys.OwnKeys = field(factory=keys.OwnKeys)


class Knowledge(Service):
    """What the retry service learns of apps and calls while it runs."""

    def __init__(
        self,
        circuits: Circuits,
        outcomes: Outcomes,
        *,
        agree_on_key: Callable[[], Deferred[None]] | None,
    ) -> None:
        self.circuits = circuits
        self._outcomes = outcomes
        self._agree_on_key = agree_on_key
        self._agreeing: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self.circuits.startService()
        if self._agree_on_key is not None:
            self._agreeing = self._agree_on_key().addErrback(self._ended)

    def stopService(self) -> None:
        super().stopService()
        self.circuits.stopService()
        self._outcomes.stop()
        if self._agreeing is not None:
            self._agreeing.cancel()

    def _ended(self, failure: Failure) -> None:
        failure.trap(CancelledError)


def make_retry(
    settings: Settings, book: RuleBook, around: Surroundings
) -> tuple[RetryService, Knowledge]:
    """The service that answers, and what has to run for it."""
    circuits = Circuits(
        notes=around.notes,
        topic=f"circuits.{settings.environment}",
        ask=around.ask,
        found=around.apps,
        clock=around.reactor,
        wall_clock=around.wall_clock,
        watcher=around.metrics,
        in_use=any(rules.circuit for rules in book),
    )
    watcher = OutcomeWatchers(OutcomeRecord(around.metrics, circuits), *around.outcome_watchers)
    outcomes = Outcomes(around.reactor, around.store, watcher)
    known = keys.derived((*settings.twilio.auth_token, *settings.twilio.shared_keys.values()))
    token_keys = known or list(around.own_keys.keys)
    service = RetryService(
        book=book,
        store=around.store,
        hold=around.hold,
        gate=Gate(around.reactor, ask=around.ask, random=around.random),
        circuits=circuits,
        outcomes=outcomes,
        returns=Returns(Tokens(token_keys)),
        watcher=Watchers(
            DecisionRecord(around.metrics, lambda url: book.of(url).name), *around.watchers
        ),
        wall_clock=around.wall_clock,
    )
    in_turns = any(rules.longest_hold("voice") > rules.wait for rules in book)

    def agree_on_key() -> Deferred[None]:
        return Deferred.fromCoroutine(
            keys.shared(
                token_keys,
                around.notes,
                holder=os.urandom(16).hex(),
                clock=around.reactor,
                tell=around.own_keys.tell,
            )
        )

    return service, Knowledge(
        circuits, outcomes, agree_on_key=agree_on_key if in_turns and not known else None
    )
