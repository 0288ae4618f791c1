"""The life of the process, and above all its end: nobody who waits is forgotten."""

from __future__ import annotations

import gc
import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from attrs import evolve
from twisted.application.service import Service
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from zope.interface import implementer

from boomerang.collector import Collector
from boomerang.door import Door
from boomerang.endpoints.rules import RuleBook
from boomerang.host import Host
from boomerang.listening import Listening, endpoints
from boomerang.metrics import Metrics
from boomerang.relay.record import RelayRecord
from boomerang.relay.standing import Standing
from boomerang.retry.hold import Hold
from boomerang.retry.making import Surroundings, make_retry
from boomerang.settings import RetrySettings, Settings
from boomerang.stores.failsafe import FailsafeStore
from boomerang.stores.memory import MemoryStore
from boomerang.stores.notes_memory import MemoryNotes
from boomerang.systemd import SystemdService
from boomerang.web.pages import HealthRoute, Life
from boomerang.web.retry import RetryRoute
from boomerang.web.signature import Keys
from boomerang.web.trust import Trust
from tests.fakes.garbage import Noted
from tests.web.driving import FIELDS, Bench, Connection, Slow, post, request

WAIT = 8.0
LAST_BYTES = 0.125
"""The first step of the clock after the tenth of a second that is left for the last bytes."""


@implementer(IListeningPort)
class Port:
    """A listening socket that closes when the test says so."""

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened
        self.closing: Deferred[None] = Deferred()

    def startListening(self) -> None: ...

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "0.0.0.0", 8080)

    def stopListening(self) -> Deferred[None]:
        self._happened.append("stop listening")
        return self.closing.addCallback(lambda _: self._happened.append("port closed"))


class Reactor(MemoryReactorClock):
    """A memory reactor with such sockets, and with calls from signal handlers."""

    def __init__(self, port: Port) -> None:
        super().__init__()
        self._port = port

    def listenTCP(self, *args: Any, **options: Any) -> Any:
        super().listenTCP(*args, **options)
        return self._port

    def callFromThread(self, call: Callable[..., object], *args: object) -> None:
        self.callLater(0, call, *args)


class Store(MemoryStore):
    """A store that tells when it is opened and closed, and may hang."""

    hangs = False

    def __init__(self, clock: MemoryReactorClock, happened: list[str]) -> None:
        super().__init__(clock)
        self._happened = happened

    def open(self) -> Deferred[None]:
        self._happened.append("store open")
        return super().open()

    def close(self) -> Deferred[None]:
        self._happened.append("store closed")
        return Deferred() if self.hangs else succeed(None)


class Worker(Service):
    """A service that has last words, and ends when the test says so."""

    def __init__(self, name: str, happened: list[str], ending: Deferred[None]) -> None:
        self._name = name
        self._happened = happened
        self._ending = ending

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self._happened.append(f"{self._name} stopped")
        return self._ending


class Outside:
    """The way to the outside, which tells when it is closed."""

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened
        self.closing: Deferred[None] = succeed(None)

    def close(self) -> Deferred[None]:
        self._happened.append("outbound closed")
        return self.closing


class House(Bench):
    """A host of parts that tell what happens to them, in order."""

    def __init__(
        self,
        *,
        grace: float = 10.0,
        watchdog: float | None = None,
        workers: Mapping[str, Deferred[None]] | None = None,
        remarks: Sequence[str] = (),
    ) -> None:
        self.happened: list[str] = []
        self.port = Port(self.happened)
        self.reactor = Reactor(self.port)
        self.store = Store(self.reactor, self.happened)
        metrics = Metrics(version="1", environment="test")
        failsafe = FailsafeStore(
            self.store,
            name="test:",
            clock=self.reactor,
            wall_clock=self.reactor.seconds,
            watcher=metrics,
        )
        self.hold = Hold(self.reactor, max_held=100)
        life = Life(started_at=0.0)
        self.slow = Slow()
        settings = evolve(
            Settings(), shutdown_grace=grace, retry=evolve(RetrySettings(), wait=WAIT)
        )
        around = Surroundings(
            reactor=self.reactor,
            store=failsafe,
            notes=MemoryNotes(self.reactor),
            hold=self.hold,
            metrics=metrics,
            ask=lambda url: succeed(False),
            apps=dict,
            watchers=(),
            outcome_watchers=(),
            wall_clock=self.reactor.seconds,
            random=lambda: 0.0,
        )
        retry, knowledge = make_retry(settings, RuleBook(settings.retry, ()), around)
        trust = Trust(keys=Keys(), public_url=None, allowed_hosts=())
        health = HealthRoute(
            store=failsafe,
            hold=self.hold,
            circuits=knowledge.circuits,
            relay=Standing(RelayRecord(metrics.relay), wall_clock=self.reactor.seconds),
            life=life,
            environment="test",
        )
        super().__init__(
            RetryRoute(service=retry, trust=trust).app,
            health.app,
            self.slow.app,
            clock=self.reactor,
        )
        self.outside = Outside(self.happened)
        outbound: Any = self.outside
        self.host = Host(
            reactor=self.reactor,
            settings=settings,
            listening=Listening(
                endpoints(self.reactor, ["tcp:8080"]),
                self.site,
                door=Door(self.reactor, room=lambda: 100),
            ),
            site=self.site,
            hold=self.hold,
            collector=Collector(self.reactor, held=lambda: len(self.hold), garbage=Noted()),
            store=failsafe,
            workers=(
                *(Worker(name, self.happened, ending) for name, ending in (workers or {}).items()),
                knowledge,
            ),
            outbound=outbound,
            life=life,
            remarks=remarks,
            systemd=SystemdService(self.happened.append, interval=watchdog, clock=self.reactor),
            observer=None,
        )
        self.host.privilegedStartService()
        self.host.startService()
        self.ended_at: float | None = None

    def call(self, number: int = 1) -> Connection:
        """A call that failed, and is being held."""
        connection = self.connect()
        connection.send(post("/retry", {**FIELDS, "CallSid": f"CA{number}"}))
        return connection

    def stop(self, *, port: bool = True) -> None:
        """Begin to stop; the socket closes at once, or when the test lets it."""

        def ended(_: object) -> None:
            self.ended_at = self.clock.seconds() - began

        self.happened.clear()
        began = self.clock.seconds()
        self.host.stopService().addCallback(ended)
        if port:
            self.port.closing.callback(None)
        self.clock.advance(0)

    def wait(self, seconds: float) -> None:
        """Let time pass in steps of an eighth of a second, which adds up without errors."""
        self.clock.pump([0.125] * round(seconds * 8))


class TestStart:
    def test_order(self) -> None:
        """The socket is there before anything else, and readiness is told last."""
        house = House()
        assert house.reactor.tcpServers[0][0] == 8080
        assert house.happened == ["store open", "READY=1"]
        assert house.host.running

    def test_remarks(self) -> None:
        """What is good to know is said once, as it is."""
        with capturedLogs() as events:
            House(remarks=["retry: {this} has no effect", "another"])
        said = [formatEvent(e) for e in events if e["log_namespace"] == "boomerang.host.Host"]
        assert said[-2:] == ["retry: {this} has no effect", "another"]

    @pytest.fixture
    def _process_as_it_was(self) -> Iterator[None]:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        thresholds = gc.get_threshold()
        yield
        for number, handler in handlers.items():
            signal.signal(number, handler)
        gc.set_threshold(*thresholds)
        gc.unfreeze()

    @pytest.mark.usefixtures("_process_as_it_was")
    def test_signals(self) -> None:
        """Once it runs, a signal stops the reactor; a second Ctrl-C wants no more waiting."""
        house = House()
        connection = house.call()
        (hook,) = house.reactor.whenRunningHooks
        hook[0](*hook[1], **hook[2])
        signal.raise_signal(signal.SIGINT)
        house.clock.advance(0)
        assert house.reactor.hasStopped
        assert connection.received == b""
        signal.raise_signal(signal.SIGINT)
        house.clock.advance(0)
        assert connection.answer().headers["Boomerang-Decision"] == "retry; attempt=1"


class TestEnd:
    def test_nobody_waits(self) -> None:
        """Without requests under way it is quick, and the store is closed last."""
        house = House()
        house.stop()
        ended = ["STOPPING=1", "stop listening", "port closed", "outbound closed"]
        assert house.happened == ended
        house.clock.advance(LAST_BYTES)
        assert house.happened == [*ended, "store closed"]
        assert house.ended_at == LAST_BYTES
        assert not house.host.running

    def test_the_socket_first(self) -> None:
        """Nothing else ends before the socket is closed: who is in its queue is still served."""
        house = House(grace=0)
        held = house.call()
        house.stop(port=False)
        house.wait(5)
        assert held.received == b""
        assert house.happened == ["STOPPING=1", "stop listening"]
        house.port.closing.callback(None)
        house.wait(2 * LAST_BYTES)
        assert held.answer().status == 200
        assert house.happened[2:] == ["port closed", "outbound closed", "store closed"]

    def test_held_requests(self) -> None:
        """What is held is answered at its own time, if that comes within the grace period."""
        house = House()
        first = house.call(1)
        house.wait(2)
        second = house.call(2)
        house.wait(1)
        house.stop()
        house.wait(5)
        assert first.answer().headers["Boomerang-Decision"] == "retry; attempt=1"
        assert second.received == b""
        house.wait(2)
        assert second.answer().headers["Boomerang-Decision"] == "retry; attempt=1"
        assert "store closed" not in house.happened
        house.wait(LAST_BYTES)
        assert house.happened[-1] == "store closed"
        assert house.ended_at == 7 + LAST_BYTES

    @pytest.mark.parametrize("grace", [0.0, 3.0])
    def test_beyond_the_grace_period(self, grace: float) -> None:
        """What would be held longer is answered early: a second chance now is better than none."""
        house = House(grace=grace)
        connections = [house.call(number) for number in range(3)]
        house.stop()
        if grace:
            house.wait(grace - 0.125)
            assert [connection.received for connection in connections] == [b""] * 3
            house.wait(0.125)
        for connection in connections:
            answer = connection.answer()
            assert answer.headers["Boomerang-Decision"] == "retry; attempt=1"
            assert answer.headers["Connection"] == "close"
            assert connection.closed
        house.wait(LAST_BYTES)
        assert house.ended_at == grace + LAST_BYTES

    def test_who_comes_late(self) -> None:
        """A request from the socket's queue is held as long as the grace period lasts."""
        house = House(grace=5)
        other = house.call(1)
        house.stop()
        house.wait(2)
        late = house.call(2)
        house.wait(3)
        for connection in (other, late):
            assert connection.answer().headers["Boomerang-Decision"] == "retry; attempt=1"
        house.wait(LAST_BYTES)
        assert house.ended_at == 5 + LAST_BYTES

    def test_health(self) -> None:
        """As soon as it begins to stop it says so to those who ask, and goes on to."""
        house = House()
        kept = house.connect()
        kept.send(request("GET", "/health"))
        house.call()
        house.stop(port=False)
        kept.send(request("GET", "/health"))
        house.port.closing.callback(None)
        last = house.ask(request("GET", "/health"))
        answers = [*kept.answers(), last]
        assert [answer.status for answer in answers] == [200, 503, 503]
        assert [json.loads(answer.body)["status"] for answer in answers] == [
            "ok",
            "stopping",
            "stopping",
        ]
        assert kept.closed

    def test_hanging_up(self) -> None:
        """When all who waited have hung up there is nothing to wait for."""
        house = House()
        connections = [house.call(number) for number in range(2)]
        house.stop()
        house.wait(1)
        for connection in connections:
            connection.hang_up()
        house.wait(LAST_BYTES)
        assert house.ended_at == 1 + LAST_BYTES

    def test_an_answer_that_never_comes(self) -> None:
        """Five seconds beyond the grace period nobody is waited for any more, and that is said."""
        house = House(grace=2)
        house.connect().send(request("GET", "/slow"))
        with capturedLogs() as events:
            house.stop()
            house.wait(6.875)
            assert house.ended_at is None
            house.wait(0.125 + LAST_BYTES)
        assert house.ended_at == 7 + LAST_BYTES
        assert house.happened[-1] == "store closed"
        warnings = [formatEvent(e) for e in events if e["log_level"] is LogLevel.warn]
        assert warnings == ["1 requests could not be answered"]

    def test_a_store_that_hangs(self) -> None:
        """A store that cannot be closed does not keep the process."""
        house = House()
        house.store.hangs = True
        house.stop()
        house.wait(2 + LAST_BYTES)
        assert house.ended_at == 2 + LAST_BYTES

    def test_workers(self) -> None:
        """Workers go on until all are answered, then end together; the store is there till then."""
        one: Deferred[None] = Deferred()
        other: Deferred[None] = Deferred()
        house = House(workers={"one": one, "other": other})
        held = house.call()
        house.stop()
        house.wait(WAIT)
        assert held.answer().status == 200
        assert house.happened[3:] == ["one stopped", "other stopped"]
        house.wait(2)
        one.callback(None)
        house.wait(2)
        other.callback(None)
        house.wait(LAST_BYTES)
        assert house.happened[5:] == ["outbound closed", "store closed"]
        assert house.ended_at == WAIT + 4 + LAST_BYTES

    def test_what_hangs(self) -> None:
        """What does not end in five seconds keeps nobody, and that is said."""
        house = House(workers={"one": Deferred(), "other": Deferred()})
        house.outside.closing = Deferred()
        with capturedLogs() as events:
            house.stop()
            house.wait(10 + LAST_BYTES)
        assert house.happened[3:] == [
            "one stopped",
            "other stopped",
            "outbound closed",
            "store closed",
        ]
        assert house.ended_at == 10 + LAST_BYTES
        assert house.reactor.getDelayedCalls() == []
        assert [formatEvent(e) for e in events if e["log_level"] is LogLevel.warn] == [
            "Worker has not ended in time",
            "Worker has not ended in time",
            "Outside has not ended in time",
        ]

    def test_signs_of_life(self) -> None:
        """systemd gets them until the very end, and none after it."""
        house = House(watchdog=0.5)
        house.call()
        house.stop()
        house.wait(WAIT + LAST_BYTES)
        assert house.ended_at is not None
        assert house.happened.count("WATCHDOG=1") == 16
        house.happened.clear()
        house.wait(5)
        assert house.happened == []

    @pytest.mark.parametrize(
        ("calls", "said"),
        [(0, []), (2, ["answering 2 held requests, within 10 s"])],
    )
    def test_what_is_said(self, calls: int, said: list[str]) -> None:
        """The log tells for whom the end is delayed."""
        house = House()
        for number in range(calls):
            house.call(number)
        with capturedLogs() as events:
            house.stop()
        assert [
            formatEvent(e) for e in events if e["log_namespace"] == "boomerang.host.Host"
        ] == said


class TestMistakes:
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here a mistake is to be logged."""

    def test_a_worker_that_fails(self) -> None:
        """A mistake at the end of one worker is logged, and keeps no other from its end."""
        house = House(workers={"one": fail(ZeroDivisionError()), "other": succeed(None)})
        with capturedLogs() as events:
            house.stop()
            house.wait(LAST_BYTES)
        assert house.happened[4:] == ["other stopped", "outbound closed", "store closed"]
        mistakes = [formatEvent(e) for e in events if e["log_level"] is LogLevel.critical]
        assert mistakes == ["Worker has not ended well"]


def test_no_timer_is_left() -> None:
    """After the end nothing is left that could wake up."""
    house = House(watchdog=1)
    house.call()
    house.call(2).hang_up()
    house.connect().send(b"GET /")
    house.stop()
    house.wait(20)
    assert house.reactor.getDelayedCalls() == []
    assert house.site.under_way == 0
