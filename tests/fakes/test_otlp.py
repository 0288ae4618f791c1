"""The stand-in for a collector: what it takes and refuses is what a real receiver does."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import treq
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from twisted.internet import reactor
from twisted.web.http_headers import Headers

from tests.fakes.otlp import JSON, PATH, PROTOBUF, Collector, Report
from tests.fakes.rotel import Rotel


def example() -> ExportMetricsServiceRequest:
    """One gauge with one point."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="boats", unit="1")
    point = metric.gauge.data_points.add(as_double=2.5, time_unix_nano=1)
    point.attributes.add(key="port").value.string_value = "Kiel"
    return request


BODY: Final = example().SerializeToString()
PLAIN: Final = {"Content-Type": PROTOBUF}

REQUESTS: Final = [
    ("POST", PATH, PLAIN, BODY, 200),
    ("POST", PATH, {**PLAIN, "Content-Encoding": "gzip"}, gzip.compress(BODY), 200),
    ("POST", PATH, {"Content-Type": JSON}, json_format.MessageToJson(example()).encode(), 200),
    ("POST", PATH, PLAIN, b"", 200),
    ("POST", "/", PLAIN, BODY, 404),
    ("POST", "/v1/metric", PLAIN, BODY, 404),
    ("POST", "/otlp/v1/metrics", PLAIN, BODY, 404),
    ("GET", PATH, PLAIN, b"", 405),
    ("PUT", PATH, PLAIN, BODY, 405),
    ("POST", PATH, {"Content-Type": "text/plain"}, BODY, 415),
    ("POST", PATH, {}, BODY, 415),
    ("POST", PATH, PLAIN, b"no protobuf", 400),
    ("POST", PATH, PLAIN, BODY[:-1], 400),
    ("POST", PATH, {"Content-Type": JSON}, b"{]", 400),
    ("POST", PATH, {**PLAIN, "Content-Encoding": "gzip"}, BODY, 400),
]


async def ask(
    origin: str, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, bytes]:
    """Status and body of the answer."""
    answer = await treq.request(
        method,
        origin + path,
        headers=Headers({name: [value] for name, value in headers.items()}),
        data=body,
        persistent=False,
    )
    return answer.code, await answer.content()


@asynccontextmanager
async def listening(collector: Collector) -> AsyncIterator[str]:
    """Where the stand-in listens."""
    port = collector.listen(reactor)
    try:
        yield f"http://127.0.0.1:{port.getHost().port}"
    finally:
        await port.stopListening()


@pytest.mark.parametrize(("method", "path", "headers", "body", "status"), REQUESTS)
async def test_answers(
    method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    """Each request gets the collector's status, and only those that are taken are reports."""
    collector = Collector()
    async with listening(collector) as origin:
        code, _ = await ask(origin, method, path, headers, body)
    assert code == status
    assert len(collector.reports) == (1 if status == 200 else 0)
    assert collector.refused == ([] if status == 200 else [status])


async def test_as_a_real_one(tmp_path: Path) -> None:
    """A real receiver takes and refuses the same requests (not always with the same status)."""
    with Rotel(tmp_path) as real:
        for method, path, headers, body, status in REQUESTS:
            code, _ = await ask(real.url, method, path, headers, body)
            assert (code == 200) == (status == 200), (method, path, headers, code)
            assert code == 200 or 400 <= code < 500


async def test_partial_success() -> None:
    """It takes a body that is packed the other way too, and may say that it rejects some of it."""
    collector = Collector(rejected=1)
    headers = {**PLAIN, "Content-Encoding": "deflate"}
    async with listening(collector) as origin:
        code, answer = await ask(origin, "POST", PATH, headers, zlib.compress(BODY))
    taken = ExportMetricsServiceResponse.FromString(answer)
    assert code == 200
    assert taken.partial_success.rejected_data_points == 1
    assert collector.reports[0].value("boats", port="Kiel") == 2.5


async def test_out_of_order() -> None:
    """It can be told to answer with another status; it keeps nothing then."""
    collector = Collector(status=503)
    async with listening(collector) as origin:
        code, _ = await ask(origin, "POST", PATH, PLAIN, BODY)
    assert (code, collector.reports) == (503, [])


def test_a_report_that_makes_no_sense() -> None:
    """Reading one whose metrics contradict the data model fails the test that reads it."""
    request = example()
    metrics = request.resource_metrics[0].scope_metrics[0].metrics
    metrics.append(metrics[0])
    with pytest.raises(AssertionError, match="twice"):
        _ = Report(headers={}, request=request).series
    del metrics[1]
    metrics.add(name="empty")
    with pytest.raises(AssertionError, match="no data"):
        _ = Report(headers={}, request=request).series
    del metrics[1]
    metrics.add(name="trips").sum.data_points.add(as_int=1)
    with pytest.raises(AssertionError):
        _ = Report(headers={}, request=request).series
