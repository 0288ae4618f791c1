"""Patterns of paths and hosts: what they match, and which of two is the more specific."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from operator import eq, methodcaller
from typing import Final
from urllib.parse import unquote

from attrs import frozen

from boomerang.urls import LONGEST_URL, WebUrl, host_allowed

EXPECTED: Final = "a path like /caller/:id/ready_to_call (:name is one segment, a final * any rest)"

_PARAMETER: Final = re.compile(r":[A-Za-z_][A-Za-z0-9_]*")
_UNFIT: Final = re.compile(r"[?#*\s\\]")
_WILD: Final = re.compile(r"[*?[]")


class Kind(IntEnum):
    """What a segment of a path pattern is; the smaller wins where two fit."""

    LITERAL = 0
    PARAMETER = 1
    REST = 2


@frozen
class Segment:
    """What stands between two slashes; ``text`` is that of a literal, percent-decoded."""

    kind: Kind
    text: str = ""


PARAMETER: Final = Segment(Kind.PARAMETER)
REST: Final = Segment(Kind.REST)

Path = tuple[Segment, ...]


@frozen
class Pattern:
    """A path with a host, or with none where any host will do."""

    path: Path
    host: str | None = None

    def fits(self, url: WebUrl) -> bool:
        """Whether the pattern matches an address."""
        return host_fits(self.host, url.host) and _path_fits(self.path, segments_of(url.path))


def parse_path(text: str) -> Path:
    """Understand a path as operators write it. Raises `ValueError` with what is expected.

    A final ``?`` ("has a query") says nothing, since the query is never looked at; neither does a
    final slash. Letter case counts, and ``%41`` is the same as ``A``.
    """
    bare = text.removesuffix("?")
    if not bare.startswith("/") or not bare.isprintable() or len(bare) > LONGEST_URL:
        raise ValueError(EXPECTED)
    return _parsed(bare.removesuffix("/*")) + ((REST,) if bare.endswith("/*") else ())


def _parsed(text: str) -> Path:
    return tuple(_segment(each) for each in text.removesuffix("/").split("/")[1:])


def _segment(text: str) -> Segment:
    if _PARAMETER.fullmatch(text):
        return PARAMETER
    if not text or text.startswith(":") or _UNFIT.search(text):
        raise ValueError(EXPECTED)
    return Segment(Kind.LITERAL, _decoded(text))


def segments_of(path: str) -> list[str]:
    """The segments of a path as Twilio sends it, percent-decoded; a final slash makes no more.

    ``%2F`` is no slash: it stays within its segment.
    """
    segments = path.split("/")
    del segments[0]
    if segments and not segments[-1]:
        del segments[-1]
    return [_decoded(each) for each in segments] if "%" in path else segments


def _decoded(segment: str) -> str:
    """Bytes that are no UTF-8 stay apart from each other."""
    return unquote(segment, errors="surrogateescape")


def _path_fits(path: Path, segments: list[str]) -> bool:
    fixed = path[:-1] if path[-1:] == (REST,) else path
    if len(segments) < len(fixed) or (fixed is path and len(segments) > len(path)):
        return False
    return all(
        segment == expected.text if expected.kind is Kind.LITERAL else segment != ""
        for expected, segment in zip(fixed, segments, strict=False)
    )


def path_rank(path: Path) -> tuple[Kind, ...]:
    """Of two paths that match the same address, the one of the smaller rank is more specific.

    Earlier segments decide; a path that ends beats one that goes on with any rest.
    """
    return tuple(segment.kind for segment in path)


def host_rank(host: str | None) -> tuple[int, int]:
    """Of two hosts, the one of the smaller rank is more specific: none named comes last.

    A whole name beats a pattern, and a pattern one with fewer letters.
    """
    if host is None:
        return 2, 0
    return int("*" in host), host.count("*") - len(host)


def host_fits(host: str | None, name: str) -> bool:
    """Whether a host, as `boomerang.urls.WebUrl` has it, is meant."""
    return host is None or host_allowed(name, (host,))


def host_matcher(host: str | None) -> Callable[[str], object]:
    """`host_fits` for one pattern and many names; what it returns is true where a name fits."""
    if host is None:
        return bool  # no name is empty
    if host.startswith("[") or not _WILD.search(host):
        return partial(eq, host)
    if host.startswith("*") and not _WILD.search(host, 1):  # a tenth of what the regex takes
        return methodcaller("endswith", host[1:])
    return re.compile(fnmatch.translate(host)).match


def hosts_overlap(one: str | None, other: str | None) -> bool:
    """Whether a host could fit both patterns."""
    if one is None or other is None:
        return True
    if "*" not in one or "*" not in other:
        return host_allowed(one, (other,)) or host_allowed(other, (one,))
    # The stars of two patterns leave room for all that stands between their ends.
    (head, _, _), (other_head, _, _) = one.partition("*"), other.partition("*")
    (_, _, tail), (_, _, other_tail) = one.rpartition("*"), other.rpartition("*")
    return _one_begins(head, other_head) and _one_begins(tail[::-1], other_tail[::-1])


def _one_begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def host_covers(wide: str | None, narrow: str | None) -> bool:
    """Whether every host that fits the one pattern fits the other, too."""
    if wide is None or narrow is None:
        return wide is None or not wide.strip("*")
    return host_allowed(narrow, (wide,))
