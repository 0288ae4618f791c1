"""Last resorts: the ways to write them, whom they serve, and what is wrong with some."""

from __future__ import annotations

import pytest

from boomerang.endpoints.fallback import (
    APOLOGY,
    BadFallback,
    Document,
    Fallback,
    FallbackText,
    Redirect,
    is_fallback,
    read_fallback,
)

SAY = "<Response><Say>Sorry.</Say></Response>"
MESSAGE = "<Response><Message>Sorry.</Message></Response>"
BOTH = "<Response><Redirect>https://a/x</Redirect></Response>"
URL = "https://static.example.com/sorry.xml?a=1"

FILES = {
    "sorry.xml": SAY.encode(),
    "bom.xml": b"\xef\xbb\xbf\r\n" + SAY.encode() + b"\n",
    "reply.xml": MESSAGE.encode(),
    "bad.xml": b"<html/>",
}


def read(name: str) -> bytes:
    if name == "dir":
        raise IsADirectoryError(21, "Is a directory")
    if name not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[name]


def document(text: str) -> Document:
    return Document(text.encode())


@pytest.mark.parametrize(
    ("text", "fallback"),
    [
        (SAY, Fallback(voice=document(SAY))),
        (f"\n {SAY}\n", Fallback(voice=document(SAY))),
        (MESSAGE, Fallback(messaging=document(MESSAGE))),
        (BOTH, Fallback(voice=document(BOTH), messaging=document(BOTH))),
        ("apology", Fallback(voice=document(APOLOGY))),
        ("file:sorry.xml", Fallback(voice=document(SAY))),
        ("file: sorry.xml", Fallback(voice=document(SAY))),
        ("file:bom.xml", Fallback(voice=document(SAY))),
        ("file:reply.xml", Fallback(messaging=document(MESSAGE))),
        (URL, Fallback(voice=Redirect(URL, "GET"), messaging=Redirect(URL, "GET"))),
    ],
)
def test_one_text(text: str, fallback: Fallback) -> None:
    """A text alone serves the products whose verbs it has; an address serves both."""
    assert read_fallback(FallbackText(either=text), read) == fallback


@pytest.mark.parametrize(
    ("text", "fallback"),
    [
        (FallbackText(voice="apology"), Fallback(voice=document(APOLOGY))),
        (FallbackText(messaging=BOTH), Fallback(messaging=document(BOTH))),
        (
            FallbackText(voice="file:sorry.xml", messaging=URL),
            Fallback(voice=document(SAY), messaging=Redirect(URL)),
        ),
    ],
)
def test_one_for_each(text: FallbackText, fallback: Fallback) -> None:
    """A table has one text for each product, or for one of them."""
    assert read_fallback(text, read) == fallback


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (FallbackText(either="<html/>"), ["begins with <html>, expected <Response>"]),
        (FallbackText(either="file:bad.xml"), ["begins with <html>, expected <Response>"]),
        (FallbackText(either="<Response><A/></Response>"), ["line 1: <A> is no verb of voice"]),
        (
            FallbackText(either="<Response><Message/><A/></Response>"),
            ["line 1: <A> is no verb of messaging"],
        ),
        (
            FallbackText(either="<Response><Say/><Message/></Response>"),
            ["line 1: <Say> is no verb of messaging"],
        ),
        (FallbackText(either="https://"), ["the URL is not an absolute http or https URL"]),
        (FallbackText(either="https://a:0/"), ["the URL has a port that does not exist"]),
        (
            FallbackText(either="file:no.xml"),
            ["cannot read the file no.xml: No such file or directory"],
        ),
        (FallbackText(either="file:dir"), ["cannot read the file dir: Is a directory"]),
        (FallbackText(either="<Response>\ud800</Response>"), ["is not UTF-8"]),
        (
            FallbackText(voice=MESSAGE, messaging="apology"),
            [
                "voice: line 1: <Message> is no verb of voice",
                "messaging: line 1: <Say> is no verb of messaging",
                "messaging: line 1: <Hangup> is no verb of messaging",
            ],
        ),
        (
            FallbackText(voice="file:no.xml", messaging="https://"),
            [
                "voice: cannot read the file no.xml: No such file or directory",
                "messaging: the URL is not an absolute http or https URL",
            ],
        ),
    ],
)
def test_bad(text: FallbackText, problems: list[str]) -> None:
    """All that is wrong with a last resort is said."""
    with pytest.raises(BadFallback) as error:
        read_fallback(text, read)
    assert error.value.problems == problems


@pytest.mark.parametrize("text", ["apology", "<", "file:a", "http://", "https://a"])
def test_is_fallback(text: str) -> None:
    """These begin like a last resort."""
    assert is_fallback(text)


@pytest.mark.parametrize(
    "text", ["", "sorry", "Apology", "file:", "file: ", "file:a\0b", "ftp://a", "a"]
)
def test_is_no_fallback(text: str) -> None:
    """These do not."""
    assert not is_fallback(text)


@pytest.mark.parametrize(
    ("fallback", "product", "resort"),
    [
        (Fallback(voice=document(SAY)), "voice", document(SAY)),
        (Fallback(voice=document(SAY)), "messaging", None),
        (Fallback(voice=document(SAY)), "unknown", None),
        (Fallback(messaging=document(SAY)), "voice", None),
        (Fallback(messaging=document(SAY)), "messaging", document(SAY)),
        (Fallback(voice=Redirect(URL), messaging=Redirect(URL)), "unknown", Redirect(URL)),
        (Fallback(), "unknown", None),
    ],
)
def test_of(fallback: Fallback, product: str, resort: Document | Redirect | None) -> None:
    """What may be a call or a message gets only what suits both."""
    assert fallback.of(product) == resort


def test_shown() -> None:
    """A last resort is shown in short, and never with a secret."""
    fallback = Fallback(voice=document(SAY), messaging=Redirect("https://me:hunter2@a/b?c=hunter2"))
    assert str(fallback) == f"voice: TwiML of {len(SAY)} bytes, messaging: GET https://a/b?..."
    assert str(Fallback()) == "none"
    assert "hunter2" not in repr(fallback)
    assert "hunter2" not in repr(FallbackText(voice="hunter2", messaging="hunter2"))
