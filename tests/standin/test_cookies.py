"""A call's cookies."""

from __future__ import annotations

import pytest

from boomerang.standin.answer import Answer
from boomerang.standin.cookies import Cookies

URL = "http://127.0.0.1:8080/calls/1"


def after(*cookies: str) -> Cookies:
    """What is kept of an answer from `URL`."""
    jar = Cookies()
    headers = (("content-type", "text/xml"), *(("set-cookie", cookie) for cookie in cookies))
    jar.keep(URL, Answer(200, headers))
    return jar


@pytest.mark.parametrize(
    ("cookies", "url", "expected"),
    [
        ((), URL, None),
        (("a=b",), URL, "a=b"),
        (("a=b; Path=/",), "http://127.0.0.1:8080/other", "a=b"),
        (("a=b; Path=/", "c=d; Path=/; HttpOnly"), "http://127.0.0.1:8080/", "a=b; c=d"),
        (("a=b; Path=/calls",), "http://127.0.0.1:8080/", None),
        (("a=b; Path=/",), "http://127.0.0.2:8080/", None),
        (("a=b; Path=/; Secure",), "http://127.0.0.1:8080/", None),
        (("a=b; Path=/; Max-Age=0",), URL, None),
    ],
)
def test_kept(cookies: tuple[str, ...], url: str, expected: str | None) -> None:
    """Cookies go back to where they came from, as a browser would send them."""
    assert after(*cookies).header(url) == expected


def test_changed() -> None:
    """A later cookie takes the place of an earlier one of the same name, or takes it away."""
    jar = after("a=1; Path=/", "b=2; Path=/")
    jar.keep(URL, Answer(500, (("set-cookie", "a=3; Path=/"),)))
    assert jar.header(URL) in ("a=3; b=2", "b=2; a=3")
    jar.keep(URL, Answer(200, (("set-cookie", "a=; Path=/; Max-Age=0"),)))
    assert jar.header(URL) == "b=2"
