"""A retry service on a clock that stands still, with an app that sleeps until the test wakes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.endpoints.rules import RuleBook
from boomerang.metrics import Metrics
from boomerang.retry.circuits import Circuits
from boomerang.retry.continuation import PATH, Continuation, Returns, Tokens
from boomerang.retry.gate import Gate
from boomerang.retry.hold import Held, Hold
from boomerang.retry.outcomes import Outcomes
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.record import OutcomeRecord
from boomerang.retry.request import FailedRequest, parse_failed_request
from boomerang.retry.service import Arrival, RetryService
from boomerang.settings import RetrySettings
from boomerang.settings.endpoints import Endpoint
from boomerang.standin.script import (
    Call,
    Message,
    Webhook,
    failure_parameters,
    standard_parameters,
)
from boomerang.stores.failsafe import FailsafeStore
from boomerang.stores.interfaces import (
    Claim,
    ClaimStore,
    Failure,
    Marked,
    NoteStore,
    StoreUnavailable,
)
from boomerang.stores.memory import MemoryStore
from boomerang.stores.notes_memory import MemoryNotes

APP: Final = "https://app.example.com/voice"
ORIGIN: Final = ("app.example.com", 443)
PROBE: Final = "https://app.example.com/health"
SORRY: Final = "https://static.example.com/sorry.xml"
HERE: Final = "https://boomerang.example.com"
RETRY: Final = f"{HERE}/retry"
OWN: Final = frozenset({("boomerang.example.com", 443)})

SECOND_CHANCE: Final = Decision(Kind.RETRY, 1, "", url=APP)
UNHELD: Final = Decision(Kind.RETRY, 1, "full", url=APP)
"""That which comes at once, since there is no room."""

EPOCH: Final = 1_800_000_000.0
"""What the wall clock says when the other one stands at 0."""


def failure(
    url: str = APP,
    *,
    code: str = "11200",
    sid: str = "CA1",
    fallback: str | None = None,
) -> FailedRequest:
    """A call that failed; a message if the SID begins with SM, who knows what without any."""
    kind = Message if sid.startswith("SM") else Call
    script = kind(first=Webhook(url), account_sid="AC1", sid=sid)
    about = standard_parameters(script) if sid else ()
    options = [("FallbackUrl", fallback)] if fallback else []
    return parse_failed_request([*about, *failure_parameters(int(code), url)], options)


@frozen
class Told:
    """What the watcher was told of one decision."""

    failed: FailedRequest
    decision: Decision
    held: Held
    degraded: bool


@define
class Watcher:
    """Remembers what it is told."""

    told: list[Told] = field(factory=list)
    gone: list[FailedRequest] = field(factory=list)

    def decided(
        self, failed: FailedRequest, decision: Decision, *, held: Held, degraded: bool
    ) -> None:
        self.told.append(Told(failed, decision, held, degraded))

    def hung_up(self, failed: FailedRequest) -> None:
        self.gone.append(failed)


@define
class Scripted:
    """A store that gives the answers it was given, and remembers what it was asked."""

    answers: list[Deferred[Claim]]
    asked: list[Failure] = field(factory=list)
    released: list[Marked] = field(factory=list)

    def open(self) -> Deferred[None]:
        return succeed(None)

    def claim(self, failure: Failure) -> Deferred[Claim]:
        self.asked.append(failure)
        return self.answers.pop(0)

    def release(self, marked: Sequence[Marked]) -> Deferred[None]:
        self.released += marked
        return succeed(None)

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]:
        return succeed([1] * len(marked))

    def probe(self) -> Deferred[None]:
        return fail(StoreUnavailable("still away"))

    def close(self) -> Deferred[None]:
        return succeed(None)


@define
class App:
    """An app that answers its probe once it is awake."""

    clock: Clock
    awake: bool = False
    asked: list[float] = field(factory=list)

    def ask(self, url: str) -> Deferred[bool]:
        assert url == PROBE
        self.asked.append(self.clock.seconds())
        return succeed(self.awake)


class Process:
    """One process with its retry service; several may share clock, store and notes."""

    def __init__(
        self,
        clock: Clock,
        store: ClaimStore,
        *,
        notes: NoteStore | None = None,
        max_held: int = 100,
        max_each: int | None = None,
        endpoints: Sequence[Endpoint] = (),
        **settings: Any,
    ) -> None:
        self.clock = clock
        self.watcher = Watcher()
        self.app = App(clock)
        self.monitor: dict[tuple[str, int], bool] = {}
        names = ["unknown", *(endpoint.name for endpoint in endpoints)]
        self.metrics = Metrics(version="1", environment="test", endpoints=names)
        failsafe = FailsafeStore(
            store,
            name="test",
            clock=clock,
            wall_clock=self.wall_clock,
            watcher=self.metrics,
        )
        self.circuits = Circuits(
            notes=MemoryNotes(clock) if notes is None else notes,
            topic="circuits.test",
            ask=self.app.ask,
            found=self.found,
            clock=clock,
            wall_clock=self.wall_clock,
            watcher=self.metrics,
            in_use=True,
        )
        self.outcomes = Outcomes(clock, failsafe, OutcomeRecord(self.metrics, self.circuits))
        self.service = RetryService(
            book=RuleBook(RetrySettings(**settings), endpoints),
            store=failsafe,
            hold=Hold(clock, max_held=max_held, max_each=max_each),
            gate=Gate(clock, ask=self.app.ask, random=lambda: 0.5),
            circuits=self.circuits,
            outcomes=self.outcomes,
            returns=Returns(Tokens([b"key"])),
            watcher=self.watcher,
            wall_clock=self.wall_clock,
        )

    def wall_clock(self) -> float:
        return EPOCH + self.clock.seconds()

    def found(self) -> Mapping[tuple[str, int], bool]:
        return self.monitor

    def ask(
        self,
        failed: FailedRequest,
        *,
        here: str | None = HERE,
        party: str = "AC1",
        waited: float = 0.0,
    ) -> Deferred[Decision]:
        """A fallback request of Twilio's, which was read after some seconds."""
        return self.service.answer(failed, Arrival(OWN, here, party, lambda: waited))

    def return_(self, told: Decision, *, sid: str = "CA1") -> Deferred[Decision]:
        """A call that comes back as it was told to."""
        return self.service.come_back(self.read(told, sid=sid), just_now(OWN, HERE, "AC1"))

    def read(self, told: Decision, *, sid: str = "CA1") -> Continuation:
        """What the way back says."""
        address, mark, token = (told.url or "").partition("?token=")
        assert (address, mark) == (f"{HERE}{PATH}", "?token=")
        return self.service.returns.tokens.read(token, sid=sid)

    def count(self, name: str, **labels: str) -> float | None:
        """A number of the metrics."""
        return self.metrics.registry.get_sample_value(f"boomerang_{name}", labels)


def just_now(own_origins: frozenset[tuple[str, int]], here: str, party: str) -> Arrival:
    """How a request came that was read at once."""
    return Arrival(own_origins, here, party, lambda: 0.0)


class Case(SynchronousTestCase):
    """One process, with a store in its memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.use(MemoryStore(self.clock))

    def use(self, store: ClaimStore | None = None, **options: Any) -> None:
        """Take a process with other settings, or another store, from now on."""
        self.process = Process(
            self.clock, MemoryStore(self.clock) if store is None else store, **options
        )
        self.service = self.process.service
        self.watcher = self.process.watcher
        self.app = self.process.app

    def ask(
        self, failed: FailedRequest, *, party: str = "AC1", waited: float = 0.0
    ) -> Deferred[Decision]:
        return self.process.ask(failed, party=party, waited=waited)

    def answered(self, failed: FailedRequest) -> Decision:
        """The answer to a request that is not held."""
        return self.successResultOf(self.ask(failed))

    def held(self, failed: FailedRequest, seconds: float = 8.0) -> Decision:
        """The answer to a request that is held for just so long."""
        return self.after(self.ask(failed), seconds)

    def after(self, answer: Deferred[Decision], seconds: float) -> Decision:
        """The answer, which must come after just so many seconds."""
        self.pass_seconds(seconds - 0.125)
        self.assertNoResult(answer)
        self.pass_seconds(0.125)
        return self.successResultOf(answer)

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, in steps of an eighth of a second, which adds up without errors."""
        self.clock.pump([0.125] * round(seconds * 8))

    def assert_nothing_left(self) -> None:
        """Nothing is held, and nothing is left to be done but to follow second chances."""
        self.clock.advance(0)
        self.process.outcomes.stop()
        assert len(self.service.hold) == 0
        assert self.clock.getDelayedCalls() == []
