"""The endpoint table for a terminal, and what would happen to a URL, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import astuple, frozen

from boomerang.endpoints.patterns import Pattern, parse_path
from boomerang.endpoints.rules import EndpointRules, rules_for
from boomerang.endpoints.table import EndpointTable
from boomerang.retry.hold import LONGEST
from boomerang.retry.policy import repeating_can_help
from boomerang.settings.endpoints import Endpoint
from boomerang.settings.retry import RetrySettings
from boomerang.urls import WebUrl, without_secrets

_HEAD: Final = ("ENDPOINT", "MATCH", "HOST", "AUDIENCE", "MODE", "HELD", "LAST RESORT")

_ONE_OF: Final = {"voice": "a call", "messaging": "a message"}


def listing(endpoints: Sequence[Endpoint], retry: RetrySettings) -> Iterator[str]:
    """One line for each endpoint, under a heading, in columns; the last is for all other URLs."""
    rows = [_HEAD, *(astuple(summary(endpoint, retry)) for endpoint in (*endpoints, None))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


@frozen
class Summary:
    """An endpoint in a few words each."""

    name: str
    match: str
    hosts: str
    audience: str
    mode: str
    held: str
    last_resort: str


def summary(endpoint: Endpoint | None, retry: RetrySettings) -> Summary:
    """An endpoint, or all URLs that have none."""
    rules = rules_for(endpoint, retry)
    return Summary(
        name=rules.name,
        match=endpoint.match if endpoint else "any other",
        hosts=" ".join(endpoint.host if endpoint else ()) or "any",
        audience=", ".join(endpoint.audience if endpoint else ()) or "-",
        mode=rules.mode,
        held=_span(rules) if rules.retry and rules.attempts else "no retry",
        last_resort=str(rules.fallback),
    )


def _span(rules: EndpointRules) -> str:
    longest = f"{rules.longest_hold('voice'):g} s"
    return longest if rules.probe is None else f"till awake, {longest}"


def explained(
    url: WebUrl, *, code: str, product: str, endpoints: Sequence[Endpoint], retry: RetrySettings
) -> Iterator[str]:
    """What would become of a request to ``url`` that failed for the first time, and why.

    ``code`` is Twilio's error code, ``product`` is ``voice`` or ``messaging``.
    """
    matching = list(dict.fromkeys(EndpointTable(endpoints).matching(url)))
    rules = rules_for(matching[0] if matching else None, retry)
    yield (
        f"endpoint: {_described(matching[0])}"
        if matching
        else (f"endpoint: none; {rules.name} in logs and metrics")
    )
    for endpoint in matching[1:]:
        yield f"passed over: {_described(endpoint)}, which is less specific"
    for endpoint in endpoints:
        if endpoint not in matching and Pattern(parse_path(endpoint.match)).fits(url):
            yield f"passed over: {_described(endpoint)}, whose host is another"
    refusal = _refusal(rules, code)
    if refusal is not None:
        yield f"second chance: no, {refusal}"
    else:
        yield f"second chance: yes, {rules.attempts} within {rules.window:g} s"
        yield from _hold(rules, product)
    resort = rules.fallback.of(product)
    yield f"last resort: FallbackUrl if the request names one, else {resort or 'an error (500)'}"


def _described(endpoint: Endpoint) -> str:
    of_hosts = f" at {', '.join(endpoint.host)}" if endpoint.host else ""
    heard_by = f", for {', '.join(endpoint.audience)}" if endpoint.audience else ""
    return f'"{endpoint.name}" ({endpoint.match}{of_hosts}{heard_by}, {endpoint.mode})'


def _refusal(rules: EndpointRules, code: str) -> str | None:
    """Why there is no second chance; `None` if there is one."""
    if not rules.retry:
        return "retry is false"
    if rules.codes and code not in rules.codes:
        return f"{code} is not among its codes ({', '.join(sorted(rules.codes))})"
    if not rules.codes and not repeating_can_help(code):
        return f"repeating does not help against error {code}"
    return None if rules.attempts else "attempts is 0"


def _hold(rules: EndpointRules, product: str) -> Iterator[str]:
    longest = rules.longest_hold(product)
    if rules.probe is None:
        yield f"held: {longest:g} s"
    else:
        yield f"held: until {without_secrets(rules.probe)} answers, {longest:g} s at most"
    if longest > LONGEST and rules.hold_message is not None:
        yield f"  (hears before: {rules.hold_message})"
    if product == "messaging" and longest < rules.hold_limit and rules.probe is not None:
        yield f"  (not {rules.hold_limit:g} s: Twilio waits no longer for the answer to a message)"
    if rules.circuit:
        yield "  (not at all while the app is known to be dead)"
    if rules.release_rate:
        yield f"released: first come, first served, {rules.release_rate:g} per second and origin"
    yield f"sent back: {_ONE_OF[product]}, with {rules.method} unless the request names a Method"
