"""One check that is being watched: its results, how it stands, and its next run."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from attrs import evolve, field, frozen

from boomerang.monitor.result import KEPT, Result
from boomerang.monitor.uptime import Uptime
from boomerang.monitor.verdict import Standing, judge
from boomerang.settings.checks import Check


@frozen
class CheckView:
    """A check as operators see it. Instants are seconds since the epoch.

    ``causes`` names what it depends on and what is down: with any, the check is *affected*.
    ``paused_until`` is `None` unless it is paused, infinite without an end. ``failures`` counts
    those since this process started, by reason. ``results`` are the last ones, oldest first.
    """

    check: Check
    standing: Standing
    causes: tuple[str, ...]
    paused_until: float | None
    results: tuple[Result, ...]
    failures: Counter[str]
    uptime: Uptime = field(factory=Uptime)

    @property
    def last(self) -> Result | None:
        return self.results[-1] if self.results else None

    @property
    def label(self) -> str:
        """The state in one word: paused and affected come before what the check itself says."""
        if self.paused_until is not None:
            return "paused"
        return "affected" if self.causes else self.standing.state.value


class Watched:
    """A check between two runs; ``failures`` counts by reason, in this process alone."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.results: deque[Result] = deque(maxlen=KEPT)
        self.standing = Standing()
        self.failures: Counter[str] = Counter()
        self.uptime = Uptime()

    def restore(self, results: Iterable[Result], stood: tuple[str, float] | None) -> None:
        """Take over what another process found, in the place of the results that are here.

        ``stood`` is the state that it noted, and since when, which may be longer ago than the
        results go back.
        """
        self._begin_anew()
        for result in results:
            self._note(result)
        now = self.standing
        if stood is not None and now.since is not None and stood[0] == now.state.value:
            self.standing = evolve(now, since=min(now.since, stood[1]))

    def go_on(self, since: Watched) -> None:
        """Take in what was found since, and all failures that were counted."""
        for result in since.results:
            self._note(result)
        self.failures.update(since.failures)
        self.uptime.merge(since.uptime)

    def forget(self) -> None:
        """Begin anew, but for the count of failures."""
        self._begin_anew()
        self.uptime = Uptime()

    def add(self, result: Result) -> None:
        """A run has ended."""
        if result.reason is not None:
            self.failures[result.reason.value] += 1
        self.uptime.add(result)
        self._note(result)

    def _begin_anew(self) -> None:
        self.results.clear()
        self.standing = Standing()

    def _note(self, result: Result) -> None:
        self.results.append(result)
        self.standing = judge(self.standing, result, self.check)
