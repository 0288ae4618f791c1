"""What endpoints say of their rescue, and apps that are known to be dead."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs

from boomerang.endpoints.fallback import Document, Fallback, Redirect
from boomerang.retry.circuit import LOSSES, TRIAL_EVERY
from boomerang.retry.circuits import ROUND
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.service import NOT_HELD
from boomerang.settings.endpoints import Endpoint
from boomerang.stores.memory import MemoryStore
from boomerang.stores.notes_memory import MemoryNotes
from tests.retry.serving import (
    ORIGIN,
    PROBE,
    SECOND_CHANCE,
    SORRY,
    Case,
    Process,
    Scripted,
    failure,
)

SPOKEN = Document(b"<Response><Say>Sorry.</Say></Response>")
WRITTEN = Document(b"<Response><Message>Sorry.</Message></Response>")
AWAY = Redirect("https://cdn.example.org/sorry.xml")
BOTH = Fallback(voice=SPOKEN, messaging=WRITTEN)
MENU = "https://app.example.com/menu"


def menu(**keys: Any) -> Endpoint:
    return Endpoint(name="menu", match="/menu", **keys)


def apology(attempt: int, reason: str, document: Document = SPOKEN, **more: Any) -> Decision:
    return Decision(Kind.APOLOGY, attempt, reason, document=document.body, **more)


class EndpointTests(Case):
    """Each endpoint is rescued by its own rules."""

    def test_own_wait(self) -> None:
        """An endpoint may have a wait of its own; other URLs have that of [retry]."""
        self.use(endpoints=[menu(wait=3.0)])
        assert self.held(failure(MENU), 3.0).endpoint == "menu"
        assert self.held(failure(), 8.0) == SECOND_CHANCE

    def test_own_window(self) -> None:
        """And a window."""
        self.use(endpoints=[menu(window=60.0)])
        self.held(failure(MENU))
        assert self.answered(failure(MENU)).kind is Kind.GIVE_UP
        self.pass_seconds(52.0)
        assert self.held(failure(MENU)).kind is Kind.RETRY

    def test_rounds_of_several_endpoints(self) -> None:
        """A call's rounds go on, whatever the windows of the endpoints that it fails at."""
        self.use(endpoints=[menu(window=60.0)], rounds=3, wait=0.0)
        asked = [f"{MENU}/1", MENU, f"{MENU}/2", f"{MENU}/3"]
        decided = [self.answered(failure(url)) for url in asked]
        assert [each.reason for each in decided] == ["", "", "", "rounds"]

    def test_own_attempts(self) -> None:
        """And attempts."""
        self.use(endpoints=[menu(attempts=2)])
        assert [self.held(failure(MENU)).attempt for _ in range(2)] == [1, 2]
        assert self.answered(failure(MENU)).kind is Kind.GIVE_UP

    def test_own_method(self) -> None:
        """And a method."""
        self.use(endpoints=[menu(method="GET")])
        assert self.held(failure(MENU)).method == "GET"
        assert self.held(failure()).method == "POST"

    def test_no_retry(self) -> None:
        """One that wants no second chance has its last resort at once."""
        self.use(endpoints=[menu(retry=False, fallback=BOTH)])
        decision = self.answered(failure(MENU))
        assert decision == apology(0, "endpoint", endpoint="menu")
        assert self.watcher.told[0].held == NOT_HELD

    def test_no_retry_has_rounds(self) -> None:
        """Such failures are among the call's rounds: there is no loop without end."""
        self.use(endpoints=[menu(retry=False)])
        failed = failure(MENU, fallback=SORRY)
        reasons = [self.answered(failed).reason for _ in range(12)]
        assert reasons == ["endpoint"] * 10 + ["rounds"] * 2

    def test_own_codes(self) -> None:
        """One may name the codes that are worth a second chance, and only those get one."""
        self.use(endpoints=[menu(codes=("12100",))])
        assert self.held(failure(MENU, code="12100")).kind is Kind.RETRY
        assert self.answered(failure(MENU, code="11200")).reason == "code"

    def test_apologies(self) -> None:
        """The last resort is each product's own; what may be either gets Twilio's message."""
        self.use(fallback=BOTH, attempts=0)
        assert self.answered(failure()) == apology(1, "repeated")
        assert self.answered(failure(sid="SM1")) == apology(1, "repeated", WRITTEN)
        assert self.answered(failure(sid="")) == Decision(Kind.GIVE_UP, 1, "repeated")

    def test_own_apology(self) -> None:
        """An endpoint's own comes before that of [retry], which has the product left out."""
        self.use(fallback=BOTH, attempts=0, endpoints=[menu(fallback=Fallback(messaging=AWAY))])
        assert self.answered(failure(MENU)) == apology(1, "repeated", endpoint="menu")
        assert self.answered(failure(MENU, sid="SM1")) == Decision(
            Kind.FALLBACK, 1, "repeated", url=AWAY.url, method="GET", endpoint="menu"
        )

    def test_option_comes_first(self) -> None:
        """The request's FallbackUrl comes before all of them."""
        self.use(fallback=BOTH, attempts=0)
        decision = self.answered(failure(fallback=SORRY))
        assert (decision.kind, decision.url) == (Kind.FALLBACK, SORRY)

    def test_circle(self) -> None:
        """A last resort that fails itself is the end, and neither counted nor held."""
        self.use(Scripted([]), endpoints=[menu(fallback=Fallback(voice=AWAY, messaging=AWAY))])
        for fallback in (None, SORRY):
            failed = failure(AWAY.url, fallback=fallback)
            assert self.answered(failed) == Decision(Kind.GIVE_UP, 0, "circle")

    def test_circle_with_apology(self) -> None:
        """Unless there is something to say that is kept here."""
        self.use(fallback=BOTH, endpoints=[menu(fallback=Fallback(voice=AWAY))])
        assert self.answered(failure(AWAY.url)) == apology(0, "circle")

    def test_all_the_way(self) -> None:
        """Second chance, FallbackUrl, the endpoint's own: a call whose every URL fails ends."""
        self.use(endpoints=[menu(fallback=Fallback(voice=AWAY))])
        url = MENU
        way: list[tuple[Kind, str]] = []
        while len(way) < 10 and url:
            answer = self.ask(failure(url, fallback=SORRY))
            self.pass_seconds(8.0)
            decision = self.successResultOf(answer)
            way.append((decision.kind, decision.reason))
            url = decision.url or ""
        assert way == [
            (Kind.RETRY, ""),
            (Kind.FALLBACK, "repeated"),
            (Kind.GIVE_UP, "circle"),
        ]


class DeadAppTests(Case):
    """Callers of an app that is known to be dead are not held."""

    def setUp(self) -> None:
        super().setUp()
        self.use(circuit=True, fallback=BOTH)
        self.callers = 0

    def caller(self) -> str:
        self.callers += 1
        return f"CA{self.callers}"

    def lose(self, calls: int = LOSSES) -> None:
        """Calls that get their second chance, and fail again."""
        sids = [self.caller() for _ in range(calls)]
        answers = [self.ask(failure(sid=sid)) for sid in sids]
        self.pass_seconds(8.0)
        for answer in answers:
            assert self.successResultOf(answer).kind is Kind.RETRY
        for sid in sids:
            assert self.answered(failure(sid=sid)).kind is not Kind.RETRY

    def test_at_once(self) -> None:
        """Once five calls in a row were lost, the next caller hears the apology at once."""
        self.lose()
        assert self.answered(failure(sid="CA9")) == apology(0, "dead")
        assert self.watcher.told[-1].held == NOT_HELD
        assert self.answered(failure(sid="SM9")) == apology(0, "dead", WRITTEN)
        assert self.process.count("circuits_open") == 1

    def test_fallback_url(self) -> None:
        """Or is sent to the FallbackUrl."""
        self.lose()
        decision = self.answered(failure(sid="CA9", fallback=SORRY))
        assert (decision.kind, decision.url, decision.reason) == (Kind.FALLBACK, SORRY, "dead")

    def test_others(self) -> None:
        """Callers of other apps are held as ever."""
        self.lose()
        other = "https://other.example.com/voice"
        assert self.held(failure(other, sid="CA9")).kind is Kind.RETRY

    def test_switched_off(self) -> None:
        """Unless it is asked for, nobody is given up beforehand, and no loss counts."""
        self.use(fallback=BOTH)
        self.lose(2 * LOSSES)
        assert self.held(failure(sid="CA99")) == SECOND_CHANCE
        assert self.process.circuits.open() == {}

    def test_per_endpoint(self) -> None:
        """Each endpoint says for itself whether it wants that."""
        self.use(circuit=True, endpoints=[menu(circuit=False)])
        self.lose()
        assert self.answered(failure(sid="CA99")).reason == "dead"
        assert self.held(failure(MENU, sid="CA98")).kind is Kind.RETRY

    def test_pointless(self) -> None:
        """An error that comes again however often one asks is told as such."""
        self.lose()
        assert self.answered(failure(sid="CA9", code="12100")).reason == "code"

    def test_monitor(self) -> None:
        """A check of the app that is down is as good as lost calls."""
        self.process.circuits.startService()
        assert self.held(failure(sid="CA1")) == SECOND_CHANCE
        self.process.monitor[ORIGIN] = False
        self.pass_seconds(ROUND)
        assert self.answered(failure(sid="CA2")) == apology(0, "dead")
        self.process.monitor[ORIGIN] = True
        self.pass_seconds(ROUND)
        assert self.held(failure(sid="CA3")) == SECOND_CHANCE
        self.process.circuits.stopService()

    def test_trial(self) -> None:
        """Every five seconds one caller gets a second chance; if it is saved, all do again."""
        self.lose()
        self.pass_seconds(TRIAL_EVERY)
        trial = self.ask(failure(sid="CA9"))
        assert self.answered(failure(sid="CA10")).reason == "dead"
        assert self.after(trial, 8.0) == SECOND_CHANCE
        self.pass_seconds(32.0)
        assert self.held(failure(sid="CA11")) == SECOND_CHANCE
        assert self.process.count("circuits_open") == 0

    def test_probe(self) -> None:
        """An app that is back is found within five seconds, by its probe."""
        self.use(circuit=True, fallback=BOTH, probe=PROBE, wait=1.0)
        self.process.circuits.startService()
        sids = [self.caller() for _ in range(LOSSES)]
        answers = [self.ask(failure(sid=sid)) for sid in sids]
        self.pass_seconds(1.0)
        for answer, sid in zip(answers, sids, strict=True):
            self.successResultOf(answer)
            self.answered(failure(sid=sid))
        assert self.answered(failure(sid="CA9")).reason == "dead"
        self.pass_seconds(30.0)
        self.app.awake = True
        self.pass_seconds(ROUND)
        assert self.answered(failure(sid="CA10")) == SECOND_CHANCE
        self.process.circuits.stopService()

    def test_held_before(self) -> None:
        """Those that were held already when it turned out get what they were promised."""
        held = self.ask(failure(sid="CA9"))
        for _ in range(LOSSES):
            self.process.circuits.lost(ORIGIN)
        assert self.answered(failure(sid="CA10")).reason == "dead"
        assert self.after(held, 8.0) == SECOND_CHANCE

    def test_who_hung_up(self) -> None:
        """A caller who hung up before the second chance could fail did not bring it to life."""
        answer = self.ask(failure(sid="CA99"))
        self.lose()
        assert self.successResultOf(answer) == SECOND_CHANCE
        self.pass_seconds(40.0)
        labels = {"outcome": "recovered", "endpoint": "unknown"}
        assert self.process.count("second_chances_total", **labels) == 1
        assert ORIGIN in self.process.circuits.open()

    def test_rounds(self) -> None:
        """A call that goes to and fro between a dead app and its fallback comes to an end."""
        self.lose()
        failed = failure(sid="CA9", fallback=SORRY)
        decisions = [self.answered(failed) for _ in range(12)]
        assert [each.reason for each in decisions] == ["dead"] * 10 + ["rounds"] * 2
        assert [each.kind for each in decisions[10:]] == [Kind.FALLBACK, Kind.GIVE_UP]

    def test_counted(self) -> None:
        """The failure of a dead app was one, which its repetition shows when the app is back."""
        self.lose()
        self.answered(failure(sid="CA9"))
        self.pass_seconds(1.0)
        self.process.circuits.saved(ORIGIN, given_at=self.clock.seconds())
        assert self.answered(failure(sid="CA9")) == apology(2, "repeated")


class OutcomeTests(Case):
    """Whether a second chance has saved its call."""

    def outcomes(self, process: Process | None = None, endpoint: str = "unknown") -> list[Any]:
        process = process or self.process
        return [
            process.count("second_chances_total", outcome=outcome, endpoint=endpoint)
            for outcome in ("recovered", "lost")
        ]

    def test_recovered(self) -> None:
        """One that does not fail again is counted by its endpoint, half a minute later."""
        self.use(endpoints=[menu()])
        self.held(failure(MENU))
        self.pass_seconds(29.0)
        assert self.outcomes(endpoint="menu") == [0, 0]
        self.pass_seconds(2.0)
        assert self.outcomes(endpoint="menu") == [1, 0]
        assert self.outcomes() == [0, 0]

    def test_lost(self) -> None:
        """One that fails again is counted as lost, once, however often it fails then."""
        self.held(failure())
        for _ in range(5):
            self.answered(failure())
            self.pass_seconds(1.0)
        self.pass_seconds(40.0)
        assert self.outcomes() == [0, 1]

    def test_no_second_chance(self) -> None:
        """What had no second chance was neither saved nor lost."""
        self.use(attempts=0)
        for _ in range(5):
            self.answered(failure())
        self.answered(failure(code="12100"))
        self.pass_seconds(40.0)
        assert self.outcomes() == [0, 0]

    def test_other_error(self) -> None:
        """One that ends in another error, which no repetition mends, is lost all the same."""
        self.held(failure())
        self.answered(failure(code="12100"))
        self.pass_seconds(40.0)
        assert self.outcomes() == [0, 1]

    def test_hung_up(self) -> None:
        """Who hung up while being held had no second chance."""
        answer = self.ask(failure())
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.pass_seconds(40.0)
        assert self.outcomes() == [0, 0]

    def test_two_processes(self) -> None:
        """It does not matter which process gets the second failure."""
        store = MemoryStore(self.clock)
        self.use(store)
        other = Process(self.clock, store)
        self.held(failure())
        self.pass_seconds(1.0)
        assert self.successResultOf(other.ask(failure())).attempt == 2
        self.pass_seconds(40.0)
        assert (self.outcomes(), self.outcomes(other)) == ([0, 0], [0, 1])

    def test_other_error_in_two_processes(self) -> None:
        """Nor does it if that is an error which no repetition mends."""
        store = MemoryStore(self.clock)
        self.use(store)
        other = Process(self.clock, store)
        self.held(failure())
        self.pass_seconds(1.0)
        assert self.successResultOf(other.ask(failure(code="12100"))).reason == "code"
        self.pass_seconds(40.0)
        assert (self.outcomes(), self.outcomes(other)) == ([0, 0], [0, 1])

    def test_dead_in_two_processes(self) -> None:
        """A trial that fails again where the app is known to be dead was no success elsewhere."""
        store, notes = MemoryStore(self.clock), MemoryNotes(self.clock)
        self.use(store, notes=notes, circuit=True)
        other = Process(self.clock, store, notes=notes, circuit=True)
        for process in (self.process, other):
            process.circuits.startService()
            for _ in range(LOSSES):
                process.circuits.lost(ORIGIN)
        self.pass_seconds(TRIAL_EVERY)
        assert self.held(failure()) == SECOND_CHANCE
        trial = other.ask(failure(sid="CA2"))
        trial.cancel()
        self.failureResultOf(trial, CancelledError)
        assert self.successResultOf(other.ask(failure())).reason == "dead"
        self.pass_seconds(40.0)
        assert (self.outcomes(), self.outcomes(other)) == ([0, 0], [0, 1])
        assert ORIGIN in self.process.circuits.open()
        for process in (self.process, other):
            process.circuits.stopService()


class LogTests(Case):
    """The log says of each call what became of it."""

    def test_lines(self) -> None:
        """A line with the SID for each second chance whose outcome is known."""
        self.use(endpoints=[menu()])
        with capturedLogs() as events:
            for sid in ("CA1", "CA2"):
                self.held(failure(MENU, sid=sid))
            self.answered(failure(MENU, sid="CA2"))
            self.pass_seconds(40.0)
        told = [(each["outcome"], each["endpoint"], each["sid"]) for each in events]
        assert told == [("lost", "menu", "CA2"), ("recovered", "menu", "CA1")]
