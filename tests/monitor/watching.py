"""A watch on a clock that stands still; probes and store answer as they are told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.monitor.outage import Outage
from boomerang.monitor.panel import Panel
from boomerang.monitor.records import Records
from boomerang.monitor.result import CheckFailed, Reason, Result
from boomerang.monitor.run import Trace
from boomerang.monitor.watch import Watch
from boomerang.settings.checks import Check
from boomerang.stores.interfaces import NoteStore, StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes

EPOCH = 1_800_000_000.0
"""What the wall clock says when the other one stands at 0."""

WEB = Check(name="web", url="https://app.example.com/", interval=10.0, timeout=4.0, slow=2.0)
CLOUD = Check(name="cloud", url="https://cloud.example.com/", interval=10.0, timeout=4.0, slow=2.0)


@define
class Probes:
    """Probes that know what to say: by the check's name what fails, or what never answers."""

    clock: Clock
    failing: dict[str, Reason] = field(factory=dict)
    hanging: set[str] = field(factory=set)
    broken: set[str] = field(factory=set)
    runs: dict[str, list[float]] = field(factory=lambda: defaultdict(list))
    cancelled: list[str] = field(factory=list)

    async def __call__(self, check: Check, trace: Trace) -> None:
        self.runs[check.name].append(self.clock.seconds())
        if check.name in self.broken:
            raise RuntimeError("a mistake of our own")
        if check.name in self.hanging:
            never: Deferred[None] = Deferred(lambda _: self.cancelled.append(check.name))
            await never
        if check.name in self.failing:
            raise CheckFailed(self.failing[check.name], f"{check.name} failed")


@define
class Heard:
    """A reporter that remembers."""

    results: list[tuple[str, bool, bool]] = field(factory=list)
    outages: list[str] = field(factory=list)

    def checked(self, check: Check, result: Result, *, affected: bool) -> None:
        self.results.append((check.name, result.well, affected))

    def began(self, outage: Outage) -> None:
        self.outages.append(f"+{outage.check}")

    def ended(self, outage: Outage) -> None:
        self.outages.append(f"-{outage.check}")


class Fickle:
    """A store that is away, or answers when it is told to."""

    def __init__(self, notes: MemoryNotes) -> None:
        self._notes = notes
        self.away = False
        self.slow = False
        self.waiting: list[tuple[str, Deferred[None]]] = []

    def __getattr__(self, name: str) -> Any:
        if self.away:
            return lambda *args, **options: fail(StoreUnavailable("gone fishing"))
        method = getattr(self._notes, name)
        return partial(self._later, name, method) if self.slow else method

    def _later(self, name: str, method: Any, *args: Any, **options: Any) -> Deferred[Any]:
        told: Deferred[None] = Deferred()
        self.waiting.append((name, told))
        return told.addCallback(lambda _: method(*args, **options))

    @property
    def asked(self) -> list[str]:
        """What waits for an answer."""
        return [name for name, _ in self.waiting]

    def answer(self) -> None:
        """Answer what waits, and what is asked next before that is done."""
        waiting, self.waiting = self.waiting, []
        for _, told in waiting:
            told.callback(None)


class Bench:
    """A watch and what is around it; several of them may share a clock and a store."""

    def __init__(
        self,
        checks: Sequence[Check],
        notes: NoteStore,
        *,
        clock: Clock,
        holder: str = "one",
        jitter: float = 0.0,
    ) -> None:
        self.clock = clock
        self.probes = Probes(clock)
        self.heard = Heard()
        self.records = Records(notes, environment="test", clock=clock)
        self.watch = Watch(
            Panel(checks),
            probes={"http": self.probes},
            records=self.records,
            reporters=[self.heard],
            holder=holder,
            clock=clock,
            wall_clock=self.wall_clock,
            random=lambda: jitter,
        )

    def wall_clock(self) -> float:
        return EPOCH + self.clock.seconds()

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, in steps of a second."""
        self.clock.pump([1.0] * round(seconds))


class WatchTestCase(SynchronousTestCase):
    """A watch, with probes that answer at once unless they are told otherwise."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = MemoryNotes(self.clock)

    def bench(self, *checks: Check, **options: Any) -> Bench:
        notes = options.pop("notes", self.notes)
        return Bench(checks or (WEB,), notes, clock=self.clock, **options)

    def started(self, *checks: Check, **options: Any) -> Bench:
        bench = self.bench(*checks, **options)
        bench.watch.startService()
        self.clock.advance(0)
        return bench

    def do(self, work: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(work)
