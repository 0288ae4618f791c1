"""The checks as the page shows them: a tree of dependencies, each check with its last runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isinf
from typing import Final

from attrs import frozen

from boomerang.monitor.account import KIND as ACCOUNT
from boomerang.monitor.result import Reason
from boomerang.monitor.watched import CheckView

_DAY: Final = 86_400
_LETTERS_OF_DETAIL: Final = 200


@frozen
class Run:
    """One run: when (seconds since the epoch), how long it took (seconds), and how it ended."""

    at: float
    seconds: float
    well: bool


@frozen
class CheckNow:
    """How a check stands. Instants are seconds since the epoch.

    ``state`` is up, slow, down, unknown, affected (what it depends on is down) or paused.
    ``paused_until`` is `None` where it has no end, too. ``level`` is its depth in the tree of what
    depends on what. Uptimes are shares from 0 to 1, `None` where nothing is known.
    """

    name: str
    kind: str
    state: str
    since: float | None
    why: str
    causes: tuple[str, ...]
    depends_on: tuple[str, ...]
    level: int
    slow: float
    paused_until: float | None
    runs: tuple[Run, ...]
    certificate_days: int | None
    uptime_day: float | None
    uptime_week: float | None


def check_now(view: CheckView, *, level: int, now: float) -> CheckNow:
    """A check at an instant."""
    standing, last = view.standing, view.last
    reason = standing.reason or (last.reason if last is not None else None)
    detail = standing.detail or (last.detail if last is not None else "")
    until = view.paused_until
    return CheckNow(
        name=view.check.name,
        kind=view.check.kind,
        state=view.label,
        since=standing.since,
        why=_why(view, reason, detail),
        causes=view.causes,
        depends_on=view.check.depends_on,
        level=level,
        slow=view.check.slow,
        paused_until=None if until is None or isinf(until) else until,
        runs=tuple(Run(each.at, round(each.seconds, 4), each.well) for each in view.results),
        certificate_days=_certificate_days(view, now),
        uptime_day=view.uptime.day(now=now),
        uptime_week=view.uptime.week(now=now),
    )


def _why(view: CheckView, reason: Reason | None, detail: str) -> str:
    """Why it is not well; an audit says so in its own words alone."""
    if reason is None:
        return ""
    words = detail if view.check.kind == ACCOUNT else f"{reason.value}: {detail}"
    return words[:_LETTERS_OF_DETAIL]


def in_order(views: Sequence[CheckView]) -> list[tuple[int, CheckView]]:
    """Each check with its level, below the first of those that it depends on."""
    below: Mapping[str, list[CheckView]] = {view.check.name: [] for view in views}
    roots: list[CheckView] = []
    for view in views:
        (below[view.check.depends_on[0]] if view.check.depends_on else roots).append(view)
    found: list[tuple[int, CheckView]] = []
    pending = [(0, view) for view in reversed(roots)]
    while pending:
        level, view = pending.pop()
        found.append((level, view))
        pending += [(level + 1, each) for each in reversed(below[view.check.name])]
    return found


def _certificate_days(view: CheckView, now: float) -> int | None:
    """Whole days that the certificate is still good for, below zero once it is not."""
    for result in reversed(view.results):
        if result.certificate_expires is not None:
            return int((result.certificate_expires - now) // _DAY)
    return None
