"""All that the page shows, put together from what each process tells: a function of values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from attrs import evolve, frozen

from boomerang.monitor.watched import CheckView
from boomerang.status.checks import CheckNow, check_now, in_order
from boomerang.status.report import (
    HOUR,
    SECONDS_LEFT,
    TOLD,
    TOLD_OF_ENDPOINT,
    CircuitNow,
    HeldNow,
    Minute,
    RelayNow,
    Report,
    Told,
    Trouble,
)

LATELY: Final = 5
"""Minutes that count as now, when it is asked whether callers are being saved."""

SILENT_AFTER: Final = 45.0
"""Seconds without a word after which a process counts as gone."""


@frozen
class InstanceNow:
    """A process of boomerang: instants in seconds since the epoch; ``state`` is ``running``,
    ``ended`` (it has stopped orderly) or ``silent`` (nobody knows)."""

    name: str
    version: str
    state: str
    started: float
    heard: float
    held: int
    troubles: tuple[Trouble, ...]


@frozen
class EndpointNow:
    """An endpoint of the table: how it is rescued in a few words, and its last failures."""

    name: str
    match: str
    held: str
    last_resort: str
    failures: tuple[Told, ...] = ()


@frozen
class MinuteNow:
    """One of the last 60 minutes; ``at`` is its beginning in seconds since the epoch."""

    at: int
    saved: int
    apologised: int
    lost: int


@frozen
class Overview:
    """What there is to see at an instant (``at``, seconds since the epoch).

    ``hour`` has 60 minutes, oldest first, ``total`` their sum, ``lately`` that of the last five.
    ``incomplete`` says since when what other processes know could not be read.
    """

    at: float
    environment: str
    instances: tuple[InstanceNow, ...]
    held: HeldNow
    hour: tuple[MinuteNow, ...]
    total: Minute
    lately: Minute
    endpoints: tuple[EndpointNow, ...]
    checks: tuple[CheckNow, ...]
    circuits: tuple[CircuitNow, ...]
    relay: RelayNow
    decisions: tuple[Told, ...]
    incomplete: float | None = None


@frozen
class Known:
    """What the page knows beside the reports: the environment's name, the endpoint table without
    failures, and the checks."""

    environment: str
    endpoints: Sequence[EndpointNow]
    checks: Sequence[CheckView] = ()
    incomplete: float | None = None


def overview(reports: Iterable[Report], known: Known, *, now: float) -> Overview:
    """Put together what there is to see. ``now`` is seconds since the epoch."""
    all_ = sorted(reports, key=lambda each: (each.name, each.started))
    running = [each for each in all_ if _state(each, now) == "running"]
    hour = _hour(all_, now)
    return Overview(
        at=now,
        environment=known.environment,
        instances=tuple(_instance(each, now) for each in all_),
        held=_held(running),
        hour=hour,
        total=_sum(hour),
        lately=_sum(hour[-LATELY:]),
        endpoints=tuple(_endpoint(each, all_) for each in known.endpoints),
        checks=tuple(
            check_now(view, level=level, now=now) for level, view in in_order(known.checks)
        ),
        circuits=_circuits(running),
        relay=_relay(all_),
        decisions=tuple(_newest(chain(*(each.decisions for each in all_)), TOLD)),
        incomplete=known.incomplete,
    )


def _state(report: Report, now: float) -> str:
    if report.ended:
        return "ended"
    return "silent" if now - report.at > SILENT_AFTER else "running"


def _instance(report: Report, now: float) -> InstanceNow:
    return InstanceNow(
        name=report.name,
        version=report.version,
        state=_state(report, now),
        started=report.started,
        heard=report.at,
        held=report.held.count,
        troubles=report.troubles,
    )


def _held(reports: Sequence[Report]) -> HeldNow:
    lefts = [each.held.left for each in reports if len(each.held.left) == SECONDS_LEFT + 1]
    return HeldNow(
        count=sum(each.held.count for each in reports),
        left=tuple(map(sum, zip(*lefts, strict=True))) if lefts else HeldNow().left,
        followed=sum(each.held.followed for each in reports),
    )


def _hour(reports: Sequence[Report], now: float) -> tuple[MinuteNow, ...]:
    last = int(now // 60)
    found = []
    for number in range(last - HOUR + 1, last + 1):
        minute = sum((each.minutes.get(number, Minute()) for each in reports), Minute())
        found.append(MinuteNow(number * 60, minute.saved, minute.apologised, minute.lost))
    return tuple(found)


def _sum(minutes: Iterable[MinuteNow]) -> Minute:
    return sum((Minute(each.saved, each.apologised, each.lost) for each in minutes), Minute())


def _endpoint(endpoint: EndpointNow, reports: Sequence[Report]) -> EndpointNow:
    failures = chain(*(each.failures.get(endpoint.name, ()) for each in reports))
    return evolve(endpoint, failures=tuple(_newest(failures, TOLD_OF_ENDPOINT)))


def _newest(told: Iterable[Told], most: int) -> list[Told]:
    return sorted(told, key=lambda each: each.at, reverse=True)[:most]


def _circuits(reports: Sequence[Report]) -> tuple[CircuitNow, ...]:
    """By origin; of several processes' words the one that has lasted longest."""
    found: dict[str, CircuitNow] = {}
    for circuit in chain(*(each.circuits for each in reports)):
        other = found.get(circuit.origin)
        if other is None or circuit.since < other.since:
            found[circuit.origin] = circuit
    return tuple(found[origin] for origin in sorted(found))


def _relay(reports: Sequence[Report]) -> RelayNow:
    """The queue is one for all: whoever has looked at it last knows."""
    looked = [each for each in reports if each.relay is not None]
    newest = max(looked, key=lambda each: each.at, default=None)
    return (newest and newest.relay) or RelayNow()
