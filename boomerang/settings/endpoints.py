"""What the app's URLs are, as the file's ``[[endpoint]]`` tables say it, and what contradicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from attrs import frozen

from boomerang.endpoints.fallback import Fallback
from boomerang.endpoints.patterns import Path, host_rank, hosts_overlap, parse_path
from boomerang.retry.hold import LONGEST
from boomerang.settings.checks import NAME
from boomerang.settings.declarations import REQUIRED, setting
from boomerang.settings.endpoint_kinds import error_codes, fallback, path_pattern, rate
from boomerang.settings.kinds import (
    boolean,
    choice,
    host_patterns,
    http_url,
    integer,
    matching,
    seconds,
    text,
    texts,
)
from boomerang.settings.retry import RetrySettings

UNKNOWN: Final = "unknown"
"""What URLs that no endpoint matches are called in logs and metrics."""


@frozen
class Endpoint:
    """One endpoint of the app. What is `None` is as in ``[retry]``."""

    name: str = setting(
        matching(NAME, "up to 63 letters, digits, dots, dashes"),
        REQUIRED,
        "what it is called in logs and metrics",
    )
    match: str = setting(
        path_pattern(), REQUIRED, "path, with :name for any one segment and a final * for any rest"
    )
    host: tuple[str, ...] = setting(
        host_patterns(), (), "hosts, one or several, *.example.com; none named: any"
    )
    audience: tuple[str, ...] = setting(
        texts(), (), "who is at the other end: callee, phone, browser, or free text"
    )
    mode: str = setting(
        choice("sync", "async"), "sync", "sync: its TwiML is awaited; async: nobody waits"
    )
    retry: bool = setting(boolean(), True, "whether it gets second chances at all")
    wait: float | None = setting(seconds(0, LONGEST), None, "as retry.wait")
    window: float | None = setting(seconds(1, 86400), None, "as retry.window")
    attempts: int | None = setting(integer(0, 10), None, "as retry.attempts")
    method: str | None = setting(choice("GET", "POST"), None, "as retry.method")
    codes: tuple[str, ...] | None = setting(error_codes(), None, "as retry.codes")
    probe: str | None = setting(http_url(), None, "as retry.probe", may_hold_secret=True)
    hold_limit: float | None = setting(seconds(0, 600), None, "as retry.hold_limit")
    hold_message: str | None = setting(text(), None, "as retry.hold_message")
    release_rate: float | None = setting(rate(100_000), None, "as retry.release_rate")
    circuit: bool | None = setting(boolean(), None, "as retry.circuit")
    fallback: Fallback | None = setting(
        fallback(),
        None,
        "as retry.fallback, which goes for the product that is left out",
        may_hold_secret=True,
    )


def chosen(endpoint: Endpoint | None, retry: RetrySettings, name: str) -> Any:
    """The endpoint's own value of a setting, or that of ``[retry]``."""
    own = getattr(endpoint, name, None)
    return getattr(retry, name) if own is None else own


def by_path(endpoints: Iterable[Endpoint]) -> Mapping[Path, Sequence[tuple[str | None, Endpoint]]]:
    """The endpoints whose paths match the same, each with every one of its hosts."""
    found: dict[Path, list[tuple[str | None, Endpoint]]] = {}
    for endpoint in endpoints:
        hosts = endpoint.host or (None,)
        found.setdefault(parse_path(endpoint.match), []).extend((host, endpoint) for host in hosts)
    return found


def endpoint_problems(endpoints: Sequence[Endpoint]) -> Iterator[str]:
    """What is wrong with the endpoints together, a line each."""
    seen: set[str] = set()
    for endpoint in endpoints:
        if endpoint.name.lower() == UNKNOWN:
            yield f'endpoint "{endpoint.name}": that is what URLs of no endpoint are called'
        if endpoint.name.lower() in seen:
            yield f'endpoint "{endpoint.name}" is there more than once (letter case does not count)'
        seen.add(endpoint.name.lower())
    yield from dict.fromkeys(
        f'endpoint "{other.name}" ties with "{one.name}": some URLs match both, and neither is'
        " more specific"
        for rivals in by_path(endpoints).values()
        for (host, one), (other_host, other) in combinations(rivals, 2)
        if one is not other
        and host_rank(host) == host_rank(other_host)
        and hosts_overlap(host, other_host)
    )
