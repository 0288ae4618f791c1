"""From an HTTP answer to what Twilio makes of it: verbs, or the reason why it can use none.

https://www.twilio.com/docs/voice/twiml, https://www.twilio.com/docs/messaging/twiml
"""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree

from attrs import frozen

from boomerang.standin.answer import LONGEST_BODY, Answer
from boomerang.standin.events import Manner, Warned
from boomerang.standin.failure import Failure
from boomerang.standin.reading import Reading
from boomerang.standin.script import VOICE
from boomerang.standin.verbs import Hangup, Reply, Sound, Verb

_TWIML: Final = frozenset({"text/xml", "application/xml", "text/html"})

_PLAIN: Final = "text/plain"


@frozen
class Document:
    """An answer that Twilio can use.

    ``names`` are those of all verbs in it, ``verbs`` those that are carried out; ``warned`` is what
    the Debugger would say.
    """

    verbs: tuple[Verb, ...] = ()
    names: tuple[str, ...] = ()
    warned: tuple[Warned, ...] = ()


def read_answer(answer: Answer, *, product: str, url: str) -> Document | Failure:
    """Understand an answer; ``url`` is where it came from, to which its addresses are relative."""
    failure = _refused(answer)
    if failure is not None:
        return failure
    kind = (answer.header("content-type") or "").partition(";")[0].strip().lower()
    if kind in _TWIML:
        return _twiml(answer.body, product, url)
    if kind == _PLAIN:
        document = _twiml(answer.body, product, url)
        return document if isinstance(document, Document) else _text(answer.body, product)
    if kind.startswith("audio/") and product == VOICE:
        return Document((Sound(Manner.PLAY, url), Hangup()), ("Play", "Hangup"))
    return Failure(12300, f"the content type is {kind}" if kind else "there is no content type")


def _refused(answer: Answer) -> Failure | None:
    """What is wrong before the body is looked into."""
    if answer.status >= 400:
        return Failure(11217, f"answered {answer.status}")
    if answer.status >= 300:
        return Failure(11200, f"answered {answer.status}")
    if answer.truncated:
        return Failure(11750, f"the answer is longer than {LONGEST_BODY // 1024} KiB")
    if not answer.body and answer.is_chunked:
        return Failure(11770, "the answer is chunked and empty")
    return None


def _twiml(body: bytes, product: str, url: str) -> Document | Failure:
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        return Failure(12100, f"the answer is no XML: {error}")
    if root.tag != "Response":
        return Failure(12102, f"the document's root is <{root.tag}>, not <Response>")
    reading = Reading(product, url)
    verbs = tuple(reading.verbs(root))
    return Document(verbs, tuple(str(element.tag) for element in root), tuple(reading.warned))


def _text(body: bytes, product: str) -> Document:
    """What is no TwiML is read aloud, or sent on."""
    text = " ".join(body.decode("utf-8", "replace").split())
    if product == VOICE:
        return Document((Sound(Manner.SAY, text), Hangup()), ("Say", "Hangup"))
    return Document((Reply(text),), ("Message",))
