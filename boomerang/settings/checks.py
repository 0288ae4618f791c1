"""What is checked, as the file's ``[[check]]`` tables say it, and which of them contradict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from attrs import fields, frozen

from boomerang.settings.kinds import (
    REQUIRED,
    boolean,
    choice,
    http_url,
    integer,
    matching,
    seconds,
    setting,
    status_patterns,
    string_table,
    text,
    texts,
)
from boomerang.stores.address import RedisAddress, parse_store
from boomerang.urls import BadUrl, parse_url, plain_host

KINDS: Final = ("http", "statuspage", "tcp", "dns", "redis")

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}"
"""Letters that Librato takes in the name of an alert (reference: Librato's API, alerts)."""

RECORDS: Final = ("A", "AAAA", "CNAME", "MX", "NS", "TXT")

_OF_HTTP: Final = (
    "method",
    "headers",
    "status",
    "body_contains",
    "body_lacks",
    "redirects",
    "certificate_days",
)
_OF_KIND: Final[Mapping[str, Sequence[str]]] = {
    "http": _OF_HTTP,
    "statuspage": ("headers", "certificate_days"),
    "dns": ("answer",),
}


@frozen
class Check:
    """One check. Times are seconds; the URL's form depends on the kind (see `target_problem`)."""

    name: str = setting(matching(NAME, "up to 63 letters, digits, dots, dashes"), REQUIRED, "name")
    url: str = setting(
        text(),
        REQUIRED,
        "what is asked: http(s)://..., tcp://host:port, dns:name?type=A, redis://...",
        may_hold_secret=True,
    )
    kind: str = setting(choice(*KINDS), "http", "which protocol is spoken")
    interval: float = setting(seconds(0.1, 86400), 60.0, "from one run to the next")
    timeout: float = setting(
        seconds(0.05, 300), 10.0, "for name look-up, connection, headers and body together"
    )
    slow: float = setting(seconds(0.001, 300), 5.0, "an answer that took longer is slow")
    failures: int = setting(integer(1, 100), 3, "failures in a row before it is down")
    successes: int = setting(integer(1, 100), 2, "successes in a row before it is up again")
    depends_on: tuple[str, ...] = setting(
        texts(), (), "checks of what this one needs: while one is down, this one is affected"
    )
    critical: bool = setting(boolean(), False, "whether Librato and Prometheus alert of it")
    runbook_url: str | None = setting(http_url(), None, "what to do, shown in alerts")
    method: str = setting(choice("GET", "HEAD", "POST"), "GET", "http: method of the request")
    headers: Mapping[str, str] = setting(
        string_table(), {}, "http, statuspage: headers of the request", secret=True
    )
    status: tuple[str, ...] = setting(
        status_patterns(), ("2xx",), "http: statuses that are well, like 200 or 2xx"
    )
    body_contains: str | None = setting(text(), None, "http: text that the body must have")
    body_lacks: str | None = setting(text(), None, "http: text that the body must not have")
    redirects: int = setting(integer(0, 10), 3, "http: redirects that are followed")
    certificate_days: int = setting(
        integer(0, 365), 0, "http, statuspage: days that the certificate must be good for"
    )
    answer: tuple[str, ...] = setting(
        texts(), (), "dns: records of which one at least must be in the answer; none: any will do"
    )


def check_problems(checks: Sequence[Check]) -> Iterator[str]:
    """What is wrong with the checks together, or with the keys of one, a line each."""
    seen: set[str] = set()
    for check in checks:
        if check.name.lower() in seen:
            yield f'check "{check.name}" is there more than once (letter case does not count)'
        seen.add(check.name.lower())
        for problem in _problems_of(check):
            yield f'check "{check.name}": {problem}'
    known = {check.name for check in checks}
    for check in checks:
        for needed in check.depends_on:
            if needed not in known:
                yield f'check "{check.name}": depends_on names "{needed}", which is no check'
    try:
        TopologicalSorter({check.name: check.depends_on for check in checks}).prepare()
    except CycleError as error:  # which names them from what is needed to what needs it
        names = " -> ".join(reversed(error.args[1]))
        yield f"checks depend on each other in a circle: {names}"


def _problems_of(check: Check) -> Iterator[str]:
    problem = target_problem(check)
    if problem is not None:
        yield problem
    if check.slow >= check.timeout:
        yield (
            f"slow is {check.slow:g}, expected less than timeout, which is {check.timeout:g}:"
            " no answer could be found slow"
        )
    for name in {*_OF_HTTP, "answer"} - set(_OF_KIND.get(check.kind, ())):
        if getattr(check, name) != getattr(fields(Check), name).default:
            yield f"{name} means nothing to a check of kind {check.kind}"


def target_problem(check: Check) -> str | None:
    """What is wrong with the URL for a check of this kind; it is not quoted, it may be secret."""
    match check.kind:
        case "http" | "statuspage":
            try:
                parse_url(check.url)
            except BadUrl as error:
                return f"url {error}"
        case "tcp":
            if tcp_target(check.url) is None:
                return "url is expected to be tcp://host:port"
        case "dns":
            if dns_question(check.url) is None:
                types = ", ".join(RECORDS)
                return f"url is expected to be dns:name?type=A or dns://server/name ({types})"
        case "redis":
            try:
                address = parse_store(check.url)
            except ValueError:
                address = None
            if not isinstance(address, RedisAddress):
                return "url is expected to be redis://, rediss:// or redis+sentinel://"
    return None


def tcp_target(url: str) -> tuple[str, int] | None:
    """Host and port of ``tcp://host:port``."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme != "tcp" or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


@frozen
class DnsQuestion:
    """A question to a name server; ``server`` is host and port, `None` for the system's own."""

    name: str
    record: str
    server: tuple[str, int] | None


def dns_question(url: str) -> DnsQuestion | None:
    """The question in a DNS URI (https://www.rfc-editor.org/rfc/rfc4501)."""
    try:
        parts = urlsplit(url)
        port = parts.port or 53
        record = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        name = plain_host(parts.path.removeprefix("/"))
    except (ValueError, BadUrl):
        return None
    kind = record.pop("type", "A").upper()
    if parts.scheme != "dns" or parts.fragment or record or not name or "/" in name:
        return None
    if kind not in RECORDS or (parts.netloc and not parts.hostname):
        return None
    server = (parts.hostname, port) if parts.hostname else None
    return DnsQuestion(name=name, record=kind, server=server)
