"""Requests, and the bytes that are sent for one."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from boomerang.standin.request import Address, Envelope, Request, address, written
from boomerang.standin.script import MESSAGING, VOICE, Pairs, Webhook
from boomerang.urls import BadUrl
from tests.vectors import TOKEN, F

PARAMETERS = (("CallSid", "CA1"), ("Body", "Grüße & mehr"), ("FromCity", ""))
RESULTS = (("Digits", "1"),)
ENVELOPE = Envelope(product=VOICE, token=None, delivery="d-1")

RETRY = "https://boomerang.example.com/retry"
SORRY = "FallbackUrl=https%3A%2F%2Fstatic.example.com%2Fsorry.xml"


def sent(
    url: str,
    method: str = "POST",
    parameters: Pairs = PARAMETERS,
    *,
    results: Pairs = (),
    login: bool = False,
    envelope: Envelope = ENVELOPE,
) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers by name, and body."""
    request = Request(Webhook(url, method), parameters, results, login=login)
    head, _, body = written(request, address(url), envelope).partition(b"\r\n\r\n")
    line, *headers = head.decode("latin-1").split("\r\n")
    return line, dict(header.split(": ", 1) for header in headers), body


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://App.example.com", Address("https", "app.example.com", 443, "", "/", "")),
        ("http://a.com:80/b?c=d", Address("http", "a.com", 80, ":80", "/b?c=d", "")),
        ("http://a.com?c=%2F#rt=5000", Address("http", "a.com", 80, "", "/?c=%2F", "")),
        ("http://u:p:@a.com:81/", Address("http", "a.com", 81, ":81", "/", "u:p:")),
        ("http://[::1]:8080/x", Address("http", "[::1]", 8080, ":8080", "/x", "")),
        ("http://a.com/ä b", Address("http", "a.com", 80, "", "/%C3%A4%20b", "")),
    ],
)
def test_address(url: str, expected: Address) -> None:
    """A URL is taken apart as it is needed for a request; the fragment is no part of it."""
    assert address(url) == expected


def test_shown_address() -> None:
    """An address has no secrets, neither as text nor when it is shown."""
    found = address("http://me:hunter2@a.com:81/b?c#rt=1")
    assert found.url == "http://a.com:81/b?c"
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize("url", ["", "/relative", "ftp://a.com/", "http://"])
def test_no_address(url: str) -> None:
    """What is no web address is refused."""
    with pytest.raises(BadUrl):
        address(url)


def test_post() -> None:
    """A POST has its parameters in a form, those of a verb after the standard ones."""
    line, headers, body = sent("http://a.com:81/v?x=1#rt=5000", results=RESULTS)
    assert line == "POST /v?x=1 HTTP/1.1"
    assert parse_qsl(body.decode(), keep_blank_values=True) == [*PARAMETERS, *RESULTS]
    assert headers == {
        "Host": "a.com:81",
        "User-Agent": "TwilioProxy/1.1",
        "Accept": "*/*",
        "Connection": "close",
        "I-Twilio-Idempotency-Token": "d-1",
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "Content-Length": str(len(body)),
    }


@pytest.mark.parametrize(
    ("url", "lead"), [("http://a.com/v", "?"), ("http://a.com/v?x=1", "?x=1&")]
)
def test_get(url: str, lead: str) -> None:
    """A GET has them in its query, after what stands there."""
    line, headers, body = sent(url, "GET")
    target = line.split(" ")[1]
    assert target.startswith(f"/v{lead}CallSid=CA1&")
    query = parse_qsl(target.partition("?")[2], keep_blank_values=True)
    assert query[-3:] == list(PARAMETERS)
    assert body == b""
    assert "Content-Type" not in headers
    assert "Content-Length" not in headers


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("POST", RETRY, "nXhGKyouGU65E0BIdHDva4um/vM="),
        ("POST", f"{RETRY}#rt=5000", "nXhGKyouGU65E0BIdHDva4um/vM="),
        ("POST", RETRY.replace("//", "//user:pass@"), "nXhGKyouGU65E0BIdHDva4um/vM="),
        ("POST", RETRY.replace(".com", ".com:8443"), "nXhGKyouGU65E0BIdHDva4um/vM="),
        ("POST", f"{RETRY}?{SORRY}&FallbackMethod=GET", "nIqR6u1aKJAmi54dh52jDDTMc6U="),
        (
            "POST",
            f"{RETRY}?FallbackUrl=https://static.example.com/sorry.xml",
            "WBIdosm5xz8Ui2calQu4eDdDFFc=",
        ),
        ("GET", f"{RETRY}?{SORRY}", "2qAmXE+7kij6dukUoZAL8p5kqFY="),
    ],
)
def test_signature(method: str, url: str, expected: str) -> None:
    """With a token requests are signed: the vectors of reference/twilio.md §5 for ``/retry``."""
    _, headers, _ = sent(url, method, F, envelope=Envelope(VOICE, TOKEN, "d-1"))
    assert headers["X-Twilio-Signature"] == expected


def test_signed_port() -> None:
    """Messages are signed with the port, calls over https are not (reference/twilio.md §5)."""
    url = "https://a.com:8443/sms"
    voice, messaging = (
        sent(url, envelope=Envelope(product, TOKEN, "d-1"))[1]["X-Twilio-Signature"]
        for product in (VOICE, MESSAGING)
    )
    assert voice != messaging


def test_cookies() -> None:
    """Cookies are sent, if there are any."""
    assert "Cookie" not in sent("http://a.com/")[1]
    with_cookies = Envelope(VOICE, None, "d-1", cookies="a=b; c=é")
    assert sent("http://a.com/", envelope=with_cookies)[1]["Cookie"] == "a=b; c=é"


def test_login() -> None:
    """Name and password are shown only where that is wanted."""
    url = "http://us%40er:p%3Aw@a.com/"
    assert "Authorization" not in sent(url)[1]
    assert sent(url, login=True)[1]["Authorization"] == "Basic dXNAZXI6cDp3"


def test_no_secret_is_shown() -> None:
    """The token is not in what is shown of an envelope."""
    assert "hunter2" not in repr(Envelope(VOICE, "hunter2", "d-1"))
