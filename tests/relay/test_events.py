"""Which of Twilio's Debugger events tell of a callback that is lost."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from boomerang.relay.accepting import BadCallback
from boomerang.relay.events import Event, Fate, Judged, judge_event, parse_event
from boomerang.web.form import FORM
from tests.relay.callbacks import ACCOUNT
from tests.relay.test_accepting import APP, CALL, FIELDS, accepting

OWN = frozenset({("boomerang.example.com", 443)})


def event(
    *,
    url: object = APP,
    method: object = "POST",
    headers: object = None,
    parameters: object = None,
    status: object = 500,
    code: object = "15003",
    sid: str = "NO1",
) -> Event:
    request = {
        "url": url,
        "method": method,
        "headers": headers if headers is not None else {"Content-Type": FORM},
        "parameters": FIELDS if parameters is None else parameters,
    }
    webhook = {"type": "application/json", "request": request, "response": {"status_code": status}}
    payload = {"resource_sid": CALL, "error_code": code, "webhook": webhook}
    return parse_event(
        [
            ("Sid", sid),
            ("AccountSid", ACCOUNT),
            ("Level", "ERROR"),
            ("Payload", json.dumps(payload)),
        ]
    )


def judged(given: Event) -> Judged:
    return judge_event(
        given, accepting(), is_async={"call-ended", "pattern"}, own_origins=OWN, now=9.0
    )


def test_redelivered() -> None:
    """A callback that failed at an async endpoint is rebuilt from its record."""
    found = judged(event())
    assert found.fate is Fate.REDELIVERED
    assert found.understood is not None
    callback = found.understood.callback
    assert (callback.url, callback.method, callback.order) == (APP, "POST", CALL)
    assert dict(parse_qsl(callback.body.decode())) == FIELDS
    assert callback.received_at == 9.0


def test_repeated_parameters() -> None:
    """A list stands for a name with several values; what is no text becomes one."""
    found = judged(event(parameters={"a": ["1", "2"], "n": 5, "e": None, "CallSid": CALL}))
    assert found.understood is not None
    assert found.understood.callback.body == b"a=1&a=2&n=5&e=&CallSid=" + CALL.encode()


@pytest.mark.parametrize("there", [False, True])
def test_get(there: bool) -> None:
    """The parameters of a GET are put into its URL, unless the record has them there."""
    url = f"{APP}&CallSid={CALL}" if there else APP
    found = judged(event(url=f"{url}#rt=1", method="get", parameters={"CallSid": CALL}))
    assert found.understood is not None
    assert found.understood.callback.url == f"{APP}&CallSid={CALL}"
    assert found.understood.callback.body == b""


def test_json() -> None:
    """What was JSON is JSON again."""
    found = judged(event(headers={"content-type": "application/json"}, parameters={"a": {"b": 1}}))
    assert found.understood is not None
    assert found.understood.callback.body == b'{"a":{"b":1}}'
    assert "bodySHA256=" in found.understood.callback.url


@pytest.mark.parametrize(
    "given",
    [
        {"status": 204},  # the app has it
        {"status": "200"},
        {"url": "https://app.example.com/voice"},  # somebody waits for the answer
        {"url": "https://app.example.com/other"},
        {"url": "https://other.example.net/calls/1/call_ended"},
        {"url": "nonsense"},
        {"url": None},
        {"method": "DELETE"},
        {"headers": {"Content-Type": "application/json"}, "parameters": {"a": "x" * 70000}},
    ],
)
def test_counted(given: dict[str, Any]) -> None:
    """Whatever is not a lost callback is counted, and no more."""
    assert judged(event(**given)) == Judged(Fate.COUNTED)


@pytest.mark.parametrize("status", [None, 0, 404, 502, "", "no"])
def test_lost(status: object) -> None:
    """Without an answer, or with any but a good one, the app does not have it."""
    assert judged(event(status=status)).fate is Fate.REDELIVERED


@pytest.mark.parametrize(
    "target",
    [
        "/retry?FallbackUrl=x",
        "/debugger",
        "/",
        "/relay",
        "/relayed?Url=https://app.example.com",
        "/relay?Url=https%3A%2F%2Fboomerang.example.com%2Frelay",
    ],
)
def test_loops(target: str) -> None:
    """What concerns boomerang's own URLs goes nowhere."""
    assert judged(event(url=f"https://boomerang.example.com{target}")) == Judged(Fate.LOOP)


def test_not_brought_to_us() -> None:
    """A callback that Twilio could not bring to ``/relay`` is taken from the event instead."""
    found = judged(event(url=f"https://boomerang.example.com/relay?Url={quote(APP, safe='')}"))
    assert found.fate is Fate.REDELIVERED
    assert found.understood is not None
    assert found.understood.callback.url == APP
    assert found.understood == judged(event()).understood


def test_the_same_twice() -> None:
    """An event is known by its Sid, unless the callback itself says which it is."""

    def key(sid: str, **parameters: str) -> str:
        found = judged(event(sid=sid, parameters=parameters)).understood
        assert found is not None
        return found.callback.key

    assert key("NO1", CallSid=CALL) == key("NO1", CallSid=CALL)
    assert key("NO1", CallSid=CALL) != key("NO2", CallSid=CALL)
    assert key("NO1", **FIELDS) == key("NO2", **FIELDS)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("Sid", "NO1")],
        [("Payload", "{}")],
        [("Sid", ""), ("Payload", "{}")],
        [("Sid", "NO1"), ("Payload", "{")],
        [("Sid", "NO1"), ("Payload", "[]")],
        [("Sid", "NO1"), ("Payload", "[" * 60000)],
    ],
)
def test_no_event(pairs: list[tuple[str, str]]) -> None:
    """What is no event is refused."""
    with pytest.raises(BadCallback):
        parse_event(pairs)


@pytest.mark.parametrize("payload", ['{"webhook": 1}', '{"webhook": {"request": []}}', "{}"])
def test_odd_payloads(payload: str) -> None:
    """An event without a webhook is counted, however odd it is."""
    assert judged(parse_event([("Sid", "NO1"), ("Payload", payload)])).fate is Fate.COUNTED


@pytest.mark.parametrize(("code", "label"), [("11200", "11200"), (11200, "11200"), ("x", "other")])
def test_labels(code: object, label: str) -> None:
    """Codes are counted by a bounded set of names."""
    assert event(code=code).label == label
