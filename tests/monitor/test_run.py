"""One run of a check, on a clock that stands still, with probes that do as a test says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from boomerang.monitor.result import LONGEST_DETAIL, PHASES, CheckFailed, Reason, Result
from boomerang.monitor.run import Trace, run_check
from boomerang.settings.checks import Check

EPOCH = 1_800_000_000.0
CHECK = Check(name="web", url="http://web.example/", timeout=8.0)

Steps = Callable[[Trace], Awaitable[None]]


class Running(SynchronousTestCase):
    """What tests of `run_check` share."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)

    def begin(self, steps: Steps) -> Deferred[Result]:
        """A run whose probe does what ``steps`` says with its trace."""

        async def probe(check: Check, trace: Trace) -> None:
            assert check is CHECK
            await steps(trace)

        return run_check(
            CHECK, probe, clock=self.clock, wall_clock=lambda: EPOCH + self.clock.seconds()
        )

    def pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self.clock, seconds)

    def waited(self, steps: Steps, *, seconds: float = 100) -> Result:
        """The result of a run, if it comes within some seconds, of which each is waited for."""
        running = self.begin(steps)
        ended: list[object] = []

        def end(outcome: Result | Failure) -> Result | Failure:
            ended.append(outcome)
            return outcome

        running.addBoth(end)
        for _ in range(int(seconds * 4)):
            if ended:
                break
            self.clock.advance(0.25)
        return self.successResultOf(running)


class WellTests(Running):
    """Runs that are well."""

    def test_at_once(self) -> None:
        """A probe that returns is well, though nothing was noted."""

        async def steps(trace: Trace) -> None: ...

        result = self.successResultOf(self.begin(steps))
        assert result == Result(at=EPOCH + 1000, seconds=0.0)
        assert result.well

    def test_time(self) -> None:
        """A result has the instant of its beginning, and the time until its end."""

        async def steps(trace: Trace) -> None:
            await self.pause(1.5)

        result = self.waited(steps)
        assert (result.at, result.seconds) == (EPOCH + 1000, 1.5)

    def test_phases(self) -> None:
        """Each phase has its time; the last one ends with the run."""

        async def steps(trace: Trace) -> None:
            for number, phase in enumerate(PHASES, start=1):
                trace.begin(phase)
                await self.pause(number / 4)

        result = self.waited(steps)
        assert result.phases == dict(zip(PHASES, (0.25, 0.5, 0.75, 1.0, 1.25), strict=True))
        assert result.seconds == sum(result.phases.values())

    def test_phases_add_up(self) -> None:
        """A phase that is entered again goes on; time between phases belongs to none."""

        async def steps(trace: Trace) -> None:
            for phase in ("resolve", "connect", "resolve", "connect"):
                trace.begin(phase)
                await self.pause(0.5)
            trace.end()
            trace.end()
            await self.pause(1)
            trace.begin("transfer")
            await self.pause(0.25)

        result = self.waited(steps)
        assert result.phases == {"resolve": 1.0, "connect": 1.0, "transfer": 0.25}
        assert result.seconds == 3.25

    def test_what_was_noted(self) -> None:
        """Status and certificate are those noted last."""

        async def steps(trace: Trace) -> None:
            trace.status, trace.certificate_expires = 302, EPOCH
            trace.status = 200

        result = self.waited(steps)
        assert (result.status, result.certificate_expires) == (200, EPOCH)

    def test_no_timer_is_left(self) -> None:
        """The deadline of a run that is over is gone."""

        async def steps(trace: Trace) -> None: ...

        self.successResultOf(self.begin(steps))
        assert self.clock.getDelayedCalls() == []

    def test_result_stands(self) -> None:
        """What a probe notes after its run does not change the result."""
        traces = []

        async def steps(trace: Trace) -> None:
            traces.append(trace)
            trace.begin("connect")

        result = self.waited(steps)
        traces[0].begin("transfer")
        traces[0].end()
        traces[0].status = 500
        assert (result.phases, result.status) == ({"connect": 0.0}, None)


class FailedTests(Running):
    """Runs that are not well."""

    def test_check_failed(self) -> None:
        """What the probe says is wrong is in the result, with all that was noted until then."""

        async def steps(trace: Trace) -> None:
            trace.begin("connect")
            await self.pause(0.5)
            trace.begin("first_byte")
            trace.status = 503
            await self.pause(1)
            raise CheckFailed(Reason.STATUS, "answered 503")

        result = self.waited(steps)
        assert not result.well
        assert (result.reason, result.detail) == (Reason.STATUS, "answered 503")
        assert (result.status, result.seconds) == (503, 1.5)
        assert result.phases == {"connect": 0.5, "first_byte": 1.0}
        assert self.clock.getDelayedCalls() == []

    def test_a_stranger_s_words(self) -> None:
        """What a failure quotes is cut, and made fit for one line."""

        async def steps(trace: Trace) -> None:
            raise CheckFailed(Reason.BODY, "a\nb\x1b[31m" + "x" * 1000)

        detail = self.waited(steps).detail
        assert detail.startswith("a b [31mx")
        assert len(detail) == LONGEST_DETAIL


class MistakeTests(Running):
    """Runs that fail for a reason of our own."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged, and the test says what."""

    def test_mistakes(self) -> None:
        """A mistake of our own is a result like others, and is logged with its traceback; what it
        says may be secret, and is not told."""
        for mistake in (RuntimeError("s3cret"), AssertionError("s3cret"), OSError("s3cret")):

            async def steps(trace: Trace, mistake: Exception = mistake) -> None:
                trace.begin("connect")
                raise mistake

            with capturedLogs() as events:
                result = self.waited(steps)
            assert result.reason is Reason.ERROR
            assert result.detail == f"the check itself failed: {type(mistake).__name__}"
            assert result.phases == {"connect": 0.0}
            (event,) = events
            assert event["log_level"] is LogLevel.critical
            assert formatEvent(event) == "check web could not be run"
            (logged,) = self.flushLoggedErrors()
            assert logged.value is mistake


class TimeoutTests(Running):
    """Runs that take too long."""

    def test_each_phase_is_named(self) -> None:
        """The phase that was under way at the deadline is told, and the time that it took."""
        for phase in PHASES:

            async def steps(trace: Trace, phase: str = phase) -> None:
                trace.begin("earlier")
                await self.pause(3)
                trace.begin(phase)
                await Deferred()

            result = self.waited(steps)
            assert result.reason is Reason.TIMEOUT
            assert result.detail == f"no answer within 8 s ({phase.replace('_', ' ')})"
            assert result.seconds == 8.0
            assert result.phases == {"earlier": 3.0, phase: 5.0}

    def test_no_phase(self) -> None:
        """Between phases none is told."""

        async def steps(trace: Trace) -> None:
            trace.begin("connect")
            trace.end()
            await Deferred()

        assert self.waited(steps).detail == "no answer within 8 s"

    def test_not_before(self) -> None:
        """The deadline is not reached before its time, and the result has at least that much."""

        async def steps(trace: Trace) -> None:
            await Deferred()

        running = self.begin(steps)
        self.clock.advance(7.99)
        self.assertNoResult(running)
        self.clock.advance(0.5)
        result = self.successResultOf(running)
        assert result.seconds >= 8
        assert result.response_seconds == result.seconds

    def test_deadline_over_all(self) -> None:
        """The deadline is one for all steps, however short each is."""

        async def steps(trace: Trace) -> None:
            while True:
                trace.begin("transfer")
                await self.pause(0.25)

        result = self.waited(steps)
        assert (result.reason, result.seconds) == (Reason.TIMEOUT, 8.0)
        assert self.clock.getDelayedCalls() == []

    def test_probe_is_cancelled(self) -> None:
        """The probe is told, and lets go before the result is there."""
        said = []

        async def steps(trace: Trace) -> None:
            try:
                await Deferred(lambda _: said.append("cancelled"))
            finally:
                said.append("gone")

        self.waited(steps)
        assert said == ["cancelled", "gone"]

    def test_slow_to_go(self) -> None:
        """A probe that takes its time to let go has its result only then."""

        async def steps(trace: Trace) -> None:
            try:
                await Deferred()
            finally:
                await self.pause(2)

        result = self.waited(steps)
        assert (result.reason, result.seconds) == (Reason.TIMEOUT, 10.0)


class CancelledTests(Running):
    """Runs that are cancelled from outside."""

    def test_cancelled(self) -> None:
        """There is no result then; the probe lets go, no timer is left, and nothing is logged."""
        said = []

        async def steps(trace: Trace) -> None:
            trace.begin("connect")
            await Deferred(lambda _: said.append("cancelled"))

        with capturedLogs() as events:
            running = self.begin(steps)
            self.clock.advance(1)
            running.cancel()
            self.failureResultOf(running, CancelledError)
        assert said == ["cancelled"]
        assert self.clock.getDelayedCalls() == []
        assert events == []

    def test_cancelled_with_words_of_its_own(self) -> None:
        """A probe that answers its cancellation with a failure has that as its result."""

        async def steps(trace: Trace) -> None:
            try:
                await Deferred()
            except CancelledError:
                raise CheckFailed(Reason.CONNECT, "dropped") from None

        running = self.begin(steps)
        running.cancel()
        assert self.successResultOf(running).reason is Reason.CONNECT


@pytest.mark.parametrize("error", [CancelledError(), TimeoutError()])
def test_where_words_come_from(error: Exception) -> None:
    """Errors of Twisted's that a probe lets through are taken for what they say."""

    async def probe(check: Check, trace: Trace) -> None:
        raise error

    outcomes: list[Any] = []
    run_check(CHECK, probe, clock=Clock(), wall_clock=lambda: EPOCH).addBoth(outcomes.append)
    (outcome,) = outcomes
    if isinstance(error, CancelledError):
        assert isinstance(outcome, Failure)
        outcome.trap(CancelledError)
    else:
        assert outcome.reason is Reason.TIMEOUT
