"""Fallback requests beside a browser, which does not share a thread with the reactor."""

from __future__ import annotations

from tests.integration.daemon import Daemon, eventually
from tests.integration.sockets import Connection, Reply, asked
from tests.integration.twilio import FailedCall


def rescue(daemon: Daemon, failed: FailedCall) -> Reply:
    """The answer to a fallback request."""
    return asked(daemon.port, failed.request(daemon.port))


def hold(daemon: Daemon, number: int) -> list[Connection]:
    """Make fallback requests; returns when as many are being held."""
    port = daemon.port
    held = [Connection(port, FailedCall().request(port)) for _ in range(number)]
    eventually(lambda: daemon.held() == number)
    return held
