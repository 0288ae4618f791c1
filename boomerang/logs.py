"""How log events become lines: for people, or as JSON for machines.

Written for the one line that each decision costs: its text comes with the event, and what all lines
of a second begin with is made once. Plain fields of other lines are filled in by Python itself,
which takes a twentieth of the time of Twisted's own formatter and gives the same text
(`tests/test_logs.py` holds it to that). Figures are instructions of CPython 3.11.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from math import inf, isfinite
from operator import itemgetter
from string import Formatter
from time import time
from typing import Any, Final, TextIO, cast

from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    formatEvent,
)
from zope.interface import provider

FORMATS: Final = ("text", "json")

_SHOWN: Final = frozenset(level for level in LogLevel.iterconstants() if level >= LogLevel.info)
_INFO: Final = LogLevel.info

_READY: Final = "{log_text}"
"""The format of an event whose text comes with it, as Twisted's own bridge to old logs has it."""

_PRINTABLE: Final = bytes(code if chr(code).isprintable() else 128 for code in range(256))
"""Leaves ASCII text as it is, if all of it can be printed."""


class Teller:
    """What `Logger.info` does, for what is told of every request; the teller makes the text.

    An event is a copy of the ``blank`` one, which has all ``fields`` already, to be filled in.
    That and the text take 9,000 instructions for a decision; as keywords, to be found again for
    the text, the same fields took 24,000. `Logger.info` takes 20,000 more, to put all levels in
    order and see whether "info" is one of them.
    """

    def __init__(self, log: Logger, *fields: str) -> None:
        self.blank: LogEvent = {
            "log_logger": log,
            "log_level": _INFO,
            "log_namespace": log.namespace,
            "log_source": log.source,
            "log_format": _READY,
            "log_time": 0.0,
            "log_text": "",
            **dict.fromkeys(fields),
        }
        self._publish = log.observer.__call__  # to call the object itself takes 600 more

    def tell(self, event: LogEvent, text: str) -> None:
        event["log_time"] = time()
        event["log_text"] = text
        self._publish(event)


def observer(out: TextIO, *, style: str, worker: int | None = None) -> ILogObserver:
    """An observer that writes events of level info and above to ``out`` (style: see `FORMATS`).

    Where several processes write to one log, each line names its ``worker``.
    """
    line_of = partial(as_json, worker=worker) if style == "json" else TextFormat(worker).__call__

    @provider(ILogObserver)
    def write(event: LogEvent) -> None:
        line = line_of(event)
        if line:
            out.write(line)
            out.flush()

    observing: Any = write  # a function, as a `FileLogObserver` takes 1,500 instructions more
    return cast(ILogObserver, observing)


def message(event: LogEvent) -> str:
    """The event in words, on one line: control characters are written as escapes."""
    text = event.get("log_text") if event.get("log_format") == _READY else None
    if type(text) is not str:
        text = _fast_message(event)
    if text.isascii():  # of 150 characters this takes 2,500 instructions, `isprintable` 6,000
        raw = text.encode()
        if raw.translate(_PRINTABLE) == raw:
            return text
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _fast_message(event: LogEvent) -> str:
    template = event.get("log_format")
    if isinstance(template, str) and "log_flattened" not in event:
        try:
            return _filler(template)(event)
        except Exception:  # a call, a conversion, a missing field: for Twisted's formatter
            pass
    return formatEvent(event)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))


@lru_cache(maxsize=256)
def _filler(template: str) -> Callable[[LogEvent], str]:
    """What `str.format_map` does with a template; in half the time, if all its fields are plain."""
    parts = [(words, name, spec or how) for words, name, spec, how in Formatter().parse(template)]
    names = [name for _, name, _ in parts if name is not None]
    if len(names) < 2 or any(special or name == "" for _, name, special in parts):
        return template.format_map
    holes = (words.replace("%", "%%") + ("" if name is None else "%s") for words, name, _ in parts)
    text = "".join(holes)
    values = itemgetter(*names)  # of one name alone it would give no tuple
    return lambda event: text % values(event)


def _traceback(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return "" if failure is None else str(failure.getTraceback()).rstrip()


class TextFormat:
    """``2026-11-21T04:05:06+0000 [namespace#level] message``, a traceback on the lines after it.

    Of several workers each says ``worker=N`` before its message.
    """

    def __init__(self, worker: int | None = None) -> None:
        self._worker = "" if worker is None else f"worker={worker} "
        self._level: object = None
        self._namespace: object = None
        self._since = self._until = inf
        self._head = ""

    def __call__(self, event: LogEvent) -> str | None:
        level = event.get("log_level", _INFO)
        namespace = event.get("log_namespace", "-")
        if not (
            self._since <= event["log_time"] < self._until
            and level is self._level
            and namespace == self._namespace
        ):
            if level not in _SHOWN:
                return None
            self._begin_with(int(event["log_time"]), level, namespace)
        line = f"{self._head}{message(event)}\n"
        traceback = _traceback(event) if "log_failure" in event else ""
        return f"{line}{traceback}\n" if traceback else line

    def _begin_with(self, second: int, level: Any, namespace: object) -> None:
        self._since, self._until = float(second), float(second + 1)
        self._level, self._namespace = level, namespace
        stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
        self._head = f"{stamp} [{namespace}#{level.name}] {self._worker}"


def as_json(event: LogEvent, worker: int | None = None) -> str | None:
    """One object a line: time, level, namespace, message, and the event's own plain fields."""
    if event.get("log_level", _INFO) not in _SHOWN:
        return None
    entry: dict[str, object] = {
        name: value
        for name, value in event.items()
        if not name.startswith("log_") and _is_plain(value)
    }
    entry.update(
        time=datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds"),
        level=event.get("log_level", _INFO).name,
        namespace=event.get("log_namespace", "-"),
        message=message(event),
    )
    if worker is not None:
        entry["worker"] = worker
    traceback = _traceback(event)
    if traceback:
        entry["traceback"] = traceback
    return json.dumps(entry) + "\n"
