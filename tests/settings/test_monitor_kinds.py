"""The kinds of settings that checks and reports have: what they take, and what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.settings.kinds import Kind
from boomerang.settings.monitor_kinds import (
    apprise_urls,
    base_url,
    http_headers,
    status_patterns,
    string_table,
)

STATUSES = "HTTP statuses like 200 or 2xx"
TABLE = "a table of texts by name"
CONTROL = "a table of texts by name, without control characters"
HEADERS = "a table of headers by name (in the environment: name=value,name=value)"
NAMES = "names of headers, without white space or colon"
VALUES = "values of headers to be texts of printable ASCII characters"
ONCE = "each header once (letter case does not count)"
BASE = "an absolute http or https URL without query"
NO_LOGIN = "an absolute http or https URL without query or login"
APPRISE = "URLs for Apprise, like mailto://... (leave it out for none)"

any_login = base_url()
no_login = base_url(login=False)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (status_patterns(), "200", ("200",)),
        (status_patterns(), "2xx, 304,", ("2xx", "304")),
        (status_patterns(), "2XX", ("2xx",)),
        (status_patterns(), 200, ("200",)),
        (status_patterns(), [200, "3xx", 599, 100], ("200", "3xx", "599", "100")),
        (string_table(), {}, {}),
        (string_table(), {"a": "one", "two words": ""}, {"a": "one", "two words": ""}),
        (http_headers(), {}, {}),
        (http_headers(), {"Accept": "a/b; q=1", "x_1": "="}, {"Accept": "a/b; q=1", "x_1": "="}),
        (http_headers(), {"Host": "app.example.com"}, {"Host": "app.example.com"}),
        (http_headers(), "Authorization=Bearer a=b", {"Authorization": "Bearer a=b"}),
        (http_headers(), " a = 1 , b=2,", {"a": "1", "b": "2"}),
        (any_login, "https://a", "https://a"),
        (any_login, "http://a:4318/", "http://a:4318"),
        (any_login, "https://a/v1//", "https://a/v1"),
        (any_login, "https://me:secret@a/v1", "https://me:secret@a/v1"),
        (no_login, "https://a/v1/", "https://a/v1"),
        (no_login, "https://a/@me", "https://a/@me"),
        (apprise_urls(), "json://a", ("json://a",)),
        (apprise_urls(), "dbus://", ("dbus://",)),
        (apprise_urls(), "json://a,xml://b", ("json://a", "xml://b")),
        (apprise_urls(), " json://a , o365://b\njson://c, ", ("json://a", "o365://b", "json://c")),
        (apprise_urls(), "json://a  json://b", ("json://a", "json://b")),
        (apprise_urls(), "mailto://a?to=b@c,d@e, json://a", ("mailto://a?to=b@c,d@e", "json://a")),
        (apprise_urls(), ["mailto://a?to=b@c,d@e", "a://b"], ("mailto://a?to=b@c,d@e", "a://b")),
        (apprise_urls(), ["json://a?next=http://b"], ("json://a?next=http://b",)),
    ],
)  # fmt: skip
def test_good(kind: Kind, given: object, value: object) -> None:
    """What is right becomes a value of the setting's type."""
    found = kind(given)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (status_patterns(), "", STATUSES),
        (status_patterns(), [], STATUSES),
        (status_patterns(), "ok", STATUSES),
        (status_patterns(), "0xx", STATUSES),
        (status_patterns(), "600", STATUSES),
        (status_patterns(), "20x", STATUSES),
        (status_patterns(), "2000", STATUSES),
        (status_patterns(), ["200\n"], STATUSES),
        (status_patterns(), "2\u0660\u0660", STATUSES),
        (status_patterns(), "-200", STATUSES),
        (status_patterns(), True, STATUSES),
        (status_patterns(), [200, True], STATUSES),
        (status_patterns(), 200.0, STATUSES),
        (status_patterns(), 99, STATUSES),
        (status_patterns(), 600, STATUSES),
        (status_patterns(), [16**5000], STATUSES),
        (status_patterns(), [[200]], STATUSES),
        (status_patterns(), {"200": True}, STATUSES),
        (string_table(), "a=b", TABLE),
        (string_table(), ["a"], TABLE),
        (string_table(), 5, TABLE),
        (string_table(), {"": "a"}, TABLE),
        (string_table(), {"a": 5}, TABLE),
        (string_table(), {"a": ["b"]}, TABLE),
        (string_table(), {5: "a"}, TABLE),
        (string_table(), {"a": "b\n"}, CONTROL),
        (string_table(), {"a\n": "b"}, CONTROL),
        (http_headers(), "", HEADERS),
        (http_headers(), "Accept", HEADERS),
        (http_headers(), "a=1,b", HEADERS),
        (http_headers(), ["a=1"], HEADERS),
        (http_headers(), 5, HEADERS),
        (http_headers(), "=1", NAMES),
        (http_headers(), {"": "1"}, NAMES),
        (http_headers(), {"a b": "1"}, NAMES),
        (http_headers(), {"a:": "1"}, NAMES),
        (http_headers(), {"a\r\nb": "1"}, NAMES),
        (http_headers(), {"a\n": "1"}, NAMES),
        (http_headers(), {"\u00e4": "1"}, NAMES),
        (http_headers(), {5: "1"}, NAMES),
        (http_headers(), "a=", VALUES),
        (http_headers(), {"a": ""}, VALUES),
        (http_headers(), {"a": " 1"}, VALUES),
        (http_headers(), {"a": "1 "}, VALUES),
        (http_headers(), {"a": "1\r\nb: 2"}, VALUES),
        (http_headers(), {"a": "1\n"}, VALUES),
        (http_headers(), {"a": "1\0"}, VALUES),
        (http_headers(), {"a": "\u00e4"}, VALUES),
        (http_headers(), {"a": "\u20ac"}, VALUES),
        (http_headers(), {"a": 1}, VALUES),
        (http_headers(), {"a": ["1"]}, VALUES),
        (http_headers(), {"Accept": "1", "accept": "1"}, ONCE),
        (http_headers(), "a=1,A=2", ONCE),
        (http_headers(), "a=1,a=1", ONCE),
        (any_login, "", BASE),
        (any_login, "a", BASE),
        (any_login, "ftp://a", BASE),
        (any_login, "http://a?x", BASE),
        (any_login, "http://a/x?", BASE),
        (any_login, "http://a/#", BASE),
        (any_login, "http://me:[@a/", BASE),
        (any_login, "http://me:\u2100@a/", BASE),
        (any_login, 5, BASE),
        (any_login, ["http://a"], BASE),
        (no_login, "http://a/?x", NO_LOGIN),
        (no_login, "http://me:secret@a", NO_LOGIN),
        (no_login, "http://@a/", NO_LOGIN),
        (apprise_urls(), "", APPRISE),
        (apprise_urls(), " , ", APPRISE),
        (apprise_urls(), [], APPRISE),
        (apprise_urls(), "me@example.com", APPRISE),
        (apprise_urls(), "mailto:me@example.com", APPRISE),
        (apprise_urls(), "json://a b", APPRISE),
        (apprise_urls(), "a, json://b", APPRISE),
        (apprise_urls(), ["json://a", ""], APPRISE),
        (apprise_urls(), ["json://a\n"], APPRISE),
        (apprise_urls(), ["json://\u00e4"], APPRISE),
        (apprise_urls(), ["json://a", 5], APPRISE),
        (apprise_urls(), [["json://a"]], APPRISE),
        (apprise_urls(), 5, APPRISE),
        (apprise_urls(), {"url": "json://a"}, APPRISE),
    ],
)  # fmt: skip
def test_bad(kind: Kind, given: object, expected: str) -> None:
    """What is wrong is refused with what was expected."""
    with pytest.raises(ValueError, match=r"\S") as refusal:
        kind(given)
    assert str(refusal.value) == expected


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "content-length",
        "EXPECT",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    ],
)
def test_headers_of_the_connection(name: str) -> None:
    """Headers that would make a server wait for what never comes cannot be set."""
    with pytest.raises(ValueError, match=rf"^no {name} among the headers"):
        http_headers()({"Accept": "a/b", name: "1"})


header_text = st.text("aB1-:= \r\n\t\0\x7f\u00e4\u2028\ud800", max_size=3) | st.text(max_size=3)


@given(st.dictionaries(header_text, header_text, max_size=2))
def test_headers_are_fit_to_be_sent(table: dict[str, str]) -> None:
    """Whatever table is taken has headers that stay the lines they are, each by itself."""
    try:
        headers = http_headers()(table)
    except ValueError:
        return
    assert headers == table
    for line in (f"{name}: {value}" for name, value in headers.items()):
        assert line.isascii()
        assert line.isprintable()
        assert line == line.strip()
        assert tuple(line.split(": ", 1)) in headers.items()
