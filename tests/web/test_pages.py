"""``/health``, ``/metrics`` and ``/``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from gzip import decompress
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from boomerang import __version__
from boomerang.metrics import CONTENT_TYPE, Metrics
from boomerang.relay.record import RelayRecord
from boomerang.relay.standing import Standing
from boomerang.retry.circuits import Circuits
from boomerang.retry.hold import Hold
from boomerang.settings.values import HOME_URL
from boomerang.stores.failsafe import FailsafeStore
from boomerang.stores.interfaces import Claim, Failure, Marked, StoreUnavailable
from boomerang.stores.notes_memory import MemoryNotes
from boomerang.web.pages import HealthRoute, Life
from tests.web.driving import NEIGHBOUR, NO_STORE, TEXT, Answer, Bench, Daemon, request, whole

STARTED = 1_795_233_906.0  # 2026-11-21T04:05:06Z


class Switchable:
    """A `ClaimStore` that is there or not, as the test says."""

    def __init__(self) -> None:
        self.there = True

    def _answer(self) -> Deferred[None]:
        if self.there:
            return succeed(None)
        return fail(StoreUnavailable("redis://secret.example.com does not answer"))

    open = probe = close = _answer

    def release(self, marked: Sequence[Marked]) -> Deferred[None]:
        return self._answer()

    def attempts(self, marked: Sequence[Marked]) -> Deferred[Sequence[int]]:
        return self._answer().addCallback(lambda _: [1] * len(marked))

    def claim(self, failure: Failure) -> Deferred[Claim]:
        return self._answer().addCallback(lambda _: Claim(attempt=1, hold=8.0, round=1))


class Health:
    """The route with its parts, on a clock that began a while ago."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.set_by = 0.0
        self.store = Switchable()
        self.failsafe = FailsafeStore(
            self.store,
            name="redis://secret.example.com/0",
            clock=self.clock,
            wall_clock=self.now,
            watcher=Metrics(version="1", environment="test"),
        )
        self.hold = Hold(self.clock, max_held=10)
        self.life = Life(started_at=STARTED, clock=self.clock.seconds)
        self.circuits = Circuits(
            notes=MemoryNotes(self.clock),
            topic="circuits.staging",
            ask=lambda url: succeed(False),
            found=dict,
            clock=self.clock,
            wall_clock=self.now,
            watcher=Metrics(version="1", environment="test"),
            in_use=True,
        )
        self.bench = Bench(
            HealthRoute(
                store=self.failsafe,
                hold=self.hold,
                circuits=self.circuits,
                relay=Standing(
                    RelayRecord(Metrics(version="1", environment="test").relay),
                    wall_clock=self.now,
                ),
                life=self.life,
                environment="staging",
            ).app
        )

    def now(self) -> float:
        return STARTED + self.set_by + self.clock.seconds()

    def answer(self) -> Answer:
        answer = self.bench.ask(request("GET", "/health"))
        assert answer == whole(
            answer.status, answer.body, {"Content-Type": "application/json"}, NO_STORE
        )
        assert "secret" not in answer.text
        return answer

    def page(self) -> dict[str, Any]:
        return dict(json.loads(self.answer().body))


class TestHealth:
    def test_well(self) -> None:
        """A host that is well says so, and how long it has been there, whoever sets the clock."""
        health = Health()
        health.clock.advance(90061.4)
        health.set_by = -86400.0
        assert health.answer().status == 200
        assert health.page() == {
            "status": "ok",
            "degraded": [],
            "environment": "staging",
            "version": __version__,
            "started": "2026-11-21T04:05:06+00:00",
            "uptime_seconds": 90061,
            "held": 0,
            "relay": {"waiting": 0, "dead": 0, "oldest_seconds": 0},
            "circuits": [],
        }

    def test_circuits(self) -> None:
        """It says since when apps are known to be dead, and how, but not which."""
        health = Health()
        for _ in range(5):
            health.circuits.lost(("secret.example.com", 443))
        assert health.page()["status"] == "ok"
        assert health.page()["circuits"] == [
            {"reason": "losses", "since": "2026-11-21T04:05:06+00:00"}
        ]

    def test_held(self) -> None:
        """It says how many requests wait for their second chance."""
        health = Health()
        waits = [Deferred.fromCoroutine(_waiting(health.hold)) for _ in range(3)]
        assert health.page()["held"] == 3
        health.clock.advance(8)
        assert health.page()["held"] == 0
        assert all(wait.called for wait in waits)

    def test_degraded(self) -> None:
        """Without its store it works on, and says since when it does; not where the store is."""
        health = Health()
        health.clock.advance(60)
        health.store.there = False
        health.failsafe.open()
        health.clock.advance(60)
        assert health.answer().status == 200
        page = health.page()
        assert page["status"] == "degraded"
        assert page["degraded"] == [{"part": "store", "since": "2026-11-21T04:06:06+00:00"}]

    def test_recovered(self) -> None:
        """When the store is back all is well again."""
        health = Health()
        health.store.there = False
        health.failsafe.open()
        health.store.there = True
        health.clock.advance(1)
        assert (health.page()["status"], health.page()["degraded"]) == ("ok", [])

    @pytest.mark.parametrize("there", [True, False])
    def test_stopping(self, there: bool) -> None:
        """A host that is being stopped wants no more requests, whatever else is wrong."""
        health = Health()
        health.store.there = there
        health.failsafe.open()
        health.life.stopping = True
        assert health.answer().status == 503
        page = health.page()
        assert page["status"] == "stopping"
        assert len(page["degraded"]) == (not there)

    def test_head(self) -> None:
        """Who only wants the status may ask by HEAD."""
        health = Health()
        assert health.bench.ask(request("HEAD", "/health")).status == 200
        health.life.stopping = True
        assert health.bench.ask(request("HEAD", "/health")).status == 503

    def test_for_everyone(self) -> None:
        """The daemon tells everyone who asks, without password or signature."""
        daemon = Daemon(
            TWILIO_AUTH_TOKEN="12345",
            BOOMERANG_STATUS_USER="ops",
            BOOMERANG_STATUS_PASSWORD="secret",
            BOOMERANG_ENVIRONMENT="blue",
        )
        page = json.loads(daemon.ask(request("GET", "/health")).body)
        assert (page["status"], page["environment"]) == ("ok", "blue")


async def _waiting(hold: Hold) -> None:
    await hold.wait(8, party="AC1")


class TestMetrics:
    def test_text(self) -> None:
        """Prometheus gets its text, with the name of the environment, gzipped if it likes."""
        daemon = Daemon(BOOMERANG_ENVIRONMENT="blue")
        answer = daemon.ask(request("GET", "/metrics"), peer=NEIGHBOUR)
        vary = {"Vary": "Accept-Encoding"}
        assert answer == whole(200, answer.body, {"Content-Type": CONTENT_TYPE}, NO_STORE, vary)
        info = f'boomerang_build_info{{environment="blue",version="{__version__}"}} 1.0'
        assert info in answer.text.splitlines()
        small = daemon.ask(request("GET", "/metrics", {"Accept-Encoding": "gzip"}), peer=NEIGHBOUR)
        assert small.headers["Content-Encoding"] == "gzip"
        assert info in decompress(small.body).decode().splitlines()

    def test_not_for_everyone(self) -> None:
        """Strangers are told nothing, and each of them is counted."""
        daemon = Daemon()
        for sent in (request("GET", "/metrics"), request("HEAD", "/metrics")):
            answer = daemon.ask(sent)
            assert answer.status == 403
            assert b"boomerang_" not in answer.body
        assert daemon.count('boomerang_refused_requests_total{status="403"}') == 2


@pytest.mark.parametrize(
    ("environment", "url"),
    [({}, HOME_URL), ({"BOOMERANG_HOME_URL": "https://a.example.com/"}, "https://a.example.com/")],
)
def test_home(environment: dict[str, str], url: str) -> None:
    """A person who comes by is sent to the project's home page, or where the settings say."""
    answer = Daemon(**environment).ask(request("GET", "/"))
    assert answer == whole(302, f"{url}\n".encode(), TEXT, NO_STORE, {"Location": url})
