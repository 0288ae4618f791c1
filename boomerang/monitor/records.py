"""What the monitor keeps in the store: results, outages, pauses, and who of several watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from boomerang.monitor import outage as outages_form
from boomerang.monitor import result as results_form
from boomerang.monitor.outage import Outage
from boomerang.monitor.panel import Kept
from boomerang.monitor.result import KEPT, Result
from boomerang.monitor.uptime import Uptime
from boomerang.monitor.verdict import Standing
from boomerang.stores.interfaces import NoteStore

S = TypeVar("S")
T = TypeVar("T")

LEASE: Final = 20.0
"""Seconds after which another instance watches in the place of one that has died."""

PATIENCE: Final = 5.0
"""Seconds that the store may take; nobody waits for it."""

FOR_EVER: Final = float("inf")

_log = Logger(namespace="boomerang.monitor")


@frozen(eq=False)
class Records:
    """The monitor's notes in the store, those of each environment apart.

    The methods raise `StoreUnavailable` or `TimeoutError` when the store does not answer.
    """

    notes: NoteStore
    environment: str
    clock: IReactorTime

    async def results(self, checks: Sequence[str]) -> dict[str, list[Result]]:
        """The last results of these checks, oldest first."""
        names = {self._journal(check): check for check in checks}
        if not names:
            return {}
        journals = await self._in_time(self.notes.journals(list(names)))
        return {
            names[name]: _readable(results_form.from_json, entries)
            for name, entries in journals.items()
            if name in names
        }

    async def add_results(self, results: Mapping[str, Sequence[Result]]) -> None:
        entries = {
            self._journal(check): [results_form.to_json(each) for each in new]
            for check, new in results.items()
        }
        await self._in_time(self.notes.append(entries, keep=KEPT))

    async def kept(self, checks: Sequence[str]) -> Kept:
        """All that another watch has left of these checks."""
        return Kept(
            results=await self.results(checks),
            stood=await self.stood(),
            outages=await self.outages(),
            pauses=await self.pauses(),
            uptimes=await self.uptimes(),
        )

    async def outages(self) -> dict[str, Outage]:
        """The outages that lasted when they were last written, by check."""
        found = await self._in_time(self.notes.read(f"outages.{self.environment}"))
        lasting = _readable(outages_form.from_json, found.values())
        return {each.check: each for each in lasting}

    async def note_outages(self, changed: Iterable[Outage]) -> None:
        notes = {each.check: None if each.ended else outages_form.to_json(each) for each in changed}
        await self._in_time(self.notes.write(f"outages.{self.environment}", notes))

    async def stood(self) -> dict[str, tuple[str, float]]:
        """The states of checks, and since when, as they were last written."""
        found = await self._in_time(self.notes.read(f"standings.{self.environment}"))
        return dict(_readable(_as_stood, found.items()))

    async def note_standings(self, changed: Mapping[str, Standing]) -> None:
        notes = {check: _stood_note(each) for check, each in changed.items()}
        await self._in_time(self.notes.write(f"standings.{self.environment}", notes))

    async def pauses(self) -> dict[str, float]:
        """Until when checks are paused (seconds since the epoch), those that are over included."""
        found = await self._in_time(self.notes.read(f"pauses.{self.environment}"))
        return dict(_readable(_as_pause, found.items()))

    async def pause(self, check: str, *, until: float) -> None:
        """Pause a check; `FOR_EVER` means until it is resumed."""
        note = {check: str(until)}
        await self._in_time(self.notes.write(f"pauses.{self.environment}", note))

    async def resume(self, check: str) -> None:
        await self._in_time(self.notes.write(f"pauses.{self.environment}", {check: None}))

    async def uptimes(self) -> dict[str, Uptime]:
        """How much of the last day and week each check was well."""
        found = await self._in_time(self.notes.read(f"uptimes.{self.environment}"))
        return dict(_readable(_as_uptime, found.items()))

    async def note_uptimes(self, uptimes: Mapping[str, Uptime]) -> None:
        notes = {check: uptime.to_json() for check, uptime in uptimes.items()}
        await self._in_time(self.notes.write(f"uptimes.{self.environment}", notes))

    async def take_watch(self, holder: str) -> bool:
        """Whether this instance is the one that watches, for the next `LEASE` seconds."""
        name = f"watch.{self.environment}"
        return await self._in_time(self.notes.lease(name, holder=holder, seconds=LEASE))

    async def leave_watch(self, holder: str) -> None:
        name = f"watch.{self.environment}"
        await self._in_time(self.notes.lease(name, holder=holder, seconds=0))

    def _journal(self, check: str) -> str:
        """A slash stands in neither name, whereas dots may: ``eu`` and ``eu.west`` are apart."""
        return f"checks.{self.environment}/{check}"

    def _in_time(self, answer: Deferred[T]) -> Deferred[T]:
        return answer.addTimeout(PATIENCE, self.clock)


def _stood_note(standing: Standing) -> str | None:
    return None if standing.since is None else f"{standing.state.value} {standing.since}"


def _as_stood(note: tuple[str, str]) -> tuple[str, tuple[str, float]]:
    check, text = note
    state, since = text.split(" ")
    return check, (state, _instant(since))


def _as_pause(note: tuple[str, str]) -> tuple[str, float]:
    check, until = note
    return check, FOR_EVER if until == str(FOR_EVER) else _instant(until)


def _as_uptime(note: tuple[str, str]) -> tuple[str, Uptime]:
    check, text = note
    return check, Uptime.from_json(text)


def _instant(text: str) -> float:
    try:
        return results_form.number(float(text))
    except TypeError as error:
        raise ValueError(str(error)) from None


def _readable(read: Callable[[S], T], notes: Iterable[S]) -> list[T]:
    """What can be read; what a newer or older boomerang wrote otherwise is left out."""
    found, errors = [], []
    for note in notes:
        try:
            found.append(read(note))
        except ValueError as error:
            errors.append(str(error))
    if errors:
        _log.warn(
            "{count} notes of the monitor cannot be read: {error}",
            count=len(errors),
            error=errors[0],
        )
    return found
