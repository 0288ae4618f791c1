"""A worker's side of the talk with its supervisor."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import TimeoutError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from boomerang.settings import Settings
from boomerang.workers.identity import Worker
from boomerang.workers.messages import Messages
from boomerang.workers.workplace import (
    GATHERING,
    LAST_WORDS,
    NUDGED,
    Channel,
    Orders,
    Workplace,
)


class Wire:
    """Both ends of a channel; ``said`` is what the worker has said."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.said: list[dict[str, Any]] = []
        self.done: list[object] = []
        self._transport = StringTransport()
        self.channel = Channel(self._connect, clock=self.clock)
        self._supervisor = Messages(self.said.append, lambda: None)
        self._supervisor.makeConnection(StringTransport())
        self.channel.open(
            {
                "accept": lambda message: self.done.append(message["accept"]),
                "hurry": lambda message: self.done.append("hurry"),
            },
            lost=lambda: self.done.append("lost"),
            last_words=lambda: self.channel.send(told=5),
        )

    def hear(self) -> list[dict[str, Any]]:
        """What the worker has said since the last time."""
        del self.said[:]
        self._supervisor.dataReceived(self._transport.value())
        self._transport.clear()
        return list(self.said)

    def tell(self, **message: Any) -> None:
        self._supervisor.send(**message)
        transport: Any = self._supervisor.transport
        self.channel.messages.dataReceived(transport.value())
        transport.clear()

    def close(self) -> None:
        """The pipes are closed."""
        self.channel.messages.connectionLost()

    @property
    def is_closing(self) -> bool:
        return self._transport.disconnecting

    def _connect(self, protocol: Messages) -> None:
        protocol.makeConnection(self._transport)


def test_told() -> None:
    """Each message is for one handler."""
    wire = Wire()
    wire.tell(accept=[0, 2])
    wire.tell(hurry=True)
    assert wire.done == [[0, 2], "hurry"]


def test_state() -> None:
    """It tells the supervisor what a service tells systemd."""
    wire = Wire()
    wire.channel.tell_state("READY=1")
    assert wire.hear() == [{"state": "READY=1"}]


def test_nudges() -> None:
    """Nudges that come together are one."""
    wire = Wire()
    for _ in range(3):
        wire.channel.nudge()
    assert wire.hear() == []
    wire.clock.advance(NUDGED)
    assert wire.hear() == [{"nudge": True}]
    wire.channel.nudge()
    wire.clock.advance(NUDGED)
    assert wire.hear() == [{"nudge": True}]


def test_gathering() -> None:
    """Each question gets its own answer, whatever their order."""
    wire = Wire()
    found: dict[str, object] = {}
    for what in ("health", "metrics"):
        wire.channel.gather(what).addCallback(partial(found.__setitem__, what))
    assert wire.hear() == [{"gather": "health", "number": 1}, {"gather": "metrics", "number": 2}]
    wire.tell(gathered="text", number=2)
    wire.tell(gathered={"status": "ok"}, number=1)
    assert found == {"health": {"status": "ok"}, "metrics": "text"}
    assert wire.clock.getDelayedCalls() == []


def test_no_answer() -> None:
    """Who gets no answer is not kept waiting; one that comes late is for nobody."""
    wire = Wire()
    failures: list[Any] = []
    wire.channel.gather("health").addErrback(failures.append)
    wire.clock.advance(GATHERING)
    assert failures[0].check(TimeoutError)
    wire.tell(gathered={}, number=1)


def test_leaving() -> None:
    """At its end it says its last words, and waits until they are on their way."""
    wire = Wire()
    over: list[None] = []
    wire.channel.leave().addCallback(over.append)
    assert wire.hear() == [{"told": 5}]
    assert (wire.is_closing, over) == (True, [])
    wire.close()
    assert (over, wire.done) == ([None], ["lost"])
    assert wire.clock.getDelayedCalls() == []


def test_leaving_a_supervisor_that_hangs() -> None:
    """It does not wait for long until somebody takes them."""
    wire = Wire()
    over: list[None] = []
    wire.channel.leave().addCallback(over.append)
    wire.clock.advance(LAST_WORDS)
    assert over == [None]
    wire.close()


def test_leaving_nobody() -> None:
    """Where the supervisor is gone, or was never there, there is nothing to wait for."""
    never = Channel(lambda protocol: None, clock=Clock())
    over: list[None] = []
    never.leave().addCallback(over.append)
    wire = Wire()
    wire.close()
    wire.channel.leave().addCallback(over.append)
    assert over == [None, None]
    assert wire.hear() == []


def test_secrets() -> None:
    """Orders do not show the settings."""
    orders = Orders(Settings(), Worker(1, 2), "host", ())
    assert "settings" not in repr(orders)
    assert Workplace(orders, Wire().channel).name == "host.1"


def test_keys() -> None:
    """The supervisor is told of keys while somebody listens; before and after it is no matter."""
    wire = Wire()
    wire.channel.tell_keys([b"\x01", b"\x02"])
    assert wire.hear() == [{"token_keys": ["01", "02"]}]
    wire.close()
    wire.channel.tell_keys([b"\x03"])
    assert wire.hear() == []
    Channel(lambda messages: None, clock=Clock()).tell_keys([b"\x03"])
