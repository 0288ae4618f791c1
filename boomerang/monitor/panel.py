"""All that is watched, and how it stands: fed with results, asked for changes and for views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from attrs import evolve, field, frozen

from boomerang.monitor.alarm import Seen, is_down, news
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Result
from boomerang.monitor.tree import ancestors, causes
from boomerang.monitor.uptime import Uptime
from boomerang.monitor.verdict import Standing
from boomerang.monitor.watched import CheckView, Watched
from boomerang.settings.checks import Check


@frozen
class Kept:
    """What the store has of an earlier watch; all by the name of the check."""

    results: Mapping[str, Sequence[Result]] = field(factory=dict)
    stood: Mapping[str, tuple[str, float]] = field(factory=dict)
    outages: Mapping[str, Outage] = field(factory=dict)
    pauses: Mapping[str, float] = field(factory=dict)
    uptimes: Mapping[str, Uptime] = field(factory=dict)


@frozen
class Turn:
    """What a result has changed: the check's standing, if it is another now, and outages."""

    standing: Standing | None
    outages: tuple[Outage, ...]


class Panel:
    """The checks with their results, standings, pauses, and the outages that last.

    ``now`` is seconds since the epoch wherever it is asked for.
    """

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = {check.name: check for check in checks}
        needs = {check.name: check.depends_on for check in checks}
        self._above = ancestors(needs)
        self._below: dict[str, tuple[str, ...]] = dict.fromkeys(needs, ())
        for name in needs:
            for above in self._above[name]:
                self._below[above] += (name,)
        self._watched = {check.name: Watched(check) for check in checks}
        self._outages: dict[str, Outage] = {}
        self.pauses: Mapping[str, float] = {}

    def restore(self, kept: Kept, *, now: float) -> list[Outage]:
        """Go on where another watch ended; returns the outages of checks that are no more."""
        self.recall(kept.results, kept.stood)
        for name, uptime in kept.uptimes.items():
            if name in self._watched:
                self._watched[name].uptime = uptime
        self._outages = {name: each for name, each in kept.outages.items() if name in self.checks}
        self.pauses = kept.pauses
        gone = [each for name, each in kept.outages.items() if name not in self.checks]
        return [evolve(each, ended=now) for each in gone]

    def recall(
        self, results: Mapping[str, Sequence[Result]], stood: Mapping[str, tuple[str, float]]
    ) -> None:
        """Go on with these checks alone, for whoever cannot wait for all of them at once."""
        for name, found in results.items():
            if name in self._watched:
                self._watched[name].restore(found, stood.get(name))

    def go_on(self, since: Panel) -> None:
        """Take in what another panel of the same checks has found since."""
        for name, watched in self._watched.items():
            watched.go_on(since._watched[name])
        self._outages.update(since._outages)

    def forget(self) -> None:
        """Leave it all to another watch: only what failed here stays counted."""
        for watched in self._watched.values():
            watched.forget()
        self._outages = {}

    def add(self, name: str, result: Result, *, now: float) -> Turn:
        """Take a result in; says what it changed."""
        watched = self._watched[name]
        before = watched.standing
        watched.add(result)
        changed = before.state is not watched.standing.state
        concerned = (name, *self._below[name])
        seen = self._seen({*concerned, *chain(*(self._above[each] for each in concerned))}, now)
        outages = tuple(news(concerned, seen, self._outages))
        for outage in outages:
            if outage.ended is None:
                self._outages[outage.check] = outage
            else:
                del self._outages[outage.check]
        return Turn(watched.standing if changed else None, outages)

    def paused_until(self, name: str, *, now: float) -> float | None:
        """When the check goes on: infinity if somebody has to resume it, `None` if it runs."""
        until = self.pauses.get(name)
        return until if until is not None and until > now else None

    def causes(self, name: str, *, now: float) -> list[str]:
        """What the check depends on and what is down: it is affected if there is any."""
        return causes(name, self._above, self._down(self._above[name], now))

    def last(self, name: str) -> Result | None:
        """What the last run of a check has found."""
        results = self._watched[name].results
        return results[-1] if results else None

    def uptimes(self) -> Mapping[str, Uptime]:
        return {name: watched.uptime for name, watched in self._watched.items()}

    def view(self, *, now: float) -> list[CheckView]:
        """All checks, in their order."""
        down = self._down(self.checks, now)
        return [
            CheckView(
                check=watched.check,
                standing=watched.standing,
                causes=tuple(causes(name, self._above, down)),
                paused_until=self.paused_until(name, now=now),
                results=tuple(watched.results),
                failures=watched.failures,
                uptime=watched.uptime,
            )
            for name, watched in self._watched.items()
        ]

    def _down(self, names: Iterable[str], now: float) -> list[str]:
        return [name for name, each in self._seen(names, now).items() if is_down(each)]

    def _seen(self, names: Iterable[str], now: float) -> dict[str, Seen]:
        return {
            name: Seen(
                check=self.checks[name],
                standing=self._watched[name].standing,
                results=self._watched[name].results,
                paused=self.paused_until(name, now=now) is not None,
                above=self._above[name],
                below=self._below[name],
            )
            for name in names
        }
