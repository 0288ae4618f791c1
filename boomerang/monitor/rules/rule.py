"""A rule as a value, and how a series is selected."""

from __future__ import annotations

import re
from typing import Final, Protocol

from attrs import frozen

CRITICAL: Final = "critical"
WARNING: Final = "warning"

_MATCHER: Final = re.compile(
    r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\["\\])*")\s*(?:,|$)'
)


@frozen
class Rule:
    """An alerting rule. ``wait`` is for how many seconds it must hold; ``check`` is a label.

    ``description`` may use Prometheus' templates, as in ``{{ $labels.instance }}``.
    """

    alert: str
    expr: str
    wait: int
    severity: str
    summary: str
    description: str
    runbook_url: str
    check: str | None = None


@frozen
class Group:
    """Rules that are evaluated together; ``environment`` is a label of all of them."""

    name: str
    environment: str
    rules: tuple[Rule, ...]


class Series(Protocol):
    """Names series: the metric, then matchers; ``span`` is of how many seconds back."""

    def __call__(self, metric: str, *matchers: str, span: int | None = None) -> str: ...


def selecting(selector: str) -> Series:
    """A way to name series that adds a selector to all of them, so that none is forgotten."""

    def series(metric: str, *matchers: str, span: int | None = None) -> str:
        matched = ",".join([*matchers, selector] if selector else matchers)
        braces = f"{{{matched}}}" if matched else ""
        return f"{metric}{braces}{'' if span is None else f'[{span}s]'}"

    return series


def matchers(text: str) -> str:
    """Label matchers as PromQL has them: ``job="boomerang",env!="test"``; empty for none.

    Raises `ValueError`, whose message completes "expected ...", for what is none.
    """
    found, at = [], 0
    while at < len(text):
        match = _MATCHER.match(text, at)
        if match is None or not text.isprintable():
            raise ValueError('label matchers like job="boomerang",env!="test"')
        found.append("".join(match.groups()))
        at = match.end()
    return ",".join(found)
