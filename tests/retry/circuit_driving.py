"""Circuits on a clock that stands still, with apps, notes and monitors that do as they are told."""

from __future__ import annotations

import json
from collections.abc import Mapping

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.retry.circuit import LOSSES
from boomerang.retry.circuits import Circuits
from boomerang.stores.interfaces import NoteStore, StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes

EPOCH = 1_800_000_000.0
APP = ("app.example.com", 443)
OTHER = ("other.example.com", 8443)
PROBE = "https://me:hunter2@app.example.com/health?key=hunter2"
TOPIC = "circuits.test"


@define
class Apps:
    """Apps that answer a probe, or not, or never; and when they were asked."""

    clock: Clock
    awake: bool = False
    silent: bool = False
    broken: bool = False
    asked: list[float] = field(factory=list)

    def ask(self, url: str) -> Deferred[bool]:
        assert url == PROBE
        self.asked.append(self.clock.seconds())
        if self.broken:
            return fail(ZeroDivisionError())
        return Deferred() if self.silent else succeed(self.awake)


class Notes(MemoryNotes):
    """Notes of a store that may be away, say nothing, or let nobody write."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.mood = "there"
        self.asked = 0

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        return self._ready().addCallback(lambda _: super(Notes, self).read(topic))

    def write(self, topic: str, notes: Mapping[str, str | None]) -> Deferred[None]:
        if self.mood == "read-only":
            return fail(StoreUnavailable("redis://user:hunter2@store is a replica"))
        return self._ready().addCallback(lambda _: super(Notes, self).write(topic, notes))

    def _ready(self) -> Deferred[None]:
        self.asked += 1
        if self.mood == "away":
            return fail(StoreUnavailable("redis://user:hunter2@store does not answer"))
        return Deferred() if self.mood == "silent" else succeed(None)


class Process:
    """Circuits, and what this process's monitor has found; ``count`` is what the metrics say.

    Its wall clock is some seconds ``ahead``, and may be set.
    """

    def __init__(
        self,
        clock: Clock,
        notes: NoteStore,
        *,
        in_use: bool = True,
        most: int = 1000,
        ahead: float = 0.0,
    ) -> None:
        self._clock = clock
        self.ahead = ahead
        self.apps = Apps(clock)
        self.monitor: dict[tuple[str, int], bool] = {}
        self.monitor_broken = False
        self.count = 0
        self.circuits = Circuits(
            notes=notes,
            topic=TOPIC,
            ask=self.apps.ask,
            found=self.found,
            clock=clock,
            wall_clock=self.wall,
            watcher=self,
            in_use=in_use,
            most=most,
        )
        self.circuits.startService()

    def wall(self) -> float:
        return EPOCH + self._clock.seconds() + self.ahead

    def circuits_open(self, count: int) -> None:
        self.count = count

    def found(self) -> Mapping[tuple[str, int], bool]:
        if self.monitor_broken:
            raise ZeroDivisionError
        return self.monitor

    def lose(self, times: int = LOSSES, origin: tuple[str, int] = APP) -> None:
        for _ in range(times):
            self.circuits.lost(origin)

    def save(self, origin: tuple[str, int] = APP, *, ago: float = 0.0) -> None:
        """A second chance that was given some seconds ago has succeeded."""
        self.circuits.saved(origin, given_at=self._clock.seconds() - ago)

    def admits(self, probe: str | None = None, origin: tuple[str, int] = APP) -> bool:
        return self.circuits.admits(origin, probe)

    @property
    def state(self) -> dict[str, str]:
        """Host and position, with the reason, of those that are not closed."""
        return {
            host: f"{circuit.position.value}, {circuit.reason}"
            for (host, _), circuit in self.circuits.open().items()
        }


class Case(SynchronousTestCase):
    """Circuits on a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = Notes(self.clock)
        self.one = self.process()

    def process(self, **options: bool) -> Process:
        return Process(self.clock, self.notes, **options)

    def pass_seconds(self, seconds: float) -> None:
        self.clock.pump([0.5] * round(seconds * 2))

    def written(self) -> dict[str, dict[str, object]]:
        """What stands in the store, by origin."""
        notes = self.successResultOf(MemoryNotes.read(self.notes, TOPIC))
        return {key: json.loads(note) for key, note in notes.items()}
