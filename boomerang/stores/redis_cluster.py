"""The way to a Redis Cluster: which server has which key, and what to do when that changes.

A link has a connection to each master. It follows where a server sends it while slots move, and
ends when it loses a server that has slots: then the next one asks the cluster anew, again and
again until all slots have a master (a failover). Claims on other servers fail meanwhile as well:
the store as a whole is there, or it is not, as with a single server.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,
    gatherResults,
    succeed,
)
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from boomerang.stores.address import RedisAddress
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_connection import HANDSHAKE_TIMEOUT, connect
from boomerang.stores.redis_protocol import RedisProtocol, first_error

Node = tuple[str, int]
Connect = Callable[[Node], Coroutine[Deferred[Any], Any, RedisProtocol]]

SLOTS: Final = 16384

_TRY_AGAIN: Final = 0.02
"""Seconds before a command is sent again whose keys are on two servers for a moment."""

_BETWEEN: Final = "access a non local key"
"""What is said of a script that uses keys which are on the move."""

_MOST_TAGS: Final = 500_000
_MOST_SEEDS: Final = 20


def slot_of(key: str) -> int:
    """The slot of a key: by its hash tag, where it has one (the cluster's specification)."""
    _, brace, rest = key.partition("{")
    tag, closing, _ = rest.partition("}")
    return crc_hqx((tag if brace and closing and tag else key).encode(), 0) % SLOTS


class ClusterLink:
    """The `Link` to the masters of a cluster.

    ``slots`` says which node has each slot; ``nodes`` are the connections to all of these.
    """

    def __init__(
        self,
        slots: Sequence[Node],
        nodes: dict[Node, RedisProtocol],
        *,
        connect: Connect,
        clock: IReactorTime,
    ) -> None:
        self.lost: Deferred[None] = Deferred()
        self._slots = list(slots)
        self._nodes = nodes
        self._awaited: dict[Node, list[Deferred[RedisProtocol]]] = {}
        self._connect = connect
        self._clock = clock
        for node, protocol in nodes.items():
            protocol.lost.addCallback(self._node_lost, node)

    def at(self, key: str) -> RedisProtocol:
        return self._nodes[self._slots[slot_of(key)]]

    def probes(self) -> list[str]:
        """Ends of keys with a hash tag each, one on each server that has slots."""
        tags: dict[Node, str] = {}
        wanted = len({*self._slots})
        for number in range(_MOST_TAGS):
            end = f":{{{number}}}"
            tags.setdefault(self._slots[slot_of(end)], end)
            if len(tags) == wanted:
                break
        return list(tags.values())

    def redirected(self, key: str, said: str) -> Deferred[RedisProtocol] | None:
        """Follow MOVED for good and ASK for once; wait where keys are between two servers."""
        kind, _, rest = said.partition(" ")
        if kind == "TRYAGAIN" or _BETWEEN in said:
            return deferLater(self._clock, _TRY_AGAIN, self.at, key)
        if kind not in ("MOVED", "ASK"):
            return None
        slot, _, place = rest.partition(" ")
        host, _, port = place.rpartition(":")
        return Deferred.fromCoroutine(self._follow(kind, int(slot), (host, int(port))))

    def abort(self) -> None:
        for protocol in tuple(self._nodes.values()):
            protocol.abort()

    async def _follow(self, kind: str, slot: int, node: Node) -> RedisProtocol:
        protocol = await self._node(node)
        if kind == "MOVED":
            self._slots[slot] = node
        else:
            protocol.ask("ASKING").addErrback(lambda _: None)  # for the next command, and only it
        return protocol

    def _node(self, node: Node) -> Deferred[RedisProtocol]:
        """The connection to a server, which may be new to us; many may ask for it at a time."""
        if node in self._nodes:
            return succeed(self._nodes[node])
        if node not in self._awaited:
            self._awaited[node] = []
            connecting = Deferred.fromCoroutine(self._connect(node))
            connecting.addCallbacks(self._joined, self._missed, (node,), {}, (node,), {})
        waiter: Deferred[RedisProtocol] = Deferred(self._awaited[node].remove)
        self._awaited[node].append(waiter)
        return waiter

    def _joined(self, protocol: RedisProtocol, node: Node) -> None:
        waiters = self._awaited.pop(node)
        if self.lost.called:
            protocol.abort()
            return
        self._nodes[node] = protocol
        protocol.lost.addCallback(self._node_lost, node)
        for waiter in waiters:
            waiter.callback(protocol)

    def _missed(self, trouble: Failure, node: Node) -> None:
        """A server that others name cannot be reached: they will have to be asked anew."""
        reason = StoreUnavailable(f"{node[0]}:{node[1]}: {trouble.getErrorMessage()}")
        for waiter in self._awaited.pop(node):
            waiter.errback(reason)
        self.abort()

    def _node_lost(self, _: None, node: Node) -> None:
        if self.lost.called:
            return
        if node in self._slots:
            self.lost.callback(None)
            self.abort()
        else:  # it was taken from the cluster, and its slots before that
            del self._nodes[node]


class Cluster:
    """Makes links to the cluster that any of the servers of an address belongs to.

    ``endpoint`` leads to a server. Servers that were masters once are asked as well: those of the
    address may all be gone some day.
    """

    def __init__(
        self,
        address: RedisAddress,
        endpoint: Callable[[Node], IStreamClientEndpoint],
        *,
        clock: IReactorTime,
    ) -> None:
        self._address = address
        self._endpoint = endpoint
        self._clock = clock
        self._seeds = deque(address.hosts)

    async def link(self) -> ClusterLink:
        """Connect to all masters. Raises `StoreUnavailable`."""
        slots = await self._ask_around()
        masters = list(dict.fromkeys(slots))
        self._seeds = deque(dict.fromkeys([*self._seeds, *masters][-_MOST_SEEDS:]))
        made: dict[Node, RedisProtocol] = {}
        connecting = [Deferred.fromCoroutine(self._join(node, made)) for node in masters]
        try:
            await gatherResults(connecting, consumeErrors=True).addErrback(first_error)
        except BaseException:
            for each in connecting:
                each.cancel()
            for protocol in made.values():
                protocol.abort()
            raise
        return ClusterLink(slots, made, connect=self._connect, clock=self._clock)

    async def _connect(self, node: Node) -> RedisProtocol:
        return await connect(self._address, self._endpoint(node), clock=self._clock)

    async def _join(self, node: Node, made: dict[Node, RedisProtocol]) -> None:
        try:
            made[node] = await self._connect(node)
        except Exception as error:  # any of a dozen network errors
            raise StoreUnavailable(f"{node[0]}:{node[1]}: {_reason(error)}") from None

    async def _ask_around(self) -> list[Node]:
        """Who has each slot, from the first server that knows; each time another one begins."""
        self._seeds.rotate(-1)
        reasons = []
        for seed in tuple(self._seeds):
            try:
                return await self._ask(seed)
            except (CancelledError, ConnectingCancelledError):
                raise CancelledError from None
            except Exception as error:  # any of a dozen network errors: the next one may know
                reasons.append(f"{seed[0]}:{seed[1]}: {_reason(error)}")
        raise StoreUnavailable("no server knows the cluster: " + "; ".join(sorted(reasons)))

    async def _ask(self, seed: Node) -> list[Node]:
        protocol = await self._connect(seed)
        try:
            asked = protocol.ask("CLUSTER", "SLOTS").addTimeout(HANDSHAKE_TIMEOUT, self._clock)
            return slots_of(await asked, asked_at=seed[0])
        finally:
            protocol.abort()


def slots_of(reply: Sequence[Any], *, asked_at: str) -> list[Node]:
    """Who has each slot, by the reply to CLUSTER SLOTS. Raises `StoreUnavailable` for gaps.

    A server that does not know its own address leaves it empty: it is the one that was asked.
    """
    slots: list[Node | None] = [None] * SLOTS
    for first, last, (host, port, *_), *_ in reply:
        node = (host.decode() if host else asked_at, port)
        slots[first : last + 1] = [node] * (last + 1 - first)
    found = [node for node in slots if node is not None]
    if len(found) < SLOTS:
        raise StoreUnavailable(f"{SLOTS - len(found)} slots of the cluster have no master")
    return found


def _reason(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or repr(error)
