"""What Librato says when it does not do what it was asked, in every form in which it says it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final

LONGEST_REASON: Final = 300
"""Characters; a reason stands in a log line."""

LONGEST_WAIT: Final = 3600.0
"""Seconds; whatever else ``Retry-After`` asks for."""

_LATER: Final = frozenset({408, 425, 429})
"""Beside all of 5xx. 403 is undecided: see `error_of`."""

_DEEPEST: Final = 5
_MOST_SENTENCES: Final = 20


class LibratoError(Exception):
    """Librato did not do what it was asked; the message says why, on one line, without secrets."""


class TryLater(LibratoError):
    """It may do so later: after so many seconds, if it said so."""

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Refused(LibratoError):
    """It will not, however often it is asked. ``status`` is that of its answer."""

    def __init__(self, reason: str, *, status: int) -> None:
        super().__init__(reason)
        self.status = status


def error_of(
    status: int, headers: Mapping[str, str], body: bytes, *, hide: Callable[[str], str]
) -> LibratoError:
    """The error in an answer that is none of success; names of headers are lower case.

    403 is how Librato used to limit rates, with an ``error`` in the singular, and also how it
    turns plain HTTP away. ``hide`` takes secrets out of what the answer says.
    """
    reason = f"{status}: {one_line(hide(_said(body))) or 'no reason given'}"
    limited = status == 403 and (_has_single_error(body) or "retry-after" in headers)
    if status >= 500 or status in _LATER or limited:
        return TryLater(reason, after=_retry_after(headers))
    return Refused(reason, status=status)


def messages(said: object) -> str:
    """What an ``error`` or ``errors`` says, whatever it is made of; empty if nothing."""
    return ", ".join(islice(_sentences(said), _MOST_SENTENCES))


def one_line(text: str) -> str:
    """A text without line breaks and control characters, and no longer than a reason may be."""
    plain = "".join(each if each.isprintable() else " " for each in text[: 4 * LONGEST_REASON])
    line = " ".join(plain.split())
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 3]}..."


def _said(body: bytes) -> str:
    data = _parsed(body)
    if isinstance(data, dict):
        return messages([data.get(name) for name in ("error", "errors", "message")])
    if data is not None:
        return messages(data)
    text = body.decode("utf-8", "replace").strip()
    return "an HTML page" if text.startswith("<") else text


def _sentences(said: object, label: str = "", depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        yield f"{label}..."
    elif isinstance(said, dict):
        for name, inner in said.items():
            yield from _sentences(inner, f"{label}{name}: ", depth + 1)
    elif isinstance(said, list):
        for inner in said:
            yield from _sentences(inner, label, depth + 1)
    elif said not in (None, ""):
        yield f"{label}{said}"


def _has_single_error(body: bytes) -> bool:
    data = _parsed(body)
    return isinstance(data, dict) and "error" in data


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date is counted from the answer's own, whatever our clock says."""
    text = headers.get("retry-after", "")
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
        seconds = (at - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)
