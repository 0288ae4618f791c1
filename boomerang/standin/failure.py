"""Why a webhook failed: Twilio's error code, and words for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from boomerang.outbound import Trouble


@frozen
class Failure:
    """A webhook has failed, for good (https://www.twilio.com/docs/api/errors)."""

    code: int
    words: str


@frozen
class NoAnswer:
    """One try has had no answer, or no whole one.

    ``policy`` is the word of ``rp`` that asks for another try; `None` if nothing does, since part
    of an answer was there.
    """

    code: int
    words: str
    policy: str | None


_CERTIFICATE: Final = {
    "is not for this host": 11235,
    "has expired": 11236,
    "is not valid yet": 11236,
}
"""By the last words of what `boomerang.outbound` says of a certificate; 11237 for any other."""


def no_answer(trouble: Trouble, words: str, *, phase: str) -> NoAnswer:
    """What the end of a try is at Twilio; ``phase`` is that of the `Journey` in which it ended."""
    return _TROUBLES[trouble](words, phase)


def too_late(*, phase: str, seconds: float, total: bool, first: bool) -> NoAnswer:
    """The time is up, in a phase of the journey: ``seconds`` were too many for it.

    ``total``: it was the time for all tries together. ``first``: there was no other before.
    """
    if phase == "resolve":
        return NoAnswer(11210, f"the name was not looked up within {seconds:g} s", "all")
    if phase == "transfer":
        return NoAnswer(11205, f"the answer stalled for {seconds:g} s", None)
    if total and not first:
        return NoAnswer(11203, "no answer in the time for all tries", "rt")
    if phase == "connect":
        return NoAnswer(11201, f"no connection within {seconds:g} s", "ct")
    if phase == "tls":
        return NoAnswer(11205, f"no TLS within {seconds:g} s", "ct")
    return NoAnswer(11205, f"no answer within {seconds:g} s", "rt")


def _of_connection(words: str, phase: str) -> NoAnswer:
    if phase == "connect":
        return NoAnswer(11202, words, "ct")
    return NoAnswer(11200, words, "all")


def _of_certificate(words: str, phase: str) -> NoAnswer:
    code = next((code for end, code in _CERTIFICATE.items() if words.endswith(end)), 11237)
    return NoAnswer(code, words, "ct")


_TROUBLES: Final[dict[Trouble, Callable[[str, str], NoAnswer]]] = {
    Trouble.DNS: lambda words, _: NoAnswer(11210, words, "all"),
    Trouble.CONNECT: _of_connection,
    Trouble.TLS: lambda words, _: NoAnswer(11220, words, "ct"),
    Trouble.CERTIFICATE: _of_certificate,
    Trouble.BODY: lambda words, _: NoAnswer(11200, words, None),
    Trouble.PROTOCOL: lambda words, _: NoAnswer(11206, words, "all"),
}
