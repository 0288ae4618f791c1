"""Status callbacks are never lost: whatever is killed, whatever the app does."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.integration.daemon import COMMAND, Daemon, Daemons, eventually
from tests.integration.relaying import PUBLIC, TOKENS, App, Ledger, Port, Twilio
from tests.servers import RedisServer, SentinelGroup, free_port

SETTINGS = {
    "BOOMERANG_PUBLIC_URL": PUBLIC,
    "BOOMERANG_RELAY_SCHEDULE": "0.2s,0.5s,1s",
    "BOOMERANG_RELAY_TIMEOUT": "1",
    "TWILIO_AUTH_TOKEN": ",".join(TOKENS.values()),
}

PATIENCE = 20.0
"""Seconds without anything new after which what is missing counts as lost."""

PER_ORIGIN = 10
"""Deliveries under way to one origin: so many may be repeated when a process is killed."""


def launch(daemons: Daemons, store: str, port: int) -> Daemon:
    listen = f"tcp:{port}:interface=127.0.0.1"
    return daemons.launch(*COMMAND, "--listen", listen, "--store", store, more=SETTINGS)


def settled(ledger: Ledger, *, kills: int) -> None:
    """All that was acknowledged has come, in order, and little of it twice."""
    seen, progress = -1, time.monotonic()
    while ledger.missing() and time.monotonic() < progress + PATIENCE:
        if len(ledger.arrived) > seen:
            seen, progress = len(ledger.arrived), time.monotonic()
        time.sleep(0.1)
    print(
        f"{len(ledger.acknowledged)} acknowledged, {len(set(ledger.arrived))} arrived,"
        f" {ledger.duplicates()} twice, {ledger.unanswered} unanswered,"
        f" {dict(ledger.refused)} refused, {kills} kills"
    )
    assert ledger.missing() == set()
    assert ledger.out_of_order() == []
    assert ledger.forged == []
    assert ledger.duplicates() <= kills * PER_ORIGIN
    assert len(ledger.acknowledged) > 20 * kills


def test_killed(daemons: Daemons, tmp_path: Path, relay_kills: int) -> None:
    """Killed at random moments under load, it delivers every callback that it acknowledged."""
    ledger = Ledger()
    app = App(ledger)
    store, port, chance = f"sqlite:{tmp_path / 'queue.db'}", free_port(), random.Random(7)
    daemon = launch(daemons, store, port).wait_until_ready()
    twilio = Twilio(ledger, app, Port((port,)), lines=8 if relay_kills < 20 else 3)
    for number in range(relay_kills):
        time.sleep(chance.uniform(0.05, 1.0))
        daemon.kill()
        daemon = launch(daemons, store, port).wait_until_ready()
        if number % 5 == 4:
            app.restart(after=0.5)
    twilio.stop()
    settled(ledger, kills=relay_kills)
    app.stop()


def test_one_of_two_killed(daemons: Daemons, tmp_path: Path, relay_kills: int) -> None:
    """Two instances share one Redis; when one is killed, the other has its callbacks."""
    ledger = Ledger()
    app = App(ledger)
    ports, chance = (free_port(), free_port()), random.Random(7)
    with RedisServer(tmp_path) as server:
        one, two = (launch(daemons, server.url(), port) for port in ports)
        one.wait_until_ready()
        two.wait_until_ready()
        twilio = Twilio(ledger, app, Port(ports))
        kills = max(2, relay_kills // 5)
        for number in range(kills):
            time.sleep(chance.uniform(0.3, 1.0))
            two.kill()
            if number < kills - 1:
                two = launch(daemons, server.url(), ports[1]).wait_until_ready()
        time.sleep(1)
        twilio.stop()
        settled(ledger, kills=kills)
    app.stop()


def test_signed_as_it_came(daemons: Daemons, tmp_path: Path) -> None:
    """What one instance accepted, another signs alike, though it heard nothing of the accounts."""
    ledger = Ledger()
    app = App(ledger, trouble=0.0)
    app.stop()
    ports = (free_port(), free_port())
    with RedisServer(tmp_path) as server:
        one, two = (launch(daemons, server.url(), port) for port in ports)
        one.wait_until_ready()
        two.wait_until_ready()
        twilio = Twilio(ledger, app, Port(ports[:1]))
        eventually(lambda: len(ledger.acknowledged) > 40, within=30)
        twilio.stop()
        one.kill()
        app.start()
        settled(ledger, kills=1)
    app.stop()


def test_failover(daemons: Daemons, tmp_path: Path) -> None:
    """When the master of a Sentinel group dies, its replica has what was acknowledged."""
    ledger = Ledger()
    app = App(ledger)
    ports = (free_port(), free_port())
    with SentinelGroup(tmp_path) as group:
        for daemon in [launch(daemons, group.url(), port) for port in ports]:
            daemon.wait_until_ready()
        twilio = Twilio(ledger, app, Port(ports))
        time.sleep(2)
        before = len(ledger.acknowledged)
        group.master().kill()
        eventually(lambda: len(ledger.acknowledged) > before + 100, within=30)
        twilio.stop()
        settled(ledger, kills=1)
    app.stop()


def test_stopped(daemons: Daemons, tmp_path: Path) -> None:
    """Stopped as a platform does it, it loses nothing and repeats nothing."""
    ledger = Ledger()
    app = App(ledger, trouble=0.0)
    store, port = f"sqlite:{tmp_path / 'queue.db'}", free_port()
    daemon = launch(daemons, store, port).wait_until_ready()
    twilio = Twilio(ledger, app, Port((port,)))
    for _ in range(2):
        time.sleep(0.5)
        daemon.process.terminate()
        assert daemon.exit_status() == 0
        daemon = launch(daemons, store, port).wait_until_ready()
    twilio.stop()
    settled(ledger, kills=0)
    assert ledger.duplicates() == 0
    app.stop()


@pytest.fixture
def relay_kills(request: pytest.FixtureRequest) -> int:
    """How often to kill: as often as fits into a usual run, or a hundred times."""
    return 100 if request.config.getoption("--full") else 10
