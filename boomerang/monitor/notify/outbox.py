"""The notifications that are not yet delivered, in the store, so that no restart loses one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from boomerang.monitor.notify.entry import Entry, from_json, to_json
from boomerang.stores.interfaces import NoteStore, StoreUnavailable

PATIENCE: Final = 5.0
"""Seconds that the store may take; a message waits no longer for being written down."""

LEASE: Final = 30.0
"""Seconds after which another process delivers what one has left that died."""

_MOST_CHANGES: Final = 2000


class Outbox:
    """What this process is to deliver; the store has it too until it is delivered.

    Each process renews a lease of its own name while it has something to deliver; what belongs to
    one whose lease has run out may be taken over. While the store does not answer, the process
    goes on with what it has in memory, and writes that as soon as the store takes it.
    """

    _log = Logger(namespace="boomerang.monitor.notify")

    def __init__(
        self, notes: NoteStore, *, environment: str, holder: str, clock: IReactorTime
    ) -> None:
        self._notes = notes
        self._topic = f"notify.outbox.{environment}"
        self._leases = f"notify.{environment}"
        self._holder = holder
        self._clock = clock
        self._ours: set[str] = set()
        self._changes: dict[str, str | None] = {}
        self._renew_at = clock.seconds()
        self._lock = DeferredLock()
        self._trouble = ""

    @property
    def unwritten(self) -> int:
        """How many entries the store does not have, and would be lost with this process."""
        return sum(text is not None for text in self._changes.values())

    def add(self, entry: Entry) -> None:
        """Have an entry kept; `keep` writes it."""
        self._ours.add(entry.key)
        self._changes[entry.key] = to_json(entry, holder=self._holder)

    def remove(self, key: str) -> None:
        """Have no more to do with an entry; `keep` erases it."""
        self._ours.discard(key)
        self._changes[key] = None
        if len(self._changes) > _MOST_CHANGES:  # the store has been away for long
            del self._changes[next(key for key, text in self._changes.items() if text is None)]

    async def keep(self) -> None:
        """Write what has changed. Takes `PATIENCE` at the most, and never fails."""
        if self._changes:
            await self._with_store(self._write)

    async def take_over(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        """What nobody else delivers, of what is wanted: it is this process's now."""
        found: list[Entry] = []

        async def look() -> None:
            if self._ours:
                await self._renew()
            for entry in await self._left_behind(wanted):
                self.add(entry)
                found.append(entry)
            await self._write()

        await self._with_store(look)
        return sorted(found, key=lambda entry: entry.key)

    async def leave(self) -> None:
        """Write what has changed, and let others take over all that is still here."""

        async def hand_over() -> None:
            await self._write()
            await self._lease(self._holder, seconds=0)

        await self._with_store(hand_over)

    async def _left_behind(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        by_holder: dict[str, list[Entry]] = defaultdict(list)
        for key, text in (await self._notes.read(self._topic)).items():
            if key in self._ours or key in self._changes:
                continue
            try:
                entry, holder = from_json(key, text)
            except ValueError:  # a newer boomerang's, which will deliver it
                continue
            if wanted(entry):
                by_holder[holder].append(entry)
        return [
            entry
            for holder, entries in by_holder.items()
            if holder == self._holder or await self._lease(holder, seconds=LEASE)
            for entry in entries
        ]

    async def _write(self) -> None:
        """Write all changes at once; those that come meanwhile stay for the next time."""
        changes = dict(self._changes)
        if not changes:
            return
        if self._clock.seconds() >= self._renew_at:
            await self._renew()  # before others see entries of a process that seems to be dead
        await self._notes.write(self._topic, changes)
        for key, text in changes.items():
            if self._changes[key] == text:
                del self._changes[key]

    async def _renew(self) -> None:
        await self._lease(self._holder, seconds=LEASE)
        self._renew_at = self._clock.seconds() + LEASE / 3

    def _lease(self, holder: str, *, seconds: float) -> Deferred[bool]:
        name = f"{self._leases}.{holder}"
        return self._notes.lease(name, holder=self._holder, seconds=seconds)

    async def _with_store(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do some work, one at a time, and see to it that the log tells of the store's state."""

        async def alone() -> None:
            async with self._lock:
                await work()

        try:
            await Deferred.fromCoroutine(alone()).addTimeout(PATIENCE, self._clock)
        except (StoreUnavailable, TimeoutError) as error:
            self._store_is(trouble=getattr(error, "brief", "no answer in time"))
        else:
            self._store_is(trouble="")

    def _store_is(self, *, trouble: str) -> None:
        if trouble and not self._trouble:
            self._log.warn("notifications are kept in memory alone: {reason}", reason=trouble)
        elif self._trouble and not trouble:
            self._log.info("notifications are kept in the store again")
        self._trouble = trouble
