"""Twilio as it looks from here: connections with one fallback request each, many at once."""

from __future__ import annotations

import select
import selectors
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from http.client import HTTPResponse
from itertools import count
from typing import Final
from urllib.parse import urlencode
from xml.etree import ElementTree

from attrs import field, frozen

LIMIT: Final = 15.0
"""Seconds in which anything must have happened; what is not late takes a fraction of it."""

LATE: Final = 0.9
"""Seconds that an answer may come after its time on a machine that is busy with other things."""

_ACCOUNT: Final = "AC" + "0123456789abcdef" * 2

_numbers = count(1)


def _new_sid() -> str:
    return f"CA{next(_numbers):032x}"


@frozen
class FailedCall:
    """A webhook that failed, told as Twilio tells it
    (https://www.twilio.com/docs/usage/security/availability-reliability)."""

    error_url: str = "https://app.example.com/voice?step=1&lang=de"
    sid: str = field(factory=_new_sid)
    product: str = "voice"
    method: str = "POST"
    error_code: str = "11200"
    options: Mapping[str, str] = field(factory=dict)

    def parameters(self) -> dict[str, str]:
        about = {
            "AccountSid": _ACCOUNT,
            "ApiVersion": "2010-04-01",
            "From": "+15005550001",
            "To": "+15005550006",
            "ErrorCode": self.error_code,
            "ErrorUrl": self.error_url,
        }
        if self.product == "voice":
            return {**about, "CallSid": self.sid, "CallStatus": "ringing", "Direction": "inbound"}
        sid = f"SM{self.sid[2:]}"
        names = ("MessageSid", "SmsSid", "SmsMessageSid")
        return {**about, **dict.fromkeys(names, sid), "Body": "Grüße & mehr", "NumMedia": "0"}

    def request(self) -> bytes:
        """The bytes that Twilio sends."""
        parameters = urlencode(self.parameters())
        options = urlencode(self.options)
        if self.method == "GET":
            query = f"{options}&{parameters}" if options else parameters
            return _head(f"GET /retry?{query}")
        return _post(f"/retry?{options}" if options else "/retry", parameters)

    def returning(self, target: str) -> bytes:
        """The bytes with which the call comes back to where it was told to."""
        about = {k: v for k, v in self.parameters().items() if not k.startswith("Error")}
        return _post(target, urlencode(about))


def _post(target: str, form: str) -> bytes:
    head = _head(
        f"POST {target}",
        "Content-Type: application/x-www-form-urlencoded; charset=UTF-8",
        f"Content-Length: {len(form)}",
    )
    return head + form.encode()


def _head(request: str, *headers: str) -> bytes:
    lines = (
        f"{request} HTTP/1.1",
        "Host: boomerang.example.com",
        "User-Agent: TwilioProxy/1.1",
        *headers,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@frozen
class Answer:
    """An HTTP answer; ``seconds`` from the request, ``at`` by the monotonic clock."""

    status: int
    headers: Mapping[str, str]
    body: str
    seconds: float
    at: float

    @property
    def decision(self) -> str:
        """What boomerang says of it, such as ``retry; attempt=1``."""
        return self.headers.get("boomerang-decision", "")

    @property
    def redirect(self) -> tuple[str, str]:
        """Method and URL of the one verb that the TwiML has."""
        response = ElementTree.fromstring(self.body)
        assert response.tag == "Response"
        (verb,) = response
        assert verb.tag == "Redirect"
        return verb.attrib["method"], verb.text or ""


class Caller:
    """A connection on which a request was sent, and whose answer is still to come."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        self.send(request)

    def send(self, request: bytes) -> None:
        """Send a request, the first or, once that has been answered, the next."""
        self.sent_at = time.monotonic()
        self.socket.sendall(request)

    def answer(self) -> Answer:
        """Wait for the answer. Raises `ConnectionError` where there comes none."""
        waiting = select.poll()  # which, unlike select(), takes more than 1,024 callers
        waiting.register(self.socket, select.POLLIN)
        assert waiting.poll(LIMIT * 1000), "unanswered"
        return self.read()

    def read(self) -> Answer:
        """Take the answer that is there."""
        at = time.monotonic()
        response = HTTPResponse(self.socket)
        response.begin()
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read().decode(),
            seconds=at - self.sent_at,
            at=at,
        )

    def is_closed(self) -> bool:
        """Wait for the other side's next word; true if it says no more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def hang_up(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Hang up without a good-bye: the other side gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def answers(callers: Iterable[Caller], *, within: float = LIMIT) -> list[Answer]:
    """The callers' answers, in their order, each read when it comes; then the callers hang up."""
    callers = list(callers)
    found: dict[Caller, Answer] = {}
    deadline = time.monotonic() + within
    with selectors.DefaultSelector() as selector:
        for caller in callers:
            selector.register(caller.socket, selectors.EVENT_READ, caller)
        while len(found) < len(callers):
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            assert ready, f"{len(callers) - len(found)} of {len(callers)} unanswered"
            for key, _ in ready:
                selector.unregister(key.fileobj)
                found[key.data] = key.data.read()
                key.data.hang_up()
    return [found[caller] for caller in callers]


def unanswered(callers: Iterable[Caller]) -> int:
    """How many callers have heard nothing yet."""
    callers = list(callers)
    with selectors.DefaultSelector() as selector:
        for caller in callers:
            selector.register(caller.socket, selectors.EVENT_READ)
        return len(callers) - len(selector.select(0))


def get(port: int, path: str) -> Answer:
    """The answer to a request of somebody else, on a connection of its own."""
    caller = Caller(port, _head(f"GET {path}", "Connection: close"))
    try:
        return caller.answer()
    finally:
        caller.hang_up()
