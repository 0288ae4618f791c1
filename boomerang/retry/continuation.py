"""Calls that are held for longer than one webhook may take: told to come back, with a token.

The token is all the state there is. It carries what the first request said, is bound to the call,
and cannot be made without the key: otherwise anyone could have boomerang redirect a call anywhere.
"""

from __future__ import annotations

import hmac
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from attrs import field, frozen

from boomerang.retry.request import FailedRequest, target

_SIGNATURE: Final = 32

PATH: Final = "/retry/continue"

LONGEST_ADDRESS: Final = 4000
"""Characters; longer ones are refused by Twilio where it says how long one may be (21609)."""


class BadToken(ValueError):
    """The token was not made here, or not for this call."""


@frozen
class Continuation:
    """A failed request that is still held.

    ``until`` is when its hold ends (seconds since the epoch), ``attempt`` what the claim said.
    """

    failed: FailedRequest
    until: float
    attempt: int


@frozen
class Tokens:
    """Makes and reads tokens. The first key signs, all are good for reading (a rotation)."""

    keys: Sequence[bytes] = field(repr=False)

    def make(self, continuation: Continuation) -> str:
        failed = continuation.failed
        data = {
            "e": failed.error.url,
            "c": failed.error_code,
            "p": failed.product,
            "s": failed.sid,
            "a": failed.account_sid,
            "f": failed.fallback.url if failed.fallback else None,
            "fm": failed.fallback_method,
            "m": failed.method,
            "i": failed.identity,
            "k": failed.call,
            "u": round(continuation.until, 3),
            "n": continuation.attempt,
        }
        text = json.dumps(data, separators=(",", ":")).encode()
        packed = zlib.compress(text, 9)
        return _as_text(_sign(self.keys[0], packed) + packed)

    def read(self, token: str, *, sid: str) -> Continuation:
        """What the token says. Raises `BadToken` unless it was made here, and for this call."""
        try:
            signed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            raise BadToken("the continuation cannot be read") from None
        if _as_text(signed) != token:  # which has characters that decoding leaves out
            raise BadToken("the continuation cannot be read")
        signature, packed = signed[:_SIGNATURE], signed[_SIGNATURE:]
        if not any(hmac.compare_digest(signature, _sign(key, packed)) for key in self.keys):
            raise BadToken("the continuation was not made here")
        data = json.loads(zlib.decompress(packed))
        if data["s"] != sid:
            raise BadToken("the continuation is another call's")
        return Continuation(
            failed=FailedRequest(
                error_code=data["c"],
                error=target("ErrorUrl", data["e"]),
                product=data["p"],
                sid=data["s"],
                account_sid=data["a"],
                fallback=target("FallbackUrl", data["f"]) if data["f"] else None,
                fallback_method=data["fm"],
                method=data["m"],
                identity=data["i"],
                call=data["k"],
            ),
            until=float(data["u"]),
            attempt=int(data["n"]),
        )


@frozen
class Returns:
    """The addresses by which calls come back."""

    tokens: Tokens

    def url(self, here: str, continuation: Continuation) -> str | None:
        """Where a call is to come back to; ``here`` is scheme and host. `None` if too long."""
        url = f"{here}{PATH}?token={self.tokens.make(continuation)}"
        return url if len(url) <= LONGEST_ADDRESS else None


def _as_text(signed: bytes) -> str:
    return urlsafe_b64encode(signed).rstrip(b"=").decode()


def _sign(key: bytes, packed: bytes) -> bytes:
    return hmac.digest(key, b"boomerang continuation 1\0" + packed, sha256)
