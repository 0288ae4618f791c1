"""Runs coroutines that wait for nothing, and keeps what was logged."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, capturedLogs

from boomerang.logs import message
from boomerang.retry.request import parse_failed_request

T = TypeVar("T")

FAILED = parse_failed_request([("ErrorCode", "11200"), ("ErrorUrl", "https://a.example/")], [])
"""A request of which it does not matter which one."""


def run(coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
    """What a coroutine returns or raises that waits for nothing."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(coroutine).addCallbacks(outcome.append, outcome.append)
    (only,) = outcome
    if hasattr(only, "raiseException"):
        only.raiseException()
    found: T = only
    return found


def stop(service: Service) -> Callable[[], bool]:
    """Stop a service; says whether that is over (``called`` is true of a Deferred too early)."""
    over: list[object] = []
    stopping = service.stopService()
    assert isinstance(stopping, Deferred)
    stopping.addCallback(over.append)
    return lambda: bool(over)


@define
class Lines:
    """What has been logged for operators, in words."""

    events: Sequence[LogEvent] = field(factory=list)

    def __call__(self) -> list[str]:
        return [message(event) for event in self.events]


@contextmanager
def logged() -> Iterator[Lines]:
    with capturedLogs() as events:
        yield Lines(events)
