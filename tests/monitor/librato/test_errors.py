"""What is made of an answer of failure."""

from __future__ import annotations

import json

import pytest

from boomerang.monitor.librato.errors import (
    LONGEST_REASON,
    LONGEST_WAIT,
    LibratoError,
    Refused,
    TryLater,
    error_of,
)


def error(status: int, body: object = b"", **headers: str) -> LibratoError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of(status, lower, raw, hide=lambda text: text.replace("hunter2", "***"))


LIMIT = {"request_time": 1467306906, "error": "rate limit text"}
HTTPS = {"errors": {"request": ["Please use secured connection through https!"]}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, LIMIT, TryLater),
        (429, b"", TryLater),
        (403, LIMIT, TryLater),
        (403, HTTPS, Refused),
        (403, b"\xff", Refused),
        (403, [], Refused),
        (408, b"", TryLater),
        (500, b"", TryLater),
        (502, b"<html>", TryLater),
        (503, {"errors": {"system": ["maintenance"]}}, TryLater),
        (599, b"", TryLater),
        (301, b"", Refused),
        (400, {"errors": {"params": {"name": ["is invalid"]}}}, Refused),
        (401, b"Access denied", Refused),
        (404, b"", Refused),
        (415, b"", Refused),
        (422, b"", Refused),
    ],
)
def test_kind(status: int, body: object, kind: type[LibratoError]) -> None:
    """Limits and a server's own troubles pass; all else is final, and tells its status."""
    found = error(status, body)
    assert type(found) is kind
    assert str(found).startswith(f"{status}: ")
    if isinstance(found, Refused):
        assert found.status == status


def test_limited_by_header() -> None:
    """A 403 that says when to come back is a limit, whatever its body."""
    assert isinstance(error(403, b"", retry_after="30"), TryLater)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"errors": {"params": {"measure_time": ["is too far in the past"]}}, "request_time": 1},
            "params: measure_time: is too far in the past",
        ),
        (
            {"errors": {"params": {"conditions": {"duration": ["must be set"]}}}},
            "params: conditions: duration: must be set",
        ),
        ({"errors": {"params": {"name": "is a string"}}}, "params: name: is a string"),
        (
            {"errors": {"params": {"name": ["is invalid", "is taken"], "type": ["is wrong"]}}},
            "params: name: is invalid, params: name: is taken, params: type: is wrong",
        ),
        ({"errors": {"request": ["Authorization Required"]}}, "request: Authorization Required"),
        ({"errors": {"request": "one plain string"}}, "request: one plain string"),
        ({"errors": {"system": ["maintenance"]}}, "system: maintenance"),
        ({"errors": ["one", "two"]}, "one, two"),
        ({"errors": "one"}, "one"),
        (LIMIT, "rate limit text"),
        ({"message": "not found"}, "not found"),
        ({"errors": {}}, "no reason given"),
        ({"errors": None}, "no reason given"),
        ({"errors": {"params": {"count": 7}}}, "params: count: 7"),
        ({"errors": {"a": {"b": {"c": {"d": {"e": {"f": "g"}}}}}}}, "a: b: c: d: e: ..."),
        ({}, "no reason given"),
        ([], "no reason given"),
        (None, "null"),
        ("text", "text"),
        (7, "7"),
        (b"", "no reason given"),
        (b"HTTP Basic: Access denied.\n", "HTTP Basic: Access denied."),
        (b"<!DOCTYPE html><p>Bad gateway", "an HTML page"),
        (b"\xff\xfe{", "\ufffd\ufffd{"),
        (b"two\r\nlines\x00\x1b[31m", "two lines [31m"),
        (b'{"errors": "\\ud800 \\u2028x"}', "x"),
        (b"[" * 100_000, "[" * (LONGEST_REASON - 3) + "..."),
        (b"9" * 100_000, "9" * (LONGEST_REASON - 3) + "..."),
        ({"errors": ["x" * 1000]}, "x" * (LONGEST_REASON - 3) + "..."),
        ({"errors": ["x"] * 1000}, ", ".join(["x"] * 20)),
    ],
)
def test_reason(body: object, reason: str) -> None:
    """Every shape of body gives one line, of bounded length, and none gives a traceback."""
    assert str(error(400, body)) == f"400: {reason}"


@pytest.mark.parametrize(
    "body", [b"token hunter2", {"errors": ["x" * (LONGEST_REASON - 5) + " hunter2"]}]
)
def test_secrets(body: object) -> None:
    """What must not be told is hidden before the reason is cut to length."""
    assert "hunt" not in str(error(400, body))


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({}, None),
        ({"retry_after": "30"}, 30.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "86400"}, LONGEST_WAIT),
        ({"retry_after": "9" * 30}, None),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "1.5"}, None),
        ({"retry_after": "\u0663"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "Sat, 21 Nov 2026 10:00:30 GMT"}, None),
        (
            {
                "retry_after": "Sat, 21 Nov 2026 10:00:30 GMT",
                "date": "Sat, 21 Nov 2026 10:00:00 GMT",
            },
            30.0,
        ),
        (
            {
                "retry_after": "Sat, 21 Nov 2026 10:00:00 GMT",
                "date": "Sat, 21 Nov 2026 10:00:30 GMT",
            },
            0.0,
        ),
        (
            {"retry_after": "Sat, 21 Nov 2026 10:00:30", "date": "Sat, 21 Nov 2026 10:00:00 GMT"},
            None,
        ),
    ],
)
def test_retry_after(headers: dict[str, str], after: float | None) -> None:
    """Seconds or a date, bounded; a date counts from the answer's own."""
    found = error(503, b"", **headers)
    assert isinstance(found, TryLater)
    assert found.after == after
