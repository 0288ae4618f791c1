"""Last resorts that Twilio could not carry out are found at start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.endpoints.document import LONGEST, document_problems

GATHER = '<Gather action="https://a/x"><Say>Press one</Say></Gather>'


def response(inside: str) -> bytes:
    return f"<Response>{inside}</Response>".encode()


@pytest.mark.parametrize(
    "document",
    [
        b"<Response/>",
        b"<?xml version='1.0'?><Response/>",
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- sorry -->\n<Response>\n</Response>',
        b'<?xml version="1.0" encoding="utf-8" standalone="yes"?><Response/>',
        response("<Say>Sorry.</Say><Hangup/>"),
        response('<Say voice="alice" language="de-DE">Es tut uns leid: später &amp; &#246;</Say>'),
        response('<Say>A <break strength="weak"/> pause, and <p><s>more</s></p></Say>'),
        response("<!-- <Nonsense/> --><Pause length='2'/>"),
        response("<Say><![CDATA[a < b]]></Say>"),
        response("<Play>https://static.example.com/sorry.mp3</Play>"),
        response('<Play digits="ww1"/>'),
        response("<Redirect method='GET'>https://a/x?y=1&amp;z</Redirect>"),
        response("<Dial><Number>+15005550006</Number></Dial>"),
        response("<Dial>+15005550006</Dial>"),
        response('<Dial action="https://a/x"><Conference waitUrl="">room</Conference></Dial>'),
        response("<Dial><Sip><Uri>sip:a@b</Uri></Sip></Dial>"),
        response('<Connect><Stream url="wss://a/x"><Parameter name="a"/></Stream></Connect>'),
        response("<Reject reason='busy'/>"),
        response("<Enqueue>support</Enqueue><Leave/>"),
        response(GATHER),
    ],
)
def test_good_for_a_call(document: bytes) -> None:
    """These can be carried out in a call."""
    assert document_problems(document, "voice") == []


@pytest.mark.parametrize(
    "document",
    [
        b"<Response/>",
        response("<Message>Sorry.</Message>"),
        response("<Message><Body>Sorry.</Body><Media>https://a/b.gif</Media></Message>"),
        response("<Redirect>https://a/x</Redirect>"),
    ],
)
def test_good_for_a_message(document: bytes) -> None:
    """These can be carried out for a message."""
    assert document_problems(document, "messaging") == []


RELATIVE = "is no absolute URL"
NO_ACTION = "has no action: Twilio would ask this host what comes next"


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (b"", ["line 1: is not XML (no element found)"]),
        (b"Sorry", ["line 1: is not XML (syntax error)"]),
        (b"<Response>\n<Say>\n</Response>", ["line 3: is not XML (mismatched tag)"]),
        (b"<Response/><Response/>", ["line 1: is not XML (junk after document element)"]),
        (response("a & b"), ["line 1: is not XML (not well-formed (invalid token))"]),
        (response("<Say>&nbsp;</Say>"), ["line 1: is not XML (undefined entity)"]),
        (response("<Say>\x0b</Say>"), ["line 1: is not XML (not well-formed (invalid token))"]),
        (b"<Response>\xff</Response>", ["is not UTF-8"]),
        ("<Response/>".encode("utf-16"), ["is not UTF-8"]),
        (
            b"<?xml version='1.0' encoding='latin-1'?><Response/>",
            ["says that its encoding is latin-1, expected UTF-8"],
        ),
        (b"<html><body/></html>", ["begins with <html>, expected <Response>"]),
        (b"<response/>", ["begins with <response>, expected <Response>"]),
        (response("Sorry"), ["line 1: has text outside of any verb"]),
        (response("<Say>a</Say>b"), ["line 1: has text outside of any verb"]),
        (response("<Sya/>"), ["line 1: <Sya> is no verb of voice"]),
        (
            response("\n<say>Sorry</say>"),
            ["line 2: <say> is no verb of voice; letter case counts: <Say>"],
        ),
        (response("<Message>a</Message>"), ["line 1: <Message> is no verb of voice"]),
        (response("<Number>1</Number>"), ["line 1: <Number> is no verb of voice"]),
        (response("<Dial><Say>a</Say></Dial>"), ["line 1: <Say> is no part of <Dial>"]),
        (response("<Refer><Sip><Uri/></Sip></Refer>"), ["line 1: <Uri> is no part of <Sip>"]),
        (response("<Response/>"), ["line 1: <Response> is no verb of voice"]),
        (response("<Sya><Gather/>b<Play>c</Play></Sya>"), ["line 1: <Sya> is no verb of voice"]),
        (response("<Gather/>"), [f"line 1: <Gather> {NO_ACTION}"]),
        (response('<Record action=""/>'), [f"line 1: <Record> {NO_ACTION}"]),
        (response("<Play>a.mp3</Play>"), [f"line 1: the address in <Play> {RELATIVE}"]),
        (response("<Redirect>/a</Redirect>"), [f"line 1: the address in <Redirect> {RELATIVE}"]),
        (response("<Dial action='/a'/>"), [f"line 1: action of <Dial> {RELATIVE}"]),
        (response("<Enqueue waitUrl='a.xml'/>"), [f"line 1: waitUrl of <Enqueue> {RELATIVE}"]),
        (
            response("<Dial><Number statusCallback='a'>1</Number></Dial>"),
            [f"line 1: statusCallback of <Number> {RELATIVE}"],
        ),
        (response("\n<A/>" * 9), [f"line {n}: <A> is no verb of voice" for n in range(2, 7)]),
    ],
)  # fmt: skip
def test_bad_for_a_call(document: bytes, problems: list[str]) -> None:
    """All that is wrong is said, with its line."""
    assert document_problems(document, "voice") == problems


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (response("<Say>a</Say>"), ["line 1: <Say> is no verb of messaging"]),
        (response("<Pause/>"), ["line 1: <Pause> is no verb of messaging"]),
        (
            response("<Message><Media>a.gif</Media></Message>"),
            [f"line 1: the address in <Media> {RELATIVE}"],
        ),
    ],
)
def test_bad_for_a_message(document: bytes, problems: list[str]) -> None:
    """What is right for a call may be wrong for a message."""
    assert document_problems(document, "messaging") == problems


LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>
<Response><Say>&c;</Say></Response>"""


@pytest.mark.parametrize(
    "document",
    [
        LAUGHS,
        b"\n<!DOCTYPE Response><Response/>",
        b'\n<!DOCTYPE Response SYSTEM "file:///etc/passwd"><Response/>',
        b'\n<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Response><Say>&b;</Say></Response>',
    ],
)
def test_no_document_type(document: bytes) -> None:
    """Where no document type is allowed, no entity can expand, and none reads a file."""
    assert document_problems(document, "voice") == [
        "line 2: has a document type, which TwiML has not"
    ]


@pytest.mark.parametrize(("length", "good"), [(LONGEST, True), (LONGEST + 1, False)])
def test_length(length: int, good: bool) -> None:
    """A document is as long as Twilio takes it, counted in bytes."""
    around = len(response("<Say></Say>")) + 2
    document = response(f"<Say>ö{'a' * (length - around)}</Say>")
    assert len(document) == length
    problems = document_problems(document, "voice")
    assert problems == ([] if good else ["is longer than 64 KiB, which is all that Twilio takes"])


pieces = st.sampled_from(
    "Response Say Gather Dial Sip Message Play x:y a<b & \0 <?xml version='1.0'?> <!DOCTYPE a>"
    " <Response> </Response> <Say> </Say> <Play> </Play> <Dial> <Sip/> <!-- --> <![CDATA[ ]]>"
    " &#0; &#60; &amp; \ud800 \u00f6 <Gather a='b'/> <Gather".split(" ")
)


@given(
    st.lists(pieces).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))
    | st.binary(),
    st.sampled_from(["voice", "messaging"]),
)
def test_anything(document: bytes, product: str) -> None:
    """Whatever somebody gives, it is judged, and what is good is a Response."""
    problems = document_problems(document, product)
    assert len(problems) <= 5
    assert problems or b"<Response" in document
