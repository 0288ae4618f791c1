"""Callbacks for people and for programs; without bodies and queries, unless asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from boomerang.relay.callback import Queued, State
from boomerang.retry.record import masked
from boomerang.stores.queue import Stats
from boomerang.urls import without_secrets

_HEAD: Final = ("NUMBER", "STATE", "AGE", "TRIED", "NEXT", "ENDPOINT", "URL", "SID", "LAST")


def listed(queued: Sequence[Queued], *, now: float) -> Iterator[str]:
    """One line for each, under a heading, in columns; nothing for none."""
    if not queued:
        return
    rows = [_HEAD, *(_row(each, now) for each in queued)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _row(queued: Queued, now: float) -> tuple[str, ...]:
    callback = queued.callback
    waiting = queued.state is State.WAITING
    return (
        str(queued.number),
        queued.state.value,
        span(now - callback.received_at),
        str(queued.attempts),
        span(queued.due_at - now) if waiting else "-",
        callback.endpoint,
        f"{callback.method} {masked(without_secrets(callback.url))}",
        callback.order if callback.order != callback.key else "-",
        queued.last or "-",
    )


def shown(queued: Queued, *, now: float, body: bool) -> Iterator[str]:
    """All that is known of one, a line each."""
    for name, value in as_record(queued, now=now, body=body).items():
        yield f"{name}: {value}"
    yield ""


def as_record(queued: Queued, *, now: float, body: bool = False) -> dict[str, Any]:
    """One as JSON has it; ``body`` brings what the app is sent. Ages are seconds."""
    callback = queued.callback
    record: dict[str, Any] = {
        "number": queued.number,
        "state": queued.state.value,
        "endpoint": callback.endpoint,
        "method": callback.method,
        "url": callback.url if body else masked(without_secrets(callback.url)),
        "sid": callback.order if callback.order != callback.key else None,
        "account_sid": callback.account_sid or None,
        "key": callback.key,
        "age": round(now - callback.received_at, 1),
        "attempts": queued.attempts,
        "due_in": round(queued.due_at - now, 1) if queued.state is State.WAITING else None,
        "last": queued.last or None,
        "content_type": callback.content_type or None,
        "bytes": len(callback.body),
    }
    if body:
        record["body"] = callback.body.decode("utf-8", "backslashreplace")
    return record


def summary(stats: Stats, *, shown: int, now: float) -> str:
    """How the queue stands, in one line."""
    oldest = "" if stats.oldest is None else f", the oldest for {span(now - stats.oldest)}"
    return f"{shown} shown; {stats.waiting} waiting{oldest}; {stats.dead} dead"


def span(seconds: float) -> str:
    """A span of time in one or two units."""
    left = max(0, round(seconds))
    if left < 60:
        return f"{left}s"
    if left < 3600:
        return f"{left // 60}m{left % 60:02}s"
    if left < 86400:
        return f"{left // 3600}h{left % 3600 // 60:02}m"
    return f"{left // 86400}d{left % 86400 // 3600:02}h"
