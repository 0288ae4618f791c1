"""What boomerang asks of its own process: signals and descriptors."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from twisted.logger import Logger

_log = Logger()

RESERVED_DESCRIPTORS: Final = 200
"""For the store, the log, connections that are just being opened or closed."""


def room_for_held(max_held: int) -> int:
    """How many requests can be held: each takes a descriptor, and the process has only so many.

    The soft limit is raised to the hard one first. A request that is held keeps its descriptor
    for seconds, so when they run out, new callers wait in the kernel's queue and hear nothing.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass
    room = max_held if soft == resource.RLIM_INFINITY else max(0, soft - RESERVED_DESCRIPTORS)
    if room < max_held:
        _log.warn(
            "only {room} requests can be held at once, not max_held={max_held}: the limit of open"
            " files is {limit} (LimitNOFILE=, ulimit -n)",
            room=room,
            max_held=max_held,
            limit=soft,
        )
    return min(room, max_held)


def stop_on_signals(reactor: Any, *, hurry: Callable[[], None]) -> None:
    """Stop the reactor at SIGTERM and SIGINT, and let the process exit with 0.

    twistd's own handlers make the process die by the signal. Platforms send SIGTERM more than
    once, which changes nothing; a second SIGINT is a person who does not want to wait (``hurry``).
    """
    stopping = False

    def handle(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(stop, number)

    def stop(number: int) -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            _log.info("received {signal}, stopping", signal=signal.Signals(number).name)
            reactor.stop()
        elif number == signal.SIGINT:
            hurry()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
