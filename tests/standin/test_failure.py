"""Which of Twilio's error codes is which failure, and what makes Twilio try again."""

from __future__ import annotations

import pytest

from boomerang.outbound import Trouble
from boomerang.standin.failure import NoAnswer, no_answer, too_late


@pytest.mark.parametrize(
    ("trouble", "phase", "words", "code", "policy"),
    [
        (Trouble.DNS, "resolve", "no address", 11210, "all"),
        (Trouble.CONNECT, "connect", "refused", 11202, "ct"),
        (Trouble.CONNECT, "first_byte", "closed", 11200, "all"),
        (Trouble.TLS, "tls", "no cipher", 11220, "ct"),
        (Trouble.CERTIFICATE, "tls", "a: the certificate is not for this host", 11235, "ct"),
        (Trouble.CERTIFICATE, "tls", "a: the certificate has expired", 11236, "ct"),
        (Trouble.CERTIFICATE, "tls", "a: the certificate is not valid yet", 11236, "ct"),
        (Trouble.CERTIFICATE, "tls", "a: the certificate is self-signed", 11237, "ct"),
        (Trouble.BODY, "transfer", "lost", 11200, None),
        (Trouble.PROTOCOL, "transfer", "not HTTP", 11206, "all"),
    ],
)
def test_no_answer(trouble: Trouble, phase: str, words: str, code: int, policy: str | None) -> None:
    """Each trouble has its code; after part of an answer there is never another try."""
    assert no_answer(trouble, words, phase=phase) == NoAnswer(code, words, policy)


@pytest.mark.parametrize(
    ("phase", "total", "first", "expected"),
    [
        ("resolve", True, True, (11210, "the name was not looked up within 5 s", "all")),
        ("connect", False, True, (11201, "no connection within 5 s", "ct")),
        ("connect", True, True, (11201, "no connection within 5 s", "ct")),
        ("connect", True, False, (11203, "no answer in the time for all tries", "rt")),
        ("tls", False, True, (11205, "no TLS within 5 s", "ct")),
        ("first_byte", False, True, (11205, "no answer within 5 s", "rt")),
        ("first_byte", True, True, (11205, "no answer within 5 s", "rt")),
        ("first_byte", False, False, (11205, "no answer within 5 s", "rt")),
        ("first_byte", True, False, (11203, "no answer in the time for all tries", "rt")),
        ("transfer", False, True, (11205, "the answer stalled for 5 s", None)),
    ],
)
def test_too_late(
    phase: str, total: bool, first: bool, expected: tuple[int, str, str | None]
) -> None:
    """What a time-out is called depends on what was awaited, and on the tries before."""
    assert too_late(phase=phase, seconds=5.0, total=total, first=first) == NoAnswer(*expected)
