"""The relay within the daemon."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from boomerang.endpoints.rules import RuleBook
from boomerang.relay.counts import RelayCounts
from boomerang.relay.making import ATTEND_EVERY, Relay, RelaySurroundings, make_relay
from boomerang.settings import RetrySettings, Settings
from boomerang.stores.notes_memory import MemoryNotes
from tests.relay.delivering import FlakyQueue
from tests.relay.test_accepting import FIELDS
from tests.web.driving import Daemon, post, request

APP = "/relay?Url=http%3A%2F%2F192.0.2.7%3A8000%2Fended"


def health(daemon: Daemon) -> Any:
    return json.loads(daemon.ask(request("GET", "/health")).text)


def accepted(daemon: Daemon) -> float:
    return daemon.count('boomerang_relay_callbacks_total{endpoint="unknown",outcome="accepted"}')


def test_delivers() -> None:
    """What ``/relay`` takes is brought to the app."""
    daemon = Daemon()
    assert daemon.ask(post(APP, FIELDS)).status == 204
    daemon.wait(0.25)
    assert [client[:2] for client in daemon.reactor.tcpClients] == [("192.0.2.7", 8000)]
    assert accepted(daemon) == 1


def test_settings() -> None:
    """The settings of [relay] reach it: here the length of the queue."""
    daemon = Daemon(BOOMERANG_RELAY_MOST="1")
    assert daemon.ask(post(APP, FIELDS)).status == 204
    assert daemon.ask(post(APP, {**FIELDS, "SequenceNumber": "9"})).status == 503
    assert accepted(daemon) == 1


def test_health() -> None:
    """``/health`` tells how many wait."""
    daemon = Daemon()
    assert health(daemon)["relay"] == {"waiting": 0, "dead": 0, "oldest_seconds": 0}
    daemon.ask(post(APP, FIELDS))
    daemon.wait(6)
    assert health(daemon)["relay"]["waiting"] == 1
    assert health(daemon)["status"] == "ok"


def test_stop() -> None:
    """The daemon stops although the app does not answer."""
    daemon = Daemon()
    daemon.ask(post(APP, FIELDS))
    daemon.wait(1)
    stopped = daemon.host.stopService()
    daemon.wait(30)
    assert stopped.called


def made(clock: Clock, queue: Any, *, nudge: Callable[[], None] | None) -> Relay:
    """A relay on such a clock and queue, without an app and without a key."""
    outbound: Any = None
    return make_relay(
        Settings(),
        RuleBook(RetrySettings(), ()),
        RelaySurroundings(
            reactor=clock,
            queue=queue,
            notes=MemoryNotes(clock),
            outbound=outbound,
            counts=RelayCounts(CollectorRegistry(), ["unknown"]),
            holder="two",
            wall_clock=clock.seconds,
            random=lambda: 0.0,
            nudge=nudge,
        ),
    )


def test_away_once() -> None:
    """As long as the queue is away, it is away: what asks it nothing does not say otherwise."""
    clock = Clock()
    queue: Any = FlakyQueue(clock)
    relay = made(clock, queue, nudge=None)
    relay.startService()
    clock.advance(1)
    queue.there = False
    with capturedLogs() as events:
        clock.pump([0.25] * 120)
        told = [formatEvent(event) for event in events]
    assert told == ["the relay's store is away: no store"]
    relay.stopService()
    clock.pump([0.25] * 40)


def test_attends() -> None:
    """A process that delivers nothing still looks whether its store is there, and is back."""
    clock = Clock()
    queue: Any = FlakyQueue(clock)
    relay = made(clock, queue, nudge=lambda: None)
    relay.startService()
    clock.advance(ATTEND_EVERY)
    queue.there = False
    clock.advance(ATTEND_EVERY)
    assert [part for part, _ in relay.standing.troubles()] == ["relay store"]
    queue.there = True
    clock.advance(ATTEND_EVERY)
    assert relay.standing.troubles() == []
    assert "take" not in queue.asked
    relay.stopService()
    assert clock.getDelayedCalls() == []
