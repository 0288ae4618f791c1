"""What Twilio makes of an answer: verbs, warnings, or the reason why it can use none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.standin.answer import Answer
from boomerang.standin.document import Document, read_answer
from boomerang.standin.events import Manner, Warned
from boomerang.standin.failure import Failure
from boomerang.standin.script import MESSAGING, VOICE, Webhook
from boomerang.standin.verbs import (
    Dial,
    Enqueue,
    Gather,
    Hangup,
    Other,
    Pause,
    Record,
    Redirect,
    Reject,
    Reply,
    Sound,
    Verb,
)

URL = "https://app.example.com/calls/1?x=1"
SELF = Webhook(URL)
HELLO = Sound(Manner.SAY, "Hello")


def answer(body: str | bytes, type: str | None = "text/xml", status: int = 200) -> Answer:
    raw = body.encode() if isinstance(body, str) else body
    return Answer(status, (("content-type", type),) if type else (), raw)


def read(body: str | bytes, type: str | None = "text/xml", *, product: str = VOICE) -> Document:
    """A document that is good."""
    found = read_answer(answer(body, type), product=product, url=URL)
    assert isinstance(found, Document), found
    return found


def verb(body: str, *, product: str = VOICE) -> Verb:
    """The one verb of a document, without a warning."""
    found = read(f"<Response>{body}</Response>", product=product)
    assert found.warned == ()
    (only,) = found.verbs
    return only


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<Say>Hello</Say>", HELLO),
        ("<Say> Hel<break/>lo\n <emphasis>you</emphasis></Say>", Sound(Manner.SAY, "Hello you")),
        ("<Play>a.mp3</Play>", Sound(Manner.PLAY, "https://app.example.com/calls/a.mp3")),
        ("<Play digits='w12'/>", Sound(Manner.PLAY, "keys w12")),
        ("<Pause/>", Pause(1)),
        ("<Pause length='30'/>", Pause(30)),
        ("<Gather/>", Gather(SELF)),
        (
            "<Gather action='/keys' method='get' timeout='3' numDigits='4' finishOnKey=''"
            " actionOnEmptyResult='true'><Say>Hello</Say><Pause/></Gather>",
            Gather(
                Webhook("https://app.example.com/keys", "GET"),
                (HELLO, Pause(1)),
                timeout=3,
                most=4,
                end_key="",
                even_empty=True,
            ),
        ),
        ("<Gather input='speech'/>", Gather(SELF, keys=False)),
        ("<Gather input='speech dtmf' method='GET'/>", Gather(Webhook(URL, "GET"))),
        ("<Redirect>/next</Redirect>", Redirect(Webhook("https://app.example.com/next"))),
        (
            "<Redirect method='GET'> https://b.example.com/?a=1&amp;b=2#rt=9000 </Redirect>",
            Redirect(Webhook("https://b.example.com/?a=1&b=2#rt=9000", "GET")),
        ),
        ("<Redirect/>", Redirect(SELF)),
        ("<Redirect>http://[bad</Redirect>", Redirect(Webhook("http://[bad"))),
        ("<Dial>+15005550009</Dial>", Dial("+15005550009")),
        (
            "<Dial action='/after'><Number>+15005550009</Number></Dial>",
            Dial("+15005550009", Webhook("https://app.example.com/after")),
        ),
        ("<Record/>", Record(SELF)),
        ("<Record action='r'/>", Record(Webhook("https://app.example.com/calls/r"))),
        ("<Enqueue>support</Enqueue>", Enqueue("support")),
        ("<Enqueue workflowSid='WW1'/>", Enqueue("WW1")),
        ("<Hangup/>", Hangup()),
        ("<Reject/>", Reject("rejected")),
        ("<Reject reason='busy'/>", Reject("busy")),
        ("<Leave/>", Other("Leave")),
    ],
)
def test_voice(body: str, expected: Verb) -> None:
    """Each verb has its attributes, their defaults, and addresses relative to the document."""
    assert verb(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<Message>Hello</Message>", Reply("Hello")),
        ("<Message><Body>Hello</Body></Message>", Reply("Hello")),
        (
            "<Message action='/sent'><Body>Hi</Body><Media>/a.png</Media></Message>",
            Reply(
                "Hi https://app.example.com/a.png", Webhook("https://app.example.com/sent", "POST")
            ),
        ),
        ("<Redirect>/next</Redirect>", Redirect(Webhook("https://app.example.com/next"))),
    ],
)
def test_messaging(body: str, expected: Verb) -> None:
    """Messages have verbs of their own."""
    assert verb(body, product=MESSAGING) == expected


@pytest.mark.parametrize(
    ("product", "body", "code", "words"),
    [
        (VOICE, "<say>Hi</say>", 12200, "<say> is no verb"),
        (VOICE, "<Message>Hi</Message>", 12200, "<Message> is no verb"),
        (MESSAGING, "<Say>Hi</Say>", 14110, "<Say> is not for messages"),
        (MESSAGING, "<Sya>Hi</Sya>", 12200, "<Sya> is no verb"),
        (VOICE, "<Say/>", 13520, "<Say> has nothing to say"),
    ],
)
def test_skipped(product: str, body: str, code: int, words: str) -> None:
    """What Twilio does not know is skipped, and warned of."""
    found = read(f"<Response>{body}</Response>", product=product)
    assert (found.verbs, found.warned) == ((), (Warned(code, words),))
    assert len(found.names) == 1


@pytest.mark.parametrize(
    ("body", "code", "words", "expected"),
    [
        (
            "<Redirect method='PUT'>/n</Redirect>",
            13710,
            "<Redirect> has the method PUT: POST is taken",
            Redirect(Webhook("https://app.example.com/n")),
        ),
        ("<Pause length='0'/>", 13910, "<Pause> has length='0': the default is taken", Pause(1)),
        ("<Pause length='x'/>", 13910, "<Pause> has length='x': the default is taken", Pause(1)),
        (
            "<Pause length='999999'/>",
            13910,
            "<Pause> has length='999999': the default is taken",
            Pause(1),
        ),
        (
            "<Gather numDigits='-1'/>",
            12200,
            "<Gather> has numDigits='-1': the default is taken",
            Gather(SELF),
        ),
        ("<Gather><Dial/></Gather>", 12200, "<Dial> has no place in <Gather>", Gather(SELF)),
        ("<Gather><Say/></Gather>", 13520, "<Say> has nothing to say", Gather(SELF)),
        (
            "<Gather method='PUT'/>",
            12200,
            "<Gather> has the method PUT: POST is taken",
            Gather(SELF),
        ),
    ],
)
def test_default_taken(body: str, code: int, words: str, expected: Verb) -> None:
    """What is wrong with a verb is warned of, and does not keep it from being carried out."""
    found = read(f"<Response>{body}</Response>")
    assert (found.verbs, found.warned) == ((expected,), (Warned(code, words),))


def test_order() -> None:
    """Verbs are carried out in their order; comments and text between them are not looked at."""
    found = read("<?xml version='1.0'?><Response>a<!-- b --><Say>Hello</Say>c<Hangup/></Response>")
    assert found == Document((HELLO, Hangup()), ("Say", "Hangup"))


@pytest.mark.parametrize("product", [VOICE, MESSAGING])
@pytest.mark.parametrize(
    "type", ["text/xml", "application/xml", "text/html", "Text/XML; charset=utf-8", "text/plain"]
)
def test_content_types(product: str, type: str) -> None:
    """TwiML may come as any of these."""
    assert read("<Response/>", type, product=product) == Document()


def test_audio() -> None:
    """In a call, audio is played, and then the call ends."""
    found = read(b"\xff\xfb", "audio/mpeg")
    assert found.verbs == (Sound(Manner.PLAY, URL), Hangup())


@pytest.mark.parametrize(
    ("product", "verbs"),
    [
        (VOICE, (Sound(Manner.SAY, "Oh, an error"), Hangup())),
        (MESSAGING, (Reply("Oh, an error"),)),
    ],
)
def test_plain_text(product: str, verbs: tuple[Verb, ...]) -> None:
    """Plain text that is no TwiML is read aloud, or sent to the user."""
    assert read("Oh, an\r\nerror\n", "text/plain", product=product).verbs == verbs


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (answer("oh", status=500), 11217, "answered 500"),
        (answer("<Response/>", status=404), 11217, "answered 404"),
        (answer("<Response/>", status=300), 11200, "answered 300"),
        (answer("<Response/>", None), 12300, "there is no content type"),
        (answer("", None, 204), 12300, "there is no content type"),
        (answer("{}", "application/json"), 12300, "the content type is application/json"),
        (Answer(200, (("content-type", "text/xml"),), b"<R", truncated=True), 11750, "64 KiB"),
        (
            Answer(200, (("content-type", "text/xml"), ("transfer-encoding", "chunked"))),
            11770,
            "the answer is chunked and empty",
        ),
        (answer(""), 12100, "the answer is no XML"),
        (answer("<Response>"), 12100, "the answer is no XML"),
        (answer("<!doctype html><p>Oh", "text/html"), 12100, "the answer is no XML"),
        (answer("<?xml version='1.0' encoding='x'?><R/>"), 12100, "the answer is no XML"),
        (answer(b"<Response>\xff</Response>"), 12100, "the answer is no XML"),
        (answer("<html><p/></html>", "text/html"), 12102, "the document's root is <html>"),
        (answer("<response/>"), 12102, "the document's root is <response>"),
    ],
)
def test_failures(given: Answer, code: int, words: str) -> None:
    """What Twilio cannot use has an error code."""
    found = read_answer(given, product=VOICE, url=URL)
    assert isinstance(found, Failure)
    assert found.code == code
    assert words in found.words


def test_audio_in_a_message() -> None:
    """In a message, audio is of no use."""
    found = read_answer(answer(b"\xff", "audio/mpeg"), product=MESSAGING, url=URL)
    assert found == Failure(12300, "the content type is audio/mpeg")


@given(st.text(max_size=60))
def test_anything(text: str) -> None:
    """Whatever is in a document, it is one that can be used, or one that cannot."""
    body = f"<Response><Say>{text}</Say></Response>".encode("utf-8", "surrogatepass")
    found = read_answer(answer(body), product=VOICE, url=URL)
    assert isinstance(found, Document) or found.code in (12100, 12102)
