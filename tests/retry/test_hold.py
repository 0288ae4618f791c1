"""The requests that are being held."""

from __future__ import annotations

import gc

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.retry.hold import LONGEST, Held, Hold


class HoldTests(SynchronousTestCase):
    """`Hold` on a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.hold = Hold(self.clock, max_held=3)

    def wait(self, seconds: float) -> Deferred[Held]:
        return self.hold.wait(seconds, party="AC1")

    def test_until_its_instant(self) -> None:
        """A request is held for as long as it was asked for, and not a moment less."""
        held = self.wait(8.0)
        self.clock.advance(7.75)
        self.assertNoResult(held)
        self.clock.advance(0.25)
        assert self.successResultOf(held) == Held(seconds=8.0, overshoot=0.0, early=False)

    def test_no_garbage(self) -> None:
        """What was held is gone with its end: a collector would have nothing to find."""
        gc.collect()
        gc.disable()
        try:
            for _ in range(100):
                ended, left = self.wait(8.0), self.wait(8.0)
                left.cancel()
                self.failureResultOf(left, CancelledError)
                self.clock.advance(8.0)
                self.successResultOf(ended)
            del ended, left
            assert gc.collect() < 100
        finally:
            gc.enable()

    def test_late(self) -> None:
        """A hold that ends late tells by how much."""
        held = self.wait(8.0)
        self.clock.advance(8.5)
        assert self.successResultOf(held) == Held(seconds=8.5, overshoot=0.5, early=False)

    def test_independent(self) -> None:
        """Each request has an instant of its own."""
        first = self.wait(8.0)
        self.clock.advance(1.0)
        second = self.wait(2.0)
        self.clock.advance(2.0)
        self.successResultOf(second)
        self.assertNoResult(first)
        self.clock.advance(5.0)
        self.successResultOf(first)

    def test_count(self) -> None:
        """The length is how many are held now."""
        assert len(self.hold) == 0
        first, second = self.wait(1.0), self.wait(2.0)
        assert len(self.hold) == 2
        self.clock.advance(1.0)
        assert len(self.hold) == 1
        self.clock.advance(1.0)
        assert len(self.hold) == 0
        self.successResultOf(first)
        self.successResultOf(second)

    def test_hanging_up(self) -> None:
        """A client that hangs up is forgotten, with its timer; the others stay."""
        gone, staying = self.wait(8.0), self.wait(8.0)
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        assert len(self.hold) == 1
        assert len(self.clock.getDelayedCalls()) == 1
        self.clock.advance(8.0)
        self.successResultOf(staying)

    def test_longest(self) -> None:
        """A request may be held for up to fourteen seconds: Twilio's fifteen, less the way."""
        assert LONGEST == 14.0
        assert self.hold.room("AC1").seconds == LONGEST

    def test_full(self) -> None:
        """With ``max_held`` held, another may not be held at all, until one has left."""
        first, *others = (self.wait(8.0) for _ in range(3))
        assert self.hold.room("AC1").seconds == 0.0
        first.cancel()
        self.failureResultOf(first, CancelledError)
        assert self.hold.room("AC1").seconds == LONGEST
        self.clock.advance(8.0)
        for held in others:
            self.successResultOf(held)

    def test_no_room(self) -> None:
        """Where there is no room at all, nothing may be held."""
        assert Hold(self.clock, max_held=0).room("AC1").seconds == 0.0

    def test_released(self) -> None:
        """Shutting down, whatever is still held after the grace is released, and knows it."""
        soon, late = self.wait(1.0), self.wait(8.0)
        self.hold.release_within(2.0)
        self.clock.advance(1.0)
        assert not self.successResultOf(soon).early
        self.assertNoResult(late)
        self.clock.advance(1.0)
        assert self.successResultOf(late) == Held(seconds=2.0, overshoot=0.0, early=True)
        assert len(self.hold) == 0
        assert self.clock.getDelayedCalls() == []

    def test_shutting_down(self) -> None:
        """Shutting down, a new request may be held until the grace is over, and no longer."""
        self.hold.release_within(5.0)
        assert self.hold.room("AC1").seconds == 5.0
        self.clock.advance(3.5)
        assert self.hold.room("AC1").seconds == 1.5
        self.clock.advance(3.5)
        assert self.hold.room("AC1").seconds == 0.0

    def test_shutting_down_full(self) -> None:
        """Shutting down does not make room."""
        waits = [self.wait(1.0) for _ in range(3)]
        self.hold.release_within(5.0)
        assert self.hold.room("AC1").seconds == 0.0
        self.clock.advance(1.0)
        for held in waits:
            self.successResultOf(held)

    def test_hanging_up_while_shutting_down(self) -> None:
        """A client that hangs up during the grace was not released early."""
        gone = self.wait(8.0)
        self.hold.release_within(5.0)
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.clock.advance(5.0)

    def test_hurry(self) -> None:
        """A second, shorter grace counts."""
        held = self.wait(8.0)
        self.hold.release_within(5.0)
        self.clock.advance(1.0)
        self.hold.release_within(0)
        self.clock.advance(0)
        assert self.successResultOf(held).early
        assert self.hold.room("AC1").seconds == 0.0

    def test_no_delay(self) -> None:
        """A second, longer grace does not."""
        held = self.wait(8.0)
        self.hold.release_within(2.0)
        self.clock.advance(1.0)
        self.hold.release_within(5.0)
        assert self.hold.room("AC1").seconds == 1.0
        self.clock.advance(1.0)
        assert self.successResultOf(held).early

    def test_something_else(self) -> None:
        """A request may be held for something else than a time; that may come before or after."""
        for seconds, overshoot in ((3.0, 0.0), (8.5, 0.5)):
            waiting: Deferred[bool] = Deferred()
            held = self.hold.keep(waiting, 8.0, party="AC1")
            assert len(self.hold) == 1
            self.clock.advance(seconds)
            self.assertNoResult(held)
            waiting.callback(True)
            expected = Held(seconds=seconds, overshoot=overshoot, early=False)
            assert self.successResultOf(held) == expected
            assert len(self.hold) == 0

    def test_already_there(self) -> None:
        """What is there already is not waited for."""
        held = self.hold.keep(succeed(True), 8.0, party="AC1")
        assert self.successResultOf(held) == Held(seconds=0.0, overshoot=0.0, early=False)
        assert len(self.hold) == 0

    def test_not_yet(self) -> None:
        """It may end without the request's being free to go."""
        held = self.successResultOf(self.hold.keep(succeed(False), 8.0, party="AC1"))
        assert held == Held(seconds=0.0, overshoot=0.0, early=False, may_go=False)

    def test_something_else_while_shutting_down(self) -> None:
        """Shutting down, it is waited for no longer, and what is held may go."""
        cancelled: list[Deferred[bool]] = []
        held = self.hold.keep(Deferred(cancelled.append), 60.0, party="AC1")
        self.hold.release_within(2.0)
        self.clock.advance(2.0)
        assert self.successResultOf(held) == Held(seconds=2.0, overshoot=0.0, early=True)
        assert len(cancelled) == 1

    def test_release_in_a_chain(self) -> None:
        """A request whose release makes another hang up does not disturb the rest."""
        first, second, third = self.wait(8.0), self.wait(8.0), self.wait(8.0)
        first.addCallback(lambda _: second.cancel())
        self.hold.release_within(0)
        self.clock.advance(0)
        self.successResultOf(first)
        assert self.successResultOf(second).early
        assert self.successResultOf(third).early


def test_longest_while_stopping() -> None:
    """However long the grace, a request is not held longer than Twilio waits."""
    hold = Hold(Clock(), max_held=1)
    hold.release_within(3600)
    assert hold.room("AC1").seconds == LONGEST
