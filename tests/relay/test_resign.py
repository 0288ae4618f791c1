"""What is signed again passes Twilio's own check at the app."""

from __future__ import annotations

import json
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

import pytest
from twilio.request_validator import RequestValidator, get_signature_algorithm

from boomerang.outbound.request import Request
from boomerang.relay.callback import Callback
from boomerang.relay.resign import SETTINGS, SIGNATURE, Signer, signed_headers, signed_url
from boomerang.web.form import parse_form
from tests.relay.callbacks import a_callback

MESSAGE = f"SM{1:032x}"


class Fields(dict[str, list[str]]):
    def getall(self, name: str) -> list[str]:
        return self[name]


def as_the_app_sees_it(callback: Callback) -> str:
    """The URL that a web framework makes of what is on the wire: Host header and target."""
    request = Request(callback.method, callback.url)
    parts = urlsplit(request.uri.decode())
    default = {"https": 443, "http": 80}[parts.scheme]
    host = parts.hostname if parts.port == default else f"{parts.hostname}:{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host}{parts.path}{query}"


def passes(callback: Callback, signer: Signer) -> bool:
    """Whether the official library, at the app, takes the request for Twilio's."""
    headers = signed_headers(callback, signer)
    params: object = {}
    if callback.content_type.startswith("application/json"):
        params = callback.body.decode()
    elif callback.method == "POST":
        fields = Fields()
        for name, value in parse_form(callback.body):
            fields.setdefault(name, []).append(value)
        params = fields
    algorithm = get_signature_algorithm(headers.get(SETTINGS))
    return bool(
        RequestValidator(signer.secret).validate(
            as_the_app_sees_it(callback), params, headers[SIGNATURE], algorithm
        )
    )


URLS = [
    "https://app.example.com/calls/1",
    "https://app.example.com",
    "https://app.example.com/?",
    "https://app.example.com/x?a=1&b=%2F&c=a+b&d",
    "https://App.Example.COM/X?a=It%27s",
    "https://app.example.com:443/x?a=1",
    "https://app.example.com:8443/x?a=1",
    "http://app.example.com/x",
    "http://app.example.com:80/x",
    "http://app.example.com:8080/x?y=1",
    "https://user:pass@app.example.com/x?a=1",
    "https://app.example.com/grüße?q=ä",
]

FORMS = [
    b"",
    urlencode({"CallSid": "CA1", "From": "+1500", "To": "client:ä", "Empty": ""}).encode(),
    b"Digits=5678&Digits=1234&Digits=1234&b=2&B=1&a=%20x%20",
    b"Body=" + "Grüße & mehr +%\u20ac".encode("utf-8").hex().encode(),
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("order", ["", MESSAGE])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_urls(url: str, order: str, method: str) -> None:
    """Whatever the URL is like, for calls and messages, GET and POST."""
    callback = a_callback(url=url, order=order, method=method)
    assert passes(callback, Signer("12345"))
    assert not passes_with_other_token(callback)


def passes_with_other_token(callback: Callback) -> bool:
    headers = signed_headers(callback, Signer("other"))
    fields = Fields({name: [value] for name, value in parse_form(callback.body)})
    return bool(
        RequestValidator("12345").validate(as_the_app_sees_it(callback), fields, headers[SIGNATURE])
    )


@pytest.mark.parametrize("body", FORMS)
def test_forms(body: bytes) -> None:
    """Whatever the form is like: repeated names, blanks, no field at all."""
    assert passes(a_callback(body=body), Signer("12345"))


def test_json() -> None:
    """JSON is signed by its hash, which stands in the URL."""
    body = json.dumps({"property": "ä", "boolean": True}).encode()
    url = f"https://app.example.com/x?foo=1&bodySHA256={sha256(body).hexdigest()}"
    assert passes(a_callback(url=url, body=body, content_type="application/json"), Signer("12345"))


@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
def test_shared_keys(algorithm: str) -> None:
    """A shared key signs with its algorithm, and its name goes along."""
    signer = Signer("secret", "SK1", algorithm)
    assert signed_headers(a_callback(), signer)[SETTINGS] == f"key=SK1,algorithm={algorithm}"
    assert passes(a_callback(), signer)
    assert SETTINGS not in signed_headers(a_callback(), Signer("secret"))


@pytest.mark.parametrize(
    ("url", "order", "signed"),
    [
        ("https://app.example.com:8443/x?a=1", "", "https://app.example.com/x?a=1"),
        ("https://app.example.com:8443/x", MESSAGE, "https://app.example.com:8443/x"),
        ("http://app.example.com:8080/x", "", "http://app.example.com:8080/x"),
        ("https://u:p@app.example.com/x", "", "https://app.example.com/x"),
    ],
)
def test_ports(url: str, order: str, signed: str) -> None:
    """A port is signed where Twilio signs it; a name and a password never are."""
    assert signed_url(a_callback(url=url, order=order)) == signed


@pytest.mark.parametrize(
    ("algorithm", "signature"),
    [
        ("HMAC_SHA1", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("HMAC_SHA256", "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="),
    ],
)
def test_published_vectors(algorithm: str, signature: str) -> None:
    """The signatures of Twilio's own examples."""
    body = urlencode(
        {
            "CallSid": "CA1234567890ABCDE",
            "Caller": "+14158675309",
            "Digits": "1234",
            "From": "+14158675309",
            "To": "+18005551212",
        }
    ).encode()
    callback = a_callback(url="https://mycompany.com/myapp.php?foo=1&bar=2", body=body)
    assert signed_headers(callback, Signer("12345", None, algorithm))[SIGNATURE] == signature


def test_secret() -> None:
    """A signer does not show its secret."""
    assert "12345" not in repr(Signer("12345"))
