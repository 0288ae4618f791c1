"""From requests to ``/relay`` to what the app is to get."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote, urlencode

import pytest

from boomerang.endpoints.rules import RuleBook
from boomerang.relay.accepting import LARGEST, Accepting, BadCallback, Incoming, WrongContent
from boomerang.relay.callback import Callback
from boomerang.settings import Sources, load_settings
from boomerang.web.form import FORM
from tests.relay.callbacks import ACCOUNT, status_fields

CALL = f"CA{1:032x}"
MESSAGE = f"SM{1:032x}"
APP = "https://app.example.com/calls/1/call_ended?session=5"
FIELDS = status_fields(CALL, number=3)

ENDPOINTS = """
[[endpoint]]
name = "call-ended"
match = "/calls/:id/call_ended"
host = "app.example.com"
mode = "async"

[[endpoint]]
name = "any-host"
match = "/any/:id"
mode = "async"

[[endpoint]]
name = "pattern"
match = "/pattern/*"
host = "*.example.com"
mode = "async"

[[endpoint]]
name = "several"
match = "/several/*"
host = ["a.example.com", "b.example.com"]
mode = "async"

[[endpoint]]
name = "voice"
match = "/voice"
host = "app.example.com"
"""


def accepting() -> Accepting:
    settings = load_settings(Sources(file=ENDPOINTS))
    return Accepting(RuleBook(settings.retry, settings.endpoint), settings.endpoint)


def understood(
    target: str,
    *,
    method: str = "POST",
    content_type: str | None = FORM,
    body: bytes | None = None,
    token: str | None = None,
    fields: dict[str, str] | None = None,
) -> Callback:
    if body is None:
        body = b"" if method == "GET" else urlencode(fields or FIELDS).encode()
    incoming = Incoming(target, method, content_type, body, token)
    return accepting().understand(incoming, now=7.0).callback


def relay(url: str, more: str = "") -> str:
    return f"/relay?Url={quote(url, safe='')}{more}"


def test_form() -> None:
    """A form comes through as it is, for the URL as it was given."""
    body = urlencode(FIELDS).encode() + b"&x=%2f+%20"
    callback = understood(relay(APP), body=body, content_type=f"{FORM}; charset=UTF-8")
    assert (callback.url, callback.method, callback.body) == (APP, "POST", body)
    assert callback.content_type == f"{FORM}; charset=UTF-8"
    assert (callback.order, callback.account_sid) == (CALL, ACCOUNT)
    assert (callback.endpoint, callback.received_at) == ("call-ended", 7.0)


def test_get() -> None:
    """Twilio's parameters of a GET are put at the end of the app's own query, as they came."""
    query = f"AccountSid={ACCOUNT}&CallSid={CALL}&To=%2B1500&From=client:a+b"
    for target in (relay(APP, f"&{query}"), f"/relay?{query}&Url={quote(APP, safe='')}"):
        callback = understood(target, method="GET", content_type=None)
        assert callback.url == f"{APP}&{query}"
        assert (callback.method, callback.body, callback.content_type) == ("GET", b"", "")
        assert (callback.order, callback.account_sid) == (CALL, ACCOUNT)


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/relay?Url=https://app.example.com/x?a=1&b=2", "https://app.example.com/x?a=1&b=2"),
        ("/relay?Url=https%3A%2F%2Fapp.example.com", "https://app.example.com"),
        (relay("https://app.example.com", "&a=1"), "https://app.example.com?a=1"),
        (relay("https://app.example.com/x?", "&a=1"), "https://app.example.com/x?a=1"),
        (relay("https://app.example.com/x#rt=5000"), "https://app.example.com/x"),
        (relay("https://u:p@app.example.com:8443/x"), "https://u:p@app.example.com:8443/x"),
    ],
)
def test_urls(target: str, url: str) -> None:
    """What is not boomerang's in the query is the app's; a fragment is nobody's."""
    assert understood(target).url == url


def test_json() -> None:
    """JSON goes with its hash in the app's URL, whatever was in ours."""
    body = b'{"a": "\xc3\xa4"}'
    digest = sha256(body).hexdigest()
    for more in ("", f"&bodySHA256={digest}", "&bodySHA256=other"):
        callback = understood(relay(APP, more), body=body, content_type="application/json")
        assert callback.url == f"{APP}&bodySHA256={digest}"
        assert (callback.body, callback.content_type) == (body, "application/json")
        assert callback.order == callback.key


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/relay/call-ended/calls/1/call_ended?session=5", APP),
        ("/relay/call%2Dended/calls/1/call_ended?session=5", APP),
        (
            "/relay/call-ended/calls/a%2Fb/call_ended",
            "https://app.example.com/calls/a%2Fb/call_ended",
        ),
    ],
)
def test_by_name(target: str, url: str) -> None:
    """An endpoint with one host needs no Url."""
    assert understood(target).url == url
    assert understood(target).endpoint == "call-ended"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/relay", "Url is missing"),
        ("/relay?Url=", "Url is missing"),
        ("/relay?url=https://app.example.com", "Url is missing"),
        (relay(APP, "&Url=x"), "more than once"),
        ("/relay?Url=app.example.com", "Url is not an absolute"),
        ("/relay?Url=ftp://app.example.com", "Url is not an absolute"),
        ("/relay?Url=https://app.example.com/%00", "control characters"),
        (relay("https://app.example.com/" + "x" * 16000), "longer than"),
        ("/relay/other/calls/1", "no endpoint of that name"),
        ("/relay/voice/voice", "no endpoint of that name with mode async"),
        ("/relay/any-host/any/1", "not one host alone"),
        ("/relay/pattern/pattern/1", "not one host alone"),
        ("/relay/several/several/1", "not one host alone"),
        ("/relay/call-ended/calls/1", "does not match"),
    ],
)
def test_refused(target: str, reason: str) -> None:
    """What cannot be relayed is refused with the reason."""
    with pytest.raises(BadCallback, match=reason):
        understood(target)


def test_content() -> None:
    """Bodies are forms or JSON, of 64 KiB at most."""
    with pytest.raises(WrongContent):
        understood(relay(APP), body=b"<a/>", content_type="text/xml")
    with pytest.raises(BadCallback, match="larger than"):
        understood(relay(APP), body=b"x" * (LARGEST + 1))
    with pytest.raises(BadCallback, match="more than 1000"):
        understood(relay(APP), body=b"a&" * 1001)
    assert understood(relay(APP), body=b"x" * LARGEST).body == b"x" * LARGEST


def key(
    *, url: str = APP, token: str | None = None, method: str = "POST", **changed: str | None
) -> str:
    fields = {name: value for name, value in {**FIELDS, **changed}.items() if value is not None}
    if method == "GET":
        return understood(relay(url, f"&{urlencode(fields)}"), method="GET", token=token).key
    return understood(relay(url), fields=fields, token=token).key


def test_same_event() -> None:
    """Account, call, status and number name an event, whatever else is new in a repeat."""
    assert key() == key(Timestamp="later") == key(token="a") == key(token="b")
    assert key(method="GET") == key(method="GET", Timestamp="later")


@pytest.mark.parametrize(
    "changed",
    [
        {"SequenceNumber": "4"},
        {"CallStatus": "busy"},
        {"CallSid": f"CA{2:032x}"},
        {"AccountSid": f"AC{2:032x}"},
        {"StatusCallbackEvent": "join"},
        {"RecordingSid": f"RE{2:032x}"},
    ],
)
def test_other_event(changed: dict[str, str]) -> None:
    """Any other SID, status, kind or number is another event; so is another page of the app."""
    assert key(**changed) != key()
    assert key(url="https://app.example.com/other") != key()


def test_messages() -> None:
    """Twilio tells each status of a message once."""

    def message(status: str, **more: str) -> str:
        fields = {"MessageSid": MESSAGE, "MessageStatus": status, **more}
        return understood(relay(APP), fields=fields).key

    assert message("sent") == message("sent", RawDlrDoneDate="later")
    assert message("sent") != message("delivered")


def test_tokens() -> None:
    """What has no number is known by Twilio's token."""
    assert key(SequenceNumber=None, token="a") == key(
        SequenceNumber=None, token="a", Timestamp="later"
    )
    assert key(SequenceNumber=None, token="a") != key(SequenceNumber=None, token="b")


def test_nothing_to_tell_by() -> None:
    """Without number and token only the very same request is a repeat."""
    assert key(SequenceNumber=None) == key(SequenceNumber=None)
    assert key(SequenceNumber=None) != key(SequenceNumber=None, Timestamp="later")


@pytest.mark.parametrize("sid", ["CA1 x", "x" * 257, "CA\x00", "Cä"])
def test_strange_sids(sid: str) -> None:
    """What cannot be a SID does not order anything, and is not stored as one."""
    callback = understood(relay(APP), fields={"CallSid": sid, "AccountSid": sid})
    assert callback.order == callback.key
    assert callback.account_sid == ""


def test_messages_have_their_order() -> None:
    """Callbacks of one message come in order, too."""
    assert understood(relay(APP), fields={"MessageSid": MESSAGE}).order == MESSAGE
    assert understood(relay(APP), fields={"SmsSid": MESSAGE}).order == MESSAGE


def test_nothing_private_in_a_key() -> None:
    """A key is a digest: it may be logged."""
    assert len(key()) == 36
    assert "CA" not in key()
