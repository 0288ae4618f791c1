"""What people are told of an outage. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from boomerang.monitor.outage import Outage
from boomerang.settings.checks import Check

KINDS: Final = ("failure", "success")
"""Apprise's words for what a message is."""

_NAMED: Final = 20
"""Names of affected checks in a message; more of them are only counted."""

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@frozen
class Message:
    """What is sent to each address; ``kind`` is one of `KINDS`."""

    title: str
    body: str
    kind: str


def message_of(outage: Outage, check: Check | None, *, environment: str) -> Message:
    """What to say of an outage that begins, or of one that has ended.

    ``check`` is `None` if it was taken out of the settings while it was down.
    """
    if outage.ended is None:
        state, text = "is down", _begun(outage)
    elif check is None:
        state, text = "is no longer checked", _over(outage, outage.ended)
    else:
        state, text = "is up again", _over(outage, outage.ended)
    return Message(
        title=f"[{environment}] {outage.check} {state}",
        body="\n".join([text, *_facts(outage, check, environment)]),
        kind="failure" if outage.ended is None else "success",
    )


def _begun(outage: Outage) -> str:
    return f"{outage.check} has been down since {_instant(outage.began)}: {_why(outage)}"


def _over(outage: Outage, ended: float) -> str:
    lasted = _duration(ended - outage.began)
    since, until = _instant(outage.began), _instant(ended)
    return f"{outage.check} was down for {lasted}, from {since} to {until}: {_why(outage)}"


def _facts(outage: Outage, check: Check | None, environment: str) -> Iterator[str]:
    if outage.affects:
        more = len(outage.affects) - _NAMED
        names = ", ".join(outage.affects[:_NAMED])
        yield f"Affected: {names}{f' and {more} more' if more > 0 else ''}"
    yield f"Environment: {environment}"
    if check is not None and check.runbook_url is not None and outage.ended is None:
        yield f"What to do: {check.runbook_url}"


def _why(outage: Outage) -> str:
    reason = outage.reason.value
    return f"{outage.detail} ({reason})" if outage.detail else reason


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _duration(seconds: float) -> str:
    """The two largest units: ``45 s``, ``12 min 5 s``, ``3 h 2 min``, ``2 d 4 h``."""
    rest = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
