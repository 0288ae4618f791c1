"""From the settings to the service that reports to OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from boomerang.monitor.libraries import MissingExtra
from boomerang.monitor.otlp.service import OtlpService
from boomerang.monitor.otlp.totals import Totals
from boomerang.settings.reports import OtlpSettings
from boomerang.threads import daemon_threads

_LONGEST_SEND: Final = 10.0
"""Seconds that one report may take, the exporter's own repetitions included."""


def make_otlp(
    settings: OtlpSettings,
    *,
    environment: str,
    version: str,
    instance: str,
    held: Callable[[], int],
    reactor: Any,
    wall_clock: Callable[[], float],
) -> OtlpService | None:
    """The service that the settings ask for, if they do. Raises `MissingExtra`.

    ``instance`` tells this process from others of the same environment: their counters would
    contradict each other under one name.
    """
    if settings.endpoint is None:
        return None
    try:
        from boomerang.monitor.otlp.sender import Sender
    except ImportError as error:
        raise MissingExtra("otlp") from error
    send = Sender(
        settings.endpoint,
        headers=settings.headers,
        resource={
            "service.name": "boomerang",
            "service.version": version,
            "service.instance.id": instance,
            "deployment.environment.name": environment,
        },
        version=version,
        timeout=min(_LONGEST_SEND, settings.period),
    )
    return OtlpService(
        Totals(held=held, wall_clock=wall_clock),
        send=send,
        run=daemon_threads(reactor, name="otlp", most=1),
        clock=reactor,
        period=settings.period,
        collector=urlsplit(settings.endpoint).netloc.rpartition("@")[2],
    )
