"""Signatures, held to Twilio's own vectors and to what boomerang accepts."""

from __future__ import annotations

import pytest

from boomerang.standin.script import MESSAGING, VOICE, Pairs
from boomerang.standin.signing import signature, signed_url
from tests.vectors import TOKEN, P

U = "https://mycompany.com/myapp.php?foo=1&bar=2"


@pytest.mark.parametrize(
    ("url", "form", "expected"),
    [
        (U, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (U, tuple(reversed(P)), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (U.replace(".com", ".com:443"), P, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (f"{U}&Body=It%27s+amazing", P, "TfZzewPq8wqrGlMfyAud8+/IvJ0="),
        (
            U,
            (
                ("Sid", "CA123"),
                ("SidAccount", "AC123"),
                *[("Digits", digits) for digits in ("5678", "1234", "1234")],
            ),
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
    ],
)
def test_vectors(url: str, form: Pairs, expected: str) -> None:
    """The signature is the one that Twilio publishes for the request."""
    assert signature(TOKEN, url, form) == expected


@pytest.mark.parametrize(
    ("scheme", "product", "expected"),
    [
        ("https", VOICE, "https://app.example.com/v?x=1"),
        ("http", VOICE, "http://app.example.com:8443/v?x=1"),
        ("https", MESSAGING, "https://app.example.com:8443/v?x=1"),
        ("http", MESSAGING, "http://app.example.com:8443/v?x=1"),
    ],
)
def test_signed_url(scheme: str, product: str, expected: str) -> None:
    """Calls over https are signed without the port (Twilio's page on webhook security)."""
    assert signed_url(scheme, "app.example.com", ":8443", "/v?x=1", product=product) == expected
