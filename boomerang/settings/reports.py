"""Where the monitor reports: Librato, OTLP, notifications, the heartbeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from boomerang.settings.declarations import REQUIRED, entries, setting
from boomerang.settings.kinds import choice, http_url, seconds, text
from boomerang.settings.monitor_kinds import apprise_urls, base_url, http_headers, string_table

LIBRATO_URL: Final = "https://metrics-api.librato.com/v1"

SERVICE_SETTINGS: Final[Mapping[str, Sequence[str]]] = {
    "mail": ("addresses",),
    "pagerduty": ("service_key", "event_type", "description"),
    "slack": ("url",),
    "webhook": ("url",),
    "opsgenie": ("customer_key",),
    "victorops": ("api_key",),
    "sns": ("topic_arn", "access_key_id", "secret_access_key"),
    "zapier": ("url",),
}
"""What Librato asks of each type of service (the validators of librato/librato-services)."""


@frozen
class LibratoService:
    """``[[librato.service]]``: where Librato sends its alerts."""

    type: str = setting(choice(*SERVICE_SETTINGS), REQUIRED, "mail, slack, pagerduty, webhook ...")
    title: str = setting(text(), REQUIRED, "by which it is found again")
    settings: Mapping[str, str] = setting(
        string_table(), REQUIRED, "what its type asks for (mail: addresses)", secret=True
    )


def missing_settings(service: LibratoService) -> Iterator[str]:
    """What Librato would miss in a service."""
    for name in SERVICE_SETTINGS[service.type]:
        if not service.settings.get(name):
            yield f"settings.{name} is missing"


def service_problems(services: Sequence[LibratoService]) -> Iterator[str]:
    """Services that could not be told apart."""
    seen = set()
    for service in services:
        if (service.type, service.title) in seen:
            yield f'librato.service "{service.title}" is there more than once as {service.type}'
        seen.add((service.type, service.title))


@frozen
class LibratoSettings:
    """``[librato]``: measurements, annotations and alerts at Librato or AppOptics."""

    url: str = setting(base_url(login=False), LIBRATO_URL, "where the API is", may_hold_secret=True)
    user: str | None = setting(text(), None, "e-mail address of the account", env=("LIBRATO_USER",))
    token: str | None = setting(
        text(), None, "API token; without one nothing is sent", env=("LIBRATO_TOKEN",), secret=True
    )
    period: float = setting(seconds(1, 3600), 60.0, "from one report to the next")
    dialect: str = setting(
        choice("source", "tags"), "source", "how measurements are told apart; AppOptics has tags"
    )
    service: tuple[LibratoService, ...] = entries(
        LibratoService, service_problems, problems_of_one=missing_settings
    )


@frozen
class OtlpSettings:
    """``[otlp]``: metrics to an OpenTelemetry collector, over HTTP."""

    endpoint: str | None = setting(
        base_url(), None, "like http://localhost:4318; none: nothing is sent", may_hold_secret=True
    )
    headers: Mapping[str, str] = setting(http_headers(), {}, "sent with each report", secret=True)
    period: float = setting(seconds(1, 3600), 60.0, "from one report to the next")


@frozen
class NotifySettings:
    """``[notify]``: messages to people, through Apprise."""

    urls: tuple[str, ...] = setting(
        apprise_urls(), (), "Apprise URLs that hear of outages and recoveries", secret=True
    )


@frozen
class HeartbeatSettings:
    """``[heartbeat]``: a sign of life to something outside (Healthchecks and its like)."""

    url: str | None = setting(http_url(), None, "asked after each round of checks", secret=True)
    period: float = setting(seconds(1, 86400), 60.0, "from one sign of life to the next")
