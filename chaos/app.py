"""The app behind boomerang: every call's webhook fails once, those of stubborn calls twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl

from twisted.web.resource import Resource
from twisted.web.server import Request, Site

_TWIML: Final = b"<Response><Say>%b</Say></Response>"


class App(Resource):
    """Answers webhooks, and takes callbacks, one in five only when it is brought again.

    ``arrived`` is told the name of each callback that is taken.
    """

    isLeaf = True

    def __init__(self, arrived: Callable[[str], object]) -> None:
        super().__init__()
        self._arrived = arrived
        self._failures: Counter[str] = Counter()

    def render(self, request: Request) -> bytes:
        assert request.content is not None
        form = dict(parse_qsl(request.content.read().decode()))
        request.setHeader(b"Content-Type", b"text/xml")
        match request.path:
            case b"/voice":
                return self._voice(request, form["CallSid"])
            case b"/ended":
                return self._ended(request, form["CallSid"])
            case _:
                return _TWIML % b"Sorry"

    def _voice(self, request: Request, sid: str) -> bytes:
        if self._fails(request, sid, times=2 if is_stubborn(sid) else 1):
            return b""
        return _TWIML % b"Hello"

    def _ended(self, request: Request, sid: str) -> bytes:
        if is_stubborn(sid) and self._fails(request, sid, times=1):
            return b""
        self._arrived(sid)
        request.setResponseCode(204)
        return b""

    def _fails(self, request: Request, sid: str, *, times: int) -> bool:
        """Whether it is still one of the times that it fails."""
        if self._failures[sid] == times:
            return False
        self._failures[sid] += 1
        request.setResponseCode(503)
        return True


class QuietSite(Site):
    """A site without an access log."""

    noisy = False

    def log(self, *_: Any) -> None:
        """Say nothing."""


def is_stubborn(sid: str) -> bool:
    """Whether the app fails twice for this call."""
    return sid.endswith("0")


def sid_of(number: int, *, kind: str) -> str:
    """The SID of a call; every fifth is stubborn. ``kind`` is a hexadecimal digit."""
    return f"CA{kind}{number:030x}{0 if number % 5 == 0 else 1}"
