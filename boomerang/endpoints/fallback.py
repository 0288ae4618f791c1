"""The last resort of an endpoint: what a caller hears, or a sender reads, when all is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import field, frozen

from boomerang.endpoints.document import document_problems
from boomerang.endpoints.grammar import ROOTS
from boomerang.urls import BadUrl, parse_url, without_secrets

APOLOGY: Final = (
    "<Response><Say>We are sorry, your call cannot be connected right now."
    " Please try again in a few minutes.</Say><Hangup/></Response>"
)

PRODUCTS: Final = tuple(ROOTS)

ReadFile = Callable[[str], bytes]
"""Reads a file by the name that stands in the settings; raises `OSError`."""


@frozen
class Document:
    """TwiML that is served from memory."""

    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")

    def __str__(self) -> str:
        return f"TwiML of {len(self.body)} bytes"


@frozen
class Redirect:
    """An address to which the call or message is sent."""

    url: str = field(repr=without_secrets)
    method: str = "GET"

    def __str__(self) -> str:
        return f"{self.method} {without_secrets(self.url)}"


LastResort = Document | Redirect


@frozen
class Fallback:
    """The last resort of each product; `None` where there is none."""

    voice: LastResort | None = None
    messaging: LastResort | None = None

    def of(self, product: str) -> LastResort | None:
        """That of ``voice`` or ``messaging``; of what may be either, only one that is for both."""
        match product:
            case "voice":
                return self.voice
            case "messaging":
                return self.messaging
        return self.voice if self.voice == self.messaging else None

    def __str__(self) -> str:
        both = ((product, self.of(product)) for product in PRODUCTS)
        return ", ".join(f"{product}: {resort}" for product, resort in both if resort) or "none"


@frozen
class FallbackText:
    """A fallback as it is written: one for each product, or one for those that it suits."""

    voice: str | None = field(default=None, repr=False)
    messaging: str | None = field(default=None, repr=False)
    either: str | None = field(default=None, repr=False)


class BadFallback(ValueError):
    """A fallback that Twilio could not carry out; ``problems`` has a line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def is_fallback(text: str) -> bool:
    """Whether a text begins like one of the ways to write a last resort."""
    return text == "apology" or text.startswith(("<", "http://", "https://")) or _is_file(text)


def _is_file(text: str) -> bool:
    name = text.removeprefix("file:").strip()
    return text.startswith("file:") and name != "" and name.isprintable()


def read_fallback(text: FallbackText, read: ReadFile) -> Fallback:
    """Check a fallback, reading its files. Raises `BadFallback` with all that is wrong."""
    if text.either is not None:
        return _for_those_it_suits(text.either, read)
    problems: list[str] = []
    found: dict[str, LastResort] = {}
    for product, written in (("voice", text.voice), ("messaging", text.messaging)):
        if written is None:
            continue
        try:
            found[product] = _resort(written, read)
            wrong = _problems(found[product], product)
        except BadFallback as error:
            wrong = error.problems
        problems += [f"{product}: {problem}" for problem in wrong]
    if problems:
        raise BadFallback(problems)
    return Fallback(**found)


def _for_those_it_suits(written: str, read: ReadFile) -> Fallback:
    resort = _resort(written, read)
    if isinstance(resort, Redirect):
        return Fallback(voice=resort, messaging=resort)
    wrong = {product: document_problems(resort.body, product) for product in PRODUCTS}
    if all(wrong.values()):
        raise BadFallback(wrong["messaging" if b"<Message" in resort.body else "voice"])
    return Fallback(**{product: resort for product, problems in wrong.items() if not problems})


def _problems(resort: LastResort, product: str) -> list[str]:
    return document_problems(resort.body, product) if isinstance(resort, Document) else []


def _resort(written: str, read: ReadFile) -> LastResort:
    if written.startswith(("http://", "https://")):
        try:
            parse_url(written)
        except BadUrl as error:
            raise BadFallback([f"the URL {error}"]) from None
        return Redirect(written)
    if _is_file(written):
        return Document(_read(written.removeprefix("file:").strip(), read))
    text = APOLOGY if written == "apology" else written.strip()
    return Document(text.encode("utf-8", "surrogatepass"))


def _read(name: str, read: ReadFile) -> bytes:
    """What is in a file, without the mark that some editors put before a text."""
    try:
        return read(name).removeprefix(b"\xef\xbb\xbf").strip()
    except OSError as error:
        raise BadFallback([f"cannot read the file {name}: {error.strerror}"]) from None
