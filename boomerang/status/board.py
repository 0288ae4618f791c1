"""Writes what this process knows into the store, and reads what the others have written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from boomerang.monitor.watched import CheckView
from boomerang.status.overview import EndpointNow, Known, Overview, overview
from boomerang.status.report import Report, from_json, to_json
from boomerang.stores.interfaces import NoteStore, StoreUnavailable

ROUND: Final = 2.0
"""Seconds from one writing to the next while there is news."""

SIGN_OF_LIFE: Final = 15.0
"""Seconds after which a process writes even if there is none."""

PATIENCE: Final = 1.0
"""Seconds that the store may take before the page shows what it knows without it."""

KEPT: Final = 3600.0
"""Seconds for which a process that is gone is remembered: as long as the page looks back."""

MOST: Final = 100
"""Processes that are remembered; those that were heard of longest ago are forgotten first."""

_STORE_TROUBLE: Final = (StoreUnavailable, TimeoutError)


class CheckSource(Protocol):
    """Knows how the checks stand, wherever they are watched."""

    async def views(self) -> Sequence[CheckView]:
        """All checks. Raises `StoreUnavailable` or `TimeoutError`."""


class Board(Service):
    """What all processes know, for the page; each writes its own note.

    ``own`` gives the report of this process. Nothing is read unless somebody looks.
    """

    def __init__(
        self,
        own: Callable[[], Report],
        *,
        notes: NoteStore,
        environment: str,
        endpoints: Sequence[EndpointNow],
        checks: CheckSource,
        clock: IReactorTime,
        wall_clock: Callable[[], float],
    ) -> None:
        self._log = Logger(namespace="boomerang.status")
        self._own = own
        self._notes = notes
        self._topic = f"status.{environment}"
        self._known = Known(environment=environment, endpoints=endpoints)
        self._checks = checks
        self._clock = clock
        self._wall_clock = wall_clock
        self._written: Report | None = None
        self._read: dict[str, tuple[str, Report]] = {}
        self._away_since: float | None = None
        self._rounds: LoopingCall | None = None

    def startService(self) -> None:
        super().startService()
        rounds = self._rounds = LoopingCall(lambda: Deferred.fromCoroutine(self._round()))
        rounds.clock = self._clock
        rounds.start(ROUND)

    def stopService(self) -> Deferred[None]:
        """Say goodbye, so that nobody takes this process for dead."""
        super().stopService()
        if self._rounds is not None and self._rounds.running:
            self._rounds.stop()
        return Deferred.fromCoroutine(self._say_goodbye())

    async def overview(self) -> Overview:
        """What there is to see now; without the store what this process knows alone."""
        try:
            await self._look()
            self._away_since = None
        except _STORE_TROUBLE:
            self._away_since = self._away_since or self._wall_clock()
        own = self._own()
        others = [report for _, report in self._read.values() if report.instance != own.instance]
        known = evolve(self._known, incomplete=self._away_since)
        return overview([own, *others], known, now=self._wall_clock())

    async def _look(self) -> None:
        """Read what others have written; only what has changed costs anything to understand."""
        notes = await self._notes.read(self._topic).addTimeout(PATIENCE, self._clock)
        self._read = self._understood(notes)
        self._known = evolve(self._known, checks=await self._checks.views())

    def _understood(self, notes: Mapping[str, str]) -> dict[str, tuple[str, Report]]:
        found = {}
        for key, text in notes.items():
            before = self._read.get(key)
            if before is not None and before[0] == text:
                found[key] = before
                continue
            try:
                found[key] = (text, from_json(text))
            except ValueError:
                continue  # another version's, which its own page shows
        return found

    async def _round(self) -> None:
        try:
            await self._write(self._own())
        except _STORE_TROUBLE:
            return  # which the store's own watchers tell
        except Exception:
            self._log.failure("the status could not be written")

    async def _write(self, report: Report) -> None:
        before = self._written
        is_news = before is None or evolve(report, at=before.at) != before
        if not is_news and before is not None and report.at - before.at < SIGN_OF_LIFE:
            return
        notes: dict[str, str | None] = {report.instance: to_json(report)}
        if before is None or report.at // 60 != before.at // 60:
            notes.update(dict.fromkeys(await self._outdated(report)))
        await self._notes.write(self._topic, notes).addTimeout(PATIENCE, self._clock)
        self._written = report

    async def _outdated(self, own: Report) -> list[str]:
        """The notes of processes that are gone for long, and of those that are too many."""
        notes = await self._notes.read(self._topic).addTimeout(PATIENCE, self._clock)
        heard = {key: report.at for key, (_, report) in self._understood(notes).items()}
        heard |= {key: 0.0 for key in notes if key not in heard}
        heard.pop(own.instance, None)
        newest_first = sorted(heard, key=lambda key: heard[key], reverse=True)
        old = [key for key in newest_first[: MOST - 1] if own.at - heard[key] > KEPT]
        return old + newest_first[MOST - 1 :]

    async def _say_goodbye(self) -> None:
        try:
            await self._write(evolve(self._own(), ended=True))
        except _STORE_TROUBLE:
            return
