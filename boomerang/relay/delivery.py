"""One attempt at the app: the request as Twilio would make it, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from boomerang.outbound import Answer, Outbound, Unreachable
from boomerang.relay.accepting import TOKEN
from boomerang.relay.callback import Queued
from boomerang.relay.resign import signed_headers
from boomerang.relay.schedule import Outcome, Verdict, judge
from boomerang.relay.signers import Signers
from boomerang.urls import BadUrl, host_allowed, parse_url

ANSWER_CAP: Final = 65_536
"""Bytes of an answer that are read, so that its connection can be used again."""

_log = Logger(namespace="boomerang.relay")


@frozen(eq=False)
class Delivery:
    """Makes attempts, each of ``timeout`` seconds at most.

    ``allowed_hosts`` was looked at when the callback came, and is again: the settings may have
    changed since, and others may be able to write to the store. What is not allowed here may be for
    another instance that shares it, with newer settings.
    """

    outbound: Outbound
    signers: Signers
    timeout: float
    wall_clock: Callable[[], float]
    allowed_hosts: Sequence[str]

    async def attempt(self, queued: Queued) -> Outcome:
        """Give the app a callback once. Whatever happens is an outcome, but being cancelled."""
        callback = queued.callback
        try:
            if not self._is_allowed(callback.url):
                return Outcome(Verdict.LATER, "allowed_hosts does not name its host")
            result: Answer | Unreachable = await self.outbound.request(
                callback.method,
                callback.url,
                headers=self._headers(queued),
                body=callback.body if callback.method == "POST" else None,
                timeout=self.timeout,
                body_cap=ANSWER_CAP,
            )
        except Unreachable as trouble:
            result = trouble
        except BadUrl as error:
            return Outcome(Verdict.NEVER, f"the URL {error}")
        except CancelledError:
            raise
        except Exception:  # a mistake of ours must not cost the callback
            _log.failure("a delivery failed; number {number}", number=queued.number)
            return Outcome(Verdict.LATER, "boomerang itself failed; its log says why")
        return judge(result, now=self.wall_clock())

    def _is_allowed(self, url: str) -> bool:
        host = parse_url(url).host
        return not self.allowed_hosts or host_allowed(host, self.allowed_hosts)

    def _headers(self, queued: Queued) -> Mapping[str, str]:
        callback = queued.callback
        headers = {TOKEN: callback.key, "Accept": "*/*"}
        if callback.method == "POST" and callback.content_type:
            headers["Content-Type"] = callback.content_type
        if queued.attempts:
            headers["Boomerang-Attempt"] = str(queued.attempts + 1)
        signer = self.signers.of(callback)
        return headers if signer is None else {**headers, **signed_headers(callback, signer)}
