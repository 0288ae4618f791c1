"""The keys of held calls' tokens, the same in all workers of a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boomerang.settings import Settings
from boomerang.workers.identity import Worker
from boomerang.workers.keyring import Keyring
from boomerang.workers.messages import Heard
from boomerang.workers.spawning import Running
from boomerang.workers.workplace import Orders

OWN, STORES = b"own" * 10, b"the store's" * 3


class Started:
    """Workers that were started: their orders, and how each is heard."""

    def __init__(self) -> None:
        self.orders: list[Orders] = []
        self.say: list[Heard] = []
        self.heard: list[dict[str, Any]] = []
        self.keyring = Keyring(self._spawn, (OWN,))

    def start(self) -> tuple[bytes, ...]:
        """The keys that the next one is given."""
        orders = Orders(Settings(), Worker(len(self.orders), 2), "host", ())
        self.keyring(orders, self.heard.append, lambda ending: None)
        return self.orders[-1].token_keys

    def _spawn(self, orders: Orders, heard: Heard, ended: Callable[[str], None]) -> Running:
        self.orders.append(orders)
        self.say.append(heard)
        return None  # type: ignore[return-value]


def test_the_same() -> None:
    """All workers begin with the key that was drawn for the host."""
    started = Started()
    assert started.start() == started.start() == (OWN,)


def test_agreed_since() -> None:
    """One that is started later has what the others have agreed on by the store, which may be away
    just then."""
    started = Started()
    started.start()
    started.say[0]({"token_keys": [STORES.hex(), OWN.hex()]})
    assert started.start() == (STORES, OWN)


def test_what_else_is_said() -> None:
    """All other messages go to the supervisor, which never sees a key."""
    started = Started()
    started.start()
    for message in ({"nudge": True}, {"token_keys": [OWN.hex()]}, {"state": "READY=1"}):
        started.say[0](message)
    assert started.heard == [{"nudge": True}, {"state": "READY=1"}]


def test_never_shown() -> None:
    """Orders show no key; and without a keyring no two of them have the same one."""
    started = Started()
    started.start()
    assert "own" not in repr(started.orders)
    one, other = (Orders(Settings(), Worker(0, 2), "host", ()) for _ in range(2))
    assert one.token_keys != other.token_keys
    assert len(one.token_keys[0]) == 32
