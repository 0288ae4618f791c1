"""What is the case, in one sentence and one colour: a function of the overview."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import Final

from attrs import frozen

from boomerang.monitor.account import GAPS_FOUND
from boomerang.monitor.account import KIND as ACCOUNT
from boomerang.status.checks import CheckNow
from boomerang.status.overview import LATELY, MinuteNow, Overview

SILENCE_MATTERS: Final = 600.0
"""Seconds for which a process that is silent is still news; an upgrade may have replaced it."""

_PARTS: Final = {
    "store": "The store does not answer: decisions are made from memory",
    "relay store": "The relay's store does not answer: status callbacks are refused",
    "relay queue": "The relay's queue is full: status callbacks are refused",
    "relay": "Status callbacks are delivered late",
}


class Level(IntEnum):
    """How bad it is; the names stand in ``/status.json`` and in the page's classes."""

    GOOD = 0
    WARN = 1
    BAD = 2


@frozen
class Finding:
    """One thing that is the case: a sentence without its full stop, and since when, if known."""

    level: Level
    sentence: str
    since: float | None = None


@frozen
class Headline:
    """The worst of it, and all the rest."""

    level: str
    sentence: str
    since: float | None
    also: tuple[Finding, ...] = ()


def headline(now: Overview) -> Headline:
    """The worst thing that is the case, in its order; that all is well if there is none."""
    found = sorted(_findings(now), key=lambda each: -each.level)
    if not found:
        return Headline("good", "All is well", _well_since(now))
    worst = found[0]
    return Headline(worst.level.name.lower(), worst.sentence, worst.since, tuple(found[1:]))


def _findings(now: Overview) -> Iterator[Finding]:
    yield from _callers(now)
    yield from _apps(now)
    yield from _boomerang(now)
    yield from _callbacks(now)


def _callers(now: Overview) -> Iterator[Finding]:
    lately, held = now.lately, now.held
    span = f"in the last {LATELY} minutes"
    if lately.lost:
        since = _began(now.hour, lambda minute: minute.lost)
        yield Finding(Level.BAD, f"Callers are being lost: {lately.lost:,} {span}", since)
    if held.count or held.followed or lately.saved:
        since = _began(now.hour, lambda minute: minute.saved)
        sent = f"{held.followed:,} just sent back, " if held.followed else ""
        text = f"{held.count:,} held now, {sent}{lately.saved:,} saved {span}"
        yield Finding(Level.WARN, f"Callers get their second chance: {text}", since)
    if lately.apologised:
        since = _began(now.hour, lambda minute: minute.apologised)
        text = f"{lately.apologised:,} {span}"
        yield Finding(Level.WARN, f"Callers get the last resort instead of the app: {text}", since)


def _apps(now: Overview) -> Iterator[Finding]:
    down = [each for each in now.checks if each.state == "down" and each.kind != ACCOUNT]
    if down:
        yield Finding(Level.BAD, f"{_names(down)} down", _first(down))
    for circuit in now.circuits:
        text = f"Nothing is held for {circuit.origin}: it is known to be dead"
        yield Finding(Level.WARN, text, circuit.since)
    slow = [each for each in now.checks if each.state == "slow"]
    if slow:
        yield Finding(Level.WARN, f"{_names(slow)} slow", _first(slow))
    for check in now.checks:
        if check.kind == ACCOUNT and check.state == "down":
            found = check.why.startswith(GAPS_FOUND)
            what = "Not all of the account points here" if found else "The account was not audited"
            yield Finding(Level.WARN, f"{what}: {check.why}")


def _boomerang(now: Overview) -> Iterator[Finding]:
    for part, sentence in _PARTS.items():
        since = [
            trouble.since
            for instance in now.instances
            if instance.state == "running"
            for trouble in instance.troubles
            if trouble.part == part
        ]
        if since:
            yield Finding(Level.WARN, sentence, min(since))
    for instance in now.instances:
        if instance.state == "silent" and now.at - instance.heard < SILENCE_MATTERS:
            text = f"{instance.name} is silent: it was killed, or cannot reach the store"
            yield Finding(Level.WARN, text, instance.heard)
    if now.incomplete is not None:
        text = "What is shown is this process alone: the store does not answer"
        yield Finding(Level.WARN, text, now.incomplete)


def _callbacks(now: Overview) -> Iterator[Finding]:
    if now.relay.dead:
        text = "1 was" if now.relay.dead == 1 else f"{now.relay.dead:,} were"
        yield Finding(Level.WARN, f"Status callbacks are dead letters: {text} given up")


def _names(checks: Sequence[CheckNow]) -> str:
    """The subject of a sentence, with its verb."""
    first = checks[0].name
    match len(checks):
        case 1:
            return f"{first} is"
        case 2:
            return f"{first} and {checks[1].name} are"
        case count:
            return f"{first} and {count - 1} other checks are"


def _first(checks: Sequence[CheckNow]) -> float | None:
    return min((each.since for each in checks if each.since is not None), default=None)


def _began(hour: Sequence[MinuteNow], count: Callable[[MinuteNow], int]) -> float | None:
    """When it began that is still going on: before it, nothing happened for some minutes."""
    began, quiet = None, 0
    for minute in reversed(hour):
        if count(minute):
            began, quiet = minute.at, 0
        else:
            quiet += 1
        if quiet >= LATELY:
            break
    return began


def _well_since(now: Overview) -> float | None:
    """The end of the last trouble that is known of, else the start of what runs longest."""
    busy = [each.at + 60.0 for each in now.hour if each.saved or each.apologised or each.lost]
    up = [each.since for each in now.checks if each.state == "up" and each.since is not None]
    started = [each.started for each in now.instances if each.state == "running"]
    return max([*busy, *up, min(started, default=0.0)]) or None
