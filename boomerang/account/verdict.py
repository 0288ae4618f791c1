"""How each URL of a resource stands: what is configured, what should be, the verdict. Pure.

Rules of precedence: https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource
(an application or trunk wins over the URLs of a number),
https://www.twilio.com/docs/messaging/api/service-resource (``use_inbound_webhook_on_number``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final

from attrs import field, frozen

from boomerang.account.connections import ConnectionRule, budget_of
from boomerang.account.resources import LAYOUTS, SERVICE, Callback, Handler, Resource
from boomerang.account.wanted import Wanted
from boomerang.settings.account import AccountRule
from boomerang.urls import without_fragment

_WINNERS: Final = {"trunk_sid": "trunk", SERVICE: "messaging service"}


class Verdict(Enum):
    """How a URL stands; the value stands in listings and metrics."""

    COVERED = "covered"
    MISSING = "missing"
    ELSEWHERE = "points elsewhere"
    METHOD = "wrong method"
    BUDGET = "unreachable time budget"
    NOT_RELAYED = "callback not relayed"
    NO_PRIMARY = "fallback without primary"
    OVERRIDDEN = "overridden"
    LEFT = "left alone"
    UNUSED = "not used"


GAPS: Final = (
    Verdict.MISSING,
    Verdict.ELSEWHERE,
    Verdict.METHOD,
    Verdict.BUDGET,
    Verdict.NOT_RELAYED,
)
"""What costs calls, messages or callbacks. A fallback without a primary URL costs none: where
nothing is asked, nothing fails; and what is overridden is judged where Twilio looks instead."""


@frozen
class Finding:
    """One URL of a resource. ``detail`` says in a few words what the verdict leaves open.

    ``fix`` are the fields that close a gap, with what they should be; without any, it cannot be
    closed from here.
    """

    resource: Resource
    url_field: str
    product: str
    verdict: Verdict
    configured: str = field(repr=False)
    expected: str | None = field(default=None, repr=False)
    detail: str = ""
    fix: Mapping[str, str] = field(factory=dict, repr=False)

    @property
    def gap(self) -> bool:
        """Whether something would be lost when the app fails."""
        return self.verdict in GAPS


def judge(resource: Resource, wanted: Wanted, rules: Sequence[ConnectionRule]) -> Iterator[Finding]:
    """A finding for each fallback and each status callback that the resource can have.

    ``rules`` are those of the Webhooks API, of all accounts.
    """
    layout = LAYOUTS[resource.kind]
    own_rules = [rule for rule in rules if rule.account == resource.account]
    for handler in layout.handlers:
        yield _fallback(resource, handler, wanted, own_rules)
    for callback in layout.callbacks:
        yield _callback(resource, callback, wanted)


def _fallback(
    resource: Resource, handler: Handler, wanted: Wanted, rules: Sequence[ConnectionRule]
) -> Finding:
    rule = wanted.rule(resource, handler.product)
    configured = resource.fields[handler.fallback]

    def found(verdict: Verdict, detail: str = "", expected: str | None = None) -> Finding:
        fix = {}
        if verdict in GAPS and expected is not None:
            should_be = {handler.fallback: expected, handler.method: rule.method}
            fix = {
                name: value for name, value in should_be.items() if resource.fields[name] != value
            }
        return Finding(
            resource=resource,
            url_field=handler.fallback,
            product=handler.product,
            verdict=verdict,
            configured=configured,
            expected=expected,
            detail=detail,
            fix=fix,
        )

    if rule.leave:
        return found(Verdict.LEFT, "by a rule")
    elsewhere = _overriding(resource, handler.overridden_by)
    if elsewhere is not None:
        return found(Verdict.OVERRIDDEN, elsewhere)
    if not resource.fields[handler.primary]:
        return found(Verdict.NO_PRIMARY if configured else Verdict.UNUSED)
    expected = wanted.fallback(rule, configured)
    if not configured:
        return found(Verdict.MISSING, expected=expected)
    if expected != configured:
        other = "its options are not those of the rule"
        return found(Verdict.ELSEWHERE, wanted.refusal(configured) or other, expected)
    return found(*_reached(resource, handler, wanted, rule, rules))


def _reached(
    resource: Resource,
    handler: Handler,
    wanted: Wanted,
    rule: AccountRule,
    rules: Sequence[ConnectionRule],
) -> tuple[Verdict, str, str | None]:
    """The verdict on a fallback that points where it should: whether it is asked as it should."""
    configured = resource.fields[handler.fallback]
    budget = budget_of(configured, rules)
    if budget.seconds < wanted.seconds:
        detail = f"{budget.source} leaves {budget.seconds:g} s of {wanted.seconds:g} s"
        return Verdict.BUDGET, detail, without_fragment(configured) if budget.fragment else None
    method = resource.fields[handler.method]
    if method.upper() != rule.method:
        return Verdict.METHOD, f"{method or 'none'}, not {rule.method}", configured
    return Verdict.COVERED, "", configured


def _callback(resource: Resource, callback: Callback, wanted: Wanted) -> Finding:
    rule = wanted.rule(resource, callback.product)
    configured = resource.fields[callback.url]
    verdict, detail, expected = _relayed(resource, callback, wanted, rule)
    return Finding(
        resource=resource,
        url_field=callback.url,
        product=callback.product,
        verdict=verdict,
        configured=configured,
        expected=expected,
        detail=detail,
        fix={callback.url: expected} if expected is not None and expected != configured else {},
    )


def _relayed(
    resource: Resource, callback: Callback, wanted: Wanted, rule: AccountRule
) -> tuple[Verdict, str, str | None]:
    configured = resource.fields[callback.url]
    elsewhere = _overriding(resource, callback.overridden_by)
    if not configured:
        return Verdict.UNUSED, "", None
    if rule.leave:
        return Verdict.LEFT, "by a rule", None
    if elsewhere is not None:
        return Verdict.OVERRIDDEN, elsewhere, None
    if wanted.relayed(configured) is not None:
        return Verdict.COVERED, "", configured
    if not rule.relay:
        return Verdict.LEFT, "no rule asks for the relay", None
    unfit = wanted.unfit_for_relay(configured)
    if unfit is not None:
        return Verdict.NOT_RELAYED, f"cannot be: {unfit}", None
    return Verdict.NOT_RELAYED, "", wanted.relay(configured)


def _overriding(resource: Resource, names: Sequence[str]) -> str | None:
    """What wins over the resource's own URLs, in words."""
    for name in names:
        value = resource.fields[name]
        if value == "true":
            return "by the number that a message came to"
        if value:
            return f"by the {_WINNERS.get(name, 'application')} {value}"
    return None
