"""The SDK's exporter, as it may be used beside a reactor: quiet, and without surprises."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import Resource

from boomerang.monitor.libraries import silence
from boomerang.monitor.otlp.points import metrics_data
from boomerang.monitor.otlp.service import NotTaken
from boomerang.monitor.otlp.totals import Snapshot

_PATH: Final = "/v1/metrics"


class Sender:
    """Sends snapshots to a collector. `__call__` blocks for ``timeout`` seconds, rarely longer."""

    def __init__(
        self,
        endpoint: str,
        *,
        headers: Mapping[str, str],
        resource: Mapping[str, str],
        version: str,
        timeout: float,
    ) -> None:
        silence("opentelemetry", "urllib3")
        self._session = _Session()
        with _without_the_sdks_variables():
            self._exporter = OTLPMetricExporter(
                endpoint=metrics_url(endpoint),
                headers=dict(headers),
                timeout=timeout,
                compression=Compression.Gzip,
                session=self._session,
            )
        # Not `Resource.create`, which would ask the environment again.
        self._resource = Resource(resource)
        self._version = version

    def __call__(self, snapshot: Snapshot) -> None:
        """Send a snapshot. Raises `NotTaken`."""
        self._session.outcome = "cannot be encoded"
        report = metrics_data(snapshot, resource=self._resource, version=self._version)
        try:
            result = self._exporter.export(report)
        except requests.RequestException:  # which releases of the exporter before 1.40 let through
            result = MetricExportResult.FAILURE
        outcome = self._session.outcome
        # The exporter calls a redirect a success, though it does not follow it.
        if result is not MetricExportResult.SUCCESS or not outcome.startswith("HTTP 2"):
            raise NotTaken(outcome)
        if self._session.rejected:
            raise NotTaken(f"{self._session.rejected} values were rejected")

    def close(self) -> None:
        """End what is under way, as far as it can be ended."""
        self._exporter.shutdown()


class _Session(requests.Session):
    """Remembers how the last request ended, which the exporter tells its own log alone."""

    outcome = ""
    rejected = 0

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            self.outcome = type(error).__name__  # its message has the URL
            raise
        self.outcome = f"HTTP {response.status_code}"
        self.rejected = _rejected(response.content)
        return response


def _rejected(body: bytes) -> int:
    """How many values the collector did not like, though it took the report."""
    try:
        answer = ExportMetricsServiceResponse.FromString(body)
    except DecodeError:
        return 0
    return answer.partial_success.rejected_data_points


def metrics_url(endpoint: str) -> str:
    """The address for metrics at an endpoint, as ``OTEL_EXPORTER_OTLP_ENDPOINT`` means it.

    An address that has the path for metrics already is left as it is
    (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
    """
    parts = urlsplit(endpoint)
    path = parts.path.rstrip("/")
    if not path.endswith(_PATH):
        path += _PATH
    return urlunsplit(parts._replace(path=path, fragment=""))


@contextmanager
def _without_the_sdks_variables() -> Iterator[None]:
    """Hide the SDK's environment variables from it.

    It would add headers, certificates and a credential provider of theirs to what our settings
    say, and has no argument against that.
    """
    hidden = {name: os.environ.pop(name) for name in tuple(os.environ) if name.startswith("OTEL_")}
    try:
        yield
    finally:
        os.environ.update(hidden)
