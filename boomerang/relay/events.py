"""Twilio's Debugger events: which of them tell of a callback that is lost, and how it was: pure.

https://www.twilio.com/docs/usage/troubleshooting/debugging-event-webhooks
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from attrs import field, frozen

from boomerang.relay.accepting import (
    PATH,
    TOKEN,
    Accepting,
    BadCallback,
    Incoming,
    Understood,
    is_json,
)
from boomerang.settings.endpoints import UNKNOWN
from boomerang.urls import BadUrl, WebUrl, parse_url
from boomerang.web.form import FORM

CODES: Final = (
    *("11100", "11200", "11201", "11202", "11203", "11205", "11206", "11210", "11215", "11216"),
    *("11217", "11220", "11235", "11236", "11237", "11251", "11750", "11770", "12100", "12200"),
    *("12300", "12400", "15003", "17580", "53660", "95200"),
)
"""Error codes that are counted each for itself; all others as `OTHER`."""

OTHER: Final = "other"


class Fate(Enum):
    """What becomes of an event; the value stands in metrics."""

    REDELIVERED = "redelivered"
    COUNTED = "counted"
    LOOP = "loop"


@frozen
class Event:
    """One event. ``request`` is Twilio's record of the webhook that failed, if there was one."""

    sid: str
    account_sid: str
    code: str
    request: Mapping[str, Any] | None = field(repr=False)
    status: int | None

    @property
    def label(self) -> str:
        """Its code, of a bounded set."""
        return self.code if self.code in CODES else OTHER


def parse_event(pairs: Sequence[tuple[str, str]]) -> Event:
    """Understand the form of an event. Raises `BadCallback`."""
    given = dict(reversed(pairs))
    if not given.get("Sid") or "Payload" not in given:
        raise BadCallback("Sid or Payload is missing: this is not one of Twilio's Debugger events")
    try:
        payload = json.loads(given["Payload"])
    except (ValueError, RecursionError):
        raise BadCallback("Payload is not JSON") from None
    if not isinstance(payload, dict):
        raise BadCallback("Payload is not a JSON object")
    webhook = _object(payload.get("webhook"))
    request = webhook.get("request")
    return Event(
        sid=given["Sid"],
        account_sid=given.get("AccountSid", ""),
        code=str(payload.get("error_code", "")),
        request=request if isinstance(request, dict) else None,
        status=_status(_object(webhook.get("response")).get("status_code")),
    )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _status(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else None


@frozen
class Judged:
    """What becomes of an event, and what is to be delivered for it."""

    fate: Fate
    understood: Understood | None = None


def judge_event(
    event: Event,
    accepting: Accepting,
    *,
    is_async: Collection[str],
    own_origins: Collection[tuple[str, int]],
    now: float,
) -> Judged:
    """Decide whether the event's webhook is a callback that the app has not got.

    ``is_async`` are the names of the endpoints that nobody waits for. A request to our own
    ``/relay`` that Twilio could not bring is taken as if it had come; other addresses of our own
    are loops. What the app answered with 2xx it has.
    """
    url = _url(event)
    if event.request is None or url is None:
        return Judged(Fate.COUNTED)
    if url.origin in own_origins:
        return _own(event, url, accepting, own_origins=own_origins, now=now)
    if event.status is not None and 200 <= event.status < 300:
        return Judged(Fate.COUNTED)
    try:
        understood = accepting.again(_incoming(event.request), key=event.sid, now=now)
    except BadCallback:
        return Judged(Fate.COUNTED)
    endpoint = understood.callback.endpoint
    if endpoint == UNKNOWN or endpoint not in is_async:
        return Judged(Fate.COUNTED)
    return Judged(Fate.REDELIVERED, understood)


def _own(
    event: Event,
    url: WebUrl,
    accepting: Accepting,
    *,
    own_origins: Collection[tuple[str, int]],
    now: float,
) -> Judged:
    if event.request is None or not (url.path == PATH or url.path.startswith(f"{PATH}/")):
        return Judged(Fate.LOOP)
    made = _incoming(event.request)
    target = made.target.partition("://")[2].partition("/")[2]
    incoming = Incoming(f"/{target}", made.method, made.content_type, made.body, made.token)
    try:
        understood = accepting.understand(incoming, now=now)
    except BadCallback:
        return Judged(Fate.LOOP)
    if understood.url.origin in own_origins:
        return Judged(Fate.LOOP)
    return Judged(Fate.REDELIVERED, understood)


def _url(event: Event) -> WebUrl | None:
    try:
        return parse_url(str((event.request or {}).get("url", "")))
    except BadUrl:
        return None


def _incoming(request: Mapping[str, Any]) -> Incoming:
    """The request that failed, rebuilt from Twilio's record of it. Raises `BadCallback`."""
    method = str(request.get("method") or "POST").upper()
    if method not in ("GET", "POST"):
        raise BadCallback("the method is neither GET nor POST")
    headers = {str(n).lower(): v for n, v in _object(request.get("headers")).items()}
    parameters = _object(request.get("parameters"))
    target = str(request.get("url", "")).partition("#")[0]
    content_type = headers.get("content-type")
    token = headers.get(TOKEN.lower())
    if method == "GET":
        target, content_type, body = _with_parameters(target, _pairs(parameters)), None, b""
    elif isinstance(content_type, str) and is_json(content_type):
        body = json.dumps(parameters, separators=(",", ":")).encode()
    else:
        content_type, body = FORM, _encoded(_pairs(parameters)).encode()
    return Incoming(target, method, content_type, body, token if isinstance(token, str) else None)


def _pairs(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The fields of a record, in which a list stands for a name with several values."""
    return [
        (str(name), _text(each))
        for name, value in parameters.items()
        for each in (value if isinstance(value, list) else [value])
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _with_parameters(url: str, pairs: Sequence[tuple[str, str]]) -> str:
    """A GET's URL with its parameters, of which the record may have it already."""
    query = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    missing = [pair for pair in pairs if pair not in query]
    if not missing:
        return url
    return f"{url}{'&' if '?' in url else '?'}{_encoded(missing)}"


def _encoded(pairs: Sequence[tuple[str, str]]) -> str:
    return urlencode(pairs, errors="surrogatepass")
