"""Large answers made smaller for whoever can read them so: the status page and its data.

Never a stream, whose events would wait in the compressor, and never an answer with a secret in it:
beside what strangers have sent, its size would tell of the secret (BREACH). The page has none.
"""

from __future__ import annotations

import zlib
from typing import Final

from attrs import evolve
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from boomerang.web.reply import Reply
from boomerang.web.request import GuardedRequest

LEAST: Final = 1000
"""Bytes that fit into one packet together with their headers: fewer would come no sooner."""

_QUICK: Final = 1
"""The level for what is made anew each time, on the reactor that holds calls: 0.7 ms for a page of
145 kB, which becomes 25 kB. Level 6 takes 3 ms, for 20 kB."""

_GZIP: Final = 31  # zlib's largest window, in gzip's format
_VARY: Final = (b"Vary", b"Accept-Encoding")
_ENCODED: Final = (b"Content-Encoding", b"gzip")


def gzipped(body: bytes, *, level: int = 9) -> bytes:
    """The body as gzip has it, as small as can be unless a lower level is given."""
    return zlib.compress(body, level, _GZIP)


def suited(reply: Reply, request: GuardedRequest, *, ready: bytes | None = None) -> Reply:
    """The reply as the client wants it; ``ready`` is its body gzipped, where that is known."""
    if len(reply.body) <= LEAST:
        return reply
    if not takes_gzip(request.single(b"Accept-Encoding")):
        return evolve(reply, headers=(*reply.headers, _VARY))
    body = gzipped(reply.body, level=_QUICK) if ready is None else ready
    return evolve(reply, body=body, headers=(*reply.headers, _VARY, _ENCODED))


def takes_gzip(accepted: str | None) -> bool:
    """Whether an ``Accept-Encoding`` prefers gzip to the body as it is (RFC 9110 §12.5.3)."""
    found = parse_accept_header(accepted, Accept)
    return found.best_match(("gzip", "identity")) == "gzip"
