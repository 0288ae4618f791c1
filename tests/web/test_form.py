"""Form fields as Twilio sends them."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boomerang.values import pairs_of
from boomerang.web.form import MOST_FIELDS, BadForm, is_form, parse_fields, parse_form


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b"", []),
        (b"a=1", [("a", "1")]),
        (b"b=2&a=1&b=1", [("b", "2"), ("a", "1"), ("b", "1")]),
        (b"FromCity=&To=", [("FromCity", ""), ("To", "")]),
        (b"a", [("a", "")]),
        (b"=1", [("", "1")]),
        (b"&&a=1&", [("a", "1")]),
        (b"a=1=2", [("a", "1=2")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
        (b"Body=It%27s+amazing%21", [("Body", "It's amazing!")]),
        (b"From=%2B15005550006", [("From", "+15005550006")]),
        (b"a=+x+", [("a", " x ")]),
        ("Body=grüße".encode(), [("Body", "grüße")]),
        (b"Body=%F0%9F%91%8B", [("Body", "👋")]),
        (b"a=%", [("a", "%")]),
        (b"a=%zz", [("a", "%zz")]),
        (b"a=%ff", [("a", "\udcff")]),
        (b"a=\xff", [("a", "\udcff")]),
        (b"%ff=a", [("\udcff", "a")]),
        (b"a=%00", [("a", "\0")]),
        (b"a=%00&b=1", [("a", "\0"), ("b", "1")]),
        (b"a=\0&b=1", [("a", "\0"), ("b", "1")]),
        (b"a=1%&b=2", [("a", "1%"), ("b", "2")]),
        (b"a=%\n&b=%41", [("a", "%\n"), ("b", "A")]),
        (b"a=%%41&b=%4&c=%g1", [("a", "%A"), ("b", "%4"), ("c", "%g1")]),
        (b"a=1&b", [("a", "1"), ("b", "")]),
        (b"a&b=1=2", [("a", ""), ("b", "1=2")]),
        (b"a=%26b%3D1+%2B+%25&c=", [("a", "&b=1 + %"), ("c", "")]),
        (
            b"a=\xc3%BC&b=%c3\xbc&c=\xc3&d=%BC",
            [("a", "ü"), ("b", "ü"), ("c", "\udcc3"), ("d", "\udcbc")],
        ),
    ],
)
def test_fields(raw: bytes, fields: list[tuple[str, str]]) -> None:
    """Fields keep their order, their repetitions, and every byte that was sent."""
    assert parse_form(raw) == fields


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_round_trip(fields: list[tuple[str, str]]) -> None:
    """What a client encodes is what is read."""
    assert parse_form(urlencode(fields, errors="surrogatepass").encode()) == fields


@given(st.text(st.sampled_from("aZ09+%&=; ü€👋\0\n")) | st.text())
@example("a=%2B1%3A%2F%2f&b=%252B&%2B%3D=%%2B2B&c=%2%2B&d=%2B2B&%3A%26=%2F%3d&e=%7F%80")
@example("a=%C3%BC&b=%C3&c=%e2%82¬&%41=%4&=%&d=a=b+%2B&&e;f=%zz%ff")
def test_like_the_standard_library(text: str) -> None:
    """Fields are what `parse_qsl` makes of them."""
    expected = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    assert parse_form(text.encode()) == expected


@given(st.lists(st.sampled_from([*b"aZ09+%&=; \0\n\r\xc3\xbc", *b"&=&=%%%41"])).map(bytes))
def test_field_by_field(raw: bytes) -> None:
    """What is decoded together is what is found in each field alone."""
    assert parse_form(raw) == [alone(field) for field in raw.split(b"&") if field]


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    """No bytes at all make the parser fail."""
    for name, value in parse_form(raw):
        assert isinstance(name + value, str)


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_any_by_name(fields: list[tuple[str, str]]) -> None:
    """By name or in pairs, none is missing, and their order is that in which they were sent."""
    found = parse_fields(urlencode(fields, errors="surrogatepass").encode())
    assert list(pairs_of(found)) == fields


def test_by_name() -> None:
    """Fields are given by name where no name comes twice."""
    assert parse_fields(b"b=2&a=%31") == {"b": "2", "a": "1"}
    assert parse_fields(b"") == {}
    assert parse_fields(b"a=1&b=2&a=3") == [("a", "1"), ("b", "2"), ("a", "3")]


def alone(field: bytes) -> tuple[str, str]:
    """A field's name and value, by `urllib.parse`, bytes for bytes."""
    name, _, value = (
        unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "surrogateescape")
        for text in field.partition(b"=")
    )
    return name, value


def test_number_of_fields() -> None:
    """A thousand fields are read, and one more is refused in plain words."""
    assert len(parse_form(b"&".join([b"a=1"] * MOST_FIELDS))) == MOST_FIELDS
    with pytest.raises(BadForm, match=r"^there are more than 1000 parameters$"):
        parse_form(b"&".join([b"a=1"] * (MOST_FIELDS + 1)))
    with pytest.raises(BadForm):
        parse_form(b"&" * 60000)


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        (None, True),
        ("application/x-www-form-urlencoded", True),
        ("application/x-www-form-urlencoded; charset=UTF-8", True),
        ("application/x-www-form-urlencoded ;charset=utf-8", True),
        (" Application/X-WWW-Form-URLencoded", True),
        ("application/json", False),
        ("application/json; charset=utf-8", False),
        ("multipart/form-data; boundary=x", False),
        ("text/plain", False),
        ("application/x-www-form-urlencoded-not", False),
        ("text/plain; application/x-www-form-urlencoded", False),
        ("", False),
        ("\udcff", False),
    ],
)
def test_is_form(content_type: str | None, form: bool) -> None:
    """A body is a form if its type says so, or if it has none."""
    assert is_form(content_type) is form
