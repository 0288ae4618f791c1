"""A courier with a queue in memory, an app that does as the test says, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from boomerang.relay.callback import Callback, Queued, State
from boomerang.relay.counts import RelayCounts
from boomerang.relay.courier import Courier, Limits
from boomerang.relay.insisting import Insistence
from boomerang.relay.record import RelayRecord
from boomerang.relay.schedule import Outcome, Schedule, Verdict
from boomerang.relay.settling import Settling
from boomerang.relay.standing import Standing
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.queue import Filter
from boomerang.stores.queue_memory import MemoryQueue

GOOD = Outcome(Verdict.DELIVERED, "200")
BAD = Outcome(Verdict.LATER, "500")
GONE = Outcome(Verdict.NEVER, "410")
DOWN = Outcome(Verdict.LATER, "refused", origin_down=True)


class FlakyQueue:
    """A queue in memory that is there or not, as the test says."""

    def __init__(self, clock: Clock) -> None:
        self.queue = MemoryQueue(clock.seconds)
        self.there = True
        self.silent = False
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.queue, name)

        def ask(*arguments: Any, **options: Any) -> Deferred[Any]:
            self.asked.append(name)
            if self.silent:
                return Deferred()
            if not self.there:
                return fail(StoreUnavailable("no store"))
            answer: Deferred[Any] = method(*arguments, **options)
            return answer

        return ask


class App:
    """Attempts that wait for the test's word, unless ``always`` says what becomes of each."""

    def __init__(self, clock: Clock) -> None:
        self.always: Callable[[Queued], Outcome] | None = None
        self.waiting: dict[str, Deferred[Outcome]] = {}
        self.seen: list[tuple[float, str]] = []
        self.cancelled = 0
        self.busiest = 0
        self._clock = clock

    async def attempt(self, queued: Queued) -> Outcome:
        key = queued.callback.key
        self.seen.append((round(self._clock.seconds(), 3), key))
        if self.always is not None:
            return self.always(queued)
        assert key not in self.waiting, "handed out twice"
        self.waiting[key] = Deferred(self._cancel)
        self.busiest = max(self.busiest, len(self.waiting))
        try:
            return await self.waiting[key]
        finally:
            del self.waiting[key]

    def _cancel(self, _: object) -> None:
        self.cancelled += 1

    def answer(self, key: str, outcome: Outcome) -> None:
        self.waiting[key].callback(outcome)

    @property
    def keys(self) -> list[str]:
        """The callbacks that came, in order."""
        return [key for _, key in self.seen]


def _never_more() -> float:
    """Chance, which makes no wait longer."""
    return 0.0


class Bench:
    """Everything around one courier, whose clock begins at 1000 s."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        queue: FlakyQueue | None = None,
        holder: str = "one",
        waits: Sequence[float] = (1, 5, 30),
        give_up_after: float = 100,
        limits: Limits | None = None,
    ) -> None:
        self.clock = clock or Clock()
        if clock is None:
            self.clock.advance(1000)
        self.queue = queue or FlakyQueue(self.clock)
        self.app = App(self.clock)
        self.registry = CollectorRegistry()
        self.counts = RelayCounts(self.registry, ["unknown"])
        self.record = RelayRecord(self.counts)
        self.standing = Standing(self.record, wall_clock=self.clock.seconds)
        queue_: Any = self.queue
        insistence = Insistence(self.standing, self.clock, _never_more)
        self.courier = Courier(
            queue_,
            self.app,
            Settling(
                queue_,
                holder,
                insistence,
                Schedule(waits, give_up_after),
                self.record,
                self.clock.seconds,
                _never_more,
            ),
            insistence=insistence,
            limits=limits or Limits(concurrency=5, per_origin=3, lease=10),
            holder=holder,
            record=self.record,
            standing=self.standing,
            clock=self.clock,
            random=_never_more,
        )

    def accept(self, *callbacks: Callback) -> None:
        for callback in callbacks:
            self.queue.queue.accept(callback)
        self.courier.nudge()

    def start(self, *callbacks: Callback) -> None:
        self.courier.startService()
        self.accept(*callbacks)
        self.wait(0.1)

    def wait(self, seconds: float) -> None:
        """Let time pass, 50 ms at a time."""
        self.clock.pump([0.05] * round(seconds / 0.05))

    def held(self, state: State | None = None) -> list[Queued]:
        """What is in the queue."""
        found: list[Queued] = []
        looking = self.queue.queue.look(Filter(state=state), most=10_000)
        looking.addCallback(found.extend)
        return found

    def count(self, outcome: str) -> float:
        value = self.registry.get_sample_value(
            "boomerang_relay_callbacks_total", {"outcome": outcome, "endpoint": "unknown"}
        )
        assert value is not None
        return value
