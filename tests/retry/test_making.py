"""The retry service, put together from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.endpoints.rules import RuleBook
from boomerang.metrics import Metrics
from boomerang.retry.hold import Hold
from boomerang.retry.keys import OwnKeys
from boomerang.retry.making import Knowledge, Surroundings, make_retry
from boomerang.retry.outcomes import Chance
from boomerang.retry.policy import Decision
from boomerang.retry.service import RetryService
from boomerang.settings import RetrySettings, Settings
from boomerang.settings.endpoints import Endpoint
from boomerang.settings.values import TwilioSettings
from boomerang.stores.failsafe import FailsafeStore
from boomerang.stores.memory import MemoryStore
from boomerang.stores.notes_memory import MemoryNotes
from tests.retry.serving import EPOCH, HERE, OWN, PROBE, Watcher, failure, just_now

TURNS = RetrySettings(probe=PROBE, hold_limit=60.0)


class Notes(MemoryNotes):
    """Notes that remember which topics were read, and fail if they are to."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []
        self.broken = False

    def read(self, topic: str) -> Deferred[Mapping[str, str]]:
        self.asked.append(topic)
        return fail(ZeroDivisionError()) if self.broken else super().read(topic)


class OutcomesHeard:
    """An `OutcomeWatcher` that remembers, and makes a mistake if it is to."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.broken = False

    def recovered(self, chance: Chance) -> None:
        self._hear("recovered")

    def lost(self, chance: Chance) -> None:
        self._hear("lost")

    def _hear(self, outcome: str) -> None:
        self.heard.append(outcome)
        if self.broken:
            raise ZeroDivisionError


class Case(SynchronousTestCase):
    """What is made of settings, on a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.notes = Notes(self.clock)
        self.watcher = Watcher()
        self.outcomes = OutcomesHeard()

    def made(
        self,
        retry: RetrySettings | None = None,
        *,
        twilio: TwilioSettings | None = None,
        endpoints: tuple[Endpoint, ...] = (),
        own_keys: OwnKeys | None = None,
    ) -> tuple[RetryService, Knowledge]:
        settings = evolve(
            Settings(),
            environment="blue",
            retry=retry or RetrySettings(),
            twilio=twilio or TwilioSettings(),
        )
        names = ["unknown", *(endpoint.name for endpoint in endpoints)]
        metrics = Metrics(version="1", environment="blue", endpoints=names)
        return make_retry(
            settings,
            RuleBook(settings.retry, endpoints),
            Surroundings(
                reactor=self.clock,
                store=FailsafeStore(
                    MemoryStore(self.clock),
                    name="test",
                    clock=self.clock,
                    wall_clock=self.wall_clock,
                    watcher=metrics,
                ),
                notes=self.notes,
                hold=Hold(self.clock, max_held=10),
                metrics=metrics,
                ask=lambda url: succeed(False),
                apps=dict,
                watchers=[self.watcher],
                outcome_watchers=[self.outcomes],
                wall_clock=self.wall_clock,
                random=lambda: 0.5,
                own_keys=own_keys or OwnKeys(),
            ),
        )

    def wall_clock(self) -> float:
        return EPOCH + self.clock.seconds()

    def topics(self, *settings: Any, **more: Any) -> set[str]:
        """What is read of the store while it runs."""
        _, knowledge = self.made(*settings, **more)
        knowledge.startService()
        self.clock.pump([1.0] * 10)
        knowledge.stopService()
        assert self.clock.getDelayedCalls() == []
        return set(self.notes.asked)


class StoreTests(Case):
    """What is asked of the store beside claims."""

    def test_nothing(self) -> None:
        """Where nothing of it is asked for, nothing is: not even a timer runs."""
        _, knowledge = self.made(RetrySettings(probe=PROBE, release_rate=5.0))
        knowledge.startService()
        assert self.clock.getDelayedCalls() == []
        assert self.topics() == set()

    def test_circuits(self) -> None:
        """Circuits are shared within the environment, if one endpoint at least has one."""
        assert self.topics(RetrySettings(circuit=True)) == {"circuits.blue"}
        self.notes.asked.clear()
        endpoint = Endpoint(name="menu", match="/menu", circuit=True)
        assert self.topics(endpoints=(endpoint,)) == {"circuits.blue"}

    def test_key(self) -> None:
        """A key is shared where calls are held in turns, and no secret is known that could be."""
        assert self.topics(TURNS) == {"continuation"}
        self.notes.asked.clear()
        endpoint = Endpoint(name="menu", match="/menu", probe=PROBE, hold_limit=30.0)
        assert self.topics(endpoints=(endpoint,)) == {"continuation"}

    def test_no_key(self) -> None:
        """With an auth token or a shared key, all instances have the same without asking."""
        for twilio in (
            TwilioSettings(auth_token=("12345",)),
            TwilioSettings(shared_keys={"KS": "12345"}),
        ):
            assert self.topics(TURNS, twilio=twilio) == set()


class TokenTests(Case):
    """Who understands whose tokens."""

    def told(self, service: RetryService, sid: str = "CA1") -> str:
        """The token that a call is given which is to come back."""
        answer = service.answer(failure(sid=sid), just_now(OWN, HERE, "AC1"))
        self.clock.pump([1.0] * 10)
        decision: Decision = self.successResultOf(answer)
        return (decision.url or "").partition("?token=")[2]

    def understands(self, service: RetryService, token: str, sid: str = "CA1") -> bool:
        try:
            service.returns.tokens.read(token, sid=sid)
        except ValueError:
            return False
        return True

    def test_same_secret(self) -> None:
        """Instances with the same auth token do, also while it is being replaced."""
        old, both, new = (
            self.made(TURNS, twilio=TwilioSettings(auth_token=tokens))[0]
            for tokens in (("old",), ("new", "old"), ("new",))
        )
        assert self.understands(both, self.told(old))
        assert self.understands(new, self.told(both))
        assert not self.understands(new, self.told(old))

    def test_same_store(self) -> None:
        """Without any secret, those do that share a store, once they are running."""
        (one, knows), (other, knows_too) = self.made(TURNS), self.made(TURNS)
        assert not self.understands(other, self.told(one))
        before = self.told(one)
        for knowledge in (knows, knows_too):
            knowledge.startService()
        assert self.understands(other, self.told(one))
        assert self.understands(one, before)
        for knowledge in (knows, knows_too):
            knowledge.stopService()

    def test_same_host(self) -> None:
        """Without either, workers of one host do from the start, and also once there is a store,
        which may have another key; who is told of keys hears of that one."""
        self.successResultOf(self.notes.write("continuation", {"key": b"store's".hex()}))
        told: list[list[bytes]] = []
        own = OwnKeys([b"host's"], lambda keys: told.append(list(keys)))
        (one, knows), (other, _) = (self.made(TURNS, own_keys=own) for _ in range(2))
        before = self.told(one)
        assert self.understands(other, before)
        knows.startService()
        assert self.understands(one, before)
        assert self.understands(one, self.told(other))
        assert not self.understands(other, self.told(one, "CA2"), "CA2")
        knows.stopService()
        assert told[0] == [b"store's", b"host's"]
        started_then, _ = self.made(TURNS, own_keys=OwnKeys(told[0]))
        assert self.understands(started_then, self.told(one))

    def test_store_that_forgot(self) -> None:
        """Also after the store came back empty and one of them was restarted, some seconds on."""
        (one, knows), (_, knows_too) = self.made(TURNS), self.made(TURNS)
        for knowledge in (knows, knows_too):
            knowledge.startService()
        before = self.told(one)
        knows_too.stopService()
        self.successResultOf(self.notes.write("continuation", {"key": None}))
        restarted, knows_again = self.made(TURNS)
        knows_again.startService()
        assert not self.understands(restarted, before)
        self.clock.pump([1.0] * 20)
        after = [self.told(service, "CA2") for service in (one, restarted)]
        for service in (one, restarted):
            assert self.understands(service, before)
            assert all(self.understands(service, token, "CA2") for token in after)
        for knowledge in (knows, knows_again):
            knowledge.stopService()


class WatcherTests(Case):
    """Who hears of decisions."""

    def test_others(self) -> None:
        """Those that are named hear of each, beside the log and the metrics."""
        service, knowledge = self.made(RetrySettings(wait=0.0))
        self.successResultOf(service.answer(failure(), just_now(OWN, HERE, "AC1")))
        assert [each.decision.attempt for each in self.watcher.told] == [1]
        knowledge.stopService()
        assert self.clock.getDelayedCalls() == []

    def test_outcomes(self) -> None:
        """They hear of what became of second chances, too."""
        service, knowledge = self.made(RetrySettings(wait=0.0))
        self.successResultOf(service.answer(failure(), just_now(OWN, HERE, "AC1")))
        self.successResultOf(service.answer(failure(), just_now(OWN, HERE, "AC1")))
        self.successResultOf(service.answer(failure(sid="CA2"), just_now(OWN, HERE, "AC1")))
        self.clock.pump([1.0] * 32)
        assert self.outcomes.heard == ["lost", "recovered"]
        knowledge.stopService()


class MistakeTests(Case):
    """Something does what it should not."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here a mistake is to be logged."""

    def test_store(self) -> None:
        """A store that makes no sense is logged, and the process goes on with its own key."""
        self.notes.broken = True
        _, knowledge = self.made(TURNS)
        knowledge.startService()
        assert [each.type for each in self.flushLoggedErrors()] == [ZeroDivisionError]
        knowledge.stopService()
        assert self.clock.getDelayedCalls() == []
