"""Notifications on a clock that stands still, to addresses that take or refuse what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from boomerang.monitor.notify.line import Channel
from boomerang.monitor.notify.message import Message
from boomerang.monitor.notify.outbox import Outbox
from boomerang.monitor.notify.service import Notifications
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason
from boomerang.settings.checks import Check
from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes
from boomerang.threads import Run

EPOCH = 1_800_000_000.0
"""What the wall clock says when the other one stands at 0."""

TOPIC = "notify.outbox.test"

WEB = Check(name="web", url="https://app.example.com/")


class Notes:
    """A store that is away, or never answers, when it is told so.

    While it is ``slow``, it answers when `answer` is called; ``broken`` is a method that fails as
    none should. ``asked`` are the methods that were used, ``written`` how many notes were written
    at once.
    """

    def __init__(self, clock: Clock) -> None:
        self.real = MemoryNotes(clock)
        self.away = False
        self.hanging = False
        self.slow = False
        self.broken = ""
        self._answers: list[Deferred[None]] = []
        self.asked: list[str] = []
        self.written: list[int] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        if name == self.broken:
            raise ZeroDivisionError
        if self.hanging:
            return lambda *args, **options: Deferred()
        if self.away:
            return lambda *args, **options: fail(StoreUnavailable("gone fishing"))
        if self.slow:
            return lambda *args, **options: self._later(name, *args, **options)
        return getattr(self.real, name)

    def _later(self, name: str, *args: Any, **options: Any) -> Deferred[Any]:
        self._answers.append(Deferred())
        return self._answers[-1].addCallback(lambda _: getattr(self.real, name)(*args, **options))

    def answer(self) -> None:
        """Do what was asked first, and answer."""
        self._answers.pop(0).callback(None)

    def write(self, topic: str, notes: dict[str, str | None]) -> Deferred[None]:
        self.written.append(len(notes))
        written: Deferred[None] = self.__getattr__("write")(topic, notes)
        return written

    def kept(self) -> dict[str, str]:
        """What is in the outbox."""
        found: list[Any] = []
        self.real.read(TOPIC).addCallback(found.append)
        return dict(found[0])


@define
class Address:
    """Where messages arrive, in their order; ``trouble`` refuses them, or is raised."""

    name: str
    titles: list[str] = field(factory=list)
    attempts: int = 0
    trouble: Exception | None = None
    refuses: bool = False

    def send(self, message: Message) -> bool:
        self.attempts += 1
        if self.trouble is not None:
            raise self.trouble
        if not self.refuses:
            self.titles.append(message.title.removeprefix("[test] "))
        return not self.refuses

    @property
    def channel(self) -> Channel:
        return Channel(id=self.name, label=f"number 1 ({self.name})", send=self.send)


@define(eq=False)
class Counts:
    """A watcher that counts."""

    delivered: int = 0
    failed: int = 0
    dropped: int = 0

    def notified(self, outcome: str) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Counts):
            other = (other.delivered, other.failed, other.dropped)
        return (self.delivered, self.failed, self.dropped) == other


class Threads:
    """A runner whose threads go on for as long as a test wants."""

    def __init__(self) -> None:
        self.works: list[tuple[Any, Deferred[Any]]] = []

    def __call__(self, work: Any) -> Deferred[Any]:
        self.works.append((work, Deferred()))
        return self.works[-1][1]

    def end(self, number: int = 0) -> None:
        """Let a thread come to its end."""
        work, ended = self.works.pop(number)
        outcome = maybeDeferred(work)
        if not ended.called:
            outcome.chainDeferred(ended)


class Desk:
    """The service of one process; several of them may share a clock and a store."""

    def __init__(
        self,
        *addresses: Address,
        clock: Clock,
        notes: Notes,
        holder: str = "one",
        run: Run | Any = maybeDeferred,
    ) -> None:
        self.clock = clock
        self.notes = notes
        self.counts = Counts()
        store: Any = notes
        self.service = Notifications(
            [address.channel for address in addresses],
            outbox=Outbox(store, environment="test", holder=holder, clock=clock),
            checks=[WEB],
            environment="test",
            run=run,
            clock=clock,
            wall_clock=self.wall_clock,
            watcher=self.counts,
        )

    def wall_clock(self) -> float:
        return EPOCH + self.clock.seconds()

    def start(self) -> Desk:
        self.service.startService()
        return self

    def begins(self, name: str = "web") -> None:
        self.service.began(Outage(name, self.wall_clock(), Reason.CONNECT, "refused"))

    def ends(self, name: str = "web") -> None:
        began = self.wall_clock() - 60
        self.service.ended(Outage(name, began, Reason.CONNECT, "refused", ended=self.wall_clock()))

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, in steps of a second."""
        self.clock.pump([1.0] * round(seconds))


def lines(events: Sequence[LogEvent]) -> list[str]:
    """What an operator would find in the log."""
    return [formatEvent(event) for event in events if event["log_level"] >= LogLevel.info]


class NotifyTestCase(SynchronousTestCase):
    """Two addresses, and a store that all processes share."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = Notes(self.clock)
        self.mail = Address("mailto")
        self.slack = Address("slack")

    def desk(self, *addresses: Address, holder: str = "one", run: object = None) -> Desk:
        """A process, not yet started; to both addresses unless some are named."""
        options: dict[str, Any] = {} if run is None else {"run": run}
        return Desk(
            *(addresses or (self.mail, self.slack)),
            clock=self.clock,
            notes=self.notes,
            holder=holder,
            **options,
        )
