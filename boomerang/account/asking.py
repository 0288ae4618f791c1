"""How Twilio's API is asked: within limits of time and size, patiently, and nobody else.

The package's own way of asking (``TwilioHttpClient``) has no time limit, reads without end, and
sends the credentials to whatever host a page names as the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.exceptions import ReadTimeoutError

TIMEOUT: Final = 30.0
"""Seconds for a connection, for the next part of an answer, and for half of the whole of it."""

BODY_CAP: Final = 32 * 1024 * 1024
"""Bytes of an answer; a page of 1,000 numbers has about two million."""

TRIES: Final = 6

PAUSE: Final = 1.0
"""Seconds before the second try; before each further one twice as long, up to `LONGEST_PAUSE`."""

LONGEST_PAUSE: Final = 30.0

_AGAIN: Final = frozenset({429, 502, 503, 504})


class Unasked(Exception):
    """The API was not asked, or did not answer; the message says why, without credentials."""


class PatientClient(HttpClient):  # type: ignore[misc]  # the package is untyped
    """What the package asks through. All requests may be repeated: reading, and setting fields.

    ``sleep`` may raise to end it all; ``random`` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        *,
        hosts: Collection[str],
        sleep: Callable[[float], None],
        random: Callable[[], float],
        timeout: float = TIMEOUT,
    ) -> None:
        super().__init__(None, False, timeout)
        self._hosts = frozenset(hosts)
        self._sleep = sleep
        self._random = random
        self._session = requests.Session()

    def close(self) -> None:
        """Close the connections that are kept."""
        self._session.close()

    def request(
        self,
        method: str,
        url: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        if urlsplit(url).netloc not in self._hosts:
            raise Unasked(f"a page leads to {urlsplit(url).hostname}, which is not Twilio's API")
        asked = {"params": params, "data": data, "headers": headers, "auth": auth}
        for pause in self._pauses():
            try:
                answer = self._ask(method, url, asked)
            except requests.RequestException as error:
                if pause is None or isinstance(error, requests.exceptions.SSLError):
                    raise Unasked(_told(error)) from None
            else:
                if pause is None or answer.status_code not in _AGAIN:
                    return answer
                pause = max(pause, _retry_after(answer))
            self._sleep(min(pause, LONGEST_PAUSE))
        raise AssertionError("the last pause is none")

    def _pauses(self) -> Iterator[float | None]:
        """How long to wait after each try; `None` after the last."""
        for number in range(TRIES - 1):
            yield PAUSE * 2**number * (0.5 + self._random())
        yield None

    def _ask(self, method: str, url: str, asked: Any) -> Response:
        deadline = time.monotonic() + 2 * self.timeout
        with self._session.request(
            method, url, **asked, timeout=self.timeout, allow_redirects=False, stream=True
        ) as answer:
            body = bytearray()
            for part in answer.iter_content(65536):
                body += part
                if len(body) > BODY_CAP:
                    raise Unasked(f"an answer is longer than {BODY_CAP} bytes")
                if time.monotonic() > deadline:
                    raise requests.exceptions.ReadTimeout
            return Response(answer.status_code, body.decode("utf-8", "replace"), answer.headers)


def _retry_after(answer: Response) -> float:
    seconds = (answer.headers or {}).get("Retry-After", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else 0.0


def _told(error: requests.RequestException) -> str:
    """The trouble in a few words; the package's own have the URL, and much else."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate or its TLS is wrong"
    reason = error.args[0] if error.args else None
    if isinstance(error, requests.Timeout) or isinstance(reason, ReadTimeoutError):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let us through"
    return "no connection, or it broke"
