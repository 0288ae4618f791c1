"""How the account at Twilio is looked after, as ``[account]`` and ``[[account.rule]]`` say it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import asdict, fields, frozen

from boomerang.settings.declarations import entries, setting
from boomerang.settings.kinds import Kind, boolean, choice, http_url, matching, seconds, text
from boomerang.settings.monitor_kinds import base_url
from boomerang.urls import host_allowed, is_loopback, parse_url

KINDS: Final = (
    "number",
    "application",
    "messaging-service",
    "sip-domain",
    "short-code",
    "byoc-trunk",
)
"""What at Twilio can have a fallback."""

PRODUCTS_OF: Final[Mapping[str, Sequence[str]]] = {
    "number": ("voice", "messaging"),
    "application": ("voice", "messaging"),
    "messaging-service": ("messaging",),
    "sip-domain": ("voice",),
    "short-code": ("messaging",),
    "byoc-trunk": ("voice",),
}

OFTENEST: Final = 300.0
"""Seconds; an account is long to read, and Twilio limits how often it may be."""

_SELECTS: Final = ("kind", "product", "name", "sid", "account")


@frozen
class AccountRule:
    """``[[account.rule]]``: what should be, for the resources that it fits; the first that fits.

    Patterns may have ``*`` and ``?``; their letter case counts.
    """

    kind: str | None = setting(choice(*KINDS), None, "kind of resource")
    product: str | None = setting(choice("voice", "messaging"), None, "voice or messaging")
    name: str | None = setting(text(), None, "pattern of its name; of a number, or the number")
    sid: str | None = setting(text(), None, "pattern of its SID")
    account: str | None = setting(text(), None, "pattern of the SID of its account")
    fallback_url: str | None = setting(
        http_url(), None, "FallbackUrl in the fallback's URL", may_hold_secret=True
    )
    fallback_method: str = setting(choice("GET", "POST"), "GET", "FallbackMethod that goes with it")
    method: str = setting(choice("POST", "GET"), "POST", "how Twilio asks /retry")
    relay: bool = setting(boolean(), False, "whether status callbacks go through the relay")
    leave: bool = setting(boolean(), False, "whether it is left alone")


def rule_contradictions(rule: AccountRule) -> Iterator[str]:
    """What is wrong with a rule whose keys are good each for itself, a line each."""
    said = [name for name in _given(rule) if name not in (*_SELECTS, "leave")]
    if rule.leave and said:
        yield f"leave means that nothing is asked for, and {said[0]} asks for something"
    if rule.fallback_url is None and rule.fallback_method != "GET":
        yield "fallback_method means nothing without fallback_url"
    if rule.kind and rule.product and rule.product not in PRODUCTS_OF[rule.kind]:
        yield f"a {rule.kind} has nothing for {rule.product}"


def rule_problems(rules: Sequence[AccountRule]) -> Iterator[str]:
    """Rules that can never fit, since an earlier one takes all that they could."""
    for number, rule in enumerate(rules, start=1):
        for earlier, other in enumerate(rules[: number - 1], start=1):
            wanted = asdict(rule)
            selects = {name: value for name, value in _given(other).items() if name in _SELECTS}
            if all(wanted[name] == value for name, value in selects.items()):
                yield f"account.rule {number} can never fit: rule {earlier} takes all of it"
                break


def _given(rule: AccountRule) -> Mapping[str, object]:
    """The keys whose values are not the default."""
    return {
        each.name: getattr(rule, each.name)
        for each in fields(AccountRule)
        if getattr(rule, each.name) != each.default
    }


def _audit_interval() -> Kind:
    """Seconds, 0 for never."""
    allowed = seconds(OFTENEST, 31 * 86400)

    def parse(value: object) -> float:
        if value in (0, "0") and not isinstance(value, bool):
            return 0.0
        try:
            return float(allowed(value))
        except ValueError as error:
            raise ValueError(f"0 (never) or {error}") from None

    return parse


@frozen
class AccountSettings:
    """``[account]``: who asks Twilio's API, how often, and what should be there."""

    audit_every: float = setting(
        _audit_interval(), 0.0, "seconds from one audit of the account to the next; 0: none"
    )
    subaccounts: bool = setting(boolean(), False, "whether its sub-accounts are looked at, too")
    api_key: str | None = setting(
        matching(r"SK[0-9a-fA-F]{32}", "SK and 32 hexadecimal digits"),
        None,
        "API key to ask with, instead of the auth token",
        env=("TWILIO_API_KEY",),
        may_hold_secret=True,  # the key's secret, where the two are swapped
    )
    api_secret: str | None = setting(
        text(), None, "secret of the API key", env=("TWILIO_API_SECRET",), secret=True
    )
    api_url: str | None = setting(
        base_url(login=False), None, "one address for all of Twilio's API, to try things out"
    )
    rule: tuple[AccountRule, ...] = entries(
        AccountRule, rule_problems, problems_of_one=rule_contradictions
    )


def account_problems(values: Mapping[str, Any], given: Collection[str]) -> Iterator[str]:
    """What contradicts between ``[account]`` and other settings; ``values`` by dotted names."""
    for one, other in (("api_key", "api_secret"), ("api_secret", "api_key")):
        if f"account.{one}" in given and f"account.{other}" not in given:
            yield f"account.{one} is set, expected account.{other} too"
    url = values.get("account.api_url")
    if url and url.lower().startswith("http:") and not is_loopback(parse_url(url).host):
        yield "account.api_url is not https: the credentials would be readable on their way"
    if values.get("account.audit_every"):
        for name in ("public_url", "twilio.account_sid"):
            if not values.get(name):
                yield f"account.audit_every is set, expected {name} too"
        if not (values.get("twilio.auth_token") or values.get("account.api_key")):
            yield "account.audit_every is set, expected twilio.auth_token or account.api_key too"
    hosts = values.get("allowed_hosts", ())
    for number, rule in enumerate(values.get("account.rule", ()), start=1):
        host = parse_url(rule.fallback_url).host if rule.fallback_url else None
        if host and hosts and not host_allowed(host, hosts):
            yield (
                f"account.rule {number}: fallback_url is at {host},"
                " which allowed_hosts does not name"
            )
