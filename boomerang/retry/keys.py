"""The key that the tokens of held calls are signed with."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import count
from typing import Final, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from boomerang.stores.interfaces import NoteStore, StoreUnavailable

T = TypeVar("T")

TRY_EVERY: Final = 1.0
"""Seconds from one try to agree on a key to the next."""

PATIENT_TRIES: Final = 10
"""Tries before it is said that there is no key yet."""

_PATIENCE: Final = 5.0
_TOPIC: Final = "continuation"

_log = Logger(namespace="boomerang.retry")


def derived(secrets: Sequence[str]) -> list[bytes]:
    """Keys made of the secrets that Twilio signs with; all instances have the same."""
    return [hmac.digest(each.encode(), b"boomerang continuation key", sha256) for each in secrets]


async def shared(
    keys: list[bytes], notes: NoteStore, *, clock: IReactorTime, random: Callable[[int], bytes]
) -> None:
    """Let the processes that share a store agree on a key; it is put first into ``keys``.

    Until then each has its own: a call that comes back to another process is refused there. It
    is tried until the store answers, which at start may not be there yet; cancel it to end that.
    With an auth token none of this is needed (see `derived`).
    """
    holder = random(16).hex()
    for tries in count(1):
        try:
            key = await _agreed(notes, holder, clock=clock, random=random)
        except (StoreUnavailable, TimeoutError):
            key = None
        if key is not None:
            keys.insert(0, key)
            return
        if tries == PATIENT_TRIES:
            _log.warn(
                "calls held in turns cannot change the process: the store has no key for them"
            )
        await deferLater(clock, TRY_EVERY)


async def _agreed(
    notes: NoteStore, holder: str, *, clock: IReactorTime, random: Callable[[int], bytes]
) -> bytes | None:
    """The key that the store has; if it has none, the process with the lease makes one."""

    def in_time(asked: Deferred[T]) -> Deferred[T]:
        return asked.addTimeout(_PATIENCE, clock)

    key = _key_of(await in_time(notes.read(_TOPIC)))
    if key is not None:
        return key
    if not await in_time(notes.lease(_TOPIC, holder=holder, seconds=4 * _PATIENCE)):
        return None
    key = _key_of(await in_time(notes.read(_TOPIC)))  # of another that had the lease before
    if key is None:
        key = random(32)
        await in_time(notes.write(_TOPIC, {"key": key.hex()}))
    return key


def _key_of(notes: Mapping[str, str]) -> bytes | None:
    try:
        return bytes.fromhex(notes["key"]) or None
    except (KeyError, ValueError):
        return None
