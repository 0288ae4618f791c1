"""The keys that a host's workers sign the tokens of held calls with: the same in all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import evolve

from boomerang.workers.messages import Heard
from boomerang.workers.spawning import Running, Spawn
from boomerang.workers.workplace import Orders


class Keyring:
    """Starts workers, with the same keys each; it hears from them what they have agreed on since.

    So a call may come back to any of them while the store, by which they would agree, is away,
    also to one that was started only then.
    """

    def __init__(self, spawn: Spawn, keys: tuple[bytes, ...]) -> None:
        self._spawn = spawn
        self._keys = keys

    def __call__(self, orders: Orders, heard: Heard, ended: Callable[[str], None]) -> Running:
        orders = evolve(orders, token_keys=self._keys)
        return self._spawn(orders, partial(self._hear, heard), ended)

    def _hear(self, heard: Heard, message: dict[str, Any]) -> None:
        """Keep the keys to itself: nobody else has any use for them."""
        if "token_keys" in message:
            self._keys = tuple(map(bytes.fromhex, message["token_keys"]))
        else:
            heard(message)
