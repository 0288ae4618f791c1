"""Header lines, and that the quick way of reading them finds what the thorough one does."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boomerang.web.headers import USUAL, read_any_headers, read_headers
from boomerang.web.limits import BadMessage
from tests.web.test_fuzz import VALID, Change, changes

Found = dict[bytes, tuple[bytes, ...]] | int
"""All values of each header, or the status of a refusal."""


def found(lines: bytes, *, quickly: bool) -> Found:
    number = lines.count(b"\r\n") - 1
    try:
        headers, repeated = read_headers(lines, number) if quickly else read_any_headers(lines)
    except BadMessage as bad:
        return bad.status
    assert all(values[-1] == headers[name].strip() for name, values in repeated.items())
    return {name: repeated.get(name, (value.strip(),)) for name, value in headers.items()}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"", {}),
        (b"Host: a\r\n", {b"Host": (b"a",)}),
        (b"hOST:a \t\r\nX-rEAL-iP: \r\n", {b"Host": (b"a",), b"X-Real-Ip": (b"",)}),
        (b"A: 1\r\nB: 2\r\nA: 3\r\n", {b"A": (b"1", b"3"), b"B": (b"2",)}),
        (b"A: 1\r\na: 2\r\n", {b"A": (b"1", b"2")}),
        (b"A: \xff\xc3: b\tc\r\n", {b"A": (b"\xff\xc3: b\tc",)}),
        (
            b"Upgrade: h2c\r\nConnection: upgrade\r\n",
            {b"Upgrade": (b"h2c",), b"Connection": (b"upgrade",)},
        ),
        (b"Content-Length: 12\r\n", {b"Content-Length": (b"12",)}),
        (b"Content-Length: " + b"9" * 30 + b"\r\n", 413),
        (b"Content-Length: 1\r\nContent-Length: 1\r\n", 400),
        (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"A: b\r\n c\r\n", 400),
        (b"A: b\r\n\tc\r\n", 400),
        (b" A: b\r\n", 400),
        (b"A : b\r\n", 400),
        (b"A\r\n", 400),
        (b": b\r\n", 400),
        (b"A: b\nC: d\r\n", 400),
        (b"A: b\rC: d\r\n", 400),
        (b"A: \x00\r\n", 400),
        (b"A: \x0b\r\n", 400),
        (b"A: \x0c\r\n", 400),
        (b"A: \x7f\r\n", 400),
        (b"\xc3\xa4: b\r\n", 400),
    ],
)
def test_headers(lines: bytes, expected: Found) -> None:
    """Names are written one way, values have no blanks around them, and what is odd is refused."""
    assert found(lines + b"\r\n", quickly=True) == expected
    assert found(lines + b"\r\n", quickly=False) == expected


names = st.sampled_from(["Host", "host", "HOST", "X-Twilio-Signature", "x-a1b", "A", "a", "A ", ""])
values = st.text(st.characters(max_codepoint=255), max_size=6).map(
    lambda text: text.encode("latin-1")
)
lines_of = st.lists(
    st.builds(
        lambda name, gap, value: name.encode() + gap + value + b"\r\n",
        names,
        st.sampled_from([b": ", b":", b":  ", b" "]),
        values,
    ),
    max_size=6,
).map(b"".join)


@settings(max_examples=500)
@given(lines_of)
@example(b"A: 1\r\nB: 2\r\n C: 3\r\n")
@example(b"A: 1\r\nA: 2\r\n\tB: 3\r\n")
def test_both_ways(lines: bytes) -> None:
    """Both ways give the same headers, and the same refusals."""
    lines = lines.partition(b"\r\n\r\n")[0].removesuffix(b"\r\n") + b"\r\n"
    whole = lines.removeprefix(b"\r\n") + b"\r\n"
    assert found(whole, quickly=True) == found(whole, quickly=False)


@settings(max_examples=500)
@given(st.sampled_from(VALID), st.lists(changes(), min_size=1, max_size=3))
def test_both_ways_when_damaged(data: bytes, damages: list[Change]) -> None:
    """They do so for what requests become on their way."""
    lines = data.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2] + b"\r\n"
    for damage in damages:
        lines = damage(lines)
    lines = lines.partition(b"\r\n\r\n")[0].removesuffix(b"\r\n") + b"\r\n\r\n"
    assert found(lines, quickly=True) == found(lines, quickly=False)


def test_usual_names() -> None:
    """The names that are taken as they are need no other spelling."""
    assert {name.title() for name in USUAL} == USUAL
