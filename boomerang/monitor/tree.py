"""What depends on what, and who is the cause of an outage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

Needs = Mapping[str, Sequence[str]]
"""What each check depends on, by name; without circles (the settings refuse them)."""


def ancestors(needs: Needs) -> Mapping[str, frozenset[str]]:
    """All that each check depends on, directly or through others."""
    return {name: frozenset(_above(needs, name)) for name in needs}


def _above(needs: Needs, start: str) -> set[str]:
    found: set[str] = set()
    pending = list(needs.get(start, ()))
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(needs.get(name, ()))
    return found


def causes(name: str, above: Mapping[str, frozenset[str]], down: Collection[str]) -> list[str]:
    """Which outages explain that something is wrong with a check: the deepest that are down.

    Empty when nothing that it depends on is down.
    """
    failing = above[name] & set(down)
    return sorted(each for each in failing if not above[each] & failing)
