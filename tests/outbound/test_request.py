"""What is sent for a request, and which one a redirect asks for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.outbound import Trouble, Unreachable
from boomerang.outbound.request import USER_AGENT, Request, is_redirect, redirected
from boomerang.urls import BadUrl

HERE = "https://ops:pw@app.example/a/b?c"


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("http://app.example", b"http://app.example:80/"),
        ("HTTPS://App.Example.:8443/A?B#c", b"https://app.example:8443/A?B"),
        ("http://ops:pw@app.example/", b"http://app.example:80/"),
        ("http://[::1]:81/x", b"http://[::1]:81/x"),
        (
            "http://bücher.example/ü ?ü=\u00a0",
            b"http://xn--bcher-kva.example:80/%C3%BC%20?%C3%BC=%C2%A0",
        ),
        ("http://a.example/%7e%20%zz?a=%2B&b", b"http://a.example:80/%7e%20%zz?a=%2B&b"),
    ],
)
def test_uri(url: str, uri: bytes) -> None:
    """The URL is written in ASCII, with its port, without login and fragment; escapes are kept."""
    assert Request("GET", url).uri == uri


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_uri(path: str, query: str) -> None:
    """Whatever a URL has in it that is taken for one, the wire gets printable ASCII."""
    try:
        request = Request("GET", f"http://a.example/{path}?{query}")
    except BadUrl:
        return
    assert all(0x21 <= byte <= 0x7E for byte in request.uri)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://a.example/x", "a.example"),
        ("http://a.example:443/", "a.example:443"),
        ("https://u:p@a.example:443/", "a.example"),
        ("https://[::1]:8443/", "[::1]:8443"),
    ],
)
def test_where(url: str, where: str) -> None:
    """Messages name the host, and the port if it is not the usual one."""
    assert Request("GET", url).where == where


def test_repr() -> None:
    """What a request looks like in a traceback holds nothing that may be secret."""
    request = Request("POST", "http://u:pw@h/?key", {"X-Key": "key"}, b"key")
    assert repr(request) == "Request(method='POST')"


def sent(request: Request) -> Mapping[str, str]:
    return {
        name.decode().lower(): values[0].decode()
        for name, values in request.sent_headers().getAllRawHeaders()
    }


def test_own_headers() -> None:
    """Every request says who asks, and wants its answer as it is."""
    assert sent(Request("GET", "http://a.example/")) == {
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
    }


def test_given_headers() -> None:
    """Headers of the caller's go before those."""
    given = {"user-agent": "x", "ACCEPT-ENCODING": "gzip", "Authorization": "y", "Host": "z"}
    assert sent(Request("GET", HERE, given)) == {
        "user-agent": "x",
        "accept-encoding": "gzip",
        "authorization": "y",
        "host": "z",
    }


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        *[(status, {"location": "/"}, True) for status in (301, 302, 303, 307, 308)],
        *[(status, {"location": "/"}, False) for status in (200, 201, 300, 304, 305, 306, 404)],
        (302, {}, False),
    ],
)
def test_is_redirect(status: int, headers: Mapping[str, str], expected: bool) -> None:
    """A redirect has one of five statuses, and says where to."""
    assert is_redirect(status, headers) is expected


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/x", "https://ops:pw@app.example/x"),
        ("x?y", "https://ops:pw@app.example/a/x?y"),
        ("?y", "https://ops:pw@app.example/a/b?y"),
        ("../../../x", "https://ops:pw@app.example/x"),
        ("//other.example/x", "https://other.example/x"),
        ("http://app.example/x", "http://app.example/x"),
        ("https://app.example/x", "https://app.example/x"),
        ("/ü x", "https://ops:pw@app.example/ü x"),
    ],
)
def test_location(location: str, url: str) -> None:
    """A location is taken relative to the URL that was asked for, as RFC 3986 says."""
    assert redirected(Request("GET", HERE), 302, location).url == url


@pytest.mark.parametrize(
    "location", ["mailto:x@y", "javascript:x", "http://[", "http://a b/", "/\x00"]
)
def test_location_of_nothing(location: str) -> None:
    """A location that is no web address cannot be followed."""
    with pytest.raises(Unreachable) as caught:
        redirected(Request("GET", HERE), 302, location)
    assert caught.value.trouble is Trouble.REDIRECT
    assert str(caught.value) == "app.example: redirects to what is no web address"


@pytest.mark.parametrize(
    ("method", "status", "further"),
    [
        ("GET", 302, "GET"),
        ("HEAD", 301, "HEAD"),
        ("HEAD", 303, "HEAD"),
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
    ],
)
def test_method(method: str, status: int, further: str) -> None:
    """A POST becomes a GET without a body, unless the status says that it must not."""
    body = b"x" if method == "POST" else None
    request = Request(method, HERE, {"content-type": "text/plain", "X": "y"}, body)
    moved = redirected(request, status, "/x")
    assert moved.method == further
    kept = further == method
    assert moved.body == (body if kept else None)
    assert moved.headers == (request.headers if kept else {"X": "y"})


@pytest.mark.parametrize(
    ("location", "same"),
    [
        ("/x", True),
        ("https://app.example:443/x", True),
        ("https://APP.example./x", True),
        ("http://app.example/x", False),
        ("http://app.example:443/x", False),
        ("https://app.example:8443/x", False),
        ("https://www.app.example/x", False),
    ],
)
def test_headers_for_another_server(location: str, same: bool) -> None:
    """Headers go to the same scheme, host and port; to others only those that hold no secrets."""
    secret = {"Authorization": "x", "cookie": "x", "X-Key": "x", "Proxy-Authorization": "x"}
    open_ones = {"Accept": "y", "user-agent": "z"}
    moved = redirected(Request("GET", HERE, {**secret, **open_ones}), 302, location)
    assert moved.headers == ({**secret, **open_ones} if same else open_ones)
