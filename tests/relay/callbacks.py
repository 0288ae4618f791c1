"""Callbacks for tests."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from boomerang.relay.callback import Callback
from boomerang.standin.script import Call, Webhook, standard_parameters
from boomerang.urls import parse_url

ACCOUNT: Final = f"AC{1:032x}"
URL: Final = "https://app.example.com/calls/17/call_ended?session=1"


def status_fields(
    sid: str, *, number: int, status: str = "completed", account: str = ACCOUNT
) -> dict[str, str]:
    """The form of the callback with such a number in the life of a call."""
    call = Call(first=Webhook(URL), account_sid=account, sid=sid)
    about = dict(standard_parameters(call))
    return {**about, "CallStatus": status, "SequenceNumber": str(number)}


def a_callback(
    number: int = 1,
    *,
    url: str = URL,
    order: str = "",
    method: str = "POST",
    content_type: str = "application/x-www-form-urlencoded",
    body: bytes | None = None,
    account: str = ACCOUNT,
    received_at: float = 1000.0,
    signed_by: str = "",
) -> Callback:
    """A callback of a call, different for each number."""
    sid = order or f"CA{number:032x}"
    form = urlencode(status_fields(sid, number=number, account=account)).encode()
    return Callback(
        key=f"{parse_url(url).host} {sid} {number}",
        order=sid,
        url=url,
        method=method,
        content_type=content_type if method == "POST" else "",
        body=b"" if method == "GET" else form if body is None else body,
        account_sid=account,
        endpoint="unknown",
        received_at=received_at,
        signed_by=signed_by,
    )
