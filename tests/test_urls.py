"""Web addresses: what is accepted, what is refused and why, and when two hosts are the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.settings.kinds import host_patterns
from boomerang.urls import (
    LONGEST_URL,
    BadUrl,
    WebUrl,
    host_allowed,
    is_loopback,
    parse_url,
    plain_host,
    without_fragment,
    without_secrets,
)

NOT_ABSOLUTE = "is not an absolute http or https URL"
NO_PORT = "has a port that does not exist"
EMPTY_PART = "has a host name with an empty part"
NOT_ASCII = "has a host name that cannot be written in ASCII"
CONTROL = "has control characters"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("http://a", WebUrl("http", "a", 80, "/", "")),
        ("https://a", WebUrl("https", "a", 443, "/", "")),
        ("HTTPS://App.Example.COM/Voice", WebUrl("https", "app.example.com", 443, "/Voice", "")),
        ("http://a:8080/x", WebUrl("http", "a", 8080, "/x", "")),
        ("http://a:1/", WebUrl("http", "a", 1, "/", "")),
        ("http://a:65535/", WebUrl("http", "a", 65535, "/", "")),
        ("http://a:/x", WebUrl("http", "a", 80, "/x", "")),
        ("https://a:00443/", WebUrl("https", "a", 443, "/", "")),
        ("http://app.example.com./", WebUrl("http", "app.example.com", 80, "/", "")),
        ("http://10.0.0.1/", WebUrl("http", "10.0.0.1", 80, "/", "")),
        ("http://a_b-c.example/", WebUrl("http", "a_b-c.example", 80, "/", "")),
        ("http://[2001:DB8::1]:81/", WebUrl("http", "[2001:db8::1]", 81, "/", "")),
        ("http://[::ffff:10.0.0.1]", WebUrl("http", "[::ffff:10.0.0.1]", 80, "/", "")),
        ("http://bücher.example/ü?ü", WebUrl("http", "xn--bcher-kva.example", 80, "/ü", "ü")),
        ("http://BÜCHER.example/", WebUrl("http", "xn--bcher-kva.example", 80, "/", "")),
        ("http://user:pass@a/x", WebUrl("http", "a", 80, "/x", "")),
        ("http://user:p:w@a:81/x", WebUrl("http", "a", 81, "/x", "")),
        ("http://@a/", WebUrl("http", "a", 80, "/", "")),
        ("http://a?x=1", WebUrl("http", "a", 80, "/", "x=1")),
        ("http://a/x?", WebUrl("http", "a", 80, "/x", "")),
        ("http://a/x?y=1&y=2&z", WebUrl("http", "a", 80, "/x", "y=1&y=2&z")),
        ("http://a/x??y#z?w", WebUrl("http", "a", 80, "/x", "?y")),
        ("http://a#rt=5000", WebUrl("http", "a", 80, "/", "")),
        ("http://a/x#", WebUrl("http", "a", 80, "/x", "")),
        ("http://a/x#y#z", WebUrl("http", "a", 80, "/x", "")),
        ("http://a#@b/", WebUrl("http", "a", 80, "/", "")),
        ("http://a?@b/", WebUrl("http", "a", 80, "/", "@b/")),
        ("http://a/@b:81/", WebUrl("http", "a", 80, "/@b:81/", "")),
        ("http://a/x y?z w", WebUrl("http", "a", 80, "/x y", "z w")),
        ("http://a/<&>\"'", WebUrl("http", "a", 80, "/<&>\"'", "")),
        ("http://a//x//", WebUrl("http", "a", 80, "//x//", "")),
        ("http://a/%2e%00", WebUrl("http", "a", 80, "/%2e%00", "")),
    ],
)
def test_parts(text: str, parts: WebUrl) -> None:
    """An absolute web address is taken apart, in the spelling in which hosts are compared."""
    assert parse_url(text) == parts


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", NOT_ABSOLUTE),
        ("a", NOT_ABSOLUTE),
        ("app.example.com/voice", NOT_ABSOLUTE),
        ("/voice", NOT_ABSOLUTE),
        ("//a/voice", NOT_ABSOLUTE),
        ("ftp://a/", NOT_ABSOLUTE),
        ("httpx://a/", NOT_ABSOLUTE),
        ("xhttp://a/", NOT_ABSOLUTE),
        ("javascript:alert(1)", NOT_ABSOLUTE),
        ("data:text/xml,<Response/>", NOT_ABSOLUTE),
        ("http:a", NOT_ABSOLUTE),
        ("http:/a", NOT_ABSOLUTE),
        ("http//a", NOT_ABSOLUTE),
        ("http://", NOT_ABSOLUTE),
        ("http:///a", NOT_ABSOLUTE),
        ("http://?a", NOT_ABSOLUTE),
        ("http://:80/", NOT_ABSOLUTE),
        ("http://user@/", NOT_ABSOLUTE),
        (" http://a/", NOT_ABSOLUTE),
        ("http://a /", NOT_ABSOLUTE),
        ("http://a b/", NOT_ABSOLUTE),
        ("http://us er@a/", NOT_ABSOLUTE),
        ("http://a\\b/", NOT_ABSOLUTE),
        ("http://a\\@b/", NOT_ABSOLUTE),
        ("http://a@b@c/", NOT_ABSOLUTE),
        ("http://a%2eb/", NOT_ABSOLUTE),
        ("http://a%00/", NOT_ABSOLUTE),
        ("http://a,b/", NOT_ABSOLUTE),
        ("http://a;b/", NOT_ABSOLUTE),
        ("http://*.a/", NOT_ABSOLUTE),
        ("http://<a>/", NOT_ABSOLUTE),
        ("http://a:http/", NOT_ABSOLUTE),
        ("http://a:-1/", NOT_ABSOLUTE),
        ("http://a:123456/", NOT_ABSOLUTE),
        ("http://a:80:80/", NOT_ABSOLUTE),
        ("http://::1/", NOT_ABSOLUTE),
        ("http://[::1/", NOT_ABSOLUTE),
        ("http://[::1]a/", NOT_ABSOLUTE),
        ("http://[]/", NOT_ABSOLUTE),
        ("http://[v1.a]/", NOT_ABSOLUTE),
        ("http://[fe80::1%25eth0]/", NOT_ABSOLUTE),
        ("http://a:0/", NO_PORT),
        ("http://a:65536/", NO_PORT),
        ("http://a:99999/", NO_PORT),
        ("http://./", EMPTY_PART),
        ("http://../", EMPTY_PART),
        ("http://.a/", EMPTY_PART),
        ("http://a..b/", EMPTY_PART),
        ("http://ü..b/", EMPTY_PART),
        (f"http://{'ü' * 64}.example/", NOT_ASCII),
        ("http://evil.net\uff0f.example.com/", NOT_ASCII),
        ("http://evil.net\uff1f.example.com/", NOT_ASCII),
        ("http://evil.net\uff03.example.com/", NOT_ASCII),
        ("http://evil.net\uff1a80.example.com/", NOT_ASCII),
        ("http://evil.net\uff20example.com/", NOT_ASCII),
        ("http://evil.net\uff05.example.com/", NOT_ASCII),
        ("http://a\u2100.example.com/", NOT_ASCII),
        ("http://\u00a0/", NOT_ASCII),
        ("http://a/\n", CONTROL),
        ("http://a/\r", CONTROL),
        ("http://a/\t", CONTROL),
        ("http://a/\0", CONTROL),
        ("http://a/\x0b", CONTROL),
        ("http://a/\x1b[2J", CONTROL),
        ("http://a/\x7f", CONTROL),
        ("http://a/\x85", CONTROL),
        ("http://a/?\u2028", CONTROL),
        ("http://a/?\u2029", CONTROL),
        ("http://a/#\n", CONTROL),
        ("http://a\n/", CONTROL),
        ("\nhttp://a/", CONTROL),
        ("http://\ud800/", CONTROL),
        ("http://a/\udcff", CONTROL),
        ("http://a/\ufffe", CONTROL),
        ("http://a/\uffff", CONTROL),
    ],
)
def test_refused(text: str, reason: str) -> None:
    """Whatever is no absolute web address is refused, in words that do not repeat it."""
    with pytest.raises(BadUrl) as refusal:
        parse_url(text)
    assert str(refusal.value) == reason


def test_longest() -> None:
    """An address may have 16,000 characters, and not one more."""
    longest = "http://a/".ljust(LONGEST_URL, "x")
    assert parse_url(longest).path == longest.removeprefix("http://a")
    with pytest.raises(BadUrl, match=r"^is longer than 16000 characters$"):
        parse_url(f"{longest}x")


@given(st.text() | st.text("htps:/@.[]#?a1 ü\\\uff0f\uff20", max_size=30).map("http://".__add__))
def test_any_text(text: str) -> None:
    """Any text is either taken apart or refused, and in the end has a host, a port and a path."""
    try:
        parts = parse_url(text)
    except BadUrl:
        return
    assert parts.scheme in ("http", "https")
    assert parts.host
    assert re.fullmatch(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]", parts.host)
    assert 0 < parts.port < 65536
    assert parts.path.startswith("/")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a", "http://A:80/x?y#z", True),
        ("https://a", "https://user@a.:443/", True),
        ("http://a:443", "https://a", True),
        ("http://bücher.example", "http://xn--bcher-kva.example", True),
        ("http://a", "https://a", False),
        ("http://a", "http://b", False),
        ("http://a", "http://www.a", False),
        ("http://a:80", "http://a:8080", False),
    ],
)
def test_origin(one: str, other: str, same: bool) -> None:
    """Addresses have the same origin if their host and port are the same, however spelled."""
    assert (parse_url(one).origin == parse_url(other).origin) is same


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("a", "a"),
        ("A.Example.COM", "a.example.com"),
        ("a.", "a"),
        ("*.Example.com", "*.example.com"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
    ],
)
def test_plain_host(host: str, plain: str) -> None:
    """A host name, or a pattern of some, is written the one way in which names are compared."""
    assert plain_host(host) == plain


@pytest.mark.parametrize("host", ["", ".", "..", ".a", "a..b"])
def test_no_host(host: str) -> None:
    """A name with an empty part is no host name."""
    with pytest.raises(BadUrl, match=f"^{EMPTY_PART}$"):
        plain_host(host)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://a/x?y", "http://a/x?y"),
        ("http://a/x?y#", "http://a/x?y"),
        ("http://a/x?y#rt=5000&rc=2", "http://a/x?y"),
        ("http://a/x#y#z?w", "http://a/x"),
    ],
)
def test_fragment(url: str, seen: str) -> None:
    """The fragment is what no server sees."""
    assert without_fragment(url) == seen


@pytest.mark.parametrize(
    ("host", "patterns", "allowed"),
    [
        ("a.example.com", ("a.example.com",), True),
        ("a.example.com", ("*.example.com",), True),
        ("b.a.example.com", ("*.example.com",), True),
        ("a.example.com", ("x.example.com", "*.example.com"), True),
        ("app-7.example.com", ("app-*.example.com",), True),
        ("a.example.com", ("*",), True),
        ("example.com", ("*.example.com",), False),
        ("badexample.com", ("*.example.com",), False),
        ("a.example.com.evil.net", ("*.example.com",), False),
        ("a.example.com", ("example.com",), False),
        ("axexample.com", ("a.example.com",), False),
        ("a.example.com", (), False),
    ],
)
def test_host_allowed(host: str, patterns: tuple[str, ...], allowed: bool) -> None:
    """A host is allowed if one of the patterns fits the whole of it."""
    assert host_allowed(host, patterns) is allowed


@pytest.mark.parametrize("url", ["http\u017f://a/", "http\u017f://a:80/", "http://a:\u0663/"])
def test_ascii_only(url: str) -> None:
    """Letters and digits of other scripts are no part of a scheme or port."""
    with pytest.raises(BadUrl):
        parse_url(url)


@pytest.mark.parametrize(
    "sign", ["\uff0f", "\uff03", "\uff1f", "\uff20", "\uff1a", "\u00a0", "\u2100", "\uff05"]
)
def test_idna_makes_no_separators(sign: str) -> None:
    """A look-alike of a separator does not become one when the host is written in ASCII."""
    with pytest.raises(BadUrl):
        parse_url(f"http://evil.net{sign}.example.com/")


@pytest.mark.parametrize("url", ["http://a../", "http://a.\u3002/"])
def test_two_final_dots(url: str) -> None:
    """One final dot is the root of all names; two are none."""
    with pytest.raises(BadUrl):
        parse_url(url)


def test_final_ideographic_dot() -> None:
    """A final dot of another script is taken off, too."""
    assert parse_url("http://\u00fc\u3002/").host == parse_url("http://\u00fc/").host


@pytest.mark.parametrize("host", ["[::1]", "[fe80::a]", "[2001:db8::12]"])
def test_ipv6_patterns(host: str) -> None:
    """An IPv6 address on the allow-list allows itself, and nothing else."""
    patterns = host_patterns()(host)
    assert host_allowed(parse_url(f"http://{host}/").host, patterns)
    assert not host_allowed("a", patterns)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("[::1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("[::]", False),
        ("[2001:db8::1]", False),
        ("[::ffff:10.0.0.1]", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("127.1", False),
        ("a", False),
        ("", False),
    ],
)
def test_is_loopback(host: str, loopback: bool) -> None:
    """This machine is told from others by its name or address, as far as that is certain."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example.com/x", "https://a.example.com/x"),
        ("https://me:hunter2@a:8443/x", "https://a:8443/x"),
        ("https://me@a/x", "https://a/x"),
        ("https://:hunter2@a/x", "https://a/x"),
        ("https://@a/x", "https://a/x"),
        ("https://me:hunt@er2@a/x", "https://a/x"),
        ("https://me:/hunter2@a/x", "https://a/x"),
        ("https://me:hun[ter2@a/x", "https://a/x"),
        ("https://me:hun\u2100ter2@[::1]/x", "https://[::1]/x"),
        ("https://a/x?key=hunter2&y=1", "https://a/x?..."),
        ("https://a?hunter2", "https://a?..."),
        ("https://a/x?", "https://a/x"),
        ("https://a/x#hunter2", "https://a/x"),
        ("https://a/x?hunter2#hunter2", "https://a/x?..."),
        ("https://a/x?me:hunter2@b", "https://a/x?..."),
        ("https://a/@me/x", "https://a/@me/x"),
        ("https://a:1/@me/x", "https://a:1/@me/x"),
        ("redis://me:hunter2@a:6379/0", "redis://a:6379/0"),
        ("REDISS://:hunter2@a", "REDISS://a"),
        ("redis+sentinel://me:hunter2@a,b:1/service/0", "redis+sentinel://a,b:1/service/0"),
        ("tcp://a:25", "tcp://a:25"),
        ("tcp://[::1]:25", "tcp://[::1]:25"),
        ("dns:a.example.com", "dns:a.example.com"),
        ("dns:a.example.com?type=MX", "dns:a.example.com?..."),
        ("dns:///a", "dns:///a"),
        ("mailto:me:hunter2@a", "mailto:a"),
        ("me:hunter2@a/x", "me:a/x"),
        ("http://[", "http://["),
        ("", ""),
    ],
)
def test_without_secrets(url: str, shown: str) -> None:
    """What is shown of a URL is where it leads, without what might be a secret."""
    assert without_secrets(url) == shown


@given(
    scheme=st.sampled_from(["https://", "redis://", "tcp://", "x+y.z-1:"]),
    login=st.text("aB1:[]%!\u2100\u00fc@ ", min_size=1),
    rest=st.sampled_from(["h/p", "h", "h:1/p", "[::1]/"]),
    query=st.text(min_size=1),
)
def test_no_secret(scheme: str, login: str, rest: str, query: str) -> None:
    """Whatever user and password are, and whatever the query is, they are not shown."""
    assert without_secrets(f"{scheme}{login}@{rest}") == f"{scheme}{rest}"
    assert without_secrets(f"{scheme}{rest}?{query}") in (f"{scheme}{rest}?...", f"{scheme}{rest}")


@given(st.text("ab:/@?#[]", max_size=12) | st.text())
def test_any_without_secrets(text: str) -> None:
    """Any text can be shown, and nothing is in it that the text did not have."""
    shown = without_secrets(text)
    assert "#" not in shown
    assert len(shown) <= len(text) + len("...")
    assert not set(shown) - set(text) - set("?.")
