"""What people and other systems are told of: outages, and whoever tells of them."""

from __future__ import annotations

import json
from typing import Protocol

from attrs import frozen

from boomerang.monitor.result import Reason, Result, number, text_of
from boomerang.settings.checks import Check


@frozen
class Outage:
    """A check that is down, and is so by itself, not because something it depends on is.

    Instants are seconds since the epoch: ``began`` is that of the first failure in a row,
    ``ended`` of the success that ended it, `None` while it lasts. ``detail`` is for people.
    ``affects`` names the checks that depend on it.
    """

    check: str
    began: float
    reason: Reason
    detail: str
    affects: tuple[str, ...] = ()
    ended: float | None = None


class Reporter(Protocol):
    """Tells the outside of what the monitor finds. The methods return at once and never raise.

    Each outage is told of once when it began and once when it ended, in this order, and over a
    restart of the process too; a reporter that must not lose one keeps it in the store.
    """

    def checked(self, check: Check, result: Result, *, affected: bool) -> None:
        """A check has run. ``affected``: something that it depends on is down."""

    def began(self, outage: Outage) -> None:
        """Something is down."""

    def ended(self, outage: Outage) -> None:
        """It is well again."""


def to_json(outage: Outage) -> str:
    """An outage as it is kept in the store."""
    data = {
        "check": outage.check,
        "began": outage.began,
        "reason": outage.reason.value,
        "detail": outage.detail,
        "affects": outage.affects,
        "ended": outage.ended,
    }
    return json.dumps(data)


def from_json(text: str) -> Outage:
    """An outage from the store. Raises `ValueError` for what is none."""
    try:
        data = json.loads(text)
        if not isinstance(data["affects"], list):
            raise TypeError("affects is no list")
        return Outage(
            check=text_of(data["check"]),
            began=number(data["began"]),
            reason=Reason(data["reason"]),
            detail=text_of(data["detail"]),
            affects=tuple(text_of(each) for each in data["affects"]),
            ended=None if data["ended"] is None else number(data["ended"]),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not an outage: {error}") from None
