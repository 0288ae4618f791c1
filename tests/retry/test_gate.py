"""Held requests that may go before their time, and must not all go at once."""

from __future__ import annotations

from collections import Counter

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.retry.gate import Gate, Terms

HERE = ("app.example.com", 443)
THERE = ("other.example.com", 443)
PROBE = "https://app.example.com/health"


class GateTests(SynchronousTestCase):
    """`Gate` on a clock that stands still, and an app that says what it is told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.awake = False
        self.asked: list[float] = []
        self.gone: list[tuple[int, float]] = []
        self.gate = Gate(self.clock, ask=self.ask, random=lambda: 0.5)

    def ask(self, url: str) -> Deferred[bool]:
        assert url == PROBE
        self.asked.append(self.clock.seconds())
        return succeed(self.awake)

    def wait(
        self,
        number: int,
        terms: Terms,
        *,
        due: float = 8.0,
        limit: float = 14.0,
        turn: float | None = None,
        waited: float = 0.0,
    ) -> None:
        waiting = self.gate.wait(HERE, terms, due=due, limit=limit, turn=turn, waited=waited)
        waiting.addCallback(lambda _: self.gone.append((number, self.clock.seconds())))

    def pass_seconds(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds * 100))

    def test_timer(self) -> None:
        """Without probe and rate, a request goes when it is due."""
        self.wait(1, Terms(None, 0.0))
        self.clock.advance(7.99)
        assert self.gone == []
        self.clock.advance(0.01)
        assert self.gone == [(1, 8.0)]
        assert self.asked == []

    def test_awake(self) -> None:
        """The app is asked at once and then each second; its answer lets all go."""
        self.wait(1, Terms(PROBE, 0.0))
        self.clock.pump([0.5] * 5)
        self.wait(2, Terms(PROBE, 0.0))
        assert self.asked == [0.0, 1.0, 2.0]
        self.awake = True
        self.clock.advance(0.5)
        assert self.gone == [(1, 3.0), (2, 3.0)]
        self.clock.advance(10)
        assert self.asked == [0.0, 1.0, 2.0, 3.0]

    def test_already_awake(self) -> None:
        """An app that is awake again gets the request at once."""
        self.awake = True
        self.wait(1, Terms(PROBE, 0.0))
        assert self.gone == [(1, 0.0)]

    def test_one_question(self) -> None:
        """However many are held, and by whichever address, the app is asked once a second."""
        for number in range(500):
            self.wait(number, Terms(PROBE, 0.0))
            self.gate.wait(THERE, Terms(PROBE, 5.0), due=8.0, limit=8.0)
        self.clock.pump([1.0] * 3)
        assert self.asked == [0.0, 1.0, 2.0, 3.0]

    def test_still_asleep(self) -> None:
        """When the wait is over the request goes, whether or not the app has answered."""
        self.wait(1, Terms(PROBE, 0.0))
        self.clock.pump([1.0] * 8)
        assert self.gone == [(1, 8.0)]

    def test_slow_question(self) -> None:
        """A question that is not answered is not put again, and is dropped with the last wait."""
        dropped: list[str] = []
        pending: Deferred[bool] = Deferred(lambda _: dropped.append("cancelled"))
        gate = Gate(self.clock, ask=lambda url: pending, random=lambda: 0.5)
        waiting = gate.wait(HERE, Terms(PROBE, 0.0), due=8.0, limit=14.0)
        self.clock.pump([1.0] * 8)
        self.successResultOf(waiting)
        assert dropped == ["cancelled"]
        assert self.clock.getDelayedCalls() == []

    def test_question_that_fails(self) -> None:
        """A question that fails means that the app does not answer."""
        gate = Gate(self.clock, ask=lambda url: fail(OSError("no")), random=lambda: 0.5)
        waiting = gate.wait(HERE, Terms(PROBE, 0.0), due=8.0, limit=14.0)
        self.clock.pump([1.0] * 7)
        self.assertNoResult(waiting)
        self.clock.advance(1.0)
        self.successResultOf(waiting)

    def test_rate(self) -> None:
        """Those that are due go at the rate, first come, first served."""
        for number in range(100):
            self.wait(number, Terms(None, 30.0))
        self.pass_seconds(14)
        a_second = Counter(int(at) for _, at in self.gone)
        assert [number for number, _ in self.gone] == list(range(100))
        assert len(self.gone) == 100
        assert all(28 <= a_second[second] <= 31 for second in (8, 9, 10))

    def test_rate_after_awaking(self) -> None:
        """An app that awakes is not trampled."""
        for number in range(300):
            self.wait(number, Terms(PROBE, 100.0), due=14.0)
        self.pass_seconds(2.5)
        self.awake = True
        self.pass_seconds(4)
        a_second = Counter(int(at - 3.0) for _, at in self.gone)
        assert len(self.gone) == 300
        assert all(95 <= a_second[second] <= 105 for second in (0, 1))

    def test_nobody_beyond_the_limit(self) -> None:
        """A queue too long for its limits moves faster, evenly; the last goes in time."""
        for number in range(5000):
            self.wait(number, Terms(PROBE, 100.0), due=14.0)
        self.pass_seconds(2.5)
        self.awake = True
        self.pass_seconds(12)
        a_second = Counter(int(at - 3.0) for _, at in self.gone)
        assert len(self.gone) == 5000
        assert max(at for _, at in self.gone) <= 14.011  # the clock goes in steps of 10 ms
        assert all(400 <= a_second[second] <= 520 for second in range(11))

    def test_limit_comes_first(self) -> None:
        """However slow the rate, a request whose limit has come goes."""
        for number in range(3):
            self.wait(number, Terms(None, 0.01), due=8.0, limit=9.0)
        self.pass_seconds(9.01)
        assert len(self.gone) == 3

    def test_new_ones_are_asked_for_anew(self) -> None:
        """A request that comes after the app has answered waits for its next answer."""
        self.awake = True
        self.wait(1, Terms(PROBE, 0.0))
        self.awake = False
        self.wait(2, Terms(PROBE, 0.0))
        self.clock.advance(0.9)
        assert [number for number, _ in self.gone] == [1]

    def test_hanging_up(self) -> None:
        """A request whose client is gone is forgotten, with all that was there for it."""
        waiting = [
            self.gate.wait(HERE, terms, due=8.0, limit=14.0)
            for terms in (Terms(None, 0.0), Terms(PROBE, 0.0), Terms(PROBE, 5.0))
        ]
        self.clock.advance(0.5)
        for each in waiting:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        assert self.clock.getDelayedCalls() == []

    def test_hanging_up_while_due(self) -> None:
        """Also when it is due and only waits for its turn."""
        waiting = [self.gate.wait(HERE, Terms(None, 1.0), due=1.0, limit=14.0) for _ in range(5)]
        self.pass_seconds(2.5)
        left = [each for each in waiting if not each.called]
        assert len(left) == 3
        for each in left:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        assert self.clock.getDelayedCalls() == []

    def test_order_while_the_app_answers(self) -> None:
        """The app's further answers change nothing for those that are about to go."""
        self.gate = Gate(self.clock, ask=self.ask, random=lambda: 1.0)
        for number in range(200):
            self.wait(number, Terms(PROBE, 50.0), due=14.0)
        self.awake = True
        self.clock.advance(1.0)
        self.pass_seconds(4.2)
        assert [number for number, _ in self.gone] == list(range(200))

    def test_first_come_over_turns(self) -> None:
        """Who comes back for another turn keeps the place that is due to who has waited longest."""
        terms = Terms(None, 10.0)
        for number, waited in ((1, 0.0), (2, 5.0), (3, 20.0), (4, 10.0)):
            self.wait(number, terms, due=2.0, limit=60.0, turn=10.0, waited=waited)
        self.pass_seconds(1.0)
        self.wait(5, terms, due=1.0, limit=60.0, waited=30.0)
        self.pass_seconds(2.0)
        assert [number for number, _ in self.gone] == [1, 5, 3, 4, 2]

    def test_turn(self) -> None:
        """Who is not yet to go at the end of its turn is told so; who is to go then, goes."""
        may_go: list[bool] = []
        for due in (9.0, 11.0):
            self.gate.wait(HERE, Terms(None, 0.0), due=due, limit=60.0, turn=10.0).addCallback(
                may_go.append
            )
        self.clock.pump([9.0, 1.0])
        assert may_go == [True, False]
        assert self.clock.getDelayedCalls() == []

    def test_turn_ends_on_the_way_out(self) -> None:
        """The end of a turn comes too late for whom the gate has let go."""
        gate = Gate(self.clock, ask=self.ask, random=lambda: 1.0)
        waiting = gate.wait(HERE, Terms(None, 5.0), due=1.0, limit=60.0, turn=1.01)
        self.clock.pump([1.0, 0.01, 0.04])
        assert self.successResultOf(waiting) is True
        assert self.clock.getDelayedCalls() == []

    def test_hanging_up_in_a_chain(self) -> None:
        """A request whose release makes another hang up does not disturb the rest."""
        first, second, third = (
            self.gate.wait(HERE, Terms(PROBE, 0.0), due=8.0, limit=8.0) for _ in range(3)
        )
        first.addCallback(lambda _: second.cancel())
        self.awake = True
        self.clock.advance(1.0)
        self.failureResultOf(second, CancelledError)
        assert self.successResultOf(third) is True
        assert self.clock.getDelayedCalls() == []
