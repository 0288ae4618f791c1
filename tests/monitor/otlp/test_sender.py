"""Reports on their way: the SDK's exporter, a stand-in for the collector, and a real receiver."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.web.server import Site

from boomerang.monitor.otlp.sender import Sender, metrics_url
from boomerang.monitor.otlp.service import NotTaken
from boomerang.threads import daemon_threads
from tests.fakes.otlp import Collector
from tests.fakes.rotel import Rotel
from tests.logging_heard import logging_heard
from tests.monitor.otlp.noting import busy_totals
from tests.servers import HOST, eventually, free_port

RESOURCE = {"service.name": "boomerang", "deployment.environment.name": "staging"}

in_thread = daemon_threads(reactor, name="test", most=1)


@asynccontextmanager
async def listening(collector: Collector) -> AsyncIterator[str]:
    """Where the stand-in listens."""
    port = collector.listen(reactor)
    try:
        yield f"http://{HOST}:{port.getHost().port}"
    finally:
        await port.stopListening()


def sender(endpoint: str, *, timeout: float = 5.0) -> Sender:
    headers = {"X-Api-Key": "hush"}
    return Sender(endpoint, headers=headers, resource=RESOURCE, version="1.2.3", timeout=timeout)


def send(endpoint: str, *, timeout: float = 5.0) -> Deferred[None]:
    """Send a report as the service does: in another thread."""
    sending = sender(endpoint, timeout=timeout)
    return in_thread(partial(sending, busy_totals().snapshot())).addBoth(closed, sending)


def closed(result: Any, sending: Sender) -> Any:
    sending.close()
    return result


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://localhost:4318", "http://localhost:4318/v1/metrics"),
        ("http://localhost:4318/", "http://localhost:4318/v1/metrics"),
        ("https://otlp.example.com/otlp", "https://otlp.example.com/otlp/v1/metrics"),
        ("https://otlp.example.com/otlp/", "https://otlp.example.com/otlp/v1/metrics"),
        ("http://localhost:4318/v1/metrics", "http://localhost:4318/v1/metrics"),
        ("http://localhost:4318/v1/metrics/", "http://localhost:4318/v1/metrics"),
        ("http://localhost/a/v1/metrics?k=v", "http://localhost/a/v1/metrics?k=v"),
        ("http://localhost?k=v#there", "http://localhost/v1/metrics?k=v"),
    ],
)
def test_url(endpoint: str, url: str) -> None:
    """The path for metrics is added where it is not there yet."""
    assert metrics_url(endpoint) == url


async def test_report() -> None:
    """A report arrives whole: values, resource, headers, packed."""
    collector = Collector()
    async with listening(collector) as endpoint:
        await send(endpoint)
    (report,) = collector.reports
    assert report.resource == RESOURCE
    assert report.value("boomerang.check.up", check="web") == 1
    assert report.headers["x-api-key"] == "hush"
    assert report.headers["content-encoding"] == "gzip"
    assert report.headers["content-type"] == "application/x-protobuf"


async def test_through_a_real_receiver(tmp_path: Path) -> None:
    """A real receiver takes a report, and passes on all of it as it was."""
    collector = Collector()
    async with listening(collector) as onward:
        await send(onward)
        with Rotel(tmp_path, onward=onward) as real:
            await send(real.url)
            await eventually(lambda: len(collector.reports) > 1, what="the report comes through")
    direct, passed_on = collector.reports
    assert passed_on.resource == direct.resource
    assert passed_on.series == direct.series
    assert passed_on.metrics == direct.metrics


async def test_refused_by_a_real_receiver(tmp_path: Path) -> None:
    """What a real receiver says of a wrong path is the reason of the failure."""
    with Rotel(tmp_path) as real, pytest.raises(NotTaken, match=r"^HTTP 404$"):
        await send(f"{real.url}/elsewhere")


@pytest.mark.parametrize("status", [301, 307, 400, 401, 413, 429, 500, 503])
async def test_refused(status: int) -> None:
    """Any other answer than success is a failure; a redirect is not followed, and is one."""
    collector = Collector(status=status)
    async with listening(collector) as endpoint:
        with pytest.raises(NotTaken, match=f"^HTTP {status}$"):
            await send(endpoint, timeout=0.5)
    assert collector.reports == []


async def test_partly_refused() -> None:
    """A collector that takes the report and not all of its values is said to."""
    async with listening(Collector(rejected=2)) as endpoint:
        with pytest.raises(NotTaken, match=r"^2 values were rejected$"):
            await send(endpoint)


async def test_an_answer_that_makes_no_sense() -> None:
    """What is in the answer does not matter when the status is good."""
    app = Klein()
    app.route("/", branch=True)(lambda request: b"\xffgood")
    site: Any = Site(app.resource())
    port: Any = reactor.listenTCP(0, site, interface=HOST)
    await send(f"http://{HOST}:{port.getHost().port}")
    await port.stopListening()


async def test_nobody_there() -> None:
    """A dead endpoint is a failure that names no address."""
    with pytest.raises(NotTaken, match=r"^ConnectionError$"):
        await send(f"http://{HOST}:{free_port()}/?token=hush", timeout=0.1)


async def test_hanging() -> None:
    """An endpoint that never answers is given up, and the reactor goes on meanwhile."""
    async with listening(Collector(hanging=True)) as endpoint:
        with pytest.raises(NotTaken, match=r"^ReadTimeout$"):
            await send(endpoint, timeout=0.2)


async def test_after_trouble() -> None:
    """The next report arrives as if nothing had been."""
    collector = Collector(status=400)
    async with listening(collector) as endpoint:
        sending = sender(endpoint)
        with pytest.raises(NotTaken):
            await in_thread(partial(sending, busy_totals().snapshot()))
        collector.status = 200
        await in_thread(partial(sending, busy_totals().snapshot()))
        sending.close()
    assert len(collector.reports) == 1


async def test_the_sdks_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the SDK would read from the environment changes nothing, and stays there for others."""
    variables = {
        "OTEL_SDK_DISABLED": "true",
        "OTEL_SERVICE_NAME": "other",
        "OTEL_RESOURCE_ATTRIBUTES": "color=red",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://203.0.113.1:4318",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://203.0.113.1:4318/v1/metrics",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-surprise=1",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "x-surprise=1",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.000001",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere.pem",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "DELTA",
        "OTEL_METRICS_EXEMPLAR_FILTER": "nonsense",
        "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER": "nonsense",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    collector = Collector()
    async with listening(collector) as endpoint:
        await send(endpoint)
    (report,) = collector.reports
    assert report.resource == RESOURCE
    assert "x-surprise" not in report.headers
    assert report.headers["content-encoding"] == "gzip"
    assert report.value("boomerang.check.up", check="web") == 1
    assert {name: os.environ.get(name) for name in variables} == variables


async def test_quiet() -> None:
    """The SDK's own words about its trouble, URLs included, reach no log that somebody set up."""
    with logging_heard() as messages, pytest.raises(NotTaken):
        await send(f"http://{HOST}:{free_port()}", timeout=0.1)
    assert messages == []
