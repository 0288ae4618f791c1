"""The relay within the daemon."""

from __future__ import annotations

import json
from typing import Any

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
