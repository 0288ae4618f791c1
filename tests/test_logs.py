"""How log events become lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogPublisher,
    eventAsJSON,
    eventFromJSON,
    formatEvent,
)
from twisted.python.failure import Failure

from boomerang.logs import FORMATS, Teller, TextFormat, as_json, message, observer

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC).timestamp()


def event(template: object = "it happened", **fields: Any) -> LogEvent:
    """An event as `Logger` makes them."""
    return {
        "log_time": NOON + 0.25,
        "log_level": LogLevel.info,
        "log_namespace": "boomerang.test",
        "log_source": None,
        "log_format": template,
        **fields,
    }


def trouble(text: str = "it went wrong") -> Failure:
    try:
        raise ValueError(text)
    except ValueError:
        return Failure()


def as_text(found: LogEvent) -> str:
    line = TextFormat()(found)
    assert line is not None
    return line


def as_object(found: LogEvent) -> dict[str, Any]:
    line = as_json(found)
    assert line is not None
    assert line.endswith("\n")
    parsed = json.loads(line)
    assert isinstance(parsed, dict)
    return parsed


class Thing:
    """An object with an attribute, an item and a method, for templates to ask for."""

    name = "thing"
    numbers = (1, 2)

    def __getitem__(self, key: str) -> str:
        return f"item {key}"

    def method(self) -> str:
        return "called"

    def raising(self) -> str:
        raise RuntimeError("not callable today")

    def __str__(self) -> str:
        return "a thing"

    def __repr__(self) -> str:
        return "<thing>"


class Unspeakable:
    """An object that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


FIELDS: dict[str, Any] = {
    "text": "text",
    "braces": "{text} {0} {} }{ {{x}} {text.__class__}",
    "number": 8,
    "fraction": 0.125,
    "nothing": None,
    "raw": b"\xff",
    "listed": [1, "two"],
    "mapping": {"key": "value"},
    "thing": Thing(),
    "function": lambda: "called",
    "unspeakable": Unspeakable(),
    "level": LogLevel.warn,
}

TEMPLATES = [
    "no fields at all",
    "",
    "{text}",
    "{text}{text} and {number}",
    "{braces}",
    "{{text}} }} {{",
    "{number:05d} {fraction:.1f} {text:>8} {text:{number}}",
    "{number!r} {text!r} {text!s} {text!a} {thing!r} {thing!s}",
    "{nothing} {raw} {listed} {level} {level.name}",
    "{listed[0]} {mapping[key]} {thing.name} {thing.numbers[1]} {thing[x]}",
    "{function()} {thing.method()} {thing}",
    "{log_level} {log_namespace} {log_time}",
    # What cannot be formatted.
    "{missing}",
    "{missing()}",
    "{text.missing}",
    "{listed[9]}",
    "{mapping[missing]}",
    "{thing.raising()}",
    "{text()}",
    "{unspeakable}",
    "{number:>x>}",
    "{text:d}",
    "{text!x}",
    "{0}",
    "{}",
    "{",
    "}",
    "{text",
    "{text!}",
    b"{text} in bytes",
    b"\xff",
    None,
    8,
]


def escaped(text: str) -> str:
    """A message as it must be shown: on one line."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


@pytest.mark.parametrize("template", TEMPLATES)
def test_same_as_twisted(template: object) -> None:
    """Whatever the template, the message is that of Twisted's own formatter."""
    found = event(template, **FIELDS)
    assert message(found) == escaped(formatEvent(found))


def test_no_template() -> None:
    """An event without a template has an empty message, as with Twisted."""
    assert message({"log_level": LogLevel.info}) == formatEvent({}) == ""


pieces = st.sampled_from(
    [piece for template in TEMPLATES if isinstance(template, str) for piece in template.split(" ")]
)


@given(st.lists(pieces | st.text("{}ab!:.[]()%s", max_size=3), max_size=6), st.text())
def test_any_template(parts: list[str], text: str) -> None:
    """The same goes for templates put together at random, and for any text in a field."""
    found = event(" ".join(parts), **{**FIELDS, "a": text, "b": 1, "text": text})
    assert message(found) == escaped(formatEvent(found))


def test_teller() -> None:
    """What is told of every request is the event that `Logger.info` makes, as often as it is."""
    events: list[LogEvent] = []
    observing: Any = events.append
    log = Logger(namespace="boomerang.test", observer=observing)
    teller = Teller(log, "a", "b")
    for number in range(2):
        told = teller.blank.copy()
        told["a"], told["b"] = "one", number
        teller.tell(told, f"one and {number}")
        log.info("{log_text}", log_text=f"one and {number}", a="one", b=number)
    assert [each["b"] for each in events] == [0, 0, 1, 1]
    for told, usual in (events[:2], events[2:]):
        assert 0 <= usual.pop("log_time") - told.pop("log_time") < 60
        assert told == usual


@given(st.text() | st.text("a{}%\\\n\x7f\x80é\u2028"))
def test_ready_text(text: str) -> None:
    """A text that comes with its event is what Twisted's own formatter makes of that event."""
    found = event("{log_text}", log_text=text)
    assert message(found) == escaped(formatEvent(found)) == escaped(text)


@pytest.mark.parametrize("text", [b"raw", 8, None, Thing()])
def test_ready_text_of_others(text: object) -> None:
    """What is no text is left to Twisted; a text that is not asked for is not shown."""
    found = event("{log_text}", log_text=text)
    assert message(found) == formatEvent(found)
    assert message(event("told", log_text=text)) == "told"
    assert message(event("{log_text}")) == escaped(formatEvent(event("{log_text}")))


@pytest.mark.parametrize("code", range(256))
def test_printable(code: int) -> None:
    """Each character is shown as it is if it can be printed, else as an escape."""
    text = f"a{chr(code)}b"
    assert message(event("{log_text}", log_text=text)) == escaped(text)


def test_flattened() -> None:
    """An event that went through a file is shown as it was then."""
    found = eventFromJSON(eventAsJSON(event("{thing} {thing.method()}", **FIELDS)))
    assert message(found) == "a thing called"
    found = eventFromJSON(eventAsJSON(event("{thing} {text}", **FIELDS)))
    assert message(found) == "a thing text"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", "one\\ntwo"),
        ("one\r\ntwo", "one\\r\\ntwo"),
        ("a\tb", "a\\tb"),
        ("\0", "\\x00"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x85\u2028\u2029", "\\x85\\u2028\\u2029"),
        ("\x0b\x0c\x1c\x1d\x1e", "\\x0b\\x0c\\x1c\\x1d\\x1e"),
        ("\u202e", "\\u202e"),
        ("\udcff", "\\udcff"),
        ("é", "é"),
        ("\\", "\\"),
        ("é\n", "\\xe9\\n"),
    ],
)
def test_control_characters(text: str, shown: str) -> None:
    """What could end a line, or do something to a terminal, is written as an escape."""
    assert message(event("{text}", text=text)) == shown
    assert message(event(text)) == shown


@given(st.text())
def test_one_line(text: str) -> None:
    """Whatever comes from outside, an event is one line, and one line only."""
    found = event("told {text}", text=text)
    line = as_text(found)
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    assert as_object(found)["message"] == message(found)
    assert len((as_json(found) or "").splitlines()) == 1


@pytest.mark.parametrize("braces", ["{", "}", "{}", "{0}", "{text}", "{log_source}", "{{", "}}"])
def test_braces_from_outside(braces: str) -> None:
    """Braces in a field are not looked into."""
    assert message(event("told {text}", text=braces)) == f"told {braces}"


def test_text_line() -> None:
    """A line is time, namespace, level and message."""
    assert as_text(event("told {text}", text="all")) == (
        "2026-11-21T12:00:00+0000 [boomerang.test#info] told all\n"
    )


def test_text_without_level() -> None:
    """An event without level or namespace counts as information."""
    assert as_text({"log_time": NOON, "log_format": "told"}) == (
        "2026-11-21T12:00:00+0000 [-#info] told\n"
    )


def test_seconds() -> None:
    """The time is that of the event, whichever came before it."""
    style = TextFormat()
    lines = [style(event(log_time=NOON + after)) or "" for after in (0.0, 0.9, 1.0, 61.5, 0.5)]
    shown = [line[11:19] for line in lines]
    assert shown == ["12:00:00", "12:00:00", "12:00:01", "12:01:01", "12:00:00"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.25, 0.999, 1.0, 86400.0]),
            st.sampled_from([LogLevel.debug, LogLevel.info, LogLevel.warn]),
            st.sampled_from(["boomerang.test", "boomerang.other", None]),
        )
    )
)
def test_same_second(events: list[tuple[float, Any, str | None]]) -> None:
    """What is kept for the lines of a second is not taken for another level or namespace."""
    style = TextFormat(3)
    for after, level, namespace in events:
        found = event(log_time=NOON + after, log_level=level, log_namespace=namespace)
        assert style(found) == TextFormat(3)(found)


def test_text_traceback() -> None:
    """A traceback stands on the lines after the message, and ends in a line of its own."""
    first, *rest = as_text(event("failed", log_failure=trouble())).splitlines(keepends=True)
    assert first == "2026-11-21T12:00:00+0000 [boomerang.test#info] failed\n"
    assert rest[0].startswith("Traceback")
    assert rest[-1] == "builtins.ValueError: it went wrong\n"


def test_json_line() -> None:
    """An object has time, level, namespace, message, and the plain fields of the event."""
    found = event("told {text} {number}", **FIELDS, yes=True, log_level=LogLevel.warn)
    del found["unspeakable"], found["level"]
    assert as_object(found) == {
        "time": "2026-11-21T12:00:00.250+00:00",
        "level": "warn",
        "namespace": "boomerang.test",
        "message": "told text 8",
        "text": "text",
        "braces": FIELDS["braces"],
        "number": 8,
        "fraction": 0.125,
        "yes": True,
    }


def test_json_without_level() -> None:
    """An event without level or namespace counts as information here too."""
    shown = as_object({"log_time": NOON, "log_format": "told"})
    assert shown["level"] == "info"
    assert shown["namespace"] == "-"


def test_json_own_fields() -> None:
    """No field of an event can pass for what the line says of it."""
    found = event("told", time="t", level="l", namespace="n", message="m")
    shown = as_object(found)
    assert shown["message"] == "told"
    assert shown["level"] == "info"
    assert shown["namespace"] == "boomerang.test"
    assert shown["time"].startswith("2026")


def test_json_traceback() -> None:
    """A traceback is a field, and does not break the line."""
    found = event("failed", log_failure=trouble("one\ntwo"))
    traceback = as_object(found)["traceback"]
    assert traceback.startswith("Traceback")
    assert traceback.endswith("ValueError: one\ntwo")
    assert (as_json(found) or "").count("\n") == 1


@pytest.mark.parametrize("style", FORMATS)
def test_levels(style: str) -> None:
    """Debug events are left out, all others written, each at once."""
    out = StringIO()
    log = Logger(namespace="test", observer=LogPublisher(observer(out, style=style)))
    log.debug("not told")
    assert out.getvalue() == ""
    for count, level in enumerate(("info", "warn", "error", "critical"), start=1):
        getattr(log, level)("told {count}", count=count)
        assert len(out.getvalue().splitlines()) == count
        assert f"told {count}" in out.getvalue().splitlines()[-1]


@pytest.mark.parametrize("style", FORMATS)
def test_known_as_observer(style: str) -> None:
    """``twistd`` sees that it is a new observer, and not one of the old kind."""
    assert ILogObserver.providedBy(observer(StringIO(), style=style))


def test_styles() -> None:
    """There are two styles, and the second is JSON."""
    assert FORMATS == ("text", "json")
    for style in FORMATS:
        out = StringIO()
        observer(out, style=style)(event())
        assert out.getvalue().startswith("{") is (style == "json")


def test_json_nan() -> None:
    """What JSON has no word for is left out."""
    line = as_json(
        {"log_time": 0.0, "log_level": LogLevel.info, "log_format": "x", "n": float("nan")}
    )
    json.loads(line or "", parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("style", FORMATS)
def test_worker(style: str) -> None:
    """Where several processes share a log, each line says which one wrote it."""
    out = StringIO()
    observer(out, style=style, worker=3)(event())
    expected = {
        "text": "2026-11-21T12:00:00+0000 [boomerang.test#info] worker=3 it happened\n",
        "json": '{"time": "2026-11-21T12:00:00.250+00:00", "level": "info", "namespace":'
        ' "boomerang.test", "message": "it happened", "worker": 3}\n',
    }
    assert out.getvalue() == expected[style]
