"""What the queue in Redis acknowledges, by what its master says of replicas; without a server."""

from __future__ import annotations

from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_commands import RedisCommands
from boomerang.stores.redis_queue import RedisQueue
from tests.stores.test_queue_crash import callback


@define
class Connection:
    link: object


@define
class Master:
    """Takes all, and says how many replicas it has and how many of them have it, too."""

    connected: int = 1
    having: int = 1
    stored: int = 0
    connection: Connection = field(factory=lambda: Connection(object()))

    def run(self, *_: object) -> Deferred[Any]:
        self.stored += 1
        return succeed([1])

    def ask(self, key: str, command: str, *_: object) -> Deferred[Any]:
        replicas = [[b"127.0.0.1", b"1", b"1"]] * self.connected
        return succeed(self.having if command == "WAIT" else [b"master", 1, replicas])


class ReplicaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.master = Master()
        self.queue = RedisQueue(
            cast(RedisCommands, self.master), prefix="", clock=self.clock, replicas=1
        )

    def accepts(self) -> bool:
        """Whether a callback is acknowledged; it is stored in any case."""
        before = self.master.stored
        accepted = self.queue.accept(callback(str(before)))
        self.clock.advance(0)
        assert self.master.stored == before + 1
        if accepted.result is True:
            return True
        self.failureResultOf(accepted, StoreUnavailable)
        return False

    def test_replicated(self) -> None:
        """What a replica has is acknowledged."""
        assert self.accepts()

    def test_lagging(self) -> None:
        """While one is connected that does not have it, nothing is, however long that lasts."""
        self.master.having = 0
        assert not self.accepts()
        self.clock.advance(3600)
        assert not self.accepts()

    def test_leaves(self) -> None:
        """A replica that has just left may be on its way to be the master: a minute later it is
        gone for good."""
        assert self.accepts()
        self.master.connected = self.master.having = 0
        assert not self.accepts()
        self.clock.advance(59)
        assert not self.accepts()
        self.clock.advance(2)
        assert self.accepts()
        self.master.connected = self.master.having = 1
        assert self.accepts()

    def test_never_had_one(self) -> None:
        """A master that has never had a replica acknowledges at once."""
        self.master.connected = self.master.having = 0
        assert self.accepts()

    def test_new_master(self) -> None:
        """After a failover the new master has none yet, and there is nothing to wait for."""
        assert self.accepts()
        self.master.connection.link = object()
        self.master.connected = self.master.having = 0
        assert self.accepts()
