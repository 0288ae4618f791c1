"""A watch on a clock that stands still; probes and store answer as they are told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from boomerang.monitor.outage import Outage, Reporter
from boomerang.monitor.panel import Kept, Panel
from boomerang.monitor.records import Records
from boomerang.monitor.result import CheckFailed, Reason, Result
from boomerang.monitor.run import Trace
from boomerang.monitor.watch import Watch
from boomerang.monitor.watched import CheckView
from boomerang.settings.checks import Check
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes

T = TypeVar("T")

EPOCH = 1_800_000_000.0
"""What the wall clock says when the other one stands at 0."""

WEB = Check(name="web", url="https://app.example.com/", interval=10.0, timeout=4.0, slow=2.0)
CLOUD = Check(name="cloud", url="https://cloud.example.com/", interval=10.0, timeout=4.0, slow=2.0)


@define
class Probes:
    """Probes that know what to say, by the check's name: what fails, hangs, breaks, or dawdles."""

    clock: Clock
    failing: dict[str, Reason] = field(factory=dict)
    hanging: set[str] = field(factory=set)
    broken: set[str] = field(factory=set)
    dawdling: dict[str, float] = field(factory=dict)
    runs: dict[str, list[float]] = field(factory=lambda: defaultdict(list))
    cancelled: list[str] = field(factory=list)

    async def __call__(self, check: Check, trace: Trace) -> None:
        self.runs[check.name].append(self.clock.seconds())
        if check.name in self.broken:
            raise RuntimeError("a mistake of our own")
        if check.name in self.dawdling:
            await deferLater(self.clock, self.dawdling[check.name])
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
    """A store that is away, breaks, or answers when it is told to (``slow``)."""

    def __init__(self, notes: MemoryNotes) -> None:
        self._notes = notes
        self.away = False
        self.slow = False
        self.broken = False
        self.waiting: list[tuple[str, Deferred[None]]] = []

    def __getattr__(self, name: str) -> Any:
        if self.away:
            return lambda *args, **options: fail(StoreUnavailable("gone fishing"))
        if self.broken:
            return lambda *args, **options: fail(RuntimeError("a mistake of the store"))
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
        """Answer what waits; what is asked after that waits in its turn."""
        waiting, self.waiting = self.waiting, []
        for _, told in waiting:
            told.callback(None)

    def fail(self) -> None:
        """Fail what waits."""
        waiting, self.waiting = self.waiting, []
        for _, told in waiting:
            told.errback(StoreUnavailable("gone fishing"))

    def answer_all(self) -> None:
        """Answer until nothing waits."""
        while self.waiting:
            self.answer()


class Bench:
    """A watch and what is around it; several of them may share a clock and a store."""

    def __init__(
        self,
        checks: Sequence[Check],
        notes: Any,
        *,
        clock: Clock,
        holder: str = "one",
        jitter: float = 0.0,
        reporters: Sequence[Reporter] = (),
    ) -> None:
        self.clock = clock
        self.probes = Probes(clock)
        self.heard = Heard()
        self.reporters = [*reporters, self.heard]
        self.store = notes
        self.records = Records(notes, environment="test", clock=clock)
        self.watch = Watch(
            Panel(checks),
            probes={"http": self.probes},
            records=self.records,
            reporters=self.reporters,
            holder=holder,
            clock=clock,
            wall_clock=self.wall_clock,
            random=lambda: jitter,
        )

    def wall_clock(self) -> float:
        return EPOCH + self.clock.seconds()

    def view(self, name: str = WEB.name) -> CheckView:
        """A check as operators see it, where it is watched."""
        (found,) = [
            each for each in self.watch.panel.view(now=self.wall_clock()) if each.check.name == name
        ]
        return found

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, in steps of a second."""
        self.clock.pump([1.0] * round(seconds))


class WatchTestCase(SynchronousTestCase):
    """Watches with probes and a store that answer at once unless they are told otherwise."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = MemoryNotes(self.clock)
        self.store = Fickle(self.notes)

    def bench(self, *checks: Check, **options: Any) -> Bench:
        """A watch that is not started; ``notes`` are the store that it has, not all having one."""
        notes = options.pop("notes", self.store)
        return Bench(checks or (WEB,), notes, clock=self.clock, **options)

    def started(
        self, *checks: Check, failing: Mapping[str, Reason] | None = None, **options: Any
    ) -> Bench:
        """A watch that has begun, with what fails from the first run on."""
        bench = self.bench(*checks, **options)
        bench.probes.failing.update(failing or {})
        bench.watch.startService()
        self.clock.advance(0)
        return bench

    def do(self, work: Coroutine[Deferred[Any], Any, T]) -> T:
        """What a coroutine returns that waits for nothing."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def stop(self, bench: Bench) -> None:
        """Stop a watch that has nothing to wait for."""
        self.successResultOf(bench.watch.stopService())

    def outages(self) -> dict[str, Outage]:
        """Those that last, as the store has them."""
        return self.do(self.bench(notes=self.notes).records.outages())

    def kept(self) -> Kept:
        """What the store has of the checks."""
        return self.do(self.bench(notes=self.notes).records.kept([WEB.name, CLOUD.name]))
