"""How long Twilio waits for an answer of a URL: its fragment, or a rule of the Webhooks API. Pure.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides and
https://www.twilio.com/docs/usage/webhooks/webhook-configuration
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from boomerang.retry.hold import LONGEST
from boomerang.settings import Settings
from boomerang.standin.failure import Failure
from boomerang.standin.overrides import parse_overrides
from boomerang.urls import without_fragment

USUAL: Final = 15.0
"""Seconds that Twilio waits at most, and if nothing is said."""

MARGIN: Final = 2.0
"""Seconds for the connection and the answer's way, beside the time that a request is held."""


@frozen
class ConnectionRule:
    """A rule of the Webhooks API, with the least that the settings it applies leave, in seconds.

    Either ``exact`` is the URL that it is about, or ``prefix`` how the URLs begin.
    """

    id: str
    account: str
    exact: str | None
    prefix: str | None
    seconds: float

    def fits(self, url: str) -> bool:
        """Whether the rule is about a URL."""
        bare = without_fragment(url)
        return bare == self.exact or (self.prefix is not None and bare.startswith(self.prefix))


@frozen
class Budget:
    """How long Twilio waits, in seconds, and what says so if it is not the usual."""

    seconds: float
    source: str = ""
    fragment: bool = False


def budget_of(url: str, rules: Sequence[ConnectionRule]) -> Budget:
    """The time for an answer of this URL. A rule wins over the fragment, an exact one over others.

    ``rules`` are those of the account that has the URL.
    """
    fitting = [rule for rule in rules if rule.fits(url)]
    if fitting:
        rule = max(fitting, key=lambda each: (each.exact is not None, len(each.prefix or "")))
        return Budget(rule.seconds, f"the Webhooks rule {rule.id}")
    overrides = parse_overrides(url)
    if isinstance(overrides, Failure):
        return Budget(0.0, "a fragment that Twilio refuses", fragment=True)
    seconds = min(each for each in (overrides.read, overrides.total, USUAL) if each is not None)
    return Budget(seconds, "its fragment", fragment=True)


def seconds_needed(settings: Settings) -> float:
    """How long Twilio has to wait for ``/retry``, whatever endpoint a request is for."""
    held = [settings.retry.wait]
    limits = [settings.retry.hold_limit]
    for endpoint in settings.endpoint:
        held.append(settings.retry.wait if endpoint.wait is None else endpoint.wait)
        limits.append(0.0 if endpoint.hold_limit is None else endpoint.hold_limit)
    longest = max(*held, min(LONGEST, max(limits)))
    return min(longest + MARGIN, USUAL)
