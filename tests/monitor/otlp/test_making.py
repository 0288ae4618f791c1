"""From the settings to reports that arrive."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

import pytest
from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from boomerang.monitor.libraries import MissingExtra
from boomerang.monitor.otlp.making import make_otlp
from boomerang.monitor.otlp.service import OtlpService
from boomerang.settings.reports import OtlpSettings
from tests.fakes.otlp import Collector
from tests.servers import HOST, free_port

ROOT: Final = Path(__file__).parents[3]


def make(settings: OtlpSettings) -> OtlpService | None:
    return make_otlp(
        settings,
        environment="staging",
        version="1.2.3",
        instance="host:4711",
        held=lambda: 7,
        reactor=reactor,
        wall_clock=time.time,
    )


def test_off() -> None:
    """Without an endpoint there is no service."""
    assert make(OtlpSettings()) is None


async def test_on() -> None:
    """With one, what is counted arrives there, and who it is from."""
    collector = Collector()
    port = collector.listen(reactor)
    endpoint = f"http://user:hush@{HOST}:{port.getHost().port}"
    service = make(OtlpSettings(endpoint=endpoint, headers={"x-key": "hush"}, period=3600.0))
    assert service is not None
    service.startService()
    await service.stopService()
    await port.stopListening()
    (report,) = collector.reports
    assert report.value("boomerang.held") == 7
    assert report.headers["x-key"] == "hush"
    assert report.resource == {
        "service.name": "boomerang",
        "service.version": "1.2.3",
        "service.instance.id": "host:4711",
        "deployment.environment.name": "staging",
    }


PROCESS: Final = """
import sys, time
from twisted.internet import reactor
from boomerang.monitor.otlp.making import make_otlp
from boomerang.settings.reports import OtlpSettings

service = make_otlp(
    OtlpSettings(endpoint=sys.argv[1], period=float(sys.argv[2])),
    environment="test", version="1", instance="1", held=int, reactor=reactor, wall_clock=time.time,
)
began = time.monotonic()
service.startService()
service.stopService().addBoth(lambda _: reactor.stop())
assert time.monotonic() - began < 0.1
reactor.run()
"""


async def end_of_a_process(endpoint: str, *, period: float) -> float:
    """How long a process takes that only starts and stops the service, and writes nothing."""
    began = time.monotonic()
    done = await getProcessOutputAndValue(
        sys.executable, ["-c", PROCESS, endpoint, str(period)], path=str(ROOT), env=os.environ
    )
    assert done == (b"", b"", 0)
    return time.monotonic() - began


async def test_hanging() -> None:
    """A collector that never answers delays the end of the process by two seconds."""
    port = Collector(hanging=True).listen(reactor)
    endpoint = f"http://{HOST}:{port.getHost().port}"
    assert 2.0 <= await end_of_a_process(endpoint, period=60.0) < 6.0
    await port.stopListening()


async def test_dead() -> None:
    """A collector that is not there delays the end of the process by no more."""
    assert await end_of_a_process(f"http://{HOST}:{free_port()}", period=1.0) < 6.0


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the start is stopped, with the words that help."""
    for name in [each for each in sys.modules if each.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "boomerang.monitor.otlp.sender", raising=False)
    monkeypatch.delitem(sys.modules, "boomerang.monitor.otlp.points", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtra) as caught:
        make(OtlpSettings(endpoint="http://localhost"))
    assert str(caught.value) == "[otlp] needs: pip install boomerang[otlp]"
