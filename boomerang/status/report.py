"""What one process tells the page of itself: values, and their form in the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen
from cattrs.preconf.json import make_converter

from boomerang.monitor.result import number

HOUR: Final = 60
"""Minutes that are counted one by one."""

TOLD: Final = 50
"""Decisions that are told one by one."""

TOLD_OF_ENDPOINT: Final = 5
"""Failures of each endpoint that are told one by one."""

SECONDS_LEFT: Final = 15
"""Held requests are counted by the whole seconds that are left of their hold; this many of them,
and one more for all that is longer. Twilio waits no longer for an answer."""


@frozen
class Told:
    """One decision, fit to be shown: its SID is shortened, and no phone number is in it.

    ``at`` is in seconds since the epoch, ``held`` in seconds. ``outcome`` is what became of the
    second chance: ``saved``, ``lost``, or empty while nobody knows, and where there was none.
    """

    at: float
    decision: str
    attempt: int
    code: str
    product: str
    endpoint: str
    url: str
    sid: str
    held: float
    reason: str = ""
    outcome: str = ""
    degraded: bool = False


@frozen
class Minute:
    """What became of callers in a minute; one who hung up while being held was lost."""

    saved: int = 0
    apologised: int = 0
    lost: int = 0

    def __add__(self, other: Minute) -> Minute:
        return Minute(
            self.saved + other.saved, self.apologised + other.apologised, self.lost + other.lost
        )


@frozen
class HeldNow:
    """The requests that are held: how many, and how many by the seconds left of their hold.

    ``followed`` are the second chances of the last 30 s, of which nobody knows yet whether they
    have saved anything.
    """

    count: int = 0
    left: tuple[int, ...] = (0,) * (SECONDS_LEFT + 1)
    followed: int = 0


@frozen
class Trouble:
    """A part that is not well, and since when (seconds since the epoch)."""

    part: str
    since: float


@frozen
class RelayNow:
    """The relay's queue; ``oldest`` is when the oldest callback that waits was received."""

    waiting: int = 0
    dead: int = 0
    oldest: float | None = None


@frozen
class CircuitNow:
    """An origin (``host:port``) that is known to be dead, or is being tried."""

    origin: str
    position: str
    reason: str
    since: float


@frozen
class Report:
    """What one process knows. ``instance`` names it for good, ``name`` for people.

    ``at`` is when it was written, ``started`` when the process was (seconds since the epoch).
    ``minutes`` are by their number since the epoch. ``relay`` is `None` in a process that has not
    looked at the queue. ``ended`` says that the process has stopped orderly.
    """

    instance: str
    name: str
    version: str
    started: float
    at: float
    ended: bool = False
    held: HeldNow = HeldNow()
    troubles: tuple[Trouble, ...] = ()
    circuits: tuple[CircuitNow, ...] = ()
    relay: RelayNow | None = None
    minutes: Mapping[int, Minute] = field(factory=dict)
    decisions: tuple[Told, ...] = ()
    failures: Mapping[str, tuple[Told, ...]] = field(factory=dict)


_converter: Final = make_converter(omit_if_default=True)
_converter.register_structure_hook(float, lambda value, _: number(value))


def to_json(report: Report) -> str:
    """A report as it is kept in the store; what is as ever is left out."""
    return json.dumps(_converter.unstructure(report), separators=(",", ":"))


def from_json(text: str) -> Report:
    """A report from the store. Raises `ValueError` for what is none (a newer boomerang's)."""
    try:
        data: Any = json.loads(text)
        return _converter.structure(data, Report)
    except Exception as error:  # cattrs gives each kind of mistake a class of its own, in groups
        raise ValueError(f"not a report: {type(error).__name__}") from None
