"""What is checked, as the file's ``[[check]]`` tables say it, and which of them contradict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from ipaddress import ip_address
from typing import Final

from attrs import fields, frozen

from boomerang.settings.declarations import REQUIRED, setting
from boomerang.settings.kinds import (
    boolean,
    choice,
    http_url,
    integer,
    matching,
    seconds,
    text,
    texts,
)
from boomerang.settings.monitor_kinds import http_headers, status_patterns
from boomerang.stores.address import RedisAddress, parse_store
from boomerang.urls import BadUrl, parse_url, plain_host

KINDS: Final = ("http", "statuspage", "tcp", "dns", "redis")

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}"
"""Letters that Librato takes in the name of an alert (reference: Librato's API, alerts)."""

RECORDS: Final = ("A", "AAAA", "CNAME", "MX", "NS", "TXT")

_HOST: Final = r"(?P<host>\[[0-9a-f:.]+\]|[^][@:/?#]+)"
_TCP: Final = re.compile(rf"tcp://{_HOST}:(?P<port>\d{{1,5}})", re.IGNORECASE | re.ASCII)
_DNS: Final = re.compile(
    rf"dns:(?://(?:{_HOST}(?::(?P<port>\d{{1,5}}))?)?/)?(?P<name>[^][@:/?#]+)(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE | re.ASCII,
)
_LABELS: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
"""A name that fits into a DNS message (RFC 1035 §2.3.4), in ASCII."""

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
        http_headers(), {}, "http, statuspage: headers of the request", secret=True
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
    """What is wrong with the checks together, a line each."""
    seen: set[str] = set()
    for check in checks:
        if check.name.lower() in seen:
            yield f'check "{check.name}" is there more than once (letter case does not count)'
        seen.add(check.name.lower())
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


def contradictions(check: Check) -> Iterator[str]:
    """What is wrong with a check whose keys are good each for itself, a line each."""
    problem = target_problem(check)
    if problem is not None:
        yield problem
    if check.slow >= check.timeout:
        yield (
            f"slow is {check.slow:g}, expected less than timeout, which is {check.timeout:g}:"
            " no answer could be found slow"
        )
    for name in (*_OF_HTTP, "answer"):
        if name not in _OF_KIND.get(check.kind, ()) and _is_given(check, name):
            yield f"{name} means nothing to a check of kind {check.kind}"
    if check.kind == "http" and check.method == "HEAD":
        for name in ("body_contains", "body_lacks"):
            if _is_given(check, name):
                yield f"{name} means nothing to method HEAD, whose answers have no body"
    if check.certificate_days and problem is None and check.url.lower().startswith("http:"):
        yield "certificate_days needs a url with https"


def _is_given(check: Check, name: str) -> bool:
    return bool(getattr(check, name) != getattr(fields(Check), name).default)


def target_problem(check: Check) -> str | None:
    """What is wrong with the URL for a check of this kind; it is not quoted, it may be secret."""
    match check.kind:
        case "http" | "statuspage":
            try:
                parse_url(check.url)
            except BadUrl as error:
                return f"url {error}"
            if "#" in check.url:
                return "url has a fragment (#...), which is never sent; write %23 for the sign"
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
            if not isinstance(address, RedisAddress) or address.cluster:
                return "url is expected to be redis://, rediss:// or redis+sentinel://"
    return None


def tcp_target(url: str) -> tuple[str, int] | None:
    """Host and port of ``tcp://host:port``."""
    found = _TCP.fullmatch(url)
    host, port = (_host(found["host"]), int(found["port"])) if found else (None, 0)
    return (host, port) if host and 0 < port < 65536 else None


@frozen
class DnsQuestion:
    """A question to a name server; ``server`` is host and port, `None` for the system's own."""

    name: str
    record: str
    server: tuple[str, int] | None


def dns_question(url: str) -> DnsQuestion | None:
    """The question in a DNS URI (https://www.rfc-editor.org/rfc/rfc4501)."""
    found = _DNS.fullmatch(url)
    name = _host(found["name"]) if found else None
    record = _record(found["query"] or "") if found else None
    if found is None or name is None or record is None:
        return None
    if found["host"] is None:
        return DnsQuestion(name=name, record=record, server=None)
    host, port = _host(found["host"]), int(found["port"] or 53)
    if host is None or not 0 < port < 65536:
        return None
    return DnsQuestion(name=name, record=record, server=(host, port))


def _record(query: str) -> str | None:
    """What is asked for, as ``type=MX`` or ``CLASS=IN;TYPE=MX`` say; `None` if they do not."""
    pairs = [each.upper().partition("=")[::2] for each in query.split(";")] if query else []
    options = {"TYPE": "A", "CLASS": "IN", **dict(pairs)}
    once = len(dict(pairs)) == len(pairs) and len(options) == 2
    return (
        options["TYPE"]
        if once and options["CLASS"] == "IN" and options["TYPE"] in RECORDS
        else None
    )


def _host(text: str) -> str | None:
    """A host name in ASCII, or an IP address without its brackets; `None` for what is neither."""
    try:
        if text.startswith("["):
            return str(ip_address(text.strip("[]")))
        name = plain_host(text)
    except ValueError:
        return None
    return name if len(name) <= 253 and _LABELS.fullmatch(name) else None
