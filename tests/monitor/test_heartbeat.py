"""The sign of life to something outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest
from attrs import define, field
from klein import Klein
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.iweb import IAgent
from zope.interface import implementer

from boomerang.monitor.heartbeat import LONGEST_START, TIMEOUT, Heartbeat
from boomerang.outbound import Outbound, Trouble, Unreachable

KEY: Final = "3d2f-secret"
URL: Final = f"https://hc.example.com/ping/{KEY}"

SENT: Final = "signs of life are sent"
IDLE: Final = "no sign of life is sent: the checks do not run here, or not in time"
REFUSED: Final = "signs of life are not taken: HTTP 503"
UNREACHABLE: Final = "signs of life are not taken: hc.example.com: connection refused"


@define
class Outside:
    """What listens for signs of life."""

    clock: Clock
    heard: list[tuple[float, bytes, bytes]] = field(factory=list)
    status: int = 200
    app: Klein = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.app = Klein()
        self.app.route("/", branch=True)(self._answer)

    def _answer(self, request: Request) -> bytes:
        self.heard.append((self.clock.seconds(), request.method, request.path))
        request.setResponseCode(self.status)
        return b"OK"

    @property
    def times(self) -> list[float]:
        return [time for time, _, _ in self.heard]


@implementer(IAgent)
@define
class Network:
    """Carries requests to the outside; ``down`` refuses them, ``hanging`` keeps them."""

    outside: Outside
    down: bool = False
    hanging: bool = False
    broken: bool = False
    asked: int = 0
    given_up: int = 0

    def request(self, *args: Any, **options: Any) -> Deferred[Any]:
        self.asked += 1
        if self.broken:
            raise ZeroDivisionError
        if self.down:
            raise Unreachable(Trouble.CONNECT, "hc.example.com: connection refused")
        if self.hanging:
            return Deferred(self._give_up)
        agent: Any = RequestTraversalAgent(self.outside.app.resource())
        answer: Deferred[Any] = agent.request(*args, **options)
        agent.flush()
        return answer

    def _give_up(self, _: object) -> None:
        self.given_up += 1


class HeartbeatTestCase(SynchronousTestCase):
    """A heartbeat on a `Clock`, starting without delay unless a test says otherwise."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.outside = Outside(self.clock)
        self.network = Network(self.outside)
        self.at_work = True

    def heartbeat(self, *, period: float = 60.0, jitter: float = 0.0) -> Heartbeat:
        never_asked: Any = object()
        heartbeat = Heartbeat(
            URL,
            period=period,
            outbound=Outbound(self.clock, resolver=never_asked, agent=self.network),
            at_work=lambda: self.at_work,
            clock=self.clock,
            random=lambda: jitter,
        )
        heartbeat.startService()
        self.clock.advance(0)
        return heartbeat

    def pass_seconds(self, seconds: int) -> None:
        self.clock.pump([1.0] * seconds)


def lines(events: Sequence[LogEvent]) -> list[str]:
    return [formatEvent(event) for event in events]


class HeartbeatTests(HeartbeatTestCase):
    def test_each_period(self) -> None:
        """The URL is asked for each period, from the start on."""
        self.heartbeat()
        self.pass_seconds(120)
        assert self.outside.heard == [
            (time, b"GET", f"/ping/{KEY}".encode()) for time in (0.0, 60.0, 120.0)
        ]

    def test_offset(self) -> None:
        """Hosts that start together do not ask together, and yet soon."""
        for period, first in ((60.0, LONGEST_START / 2), (4.0, 2.0)):
            self.outside.heard.clear()
            began = self.clock.seconds()
            heartbeat = self.heartbeat(period=period, jitter=0.5)
            self.pass_seconds(8)
            assert self.outside.times[0] - began == first
            heartbeat.stopService()

    def test_only_while_at_work(self) -> None:
        """While the monitor is not at work nothing is sent, which is what others shall notice."""
        self.heartbeat()
        self.at_work = False
        with capturedLogs() as events:
            self.pass_seconds(600)
            assert self.outside.times == [0.0]
            self.at_work = True
            self.pass_seconds(60)
        assert self.outside.times == [0.0, 660.0]
        assert lines(events) == [IDLE, SENT]

    def test_a_line_per_change(self) -> None:
        """Each change costs one line, whatever goes wrong meanwhile, and none has the key."""
        with capturedLogs() as events:
            self.heartbeat()
            self.outside.status = 503
            self.pass_seconds(300)
            self.network.down = True
            self.pass_seconds(300)
            self.network.down = False
            self.outside.status = 204
            self.pass_seconds(300)
            self.network.down = True
            self.pass_seconds(300)
        assert lines(events) == [SENT, REFUSED, SENT, UNREACHABLE]
        assert KEY not in repr(events)
        assert self.network.asked == 21

    def test_redirect(self) -> None:
        """A redirect is no success: nobody outside has heard anything."""
        self.outside.status = 301
        with capturedLogs() as events:
            self.heartbeat()
        assert lines(events) == ["signs of life are not taken: HTTP 301"]

    def test_time_limit(self) -> None:
        """An answer that does not come is given up, and no sign begins before."""
        self.network.hanging = True
        with capturedLogs() as events:
            self.heartbeat(period=4.0)
            self.pass_seconds(9)
            assert (self.network.asked, self.network.given_up) == (1, 0)
            self.pass_seconds(1)
            assert (self.network.asked, self.network.given_up) == (1, 1)
            assert TIMEOUT == 10
            self.pass_seconds(2)
        assert self.network.asked == 2
        assert len(events) == 1
        assert "no answer within 10 s" in formatEvent(events[0])
        assert KEY not in repr(events)


class StopTests(HeartbeatTestCase):
    def test_before_the_start(self) -> None:
        """A heartbeat that is stopped before its first sign sends none."""
        heartbeat = self.heartbeat(jitter=1.0)
        heartbeat.stopService()
        self.pass_seconds(100)
        assert self.network.asked == 0

    def test_between_signs(self) -> None:
        """A stopped heartbeat is silent."""
        heartbeat = self.heartbeat()
        heartbeat.stopService()
        self.pass_seconds(100)
        assert self.network.asked == 1
        assert not self.clock.getDelayedCalls()

    def test_in_a_sign(self) -> None:
        """A sign that is under way does not hold up the end, and leaves nothing behind."""
        self.network.hanging = True
        heartbeat = self.heartbeat()
        with capturedLogs() as events:
            heartbeat.stopService()
            self.pass_seconds(100)
        assert (self.network.asked, self.network.given_up) == (1, 1)
        assert not self.clock.getDelayedCalls()
        assert lines(events) == []


class MistakeTests(HeartbeatTestCase):
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here a mistake is to be logged, and the test says which."""

    def test_the_next_sign(self) -> None:
        """Trouble that nobody foresaw is logged with its traceback, and the signs go on."""
        self.network.broken = True
        self.heartbeat()
        assert [each.type for each in self.flushLoggedErrors()] == [ZeroDivisionError]
        self.network.broken = False
        self.pass_seconds(60)
        assert self.outside.times == [60.0]
