"""How the stand-in for Librato reads services, annotations and charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.fakes.librato_answers import wrong
from tests.fakes.librato_points import NAME

SERVICE_SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "mail": ("addresses",),
    "pagerduty": ("service_key", "event_type", "description"),
    "slack": ("url",),
    "webhook": ("url",),
    "opsgenie": ("customer_key",),
    "victorops": ("api_key",),
    "sns": ("topic_arn", "access_key_id", "secret_access_key"),
    "zapier": ("url",),
    "bigpanda": ("app_key", "token"),
}
"""What the validators of librato/librato-services ask for."""

_EVENT: Final = ("title", "source", "description", "start_time", "end_time", "links")
_CHART: Final = frozenset(
    "name type streams min max label related_space use_log_yaxis use_last_value thresholds".split()
)
_GROUPS: Final = ("average", "sum", "min", "max", "breakout")
_SUMMARIES: Final = ("max", "min", "average", "sum", "count")


def read_service(
    document: Mapping[str, Any], *, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A service, with what its type asks for."""
    service = {**(before or {}), **document}
    kind, title, settings = service.get("type"), service.get("title"), service.get("settings")
    if not isinstance(kind, str) or kind not in SERVICE_SETTINGS:
        raise wrong(type="is not a service")
    if not isinstance(title, str) or not title:
        raise wrong(title="is not present")
    if not isinstance(settings, Mapping):
        raise wrong(settings="is not present")
    for name in SERVICE_SETTINGS[kind]:
        if not isinstance(settings.get(name), str) or not settings[name]:
            raise wrong(**{f"settings__{name}": "is not present"})
    if kind in ("webhook", "slack", "zapier") and "://" not in settings["url"]:
        raise wrong(settings__url="must have a scheme")
    return {"type": kind, "title": title, "settings": dict(settings)}


def read_event(
    document: Mapping[str, Any], *, now: float, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """An annotation."""
    for name in document.keys() - set(_EVENT):
        raise wrong(**{name: "is not a parameter"})
    empty: dict[str, Any] = dict.fromkeys(_EVENT)
    event = {**empty, "start_time": int(now), "links": [], **(before or {}), **document}
    if not isinstance(event["title"], str) or not event["title"]:
        raise wrong(title="is not present")
    source = event["source"]
    if source is not None and (not isinstance(source, str) or not NAME.fullmatch(source)):
        raise wrong(source="is invalid")
    if not isinstance(event["description"], str | None):
        raise wrong(description="is invalid")
    _check_times(event)
    for link in event["links"]:
        if not isinstance(link, Mapping) or not {"rel", "href"} <= link.keys():
            raise wrong(links="must have rel and href")
    return event


def _check_times(event: Mapping[str, Any]) -> None:
    start, end = event["start_time"], event["end_time"]
    for name, instant in (("start_time", start), ("end_time", start if end is None else end)):
        if isinstance(instant, bool) or not isinstance(instant, int) or instant < 0:
            raise wrong(**{name: "is not a number"})
    if end is not None and end < start:
        raise wrong(end_time="is before start_time")


def read_chart(
    document: Mapping[str, Any], *, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A chart; streams that are given replace those that were there."""
    for name in document.keys() - _CHART:
        raise wrong(**{name: "is not a parameter"})
    chart = {"type": "line", "streams": [], "thresholds": None, **(before or {}), **document}
    if not isinstance(chart.get("name"), str) or not chart["name"]:
        raise wrong(name="is not present")
    if chart["type"] not in ("line", "stacked", "bignumber"):
        raise wrong(type="is invalid")
    if chart["type"] == "bignumber" and not chart["thresholds"]:
        raise wrong(thresholds="is not present")
    if not isinstance(chart["streams"], list):
        raise wrong(streams="must be an array")
    for stream in chart["streams"]:
        _check_stream(stream)
    return chart


def _check_stream(stream: Any) -> None:
    if not isinstance(stream, Mapping):
        raise wrong(streams="must be objects")
    metric, tags = stream.get("metric"), stream.get("tags", [])
    if "composite" in stream:
        if metric is not None or stream.get("source") is not None:
            raise wrong(streams__composite="goes without metric and source")
    elif not isinstance(metric, str) or not NAME.fullmatch(metric):
        raise wrong(streams__metric="is invalid")
    if stream.get("group_function", "average") not in _GROUPS:
        raise wrong(streams__group_function="is invalid")
    if stream.get("summary_function", "average") not in _SUMMARIES:
        raise wrong(streams__summary_function="is invalid")
    if not isinstance(tags, list) or (tags and "source" in stream):
        raise wrong(streams__tags="must be an array, and go without a source")
    for tag in tags:
        if not isinstance(tag, Mapping) or not {"name", "values"} <= tag.keys():
            raise wrong(streams__tags="must have name and values")
