"""How status callbacks are delivered, as the file's ``[relay]`` says it."""

from __future__ import annotations

import re
from math import isfinite
from typing import Final

from attrs import frozen

from boomerang.settings.declarations import setting
from boomerang.settings.kinds import Kind, integer, items_of, seconds

_SPAN: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,6})?) ?(?P<unit>s|m|min|h|d)?")

_UNITS: Final = {None: 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

_MOST_STEPS: Final = 50

_EXPECTED: Final = "spans like 1, 30s, 2min, 1h, each from 0.1 s to 1d, up to 50 of them"


def spans() -> Kind:
    """Several spans of time, as seconds or with a unit; separated by commas in a text."""

    def parse(value: object) -> tuple[float, ...]:
        found = tuple(_span(item) for item in items_of(value))
        if not 0 < len(found) <= _MOST_STEPS:
            raise ValueError(_EXPECTED)
        return found

    return parse


def _span(item: object) -> float:
    if isinstance(item, bool) or not isinstance(item, int | float | str):
        raise ValueError(_EXPECTED)
    if isinstance(item, str):
        found = _SPAN.fullmatch(item.strip())
        if found is None:
            raise ValueError(_EXPECTED)
        item = float(found["number"]) * _UNITS[found["unit"]]
    if not isfinite(item) or not 0.1 <= item <= 86400:
        raise ValueError(_EXPECTED)
    return float(item)


@frozen
class RelaySettings:
    """``[relay]``: how status callbacks are delivered to the app."""

    schedule: tuple[float, ...] = setting(
        spans(),
        (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0),
        "how long to wait after each attempt that failed; the last one goes on",
    )
    give_up_after: float = setting(
        seconds(1, 604_800), 86_400.0, "how long a callback is tried before it is a dead letter"
    )
    concurrency: int = setting(integer(1, 1000), 50, "deliveries under way at once")
    per_origin: int = setting(integer(1, 1000), 10, "deliveries under way at once to one origin")
    timeout: float = setting(seconds(0.1, 120), 15.0, "how long the app may take for its answer")
    retention: float = setting(seconds(60, 31_536_000), 604_800.0, "how long dead letters are kept")
    most: int = setting(
        integer(1, 10_000_000), 100_000, "callbacks that wait; those beyond are refused"
    )
    most_bytes: int = setting(
        integer(65_536, 100_000_000_000),
        268_435_456,
        "bytes of the callbacks that wait, and of dead letters",
    )
