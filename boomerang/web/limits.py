"""How much is read of a request, and for how long."""

from __future__ import annotations

from typing import Final

LONGEST_BODY: Final = 65536
LONGEST_HEAD: Final = 65536
"""As long as a body: what Twilio sends by GET is in the head, texts and ErrorUrl included."""

MOST_HEADER_LINES: Final = 100
"""The request line and the empty line included."""

MOST_AHEAD: Final = LONGEST_HEAD
"""Bytes that are read of what is sent behind a request before that has been answered; what comes
then may be no more than a head."""

MOST_BEHIND: Final = 262_144
"""Bytes of a stream that wait for a client which does not read, beside what its socket takes."""

SENDING_TIME: Final = 15.0
"""Seconds from the first byte of a request to its last."""

IDLE_TIME: Final = 95.0
"""Seconds that a connection may rest between requests; Heroku's router keeps its own for 90, and
a server that closes first makes it fail (H13, H18)."""

FIRST_BYTES: Final = 0.3
"""Seconds from a connection's being accepted to its request, which a process that stops waits."""

LINGER: Final = 1.0
"""Seconds in which what a refused client still sends is thrown away, so that it sees the answer."""


class BadMessage(Exception):
    """What was sent is no request, or too large a one; ``status`` is the answer to it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
