"""How the checks stand, for whoever asks in any process: this one watches, or another does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime

from boomerang.monitor.panel import Panel
from boomerang.monitor.records import Records
from boomerang.monitor.watch import AT_ONCE, Watch
from boomerang.monitor.watched import CheckView

FRESH: Final = 5.0
"""Seconds for which what was read of another process's checks is shown again."""


class Onlooker:
    """Looks at the watch of this process, or in the store at what another's has written."""

    def __init__(
        self,
        watch: Watch,
        records: Records,
        *,
        clock: IReactorTime,
        wall_clock: Callable[[], float],
    ) -> None:
        self._watch = watch
        self._records = records
        self._clock = clock
        self._wall_clock = wall_clock
        self._panel: Panel | None = None
        self._read_at = 0.0

    async def views(self) -> Sequence[CheckView]:
        """All checks, as they were some seconds ago at the most.

        Raises `StoreUnavailable` or `TimeoutError` where another watches and cannot be read.
        """
        if self._watch.leads:
            self._panel = None
            return self._watch.panel.view(now=self._wall_clock())
        panel = self._panel
        if panel is None or self._clock.seconds() - self._read_at > FRESH:
            panel = self._panel = await self._read()
            self._read_at = self._clock.seconds()
        return panel.view(now=self._wall_clock())

    async def _read(self) -> Panel:
        """A few checks at a time, so that the reactor has its turns between."""
        checks = tuple(self._watch.panel.checks.values())
        panel = Panel(checks)
        if not checks:
            return panel
        kept = await self._records.kept(())
        panel.restore(kept, now=self._wall_clock())
        names = [check.name for check in checks]
        for first in range(0, len(names), AT_ONCE):
            results = await self._records.results(names[first : first + AT_ONCE])
            panel.recall(results, kept.stood)
        return panel
