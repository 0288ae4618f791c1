"""What supervisor and worker tell each other: JSON objects, each after its length, over pipes.

To a worker: ``accept`` (whose connections), ``tell`` (``health`` or ``metrics``, for a ``round``),
``gathered`` (the answer to its ``gather``), ``nudge``, ``hurry``. From a worker: ``state`` (as to
systemd), ``told`` (in a round, or `LAST`), ``gather``, ``nudge``, ``token_keys`` (for no log).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

Heard = Callable[[dict[str, Any]], None]

HEALTH: Final = "health"
METRICS: Final = "metrics"

LAST: Final = 0
"""The round of what a worker tells unasked, at its end."""

FROM_SUPERVISOR: Final = 0
LOG: Final = (1, 2)
TO_SUPERVISOR: Final = 3
ORDERS: Final = 4
FIRST_SOCKET: Final = 5
"""The descriptors of a worker."""


class Messages(Int32StringReceiver):
    """One end. ``heard`` gets each message, ``lost`` is called when the other end is gone."""

    MAX_LENGTH = 64 * 1024 * 1024

    def __init__(self, heard: Heard, lost: Callable[[], None]) -> None:
        self._heard = heard
        self._lost = lost

    def send(self, **message: Any) -> None:
        """Tell the other end; what it no longer hears is dropped."""
        self.sendString(json.dumps(message, separators=(",", ":")).encode())

    def stringReceived(self, string: bytes) -> None:
        self._heard(json.loads(string))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost()
