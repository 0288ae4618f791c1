"""The key that the tokens of held calls are signed with."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import count
from typing import Final, TypeVar

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from boomerang.stores.interfaces import NoteStore, StoreUnavailable

T = TypeVar("T")

TRY_EVERY: Final = 1.0
"""Seconds from one try to agree on a key to the next."""

LOOK_EVERY: Final = 10.0
"""Seconds from one look at the key to the next, once there is one: a call in turns that comes back
to another process is refused for no longer than that after the store lost it."""

MOST: Final = 4
"""Keys that are good for reading: the one that signs, and those before it."""

PATIENT_TRIES: Final = 10
"""Tries before it is said that there is no key yet."""

_PATIENCE: Final = 5.0
_TOPIC: Final = "continuation"
_KEY: Final = "key"
_FORMER: Final = "former"

_log = Logger(namespace="boomerang.retry")


def drawn() -> tuple[bytes, ...]:
    """A key that nobody else has, as the only one."""
    return (os.urandom(32),)


@frozen
class OwnKeys:
    """The keys that a process begins with, the one to sign with first.

    ``tell`` gets those that it has agreed on with others: of one that is alone nobody needs them.
    """

    keys: Sequence[bytes] = field(factory=drawn, repr=False)
    tell: Callable[[Sequence[bytes]], None] = lambda keys: None


def derived(secrets: Sequence[str]) -> list[bytes]:
    """Keys made of the secrets that Twilio signs with; all instances have the same."""
    return [hmac.digest(each.encode(), b"boomerang continuation key", sha256) for each in secrets]


async def shared(
    keys: list[bytes],
    notes: NoteStore,
    *,
    holder: str,
    clock: IReactorTime,
    tell: Callable[[Sequence[bytes]], None],
) -> None:
    """Let the processes that share a store agree on a key; it is put first into ``keys``.

    Before that ``keys`` has one of this host's own, and a call that comes back to another host is
    refused there. ``holder`` is the process's name, unlike any other's. It goes on until it is
    cancelled: the store may not be there yet, and it may lose the key later. Then it is given the
    same again, or, if a new process was faster, all go over to that one's, and still read this one.
    With an auth token none of this is needed (see `derived`). ``tell`` hears of the keys at each
    look, so that whoever misses it once hears it the next time.
    """
    agreed = False
    for tries in count(1):
        pause = TRY_EVERY
        try:
            found = await _agreed(keys[0], notes, agreed=agreed, holder=holder, clock=clock)
            if found:
                keys[:] = list(dict.fromkeys([*found, *keys]))[:MOST]
                agreed, pause = True, LOOK_EVERY
                tell(keys)
        except (StoreUnavailable, TimeoutError):
            pass
        except CancelledError:
            raise
        except Exception:
            _log.failure("a look at the key for calls held in turns failed")
            pause = LOOK_EVERY
        if tries == PATIENT_TRIES and not agreed:
            _log.warn(
                "calls held in turns cannot come back to another instance, or after a restart:"
                " the store has no key for them"
            )
        await deferLater(clock, pause)


async def _agreed(
    own: bytes, notes: NoteStore, *, agreed: bool, holder: str, clock: IReactorTime
) -> list[bytes]:
    """The keys that the store has; if it has none, the process with the lease writes its own."""

    def in_time(asked: Deferred[T]) -> Deferred[T]:
        return asked.addTimeout(_PATIENCE, clock)

    found = _keys_of(await in_time(notes.read(_TOPIC)))
    if not found:
        if not await in_time(notes.lease(_TOPIC, holder=holder, seconds=4 * _PATIENCE)):
            return []
        found = _keys_of(await in_time(notes.read(_TOPIC)))  # of another that had the lease before
    if not found:
        await in_time(notes.write(_TOPIC, {_KEY: own.hex()}))
        return [own]
    if agreed and own not in found:
        # Calls are held that were given this one, and may come back to a process without it.
        await in_time(notes.write(_TOPIC, {_FORMER: own.hex()}))
        return [found[0], own, *found[1:]]
    return found


def _keys_of(notes: Mapping[str, str]) -> list[bytes]:
    """The key to sign with, and perhaps the one before it; empty if there is none to sign with."""
    key, former = (_key_of(notes.get(name, "")) for name in (_KEY, _FORMER))
    return [each for each in (key, former) if each] if key else []


def _key_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
