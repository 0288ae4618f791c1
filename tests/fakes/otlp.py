"""A stand-in for an OpenTelemetry collector's OTLP/HTTP receiver, for metrics.

It decodes with the official protobuf, and refuses what the collector's receiver refuses, with the
same status: see its ``otlphttp.go`` and ``confighttp``, and `tests/fakes/test_otlp.py`, which holds
it against a real receiver.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from attrs import define, field, frozen
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from klein import Klein
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from twisted.internet.defer import Deferred
from twisted.web.http import Request
from twisted.web.server import Site

PATH: Final = "/v1/metrics"
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], Any]


class _Refused(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


@frozen
class Report:
    """One request that was taken."""

    headers: Mapping[str, str]
    request: ExportMetricsServiceRequest

    @property
    def resource(self) -> dict[str, str]:
        (only,) = self.request.resource_metrics
        return _attributes(only.resource.attributes)

    @property
    def metrics(self) -> dict[str, Metric]:
        """All metrics, by name."""
        return {metric.name: metric for metric in _metrics(self.request)}

    @property
    def series(self) -> Series:
        """All values, by name and attributes; a histogram's value is its data point."""
        found: dict[tuple[str, frozenset[tuple[str, str]]], Any] = {}
        for metric in _metrics(self.request):
            for point in _points(metric):
                key = (metric.name, frozenset(_attributes(point.attributes).items()))
                assert key not in found, f"{key} is there twice"
                found[key] = _value(point)
        return found

    def value(self, name: str, **attributes: str) -> Any:
        return self.series[name, frozenset(attributes.items())]


@define
class Collector:
    """The stand-in. ``status`` makes it answer with another one; ``hanging``, not at all.

    ``rejected`` is how many points it says it does not like.
    """

    reports: list[Report] = field(factory=list)
    refused: list[int] = field(factory=list)
    status: int = 200
    hanging: bool = False
    rejected: int = 0
    app: Klein = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.app = Klein()
        self.app.route("/", branch=True)(self._answer)

    def listen(self, reactor: Any) -> Any:
        """A port of 127.0.0.1 that answers."""
        return reactor.listenTCP(0, Site(self.app.resource()), interface="127.0.0.1")

    def _answer(self, request: Request) -> bytes | Deferred[bytes]:
        if self.hanging:
            return Deferred()
        request.setHeader("Content-Type", _kind(request))
        try:
            report = self._read(request)
        except _Refused as refused:
            self.refused.append(refused.status)
            request.setResponseCode(refused.status)
            return b""
        if self.status != HTTPStatus.OK:
            request.setResponseCode(self.status)
            return b""
        self.reports.append(report)
        answer = ExportMetricsServiceResponse()
        answer.partial_success.rejected_data_points = self.rejected
        if _kind(request) == JSON:
            return json_format.MessageToJson(answer).encode()
        return answer.SerializeToString()

    def _read(self, request: Request) -> Report:
        if request.path != PATH.encode():
            raise _Refused(HTTPStatus.NOT_FOUND)
        if request.method != b"POST":
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED)
        assert request.content is not None
        body = _unpacked(request.content.read(), _header(request, "Content-Encoding"))
        return Report(
            headers={
                name.decode().lower(): values[-1].decode()
                for name, values in request.requestHeaders.getAllRawHeaders()
            },
            request=_decoded(body, _kind(request)),
        )


def _kind(request: Request) -> str:
    return _header(request, "Content-Type").partition(";")[0].strip().lower()


def _header(request: Request, name: str) -> str:
    return request.getHeader(name) or ""


def _unpacked(body: bytes, encoding: str) -> bytes:
    try:
        match encoding:
            case "":
                return body
            case "gzip":
                return gzip.decompress(body)
            case "deflate":
                return zlib.decompress(body)
    except (OSError, EOFError, zlib.error):
        pass
    raise _Refused(HTTPStatus.BAD_REQUEST)


def _decoded(body: bytes, kind: str) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    try:
        match kind:
            case "application/x-protobuf":
                request.ParseFromString(body)
            case "application/json":
                json_format.Parse(body, request, ignore_unknown_fields=True)
            case _:
                raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError):
        raise _Refused(HTTPStatus.BAD_REQUEST) from None
    return request


def _metrics(request: ExportMetricsServiceRequest) -> Iterator[Metric]:
    for of_resource in request.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            yield from of_scope.metrics


def _points(metric: Metric) -> Any:
    """The data points, of whatever kind; none that is cumulative lacks its start."""
    kind = metric.WhichOneof("data")
    assert kind is not None, f"{metric.name} has no data"
    data: Any = getattr(metric, kind)
    if kind in ("sum", "histogram"):
        cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        assert data.aggregation_temporality == cumulative
        assert all(
            0 < each.start_time_unix_nano <= each.time_unix_nano for each in data.data_points
        )
    return data.data_points


def _value(point: Message) -> Any:
    kind = point.WhichOneof("value") if "value" in point.DESCRIPTOR.oneofs_by_name else None
    return point if kind is None else getattr(point, kind)


def _attributes(pairs: Any) -> dict[str, str]:
    return {each.key: _text(each) for each in pairs}


def _text(pair: KeyValue) -> str:
    assert pair.value.WhichOneof("value") == "string_value", f"{pair.key} is no text"
    return pair.value.string_value
