"""Each kind of setting: what it takes, and what it says to the rest."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.settings.kinds import (
    BACKLOG,
    Kind,
    boolean,
    choice,
    host_patterns,
    http_url,
    integer,
    listen_strings,
    matching,
    origin,
    seconds,
    secret_table,
    secrets,
    store_address,
    text,
    texts,
)
from boomerang.settings.monitor_kinds import (
    apprise_urls,
    base_url,
    http_headers,
    status_patterns,
    string_table,
)
from boomerang.stores.address import MemoryAddress, RedisAddress, SqliteAddress

letters = matching(r"[a-z]+", "small letters")

URL = "an absolute http or https URL"
ORIGIN = "scheme and host alone, like https://boomerang.example.com"
HOSTS = "host names or patterns like *.example.com, without scheme or port"
SECRETS = "one secret or several, without white space"
TABLE = "a table of secrets by key id (in the environment: id=secret,id=secret)"
TEXTS = "one text or several (leave it out for none)"
ENDPOINTS = "endpoint strings like tcp:8080"


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (text(), "x", "x"),
        (text(), "two words, é and =", "two words, é and ="),
        (letters, "abc", "abc"),
        (choice("text", "json"), "text", "text"),
        (choice("text", "json"), "json", "json"),
        (integer(0, 10), 0, 0),
        (integer(0, 10), 10, 10),
        (integer(0, 10), "0", 0),
        (integer(0, 10), "10", 10),
        (integer(0, 10), "007", 7),
        (integer(-5, 5), "-5", -5),
        (integer(1, 1), 1, 1),
        (integer(0, 10**12 - 1), "999999999999", 999_999_999_999),
        (seconds(0, 14), 0, 0.0),
        (seconds(0, 14), 14, 14.0),
        (seconds(0, 14), 8.5, 8.5),
        (seconds(0, 14), "8", 8.0),
        (seconds(0, 14), "8.5", 8.5),
        (seconds(0, 14), "14.0", 14.0),
        (seconds(0, 14), "1e1", 10.0),
        (http_url(), "https://example.com/x?y#z", "https://example.com/x?y#z"),
        (http_url(), "HTTP://Example.com", "HTTP://Example.com"),
        (origin(), "https://boomerang.example.com", "https://boomerang.example.com"),
        (origin(), "https://boomerang.example.com/", "https://boomerang.example.com"),
        (origin(), "http://boomerang.example.com:8080", "http://boomerang.example.com:8080"),
        (origin(), "http://[::1]:8080/", "http://[::1]:8080"),
        (host_patterns(), "a.example.com", ("a.example.com",)),
        (host_patterns(), "*.Example.com, b.example.com.,", ("*.example.com", "b.example.com")),
        (host_patterns(), ["*.example.com", "10.0.0.*"], ("*.example.com", "10.0.0.*")),
        (host_patterns(), "*", ("*",)),
        (host_patterns(), "app_1.bücher.example", ("app_1.xn--bcher-kva.example",)),
        (host_patterns(), "*.bücher.example", ("*.xn--bcher-kva.example",)),
        (boolean(), True, True),
        (boolean(), False, False),
        (boolean(), "Yes", True),
        (boolean(), "0", False),
        (secrets(), "one", ("one",)),
        (secrets(), "one,two", ("one", "two")),
        (secrets(), " one , two ,", ("one", "two")),
        (secrets(), ["one", "two"], ("one", "two")),
        (secrets(), ("o,ne",), ("o,ne",)),
        (texts(), "one", ("one",)),
        (texts(), "one, two words,", ("one", "two words")),
        (texts(), ["one", "two, three"], ("one", "two, three")),
        (secret_table(), "id=one", {"id": "one"}),
        (secret_table(), "id=one,other=two=2", {"id": "one", "other": "two=2"}),
        (secret_table(), "id=one,", {"id": "one"}),
        (secret_table(), {"id": "one", "other": "two"}, {"id": "one", "other": "two"}),
        (store_address(), "memory:", MemoryAddress()),
        (store_address(), "sqlite:/var/lib/x.db", SqliteAddress("/var/lib/x.db")),
        (store_address(), "redis://h", RedisAddress((("h", 6379),))),
        (listen_strings(), "tcp:8080", ("tcp:8080:backlog=4096",)),
        (listen_strings(), "tcp:80 tcp:81", ("tcp:80:backlog=4096", "tcp:81:backlog=4096")),
        (listen_strings(), ["tcp:80:backlog=9", "systemd:x"], ("tcp:80:backlog=9", "systemd:x")),
        (listen_strings(), ("tcp6:80",), ("tcp6:80:backlog=4096",)),
        (listen_strings(), "tcp:80:interface=a", ("tcp:80:interface=a:backlog=4096",)),
        (listen_strings(), "tcp:80:backlog=1:interface=a", ("tcp:80:backlog=1:interface=a",)),
        (listen_strings(), "unix:/run/b.sock", ("unix:/run/b.sock:backlog=4096",)),
        (listen_strings(), "systemd:domain=INET:index=0", ("systemd:domain=INET:index=0",)),
        (listen_strings(), "haproxy:tcp:80", ("haproxy:tcp:80",)),
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
        (text(), "", "a text"),
        (text(), "one\ntwo", "a text"),
        (text(), "\0", "a text"),
        (text(), 5, "a text"),
        (text(), None, "a text"),
        (text(), ["x"], "a text"),
        (letters, "", "small letters"),
        (letters, "Abc", "small letters"),
        (letters, "abc\n", "small letters"),
        (letters, 5, "small letters"),
        (choice("text", "json"), "xml", "text or json"),
        (choice("text", "json"), "TEXT", "text or json"),
        (choice("text", "json"), "", "text or json"),
        (choice("text", "json"), 1, "text or json"),
        (choice("text", "json"), [], "text or json"),
        (integer(0, 10), -1, "a whole number from 0 to 10"),
        (integer(0, 10), 11, "a whole number from 0 to 10"),
        (integer(0, 10), "11", "a whole number from 0 to 10"),
        (integer(0, 10), "-1", "a whole number from 0 to 10"),
        (integer(0, 10), "1.0", "a whole number from 0 to 10"),
        (integer(0, 10), 1.0, "a whole number from 0 to 10"),
        (integer(0, 10), True, "a whole number from 0 to 10"),
        (integer(0, 10), "", "a whole number from 0 to 10"),
        (integer(0, 10), " 1", "a whole number from 0 to 10"),
        (integer(0, 10), "1\n", "a whole number from 0 to 10"),
        (integer(0, 10), "0x1", "a whole number from 0 to 10"),
        (integer(0, 10), "1" * 5000, "a whole number from 0 to 10"),
        (integer(0, 10), "many", "a whole number from 0 to 10"),
        (integer(0, 10), None, "a whole number from 0 to 10"),
        (integer(1, 1), 2, "1"),
        (seconds(0, 14), -0.1, "seconds from 0 to 14"),
        (seconds(0, 14), 14.1, "seconds from 0 to 14"),
        (seconds(0, 14), "15", "seconds from 0 to 14"),
        (seconds(0, 14), "nan", "seconds from 0 to 14"),
        (seconds(0, 14), "inf", "seconds from 0 to 14"),
        (seconds(0, 14), float("nan"), "seconds from 0 to 14"),
        (seconds(0, 14), float("-inf"), "seconds from 0 to 14"),
        (seconds(0, 14), True, "seconds from 0 to 14"),
        (seconds(0, 14), "8s", "seconds from 0 to 14"),
        (seconds(0, 14), "", "seconds from 0 to 14"),
        (seconds(0, 14), None, "seconds from 0 to 14"),
        (seconds(0, 14), [8], "seconds from 0 to 14"),
        (seconds(0.5, 1e6), 0, "seconds from 0.5 to 1e+06"),
        (boolean(), "", "true or false"),
        (boolean(), "maybe", "true or false"),
        (boolean(), 1, "true or false"),
        (boolean(), None, "true or false"),
        (http_url(), "", URL),
        (http_url(), "example.com", URL),
        (http_url(), "ftp://example.com/", URL),
        (http_url(), "https://example.com/\n", URL),
        (http_url(), 5, URL),
        (origin(), "", ORIGIN),
        (origin(), "boomerang.example.com", ORIGIN),
        (origin(), "https://boomerang.example.com/retry", ORIGIN),
        (origin(), "https://boomerang.example.com//", ORIGIN),
        (origin(), "https://boomerang.example.com?x", ORIGIN),
        (origin(), "https://boomerang.example.com#x", ORIGIN),
        (origin(), "https://boomerang.example.com/?", ORIGIN),
        (origin(), "ftp://boomerang.example.com", ORIGIN),
        (origin(), "https://", ORIGIN),
        (origin(), 5, ORIGIN),
        (host_patterns(), "https://example.com", HOSTS),
        (host_patterns(), "example.com:443", HOSTS),
        (host_patterns(), "example.com/x", HOSTS),
        (host_patterns(), "a b", HOSTS),
        (host_patterns(), "a..b", HOSTS),
        (host_patterns(), ".example.com", HOSTS),
        (host_patterns(), "exampl?.com", HOSTS),
        (host_patterns(), [""], HOSTS),
        (host_patterns(), ["ok", 5], HOSTS),
        (host_patterns(), 5, HOSTS),
        (host_patterns(), {"a": "b"}, HOSTS),
        (secrets(), "two words", SECRETS),
        (secrets(), ["a", ""], SECRETS),
        (secrets(), ["a\n"], SECRETS),
        (secrets(), ["a", 5], SECRETS),
        (secrets(), 5, SECRETS),
        (secrets(), {"a": "b"}, SECRETS),
        (texts(), "", TEXTS),
        (texts(), " , ", TEXTS),
        (texts(), [], TEXTS),
        (texts(), [""], TEXTS),
        (texts(), ["a", ""], TEXTS),
        (texts(), ["a\n"], TEXTS),
        (texts(), ["a", 5], TEXTS),
        (texts(), [["a"]], TEXTS),
        (texts(), 5, TEXTS),
        (texts(), {"a": "b"}, TEXTS),
        (secret_table(), "one", TABLE),
        (secret_table(), "=one", TABLE),
        (secret_table(), "id=", TABLE),
        (secret_table(), "id=one,id=two", TABLE),
        (secret_table(), {"id": ""}, TABLE),
        (secret_table(), {"": "one"}, TABLE),
        (secret_table(), {"id": 5}, TABLE),
        (secret_table(), {5: "one"}, TABLE),
        (secret_table(), ["id=one"], TABLE),
        (secret_table(), 5, TABLE),
        (listen_strings(), "", ENDPOINTS),
        (listen_strings(), [], ENDPOINTS),
        (listen_strings(), 8080, ENDPOINTS),
        (listen_strings(), [8080], ENDPOINTS),
        (listen_strings(), "8080", f"{ENDPOINTS} (Unknown endpoint type: '8080')"),
        (listen_strings(), "nonsense:1", f"{ENDPOINTS} (Unknown endpoint type: 'nonsense')"),
        (listen_strings(), "tcp:80 x:1", f"{ENDPOINTS} (Unknown endpoint type: 'x')"),
    ],
)  # fmt: skip
def test_bad(kind: Kind, given: object, expected: str) -> None:
    """What is wrong is refused with what was expected."""
    with pytest.raises(ValueError, match=r"\S") as refusal:
        kind(given)
    assert str(refusal.value) == expected


@pytest.mark.parametrize("given", ["", "redis:", "mysql://me:hunter2@h/", "sqlite:", 5, None])
def test_bad_store(given: object) -> None:
    """A store that is none is refused with all forms there are, and without what was given."""
    with pytest.raises(ValueError, match=r"memory:, sqlite:PATH, redis://") as refusal:
        store_address()(given)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("string", ["tcp", "tcp:http", "tcp:80:nonsense=1", "unix", "tcp:80 81"])
def test_bad_endpoint(string: str) -> None:
    """Whatever Twisted's parser has against an endpoint string is told."""
    with pytest.raises(ValueError, match=r"^endpoint strings like tcp:8080 \(.+\)$"):
        listen_strings()(string)


def test_missing_certificate(tmp_path: Path) -> None:
    """So is a certificate that cannot be read."""
    with pytest.raises(ValueError, match=r"No such file or directory"):
        listen_strings()(f"ssl:443:privateKey={tmp_path}/none.pem")


ALL_KINDS = [
    text(),
    letters,
    choice("text", "json"),
    integer(0, 10),
    seconds(0, 14),
    http_url(),
    origin(),
    host_patterns(),
    secrets(),
    secret_table(),
    store_address(),
    listen_strings(),
    texts(),
    status_patterns(),
    string_table(),
    http_headers(),
    base_url(),
    base_url(login=False),
    apprise_urls(),
]

toml = st.recursive(
    st.text() | st.integers(-(2**64), 2**64) | st.floats() | st.booleans() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(toml)
def test_anything(raw: object) -> None:
    """Whatever a file may hold is taken, or refused as wrong; nothing else can happen."""
    for kind in ALL_KINDS:
        with suppress(ValueError):
            kind(raw)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_date(kind: Kind) -> None:
    """A date is no setting of ours."""
    with pytest.raises(ValueError, match=r"\S"):
        kind(date(2026, 11, 21))


def test_backlog() -> None:
    """The backlog survives a burst of thousands of calls."""
    assert BACKLOG == 4096


def test_no_character_class() -> None:
    """Brackets are for IPv6 addresses, not for classes of characters."""
    with pytest.raises(ValueError, match="host names"):
        host_patterns()("[a-z]")


@pytest.mark.parametrize("url", ["https://me:hunter2@b.example.com", "https://me@b.example.com"])
def test_origin_without_credentials(url: str) -> None:
    """A public URL has no credentials, which would be printed with it."""
    with pytest.raises(ValueError, match="scheme and host alone"):
        origin()(url)


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_huge(value: int) -> None:
    """A number beyond all bounds is refused like any other."""
    with pytest.raises(ValueError, match="seconds"):
        seconds(0, 14)(value)


def test_blanks_in_table() -> None:
    """Blanks around the entries of a table are not part of them."""
    assert secret_table()("a=1, b=2") == {"a": "1", "b": "2"}
