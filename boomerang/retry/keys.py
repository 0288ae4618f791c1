"""The key that the tokens of held calls are signed with."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from hashlib import sha256

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from boomerang.stores.interfaces import NoteStore, StoreUnavailable

_log = Logger(namespace="boomerang.retry")


def derived(secrets: Sequence[str]) -> list[bytes]:
    """Keys made of the secrets that Twilio signs with; all instances have the same."""
    return [hmac.digest(each.encode(), b"boomerang continuation key", sha256) for each in secrets]


async def shared(
    keys: list[bytes], notes: NoteStore, *, clock: IReactorTime, random: Callable[[int], bytes]
) -> None:
    """Let the processes that share a store agree on a key; it is put first into ``keys``.

    Until then, and without a store, each has its own: a call that comes back to another process
    is refused there. With an auth token none of this is needed (see `derived`).
    """
    try:
        found = await notes.read("continuation").addTimeout(5.0, clock)
        if "key" not in found:
            await notes.write("continuation", {"key": random(32).hex()}).addTimeout(5.0, clock)
            found = await notes.read("continuation").addTimeout(5.0, clock)
        keys.insert(0, bytes.fromhex(found["key"]))
    except (StoreUnavailable, TimeoutError, ValueError):
        _log.warn("calls held in turns cannot change the process: the store has no key for them")
