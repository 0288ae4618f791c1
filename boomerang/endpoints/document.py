"""Whether a text is TwiML that Twilio can carry out when nothing else is left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

from twilio.twiml import TwiML

from boomerang.endpoints.grammar import Grammar, grammar

LONGEST: Final = 64 * 1024
"""Bytes; Twilio takes no longer document (https://www.twilio.com/docs/api/errors/11750)."""

_MOST_PROBLEMS: Final = 5

_OF_URLS: Final = frozenset({"Play", "Redirect", "Media"})
"""Elements whose text is a URL."""

_WANT_ACTION: Final = frozenset({"Gather", "Record"})
"""Verbs whose result goes to the document's own address, unless they name another."""

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class _Refused(Exception):
    """Reading on makes no sense; the message says why."""


def document_problems(body: bytes, product: str) -> list[str]:
    """What is wrong with a document for ``voice`` or ``messaging``; the first five at most.

    It must be well-formed XML in UTF-8, without a document type (so there are no entities that
    could expand), a ``Response`` of verbs and nouns that exist for the product, and refer to
    nothing by a relative URL: that would be looked for on this host.
    """
    if len(body) > LONGEST:
        return [f"is longer than {LONGEST // 1024} KiB, which is all that Twilio takes"]
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return ["is not UTF-8"]
    return _Reading(product, grammar(product)).problems(body)


class _Reading:
    """One passage through a document, along with the grammar."""

    def __init__(self, product: str, known: Grammar) -> None:
        self._product = product
        self._known = known
        self._found: list[str] = []
        self._path: list[tuple[str, type[TwiML] | None]] = []
        self._text: list[str] = []
        self._parser = expat.ParserCreate("utf-8")
        self._parser.XmlDeclHandler = self._declared
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._opened
        self._parser.EndElementHandler = self._closed
        self._parser.CharacterDataHandler = self._text.append

    def problems(self, body: bytes) -> list[str]:
        try:
            self._parser.Parse(body, True)
        except _Refused as refusal:
            self._found.append(str(refusal))
        except expat.ExpatError as error:
            reason = expat.errors.messages[error.code]
            self._found.append(f"line {error.lineno}: is not XML ({reason})")
        return self._found[:_MOST_PROBLEMS]

    def _declared(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise _Refused(f"says that its encoding is {encoding}, expected UTF-8")

    def _doctype(self, *_: object) -> None:
        raise _Refused(f"{self._line} has a document type, which TwiML has not")

    def _opened(self, name: str, attributes: Mapping[str, str]) -> None:
        self._end_of_text()
        element = self._element(name)
        self._path.append((name, element))
        if element is not None:
            self._check_urls(name, attributes)

    def _element(self, name: str) -> type[TwiML] | None:
        """What is meant by a name in this place; `None` where it means nothing, or stands in such.

        Of what is unknown the inside is not judged.
        """
        if not self._path:
            if name != "Response":
                raise _Refused(f"begins with <{name}>, expected <Response>")
            return self._known.root
        outer, around = self._path[-1]
        if around is None:
            return None
        element = self._known.nested[around].get(name)
        if element is None:
            known = f"verb of {self._product}" if len(self._path) == 1 else f"part of <{outer}>"
            self._found.append(f"{self._line} <{name}> is no {known}{self._meant(name, around)}")
        return element

    def _meant(self, name: str, around: type[TwiML]) -> str:
        known = {each.lower(): each for each in self._known.nested[around]}
        right = known.get(name.lower())
        return f"; letter case counts: <{right}>" if right else ""

    def _check_urls(self, name: str, attributes: Mapping[str, str]) -> None:
        for key, value in attributes.items():
            is_url = key in ("action", "url") or key.endswith(("Url", "Callback"))
            if is_url and value and not _ABSOLUTE.match(value):
                self._found.append(f"{self._line} {key} of <{name}> is no absolute URL")
        if name in _WANT_ACTION and not attributes.get("action"):
            self._found.append(
                f"{self._line} <{name}> has no action: Twilio would ask this host what comes next"
            )

    def _closed(self, name: str) -> None:
        self._end_of_text()
        self._path.pop()

    def _end_of_text(self) -> None:
        """Judge the text since the last tag, by what it stands in."""
        text = "".join(self._text).strip()
        self._text.clear()
        if not text or not self._path:
            return
        name, element = self._path[-1]
        if element is self._known.root:
            self._found.append(f"{self._line} has text outside of any verb")
        elif element is not None and name in _OF_URLS and not _ABSOLUTE.match(text):
            self._found.append(f"{self._line} the address in <{name}> is no absolute URL")

    @property
    def _line(self) -> str:
        return f"line {self._parser.CurrentLineNumber}:"
