"""What the monitor tells the outside of a web process in trouble: all of it with real processes."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final, TypeVar

from attrs import define
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.web.server import Site

from tests.fakes.librato import TOKEN, USER, FakeLibrato
from tests.fakes.otlp import Collector
from tests.integration.daemon import Daemon, Daemons, run
from tests.integration.daemon import eventually as wait_for
from tests.integration.sockets import get
from tests.integration.test_start import TOOL
from tests.integration.twilio import LATE
from tests.monitor.notify.listener import Listener, listening
from tests.servers import HOST, eventually
from tests.web_servers import Asked, Caller, closed_port, page, serving

T = TypeVar("T")

SLOW: Final = 0.5
LATENESS: Final = 0.6
TIMEOUT: Final = 1.5
"""Seconds, for the 5, 6 and 10 of the real thing."""

LOGIN: Final = {"LIBRATO_USER": USER, "LIBRATO_TOKEN": TOKEN}

HALF: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nas far as here"


def in_thread(work: Callable[..., T], *args: Any, **options: Any) -> Deferred[T]:
    """Do what blocks, while the servers here go on answering."""
    return deferToThread(work, *args, **options)


def behave(caller: Caller, asked: Asked) -> None:
    """The web process: its path says how it fares."""
    match asked.path:
        case "/late":
            clock: Any = reactor
            clock.callLater(LATENESS, caller.send, page())
        case "/hangs":
            caller.send(HALF)
        case "/dies":
            caller.send(HALF).close()
        case _:
            caller.send(page())


@define
class WallClock:
    """The stand-in's, which may go ahead of ours: alerts count minutes."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@asynccontextmanager
async def librato_at(clock: Callable[[], float] = time.time) -> AsyncIterator[tuple[Any, str]]:
    """The stand-in for Librato, and the base of its API."""
    fake = FakeLibrato(wall_clock=clock)
    network: Any = reactor
    port = network.listenTCP(0, Site(fake.app.resource()), interface=HOST)
    try:
        yield fake, f"http://{HOST}:{port.getHost().port}/v1"
    finally:
        await maybeDeferred(port.stopListening)


def check(name: str, url: str, *, more: str = "") -> str:
    """A check in the settings' file."""
    return (
        f'[[check]]\nname = "{name}"\nurl = "{url}"\ncritical = true\n'
        f"interval = 0.25\ntimeout = {TIMEOUT}\nslow = {SLOW}\n{more}\n"
    )


async def command(config: Path, *arguments: str) -> CompletedProcess[str]:
    """What a command says that has the daemon's settings."""
    settings = ("--config", str(config))
    return await in_thread(run, [*TOOL, *arguments, *settings], directory=config.parent, more=LOGIN)


async def started(daemons: Daemons, config: Path, **options: Any) -> Daemon:
    return await in_thread(daemons.start, "--config", str(config), more=LOGIN, **options)


async def test_alerts(daemons: Daemons, tmp_path: Path) -> None:
    """Each kind of trouble is measured as what it is, and raises its alert and no other."""
    clock = WallClock()
    async with serving(behave) as web, librato_at(clock) as (librato, api):
        urls = {name: web.url(f"/{name}") for name in ("well", "late", "hangs", "dies")}
        urls["refused"] = f"http://{HOST}:{closed_port()}/"
        config = tmp_path / "settings.toml"
        checks = "".join(check(name, url) for name, url in urls.items())
        config.write_text(f'[librato]\nurl = "{api}"\nperiod = 1\n{checks}')

        applied = await command(config, "alerts", "apply", "--yes")
        assert (applied.returncode, applied.stderr) == (0, "")
        assert len(librato.alerts) == 3 * len(urls)

        daemon = await started(daemons, config)
        await eventually(
            lambda: all(len(measured(librato, "up", name)) >= 3 for name in urls),
            what="measurements",
            within=20.0,
        )
        assert {name: set(measured(librato, "up", name)) for name in urls} == {
            "well": {1.0},
            "late": {1.0},
            "hangs": {0.0},
            "dies": {0.0},
            "refused": {0.0},
        }
        assert all(each < SLOW for each in measured(librato, "time", "well"))
        assert all(LATENESS <= each < TIMEOUT for each in measured(librato, "time", "late"))
        assert all(TIMEOUT <= each < TIMEOUT + LATE for each in measured(librato, "time", "hangs"))
        assert measured(librato, "time", "dies") == measured(librato, "time", "refused") == []

        clock.ahead = 58.0  # a minute since they went wrong, and less since they were last asked
        slow, down = {"late.slow", "hangs.slow"}, {"hangs.down", "dies.down", "refused.down"}
        assert fired(librato) == slow | down

        await in_thread(daemon.kill)
        clock.ahead = 302.0
        absent = {f"{name}.absent" for name in urls}
        assert fired(librato) == absent | slow  # which nobody has taken back


def measured(librato: FakeLibrato, what: str, name: str) -> list[float]:
    return librato.values(f"boomerang.check.{what}", f"production.{name}")


def fired(librato: FakeLibrato) -> set[str]:
    """The alerts that are raised now, their names without what all have."""
    return {name.removeprefix("boomerang.production.") for name in librato.firing()}


async def test_outage(daemons: Daemons, tmp_path: Path) -> None:
    """An outage is told once when it begins, and once when it ends, over a restart too."""
    broken = True

    def web_process(caller: Caller, asked: Asked) -> None:
        if broken:
            caller.reset()
        else:
            caller.send(page())

    listener, clock = Listener(), WallClock()
    async with (
        serving(web_process) as web,
        serving(behave) as outside,
        listening(listener) as people,
        librato_at(clock) as (librato, api),
    ):
        config = tmp_path / "settings.toml"
        config.write_text(
            f'[librato]\nurl = "{api}"\nperiod = 1\n[notify]\nurls = ["json://{people}/ops"]\n'
            f'[heartbeat]\nurl = "{outside.url("/alive")}"\nperiod = 1\n'
            + check("web", web.url(), more="failures = 2")
        )
        store = f"sqlite:{tmp_path}/boomerang.db"

        first = await started(daemons, config, store=store)
        await eventually(lambda: len(outages(librato)) == 1, what="the outage")
        await eventually(lambda: len(listener.heard) == 1, what="the message")
        await eventually(lambda: len(outside.requests) >= 1, what="the sign of life")
        first.signal(signal.SIGTERM)
        assert await in_thread(first.exit_status) == 0

        second = await started(daemons, config, store=store)
        asked = len(web.requests)
        await eventually(lambda: len(web.requests) >= asked + 4, what="runs after the restart")
        assert [each["end_time"] for each in outages(librato)] == [None]
        assert len(listener.heard) == 1

        broken = False
        await eventually(lambda: len(listener.heard) == 2, what="the second message")
        await eventually(lambda: outages(librato)[0]["end_time"] is not None, what="the end")
        second.signal(signal.SIGTERM)
        assert await in_thread(second.exit_status) == 0

    (outage,) = outages(librato)
    assert outage["source"] == "production.web"
    assert outage["title"] == "web is down"
    assert outage["start_time"] <= outage["end_time"]
    assert [each["title"] for each in librato.streams["boomerang-starts"].values()] == [
        "boomerang started"
    ] * 2
    assert [title for _, title, _ in listener.heard] == [
        "[production] web is down",
        "[production] web is up again",
    ]
    assert listener.kinds == ["failure", "success"]
    assert {each.path for each in outside.requests} == {"/alive"}


def outages(librato: FakeLibrato) -> list[dict[str, Any]]:
    """The annotations of outages."""
    return list(librato.streams.get("boomerang-outages", {}).values())


async def test_elsewhere(daemons: Daemons, tmp_path: Path) -> None:
    """OpenTelemetry, Prometheus and the command line tell the same; a check can be paused."""
    collector = Collector()
    port = collector.listen(reactor)
    async with serving(behave) as web:
        config = tmp_path / "settings.toml"
        config.write_text(
            f'store = "sqlite:{tmp_path}/boomerang.db"\n'
            f'[otlp]\nendpoint = "http://{HOST}:{port.getHost().port}"\nperiod = 1\n'
            + check("web", web.url("/late"))
            + check("cloud", f"http://{HOST}:{closed_port()}/", more="failures = 1")
        )
        store = f"sqlite:{tmp_path}/boomerang.db"
        daemon = await started(daemons, config, store=store)
        await eventually(lambda: len(collector.reports) >= 2, what="reports")
        report = collector.reports[-1]
        assert report.resource["service.name"] == "boomerang"
        assert report.value("boomerang.check.up", check="web") == 1
        assert report.value("boomerang.check.up", check="cloud") == 0
        assert report.value("boomerang.check.failures", check="cloud", reason="connect") >= 2
        assert report.value("boomerang.check.duration", check="web", phase="total") >= LATENESS

        paused = await command(config, "checks", "pause", "web")
        assert (paused.returncode, paused.stderr) == (0, "")
        is_paused = 'boomerang_check_state{check="web",state="paused"} 1.0'
        await in_thread(wait_for, lambda: is_paused in get(daemon.port, "/metrics").body)
        metrics = (await in_thread(get, daemon.port, "/metrics")).body
        assert 'boomerang_check_state{check="cloud",state="down"} 1.0' in metrics
        assert 'boomerang_check_up{check="web"} 1.0' in metrics

        listed = await command(config, "checks")
        assert (listed.returncode, listed.stderr) == (0, "")
        _, web_row, cloud_row = (line.split() for line in listed.stdout.splitlines())
        assert (web_row[:2], cloud_row[:2]) == (["web", "paused"], ["cloud", "down"])
        assert "connection refused" in listed.stdout
    await port.stopListening()
