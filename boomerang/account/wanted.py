"""What should be at Twilio, for all that the settings say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from attrs import frozen

from boomerang.account.connections import seconds_needed
from boomerang.account.resources import Resource
from boomerang.retry.request import BadRequest, parse_failed_request
from boomerang.settings import Settings
from boomerang.settings.account import AccountRule
from boomerang.urls import BadUrl, WebUrl, host_allowed, parse_url, without_fragment

LONGEST_CALLBACK: Final = 4000
"""Characters; Twilio refuses a longer status callback (error 21609)."""

_RETRY: Final = "/retry"
_RELAY: Final = "/relay"
_ANY: Final = AccountRule()
_SAYS_NOTHING: Final = ("ErrorCode", "11200"), ("ErrorUrl", "https://example.com/")


@frozen
class Wanted:
    """Where everything should point. ``seconds`` is the time that Twilio has to give `/retry`."""

    public_url: str
    rules: tuple[AccountRule, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    seconds: float = 10.0

    @classmethod
    def of(cls, settings: Settings, public_url: str) -> Wanted:
        return cls(
            public_url=public_url,
            rules=settings.account.rule,
            allowed_hosts=settings.allowed_hosts,
            seconds=seconds_needed(settings),
        )

    @property
    def retry_url(self) -> str:
        """The least that every fallback should be."""
        return self.public_url + _RETRY

    def rule(self, resource: Resource, product: str) -> AccountRule:
        """The first rule that fits; one that asks for a fallback here if none does."""
        fitting = (rule for rule in self.rules if _fits(rule, resource, product))
        return next(fitting, _ANY)

    def fallback(self, rule: AccountRule, configured: str) -> str:
        """What the fallback URL should be. Of a good one, all stays that no rule speaks of."""
        ours = self._own(configured, _RETRY)
        if ours is None or self.refusal(configured) is not None:
            return self._retry(rule, ())
        pairs = parse_qsl(ours.query, keep_blank_values=True)
        if rule.fallback_url is None or _says(rule, pairs):
            return configured
        return self._retry(rule, pairs)

    def refusal(self, configured: str) -> str | None:
        """Why boomerang would not answer requests to a fallback URL, if it would not."""
        ours = self._own(configured, _RETRY)
        if ours is None:
            return "it is not boomerang's"
        try:
            failed = parse_failed_request(
                _SAYS_NOTHING, parse_qsl(ours.query, keep_blank_values=True)
            )
        except BadRequest as error:
            return f"boomerang would refuse it: {error}"
        if failed.fallback is not None and not self._allows(failed.fallback.parts.host):
            return "boomerang would refuse it: allowed_hosts does not name its FallbackUrl's host"
        return None

    def _retry(self, rule: AccountRule, pairs: Sequence[tuple[str, str]]) -> str:
        query = [each for each in pairs if each[0] not in ("FallbackUrl", "FallbackMethod")]
        if rule.fallback_url is not None:
            query.append(("FallbackUrl", rule.fallback_url))
            if rule.fallback_method != "GET":
                query.append(("FallbackMethod", rule.fallback_method))
        return self.retry_url + (f"?{urlencode(query, quote_via=quote, safe='')}" if query else "")

    def relayed(self, url: str) -> str | None:
        """The URL that a relayed callback leads to in the end; `None` if it is not relayed here."""
        ours = self._own(url, _RELAY)
        return None if ours is None else _target(ours)

    def relay(self, url: str) -> str:
        """A callback's URL with the relay in front.

        One that already goes through a relay, at an address that boomerang had before, is moved.
        """
        moved = _target(parse_url(url)) if parse_url(url).path == _RELAY else None
        target = quote(without_fragment(moved or url), safe="")
        return f"{self.public_url}{_RELAY}?Url={target}"

    def unfit_for_relay(self, url: str) -> str | None:
        """Why the relay cannot be put in front of a callback, if it cannot."""
        try:
            target = parse_url(url)
        except BadUrl as error:
            return f"it {error}"
        if self._is_here(target):
            return "it is an address of boomerang's own"
        relayed = self.relay(url)
        if len(relayed) > LONGEST_CALLBACK:
            return f"through the relay it would be longer than {LONGEST_CALLBACK} characters"
        inner = parse_qsl(parse_url(relayed).query)[0][1]
        if not self._allows(parse_url(inner).host):
            return f"allowed_hosts does not name {parse_url(inner).host}"
        return None

    def _allows(self, host: str) -> bool:
        return not self.allowed_hosts or host_allowed(host, self.allowed_hosts)

    def _is_here(self, url: WebUrl) -> bool:
        here = parse_url(self.public_url)
        return (url.scheme, url.origin) == (here.scheme, here.origin)

    def _own(self, url: str, path: str) -> WebUrl | None:
        """The parts of a URL, if it is this path of boomerang's."""
        try:
            parts = parse_url(url)
        except BadUrl:
            return None
        return parts if self._is_here(parts) and parts.path == path else None


def _target(relay: WebUrl) -> str | None:
    """Where a relay is told to deliver; `None` if that is not one web address, and nothing else."""
    pairs = parse_qsl(relay.query, keep_blank_values=True)
    if [name for name, _ in pairs] != ["Url"]:
        return None
    try:
        parse_url(pairs[0][1])
    except BadUrl:
        return None
    return pairs[0][1]


def _fits(rule: AccountRule, resource: Resource, product: str) -> bool:
    return (
        rule.kind in (None, resource.kind.value)
        and rule.product in (None, product)
        and _matches(rule.name, *resource.names)
        and _matches(rule.sid, resource.sid)
        and _matches(rule.account, resource.account)
    )


def _matches(pattern: str | None, *texts: str) -> bool:
    return pattern is None or any(fnmatchcase(text, pattern) for text in texts)


def _says(rule: AccountRule, pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether a query has the last resort that the rule asks for, however it is written."""
    given = dict(pairs)
    method = given.get("FallbackMethod", "GET").upper()
    return (given.get("FallbackUrl"), method) == (rule.fallback_url, rule.fallback_method)
