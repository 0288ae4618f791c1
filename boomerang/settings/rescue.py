"""What contradicts in ``[retry]``, endpoints and ``allowed_hosts``; files with last resorts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from boomerang.endpoints.document import LONGEST
from boomerang.endpoints.fallback import (
    BadFallback,
    Fallback,
    FallbackText,
    ReadFile,
    Redirect,
    read_fallback,
)
from boomerang.endpoints.patterns import host_covers, host_rank, hosts_overlap, parse_path
from boomerang.settings.endpoints import Endpoint, by_path, chosen
from boomerang.settings.retry import RetrySettings
from boomerang.urls import host_allowed, parse_url


def rescue_problems(
    retry: RetrySettings, endpoints: Sequence[Endpoint], allowed_hosts: Sequence[str]
) -> Iterator[str]:
    """What contradicts between ``[retry]``, the endpoints and ``allowed_hosts``, a line each."""
    for problem in (*_times(None, retry), *_hosts_out_of_reach(retry, allowed_hosts)):
        yield f"retry.{problem}"
    rivals = by_path(endpoints)
    for endpoint in endpoints:
        for problem in (
            *_times(endpoint, retry),
            *_hosts_out_of_reach(endpoint, allowed_hosts),
            *_never_matching(endpoint, rivals[parse_path(endpoint.match)], allowed_hosts),
        ):
            yield f'endpoint "{endpoint.name}": {problem}'


def _times(endpoint: Endpoint | None, retry: RetrySettings) -> Iterator[str]:
    """Times that contradict; what is wrong in ``[retry]`` is not told again of each endpoint."""
    names = ("wait", "window", "hold_limit")
    if endpoint is not None and all(getattr(endpoint, name) is None for name in names):
        return
    wait, window, hold_limit = (chosen(endpoint, retry, name) for name in names)
    prefix = "retry." if endpoint is None else ""
    for name, held in (("wait", wait), ("hold_limit", hold_limit)):
        if window <= held:
            yield (
                f"window is {window:g}, expected more than {prefix}{name}, which is {held:g}:"
                " a failure would be forgotten before its second chance"
            )
    if 0 < hold_limit < wait:
        yield (
            f"hold_limit is {hold_limit:g}, expected 0 or at least {prefix}wait, which is {wait:g}"
        )


def _hosts_out_of_reach(
    settings: RetrySettings | Endpoint, allowed_hosts: Sequence[str]
) -> Iterator[str]:
    """Addresses that nothing may be sent to, though they are to be used."""
    if not allowed_hosts:
        return
    given = settings.fallback or Fallback()
    urls = [resort.url for resort in (given.voice, given.messaging) if isinstance(resort, Redirect)]
    named = [("probe", settings.probe)] if settings.probe else []
    for name, url in dict.fromkeys([*named, *(("fallback", url) for url in urls)]):
        host = parse_url(url).host
        if not host_allowed(host, allowed_hosts):
            yield f"{name} is at {host}, which allowed_hosts does not name"


def _never_matching(
    endpoint: Endpoint,
    rivals: Sequence[tuple[str | None, Endpoint]],
    allowed_hosts: Sequence[str],
) -> Iterator[str]:
    """Hosts that no URL can have here, be it that others are not allowed or that others win.

    ``rivals`` are the endpoints of the same path; only those can take all URLs from one another.
    """
    for host in endpoint.host or (None,):
        what = f"host {host}" if host else "it"
        reachable = _reachable(host, allowed_hosts)
        winners = {
            winning: other.name
            for winning, other in rivals
            if other is not endpoint and host_rank(winning) < host_rank(host)
        }
        if not reachable:
            yield f"{what} can never match: allowed_hosts names none like it"
        elif all(any(host_covers(winning, each) for winning in winners) for each in reachable):
            names = ", ".join(dict.fromkeys(f'"{name}"' for name in winners.values()))
            yield f"{what} can never match: {names} is more specific"


def _reachable(host: str | None, allowed_hosts: Sequence[str]) -> list[str | None]:
    """Patterns of all hosts that a URL may have and that fit; the narrower of each two."""
    if not allowed_hosts:
        return [host]
    return [
        host if host is not None and host_covers(allowed, host) else allowed
        for allowed in allowed_hosts
        if hosts_overlap(host, allowed)
    ]


def read_file(path: str) -> bytes:
    """What is in a file, as far as it could be a document for Twilio."""
    with Path(path).open("rb") as file:
        return file.read(LONGEST + 1)


def read_fallbacks(values: dict[str, Any], read: ReadFile, problems: list[str]) -> None:
    """Put what stands in files, checked, in the place of the names of files.

    ``values`` are settings by their dotted names; what is wrong is added to ``problems``.
    """

    def resolved(where: str, written: object) -> Fallback | None:
        if isinstance(written, FallbackText):
            try:
                return read_fallback(written, read)
            except BadFallback as error:
                problems.extend(f"{where}: {problem}" for problem in error.problems)
        return None

    if "retry.fallback" in values:
        values["retry.fallback"] = resolved("retry.fallback", values["retry.fallback"])
    values["endpoint"] = tuple(
        attrs.evolve(
            endpoint, fallback=resolved(f'endpoint "{endpoint.name}": fallback', endpoint.fallback)
        )
        for endpoint in values.get("endpoint", ())
    )
