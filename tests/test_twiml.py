"""TwiML: well-formed for whatever `parse_url` accepts, and never another URL than the one given."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import canonicalize

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from twilio.twiml.voice_response import VoiceResponse

from boomerang.endpoints.document import document_problems
from boomerang.twiml import CONTENT_TYPE, come_back, redirect
from boomerang.urls import BadUrl, parse_url

TRICKY = "&<>\"'];#?/%: {}\\=+amplt\u00e9\u0130\u200f\ufeff\U0001f4de"

urls = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.sampled_from(["", "user:pw@", "u<&>:p@"]),
    st.sampled_from(["a", "a.example.com:8080", "[::1]", "bücher.example"]),
    st.one_of(st.text(TRICKY), st.text(st.characters(exclude_categories=["Cc", "Cs"])), st.text()),
)


def decoded(document: bytes) -> tuple[str | None, dict[str, str]]:
    """Text and attributes of the one verb in the document."""
    response = ElementTree.fromstring(document)
    assert response.tag == "Response"
    (verb,) = response
    assert (verb.tag, list(verb), verb.tail, response.text) == ("Redirect", [], None, None)
    return verb.text, verb.attrib


def accepted(url: str) -> bool:
    try:
        parse_url(url)
    except BadUrl:
        return False
    return True


@given(urls, st.sampled_from(["GET", "POST"]))
def test_round_trip(url: str, method: str) -> None:
    """Whatever is accepted as a URL comes out of the document as it went in."""
    assume(accepted(url))
    assert decoded(redirect(url, method)) == (url, {"method": method})


@given(urls, st.sampled_from(["GET", "POST"]), st.none() | st.text(TRICKY, min_size=1))
def test_like_the_sdk(url: str, method: str, message: str | None) -> None:
    """A document says what that of Twilio's own builder says."""
    assume(accepted(url))
    theirs, waiting = VoiceResponse(), VoiceResponse()
    theirs.redirect(url, method=method)
    if message is not None:
        waiting.say(message)
    waiting.pause(length=1)
    waiting.redirect(url, method="POST")
    for ours, sdk in (
        (redirect(url, method), theirs),
        (come_back(url, message=message), waiting),
    ):
        assert canonicalize(ours.decode()) == canonicalize(sdk.to_xml())


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/voice",
        "https://app.example.com/voice?a=1&b=2&amp;c=3",
        "https://app.example.com/voice?x=%26%3C%3E&y=a+b%20c",
        "https://app.example.com/<Hangup/>",
        "https://app.example.com/</Redirect><Hangup/>",
        "https://app.example.com/]]>",
        "https://app.example.com/<![CDATA[x]]>",
        "https://app.example.com/<!--x-->",
        "https://app.example.com/?x=\"&y='",
        "https://app.example.com/x#rc=3&rp=all",
        "https://app.example.com/  x  ",
        "https://bücher.example/\U0001f4de",
    ],
)
def test_hostile(url: str) -> None:
    """Markup in a URL stays text."""
    assert decoded(redirect(url, "POST")) == (url, {"method": "POST"})


def test_unwritable() -> None:
    """A URL with a character that XML 1.0 cannot carry, or would change, is no URL at all."""
    points = [*range(0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
    assert not [point for point in points if accepted(f"http://a/{chr(point)}")]


def test_bytes() -> None:
    """The document is this, in UTF-8, the method always written out."""
    assert (
        redirect("https://a/ü?x=1&y=2", "GET")
        == (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<Response><Redirect method="GET">https://a/ü?x=1&amp;y=2</Redirect></Response>'
        ).encode()
    )
    assert CONTENT_TYPE == "text/xml; charset=utf-8"


BACK = "https://boomerang.example.com/retry/continue?token=x&y=<"


def verbs(document: bytes) -> list[tuple[str, dict[str, str], str | None]]:
    """Names, attributes and texts of the verbs in the document."""
    response = ElementTree.fromstring(document)
    assert (response.tag, response.text) == ("Response", None)
    assert all((list(verb), verb.tail) == ([], None) for verb in response)
    return [(verb.tag, dict(verb.attrib), verb.text) for verb in response]


RETURN = [("Pause", {"length": "1"}, None), ("Redirect", {"method": "POST"}, BACK)]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (None, []),
        ("One moment, please.", [("Say", {}, "One moment, please.")]),
        ('Müller & <Söhne> "]]>"', [("Say", {}, 'Müller & <Söhne> "]]>"')]),
        ("</Say><Hangup/>", [("Say", {}, "</Say><Hangup/>")]),
        ("see https://a.example.com/", [("Say", {}, "see https://a.example.com/")]),
        ("http:/ is no URL", [("Say", {}, "http:/ is no URL")]),
        ("https://a/hold.mp3?a=1&b=2", [("Play", {}, "https://a/hold.mp3?a=1&b=2")]),
        ("http://a/hold.mp3", [("Play", {}, "http://a/hold.mp3")]),
    ],
)
def test_come_back(message: str | None, said: list[tuple[str, dict[str, str], str | None]]) -> None:
    """A call that is to come back may hear something first, or music, and pauses in any case."""
    assert verbs(come_back(BACK, message=message)) == [*said, *RETURN]


@given(st.text(min_size=1).filter(str.isprintable))
def test_any_message(message: str) -> None:
    """Whatever the settings take for a text is said as it is."""
    assert verbs(come_back(BACK, message=message))[0][2] == message


def test_come_back_bytes() -> None:
    """The document is this, and nothing Twilio's library would not know."""
    assert (
        come_back("https://b/ü?a=1&b=2", message="Grüße")
        == (
            '<?xml version="1.0" encoding="UTF-8"?><Response><Say>Grüße</Say><Pause length="1"/>'
            '<Redirect method="POST">https://b/ü?a=1&amp;b=2</Redirect></Response>'
        ).encode()
    )
    assert document_problems(come_back("https://b/", message="Grüße"), "voice") == []
    assert document_problems(come_back("https://b/", message="http://b/"), "voice") == []
