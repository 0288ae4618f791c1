"""Connection overrides: what the fragment of a URL tells Twilio about asking it.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl

from attrs import frozen

from boomerang.standin.failure import Failure

_EDGES: Final = frozenset(
    "ashburn dublin frankfurt sao-paulo singapore sydney tokyo umatilla".split()
)

_RANGES: Final = {"ct": (100, 10_000), "rt": (100, 15_000), "tt": (100, 15_000)}
"""Milliseconds."""

_POLICIES: Final = frozenset({"ct", "rt", "4xx", "5xx", "all"})

_MOST_RETRIES: Final = 5


@frozen
class Overrides:
    """How a URL wants to be asked.

    ``connect``, ``read`` and ``total`` are seconds, `None` where the fragment does not say.
    ``retries`` are further tries, made after what ``retry_on`` names. ``ignored`` tells people
    what has no effect: times out of range, for which Twilio documents nothing.
    """

    connect: float | None = None
    read: float | None = None
    total: float | None = None
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})
    ignored: tuple[str, ...] = ()

    def retries_after(self, policy: str) -> bool:
        """Whether there are further tries after such an end (``ct``, ``rt``, ``4xx``, ``5xx``)."""
        return policy in self.retry_on or "all" in self.retry_on


def parse_overrides(url: str) -> Overrides | Failure:
    """Read the fragment of a URL; a failure if Twilio would refuse it, as it does before asking."""
    given = dict(parse_qsl(url.partition("#")[2]))
    problem = next(_problems(given), None)
    if problem is not None:
        return problem
    times = {key: _seconds(key, given[key]) for key in _RANGES if key in given}
    return Overrides(
        connect=times.get("ct"),
        read=times.get("rt"),
        total=times.get("tt"),
        retries=int(given.get("rc", 1)),
        retry_on=frozenset(given.get("rp", "ct").split(",")),
        ignored=tuple(
            f"#{key}={given[key]} is not from {_RANGES[key][0]} to {_RANGES[key][1]}: ignored"
            for key, seconds in times.items()
            if seconds is None
        ),
    )


def _seconds(key: str, text: str) -> float | None:
    lowest, highest = _RANGES[key]
    return int(text) / 1000 if _is_whole(text) and lowest <= int(text) <= highest else None


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _problems(given: Mapping[str, str]) -> Iterator[Failure]:
    retries = given.get("rc", "1")
    if not (_is_whole(retries) and int(retries) <= _MOST_RETRIES):
        yield Failure(11243, f"#rc={retries} is not from 0 to {_MOST_RETRIES}")
    for policy in given.get("rp", "ct").split(","):
        if policy not in _POLICIES:
            yield Failure(11243, f"#rp={policy} is no retry policy")
    for edge in given.get("e", "ashburn").split(","):
        if edge.endswith("-ix"):
            yield Failure(11242, f"#e={edge} needs Interconnect")
        elif edge not in _EDGES:
            yield Failure(11240, f"#e={edge} is no edge")
