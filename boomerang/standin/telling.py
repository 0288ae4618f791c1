"""The timeline in words for people, and as values for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final

from attrs import asdict

from boomerang.standin.events import (
    Answered,
    Asked,
    Ended,
    Event,
    Failed,
    Heard,
    Manner,
    Noted,
    Role,
    Silence,
    Unanswered,
    Understood,
    Warned,
)
from boomerang.standin.script import VOICE
from boomerang.standin.storm import Standing, Summary

_ROLES: Final = {
    Role.FIRST: "asks",
    Role.REDIRECT: "is sent to",
    Role.ACTION: "reports to",
    Role.FALLBACK: "falls back",
}

_SOUNDS: Final = {
    Manner.SAY: "a voice: ",
    Manner.PLAY: "a recording: ",
    Manner.STANDARD_MESSAGE: "Twilio's standard error message",
    Manner.MESSAGE: "",
}

_LOGIN: Final = re.compile(r"(?<=://)[^/?#\s]*@")
_LONGEST: Final = 400
"""Characters of a line; documents may say more."""

_BAR: Final = 30


def line(event: Event, *, product: str) -> str:
    """One event as a line: seconds since the beginning, what happened, and more about it."""
    what, more = _WORDS[type(event.told)](event.told, event, product)
    return f"{event.at:8.2f} s  {what:<12}  {_printable(without_logins(more))}".rstrip()


def as_json(event: Event) -> str:
    """One event as a line of JSON."""
    told: dict[str, Any] = asdict(event.told, value_serializer=_plain)
    silence = {} if event.silence is None else {"silence": round(event.silence, 3)}
    name = type(event.told).__name__.lower()
    return json.dumps({"at": round(event.at, 3), "event": name, **told, **silence})


def _plain(_: Any, field: Any, value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return round(value, 3)
    is_ours = field is not None and field.name in ("url", "reason", "words")
    return without_logins(value) if is_ours else value


def without_logins(text: str) -> str:
    """A text without the names and passwords of URLs in it; queries are shown, unlike in a log."""
    return _LOGIN.sub("", text)


def _asked(told: Asked, _: Event, __: str) -> tuple[str, str]:
    notes = [f"error {told.error_code}"] if told.error_code else []
    notes += [f"try {told.number}"] if told.number > 1 else []
    notes += [f"HTTP redirect {told.redirects}"] if told.redirects else []
    shown = f"{told.method} {told.url}"
    return _ROLES[told.role], f"{shown} ({', '.join(notes)})" if notes else shown


def _answered(told: Answered, _: Event, __: str) -> tuple[str, str]:
    decision = f" ({told.decision})" if told.decision else ""
    return "answer", f"{told.status} after {told.seconds:.2f} s{decision}"


def _failed(told: Failed, _: Event, __: str) -> tuple[str, str]:
    return "failed", f"error {told.code}: {told.words}"


def _heard(told: Heard, event: Event, product: str) -> tuple[str, str]:
    sound = f"{_SOUNDS[told.manner]}{told.what}"
    if product != VOICE:
        return "sender gets", sound
    after = f" (after {event.silence:.1f} s of waiting)" if (event.silence or 0) >= 0.05 else ""
    return "caller hears", f"{sound}{after}"


_WORDS: Final[dict[type[Any], Callable[[Any, Event, str], tuple[str, str]]]] = {
    Asked: _asked,
    Answered: _answered,
    Unanswered: lambda told, *_: ("unanswered", told.words),
    Understood: lambda told, *_: ("TwiML", " ".join(f"<{verb}>" for verb in told.verbs) or "empty"),
    Failed: _failed,
    Warned: lambda told, *_: ("warning", f"{told.code}: {told.words}"),
    Heard: _heard,
    Silence: lambda told, *_: ("silence", f"{told.seconds:g} s ({told.why})"),
    Noted: lambda told, *_: ("", told.words),
    Ended: lambda told, *_: (told.outcome.value.upper(), told.reason),
}


def _printable(text: str) -> str:
    """What an app says may have anything in it, a terminal's own commands included."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return "".join(char if char.isprintable() else "\ufffd" for char in shown)


# Storms


def progress(standing: Standing) -> str:
    """How a storm stands, as a bar."""
    done = _BAR * standing.ended // standing.calls
    bar = "#" * done + "." * (_BAR - done)
    return (
        f"[{bar}] {standing.ended}/{standing.calls}, {standing.under_way} under way,"
        f" {standing.saved} saved, {standing.apologised} apologised, {standing.lost} lost"
    )


def summed_up(summary: Summary) -> Iterator[str]:
    """What became of a storm, in lines."""
    standing = summary.standing
    yield (
        f"{standing.ended} in {summary.seconds:.1f} s, {summary.most_under_way} of them at once;"
        f" something failed in {summary.failed}"
    )
    yield f"saved {standing.saved}, apologised {standing.apologised}, lost {standing.lost}"
    for code, count in summary.codes:
        yield f"{count:6}  failures with error {code}"
    for reason, count in summary.reasons:
        yield f"{count:6}  {_printable(without_logins(reason))}"
    if summary.silences:
        half, most, longest = (_quantile(summary, share) for share in (0.5, 0.99, 1))
        yield f"longest silence: median {half:.2f} s, p99 {most:.2f} s, max {longest:.2f} s"


def summary_as_json(summary: Summary) -> str:
    """What became of a storm, as a line of JSON."""
    standing = summary.standing
    return json.dumps(
        {
            "calls": standing.calls,
            "saved": standing.saved,
            "apologised": standing.apologised,
            "lost": standing.lost,
            "failed": summary.failed,
            "seconds": round(summary.seconds, 3),
            "most_under_way": summary.most_under_way,
            "codes": {str(code): count for code, count in summary.codes},
            "reasons": {without_logins(reason): count for reason, count in summary.reasons},
            "silence": {
                name: round(_quantile(summary, share), 3)
                for name, share in (("median", 0.5), ("p99", 0.99), ("max", 1))
            },
        }
    )


def _quantile(summary: Summary, share: float) -> float:
    """The least of the silences that so many of all do not exceed."""
    count = len(summary.silences)
    return summary.silences[max(0, -(-round(share * 100) * count // 100) - 1)] if count else 0.0
