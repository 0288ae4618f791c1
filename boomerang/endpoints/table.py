"""The endpoint table: from a URL to the endpoint that knows about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import Factory, define, frozen

from boomerang.endpoints.patterns import (
    PARAMETER,
    REST,
    Path,
    host_matcher,
    host_rank,
    parse_path,
    segments_of,
)
from boomerang.settings.endpoints import Endpoint
from boomerang.urls import WebUrl


@frozen
class _End:
    """An endpoint, for the hosts that fit."""

    host: str | None
    fits: Callable[[str], object]
    endpoint: Endpoint


@define
class _Node:
    """The paths that have the same beginning: how they go on, and the endpoints where they end."""

    literals: dict[str, _Node] = Factory(dict)
    parameter: _Node | None = None
    rest: _Node | None = None
    ends: list[_End] = Factory(list)


class EndpointTable:
    """All endpoints, found by the segments of their paths.

    Each part of a look-up is a step down a tree, so that it takes a few microseconds however many
    endpoints there are, and however long the path is.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._root = _Node()
        for endpoint in endpoints:
            node = _grown(self._root, parse_path(endpoint.match))
            hosts = endpoint.host or (None,)
            node.ends += [_End(host, host_matcher(host), endpoint) for host in hosts]
            node.ends.sort(key=lambda end: host_rank(end.host))

    def find(self, url: WebUrl) -> Endpoint | None:
        """The most specific of the endpoints that match."""
        return next(self.matching(url), None)

    def matching(self, url: WebUrl) -> Iterator[Endpoint]:
        """All endpoints that match, the most specific first.

        Earlier segments decide: a literal before a parameter, that before any rest; then the host:
        a name before a pattern, that before none. An endpoint with several hosts may come twice.
        """
        segments = segments_of(url.path)
        count = len(segments)
        untried = [(self._root, 0)]
        while untried:
            node, depth = untried.pop()
            if node.rest is not None:
                untried.append((node.rest, count))
            if depth == count:
                for end in node.ends:
                    if end.fits(url.host):
                        yield end.endpoint
                continue
            segment = segments[depth]
            if node.parameter is not None and segment:
                untried.append((node.parameter, depth + 1))
            if segment in node.literals:
                untried.append((node.literals[segment], depth + 1))


def _grown(node: _Node, path: Path) -> _Node:
    """The node where a path ends, made if need be."""
    for segment in path:
        if segment == REST:
            node.rest = node.rest or _Node()
            node = node.rest
        elif segment == PARAMETER:
            node.parameter = node.parameter or _Node()
            node = node.parameter
        else:
            node = node.literals.setdefault(segment.text, _Node())
    return node
