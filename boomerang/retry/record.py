"""Tells of decisions and of what became of them: one log line each, and the metrics."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

from twisted.logger import Logger

from boomerang.logs import Teller
from boomerang.metrics import Metrics
from boomerang.retry.hold import Held
from boomerang.retry.outcomes import Chance, OutcomeWatcher
from boomerang.retry.policy import RETRY, Decision
from boomerang.retry.request import FailedRequest
from boomerang.retry.service import DecisionWatcher
from boomerang.urls import WebUrl

_OF_DECISION: Final = (
    "decision attempt code product endpoint host path sid held reason degraded".split()
)
_OF_OUTCOME: Final = "outcome attempt product endpoint host sid".split()

_TWILIO_SID: Final = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"\d(?:[-. ()]{0,2}\d){6,}")
_SHORTEST: Final = 7
_has_digit: Final = re.compile(r"[0-9]").search


def masked(text: str) -> str:
    """The text without whole phone numbers: of each the last two digits stay.

    A number is seven digits in a row, or nine with separators between them (eight are a date).
    """
    if len(text) < _SHORTEST or (text.isascii() and not _has_digit(text)):
        return text  # `sub` takes 1,400 instructions for "/voice", and twice as many for most paths
    return _NUMBER.sub(_mask, text)


def _mask(number: re.Match[str]) -> str:
    digits = [character for character in number[0] if character.isdecimal()]
    if len(digits) < len(number[0]) and len(digits) < 9:
        return number[0]
    return "*" + "".join(digits[-2:])


class DecisionRecord:
    """A `DecisionWatcher` for operators; ``endpoint_of`` names the endpoint of a URL."""

    def __init__(self, metrics: Metrics, endpoint_of: Callable[[WebUrl], str]) -> None:
        self._metrics = metrics
        self._endpoint_of = endpoint_of
        self._log = Logger(namespace="boomerang.retry")
        self._decisions = Teller(self._log, *_OF_DECISION)

    def decided(
        self, failed: FailedRequest, decision: Decision, *, held: Held, degraded: bool
    ) -> None:
        self._metrics.decision(decision.kind, failed.product, decision.endpoint, degraded=degraded)
        if held.seconds:
            self._metrics.held(overshoot=held.overshoot, early=held.early)
        elif decision.kind is RETRY and decision.reason:
            self._metrics.turned_away(decision.reason)
        error = failed.error.parts
        event = self._decisions.blank.copy()
        event["decision"] = kind = decision.kind
        event["attempt"] = attempt = decision.attempt
        event["code"] = code = failed.error_code
        event["product"] = product = failed.product
        event["endpoint"] = endpoint = decision.endpoint
        event["host"] = host = error.host
        event["path"] = path = masked(error.path)
        event["sid"] = sid = shown_sid(failed.sid)
        event["held"] = seconds = held.seconds and round(held.seconds, 3)
        event["reason"] = reason = decision.reason or "-"
        event["degraded"] = without_store = "yes" if degraded else "no"
        self._decisions.tell(
            event,
            f"{kind!s} attempt={attempt} code={code} product={product} endpoint={endpoint}"
            f" host={host} path={path} sid={sid} held={seconds!s} reason={reason}"
            f" degraded={without_store}",
        )

    def hung_up(self, failed: FailedRequest) -> None:
        self._metrics.hung_up()
        self._log.info(
            "hung-up code={code} product={product} endpoint={endpoint} host={host} path={path}"
            " sid={sid}",
            code=failed.error_code,
            product=failed.product,
            endpoint=self._endpoint_of(failed.error.parts),
            host=failed.error.parts.host,
            path=masked(failed.error.parts.path),
            sid=shown_sid(failed.sid),
        )


class OriginWatcher(Protocol):
    """Whoever learns from outcomes which apps are dead: the circuits."""

    def saved(self, origin: tuple[str, int], *, given_at: float) -> None: ...

    def lost(self, origin: tuple[str, int]) -> None: ...


class OutcomeRecord:
    """An `OutcomeWatcher` for operators, and for the circuits of the endpoints that have one."""

    def __init__(self, metrics: Metrics, circuits: OriginWatcher) -> None:
        self._metrics = metrics
        self._circuits = circuits
        self._outcomes = Teller(Logger(namespace="boomerang.retry"), *_OF_OUTCOME)

    def recovered(self, chance: Chance) -> None:
        self._told("recovered", chance)
        if chance.circuit:
            self._circuits.saved(chance.origin, given_at=chance.given_at)

    def lost(self, chance: Chance) -> None:
        self._told("lost", chance)
        if chance.circuit:
            self._circuits.lost(chance.origin)

    def _told(self, outcome: str, chance: Chance) -> None:
        self._metrics.second_chance(outcome, chance.endpoint)
        event = self._outcomes.blank.copy()
        event["outcome"] = outcome
        event["attempt"] = attempt = chance.attempt
        event["product"] = product = chance.product
        event["endpoint"] = endpoint = chance.endpoint
        event["host"] = host = chance.origin[0]
        event["sid"] = sid = shown_sid(chance.sid)
        self._outcomes.tell(
            event,
            f"{outcome} attempt={attempt} product={product} endpoint={endpoint} host={host}"
            f" sid={sid}",
        )


class Watchers:
    """Several `DecisionWatcher` as one. A mistake in one of them costs no caller the answer."""

    def __init__(self, *watchers: DecisionWatcher) -> None:
        self._watchers = watchers
        self._log = Logger(namespace="boomerang.retry")

    def decided(
        self, failed: FailedRequest, decision: Decision, *, held: Held, degraded: bool
    ) -> None:
        for watcher in self._watchers:
            try:
                watcher.decided(failed, decision, held=held, degraded=degraded)
            except Exception:
                self._log.failure("a decision could not be told")

    def hung_up(self, failed: FailedRequest) -> None:
        for watcher in self._watchers:
            try:
                watcher.hung_up(failed)
            except Exception:
                self._log.failure("a caller's hanging up could not be told")


class OutcomeWatchers:
    """Several `OutcomeWatcher` as one. A mistake in one of them keeps nothing from the others."""

    def __init__(self, *watchers: OutcomeWatcher) -> None:
        self._watchers = watchers
        self._log = Logger(namespace="boomerang.retry")

    def recovered(self, chance: Chance) -> None:
        for watcher in self._watchers:
            try:
                watcher.recovered(chance)
            except Exception:
                self._log.failure("what became of a second chance could not be told")

    def lost(self, chance: Chance) -> None:
        for watcher in self._watchers:
            try:
                watcher.lost(chance)
            except Exception:
                self._log.failure("what became of a second chance could not be told")


def shown_sid(sid: str) -> str:
    """A SID as it is if it is one of Twilio's, else without phone numbers; a dash for none."""
    return sid if _TWILIO_SID.fullmatch(sid) else masked(sid) or "-"
