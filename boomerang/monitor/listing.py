"""The checks as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import inf

from boomerang.monitor.watched import CheckView

_HEAD = ("CHECK", "STATE", "SINCE (UTC)", "LAST RUN", "TOOK", "WHY")


def listing(views: Sequence[CheckView], *, now: float) -> Iterator[str]:
    """One line for each check, under a heading, in columns. ``now`` is seconds since the epoch."""
    rows = [_HEAD, *(_row(each, now) for each in views)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _row(view: CheckView, now: float) -> tuple[str, ...]:
    last, since = view.last, view.standing.since
    return (
        view.check.name,
        view.label,
        f"{_instant(since)}" if since is not None else "-",
        f"{_span(now - last.at)} ago{_stale(view, now)}" if last else "never",
        f"{last.seconds:.3f} s" if last else "-",
        _why(view),
    )


def _stale(view: CheckView, now: float) -> str:
    """A mark on results that are older than they should be: is the daemon running?"""
    late = view.last is not None and now - view.last.at > 3 * view.check.interval + 10
    return " (stale)" if late and view.paused_until is None else ""


def _why(view: CheckView) -> str:
    parts = []
    if view.paused_until is not None:
        ends = view.paused_until != inf
        parts.append(f"until {_instant(view.paused_until)}" if ends else "until it is resumed")
    if view.causes:
        parts.append(f"down: {', '.join(view.causes)}")
    if view.standing.reason is not None:
        parts.append(f"{view.standing.reason.value}: {view.standing.detail}")
    elif view.last is not None and view.last.reason is not None:
        parts.append(f"last run failed, {view.last.reason.value}: {view.last.detail}")
    return "; ".join(parts)


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _span(seconds: float) -> str:
    """A span of time in its largest unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
