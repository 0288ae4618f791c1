"""Checks of kind ``statuspage``: what a provider's own status page says of it.

The document is that of Atlassian Statuspage, ``/api/v2/status.json``, which others serve as well:
``{"page": {...}, "status": {"indicator": "none", "description": "All Systems Operational"}}``
(https://metastatuspage.com/api/v2).
"""

from __future__ import annotations

import json
from typing import Final

from attrs import frozen

from boomerang.monitor.probes.asking import Asking
from boomerang.monitor.result import CheckFailed, Reason
from boomerang.monitor.run import Trace
from boomerang.outbound import Answer
from boomerang.settings.checks import Check

_WELL: Final = ("none", "minor", "maintenance")
"""A provider with data centres all over the world always has something minor, or maintenance,
somewhere: whoever is woken up by that will soon look at nothing."""

_DOWN: Final = ("major", "critical")

_SHOWN: Final = 120
"""Characters of the provider's own words that a failure shows."""


@frozen(eq=False)
class StatusPageProbe:
    """Asks for the status document; major and critical incidents are failures."""

    asking: Asking

    async def __call__(self, check: Check, trace: Trace) -> None:
        answer = await self.asking.ask(
            check, trace, method="GET", defaults={"Accept": "application/json"}
        )
        failure = incident(document(answer))
        if failure is not None:
            raise failure
        self.asking.require_certificate(check, trace)


def document(answer: Answer) -> object:
    """The answer's JSON. Raises `CheckFailed` if it is none."""
    if answer.status != 200:
        raise _not_the_document(f"answered {answer.status}")
    if answer.truncated:
        raise _not_the_document("answered something very long")
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise _not_the_document("answered something that is not JSON") from None


def incident(parsed: object) -> CheckFailed | None:
    """The failure that a status document tells of, or that it is no such document."""
    status = parsed.get("status") if isinstance(parsed, dict) else None
    indicator = status.get("indicator") if isinstance(status, dict) else None
    if indicator in _WELL:
        return None
    if not isinstance(status, dict) or indicator not in _DOWN:
        return _not_the_document("answered JSON without a known status.indicator")
    description = status.get("description")
    words = " ".join(description.split())[:_SHOWN] if isinstance(description, str) else ""
    return CheckFailed(Reason.STATUS, f"{indicator}: {words}" if words else str(indicator))


def _not_the_document(words: str) -> CheckFailed:
    return CheckFailed(Reason.BODY, f"{words} instead of a status document")
