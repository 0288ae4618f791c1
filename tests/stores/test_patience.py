"""One limit for many Deferreds."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from boomerang.stores.patience import Patience


class PatienceTests(SynchronousTestCase):
    """A limit of one second, on a `Clock`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(self.clock, seconds=1.0)

    def limited(self) -> Deferred[None]:
        deferred: Deferred[None] = Deferred()
        self.patience.limit(deferred)
        return deferred

    def test_late(self) -> None:
        """What has not fired in time is cancelled then, and not before."""
        late = self.limited()
        self.clock.advance(0.99)
        self.assertNoResult(late)
        self.clock.advance(0.01)
        self.failureResultOf(late, CancelledError)

    def test_each_has_its_own_time(self) -> None:
        """Each has the whole time from when it was handed over."""
        deferreds = []
        for _ in range(4):
            deferreds.append(self.limited())
            self.clock.advance(0.5)
        assert [deferred.called for deferred in deferreds] == [True, True, True, False]
        self.clock.advance(0.5)
        for deferred in deferreds:
            self.failureResultOf(deferred, CancelledError)

    def test_in_time(self) -> None:
        """What fired in time is left alone."""
        early, late = self.limited(), self.limited()
        self.clock.advance(0.5)
        early.callback(None)
        self.clock.advance(1)
        self.successResultOf(early)
        self.failureResultOf(late, CancelledError)

    def test_fired_before(self) -> None:
        """What has fired already needs no timer."""
        self.patience.limit(succeed(None))
        assert self.clock.getDelayedCalls() == []

    def test_waiting_for_another(self) -> None:
        """What has fired, and waits for another Deferred since, is limited."""
        inner: Deferred[None] = Deferred()
        outer = succeed(None).addCallback(lambda _: inner)
        self.patience.limit(outer)
        self.clock.advance(1)
        self.failureResultOf(outer, CancelledError)

    def test_one_timer(self) -> None:
        """However many wait there is one timer, and none once nobody waits."""
        deferreds = [self.limited() for _ in range(100)]
        assert len(self.clock.getDelayedCalls()) == 1
        self.clock.advance(1)
        for deferred in deferreds:
            self.failureResultOf(deferred, CancelledError)
        assert self.clock.getDelayedCalls() == []

    def test_handed_over_while_others_are_late(self) -> None:
        """What is handed over as a consequence of a late one is limited like any other."""
        consequences: list[Deferred[None]] = []
        late = self.limited()
        late.addErrback(lambda _: consequences.append(self.limited()))
        self.clock.advance(1)
        (consequence,) = consequences
        self.assertNoResult(consequence)
        self.clock.advance(1)
        self.failureResultOf(consequence, CancelledError)

    def test_answer_of_the_same_turn(self) -> None:
        """After a long turn of the reactor, what has arrived is read before the verdict."""
        answered = self.limited()
        self.clock.callLater(5, answered.callback, None)
        (timer,) = [call for call in self.clock.getDelayedCalls() if call.getTime() == 1.0]
        timer.delay(4)
        self.clock.advance(5)
        self.successResultOf(answered)
