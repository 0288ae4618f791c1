"""How log events become lines: for people, or as JSON for machines.

Written for the one line that each decision costs: the time stamp is made once a second, and plain
fields are filled in by `str.format_map`, which takes a tenth of the time of Twisted's own formatter
and gives the same text (`tests/test_logs.py` holds it to that).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from typing import Final, TextIO

from twisted.logger import (
    FileLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
)

FORMATS: Final = ("text", "json")

_LEAST: Final = LogLevel.info


def observer(out: TextIO, *, style: str, worker: int | None = None) -> ILogObserver:
    """An observer that writes events of level info and above to ``out`` (style: see `FORMATS`).

    Where several processes write to one log, each line names its ``worker``.
    """
    if style == "json":
        return FileLogObserver(out, partial(as_json, worker=worker))
    return FileLogObserver(out, TextFormat(worker))


def message(event: LogEvent) -> str:
    """The event in words, on one line: control characters are written as escapes."""
    text = _fast_message(event)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _fast_message(event: LogEvent) -> str:
    template = event.get("log_format")
    if isinstance(template, str) and "log_flattened" not in event:
        try:
            return template.format_map(event)
        except Exception:  # a call, a conversion, a missing field: for Twisted's formatter
            pass
    return formatEvent(event)


def _shown(event: LogEvent) -> bool:
    level = event.get("log_level", LogLevel.info)
    return bool(level >= _LEAST)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))


def _traceback(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return "" if failure is None else str(failure.getTraceback()).rstrip()


class TextFormat:
    """``2026-11-21T04:05:06+0000 [namespace#level] message``, a traceback on the lines after it.

    Of several workers each says ``worker=N`` before its message.
    """

    def __init__(self, worker: int | None = None) -> None:
        self._worker = "" if worker is None else f"worker={worker} "
        self._second = -1
        self._stamp = ""

    def __call__(self, event: LogEvent) -> str | None:
        if not _shown(event):
            return None
        seconds = int(event["log_time"])
        if seconds != self._second:
            self._second = seconds
            self._stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
        traceback = _traceback(event)
        level = event.get("log_level", LogLevel.info)
        return (
            f"{self._stamp} [{event.get('log_namespace', '-')}#{level.name}]"
            f" {self._worker}{message(event)}\n"
            f"{traceback}{traceback and chr(10)}"
        )


def as_json(event: LogEvent, worker: int | None = None) -> str | None:
    """One object a line: time, level, namespace, message, and the event's own plain fields."""
    if not _shown(event):
        return None
    entry: dict[str, object] = {
        name: value
        for name, value in event.items()
        if not name.startswith("log_") and _is_plain(value)
    }
    entry.update(
        time=datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds"),
        level=event.get("log_level", LogLevel.info).name,
        namespace=event.get("log_namespace", "-"),
        message=message(event),
    )
    if worker is not None:
        entry["worker"] = worker
    traceback = _traceback(event)
    if traceback:
        entry["traceback"] = traceback
    return json.dumps(entry) + "\n"
