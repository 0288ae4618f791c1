"""The cookies of one call: kept as a browser does, and forgotten with it.

https://www.twilio.com/docs/voice/twiml. The rules are those of Python's `http.cookiejar`, which
takes the time for their expiry from the system.
"""

from __future__ import annotations

from email.message import Message
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import Request

from boomerang.standin.answer import Answer

_HEADER = "set-cookie"


class Cookies:
    """A jar that is only made when there is something to be put into it."""

    def __init__(self) -> None:
        self._jar: CookieJar | None = None

    def header(self, url: str) -> str | None:
        """What a request to that address says of them."""
        if self._jar is None:
            return None
        asking = Request(url)
        self._jar.add_cookie_header(asking)
        return asking.get_header("Cookie")

    def keep(self, url: str, answer: Answer) -> None:
        """Put into the jar what an answer from that address brings."""
        if answer.header(_HEADER) is None:
            return
        if self._jar is None:
            self._jar = CookieJar()
        told: Any = _Headers(answer)
        self._jar.extract_cookies(told, Request(url))


class _Headers:
    """An answer as the jar wants it."""

    def __init__(self, answer: Answer) -> None:
        self._message = Message()
        for name, value in answer.headers:
            self._message[name] = value

    def info(self) -> Message:
        return self._message
