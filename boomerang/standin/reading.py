"""From the elements of a TwiML document to verbs, and to what the Debugger would warn of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from boomerang.endpoints.grammar import grammar
from boomerang.standin.events import Manner, Warned
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

_UNKNOWN: Final = 12200
_BAD_REDIRECT_METHOD: Final = 13710
_BAD_PAUSE: Final = 13910
_NOTHING_TO_SAY: Final = 13520
_NOT_IN_MESSAGES: Final = 14110


class Reading:
    """One passage through a document for a product; ``url`` is where it came from.

    What is not as Twilio wants it is left out or has its default, and is in ``warned``.
    """

    def __init__(self, product: str, url: str) -> None:
        self._product = product
        self._url = url
        self.warned: list[Warned] = []

    def verbs(self, root: Element) -> Iterator[Verb]:
        """The verbs that are carried out, in order."""
        for element in root:
            verb = self._verb(element)
            if verb is not None:
                yield verb

    def _verb(self, element: Element) -> Verb | None:
        name = str(element.tag)
        read = _READ[self._product].get(name)
        if read is not None:
            return read(self, element)
        if name in _known(self._product):
            return Other(name)
        if name in _known(VOICE):
            self._warn(_NOT_IN_MESSAGES, f"<{name}> is not for messages")
        else:
            self._warn(_UNKNOWN, f"<{name}> is no verb")
        return None

    def say(self, element: Element) -> Sound | None:
        text = _text(element)
        if not text:
            self._warn(_NOTHING_TO_SAY, "<Say> has nothing to say")
            return None
        return Sound(Manner.SAY, text)

    def play(self, element: Element) -> Sound:
        text = _text(element)
        return Sound(Manner.PLAY, self._absolute(text) if text else f"keys {element.get('digits')}")

    def pause(self, element: Element) -> Pause:
        return Pause(self._whole(element, "length", 1, code=_BAD_PAUSE))

    def gather(self, element: Element) -> Gather:
        prompts = []
        for inner in element:
            read = _PROMPTS.get(str(inner.tag))
            prompt = None if read is None else read(self, inner)
            if read is None:
                self._warn(_UNKNOWN, f"<{inner.tag}> has no place in <Gather>")
            if prompt is not None:
                prompts.append(prompt)
        most = self._whole(element, "numDigits", 0)
        return Gather(
            prompts=tuple(prompts),
            action=self._action(element) or Webhook(self._url, self._method(element)),
            timeout=self._whole(element, "timeout", 5),
            most=most or None,
            end_key=element.get("finishOnKey", "#"),
            even_empty=element.get("actionOnEmptyResult", "").lower() == "true",
            keys="dtmf" in element.get("input", "dtmf").split(),
        )

    def redirect(self, element: Element) -> Redirect:
        method = self._method(element, code=_BAD_REDIRECT_METHOD)
        return Redirect(Webhook(self._absolute(_text(element)), method))

    def dial(self, element: Element) -> Dial:
        return Dial(_text(element), self._action(element))

    def record(self, element: Element) -> Record:
        return Record(self._action(element) or Webhook(self._url, self._method(element)))

    def enqueue(self, element: Element) -> Enqueue:
        return Enqueue(_text(element) or element.get("workflowSid", ""))

    def hangup(self, element: Element) -> Hangup:
        return Hangup()

    def reject(self, element: Element) -> Reject:
        return Reject(element.get("reason", "rejected"))

    def message(self, element: Element) -> Reply:
        body = element.find("Body")
        texts = [element.text or ""] if body is None else ["".join(body.itertext())]
        texts += [self._absolute(_text(media)) for media in element.findall("Media")]
        return Reply(" ".join(" ".join(texts).split()), self._action(element))

    def _action(self, element: Element) -> Webhook | None:
        action = element.get("action")
        return Webhook(self._absolute(action), self._method(element)) if action else None

    def _method(self, element: Element, *, code: int = _UNKNOWN) -> str:
        method = element.get("method", "POST")
        if method.upper() in ("GET", "POST"):
            return method.upper()
        self._warn(code, f"<{element.tag}> has the method {method}: POST is taken")
        return "POST"

    def _whole(self, element: Element, name: str, default: int, *, code: int = _UNKNOWN) -> int:
        """A whole number over 0 among the attributes; no more than a day, if it is seconds."""
        text = element.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text) > 0:
            return int(text)
        self._warn(code, f"<{element.tag}> has {name}={text!r}: the default is taken")
        return default

    def _absolute(self, url: str) -> str:
        """An address that may be relative to the document's; a bad one stays, and fails later."""
        try:
            return urljoin(self._url, url)
        except ValueError:
            return url

    def _warn(self, code: int, words: str) -> None:
        self.warned.append(Warned(code, words))


def _text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _known(product: str) -> Mapping[str, object]:
    known = grammar(product)
    return known.nested[known.root]


_PROMPTS: Final[Mapping[str, Callable[[Reading, Element], Sound | Pause | None]]] = {
    "Say": Reading.say,
    "Play": Reading.play,
    "Pause": Reading.pause,
}

_READ: Final[Mapping[str, Mapping[str, Callable[[Reading, Element], Verb | None]]]] = {
    VOICE: {
        **_PROMPTS,
        "Gather": Reading.gather,
        "Redirect": Reading.redirect,
        "Dial": Reading.dial,
        "Record": Reading.record,
        "Enqueue": Reading.enqueue,
        "Hangup": Reading.hangup,
        "Reject": Reading.reject,
    },
    MESSAGING: {"Message": Reading.message, "Redirect": Reading.redirect},
}
