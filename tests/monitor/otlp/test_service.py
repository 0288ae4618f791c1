"""The service that reports to OpenTelemetry each period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from boomerang.monitor.otlp.service import NotTaken, OtlpService
from boomerang.monitor.otlp.totals import Snapshot
from tests.monitor.otlp.noting import AGAIN, VOICE, busy_totals, held

AWAY = "the OpenTelemetry collector at collector:4318 does not take metrics: HTTP 503"
BACK = "the OpenTelemetry collector at collector:4318 takes metrics again"


@define
class Sent:
    """Remembers what it is to send; ``trouble`` is what becomes of it."""

    snapshots: list[Snapshot] = field(factory=list)
    trouble: Exception | None = None
    closed: int = 0

    def __call__(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        if self.trouble is not None:
            raise self.trouble

    def close(self) -> None:
        self.closed += 1


class ServiceTestCase(SynchronousTestCase):
    """The service on a `Clock`, with a sender that a test controls."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sent = Sent()

    def service(self, run: Any = maybeDeferred) -> OtlpService:
        return OtlpService(
            busy_totals(),
            send=self.sent,
            run=run,
            clock=self.clock,
            period=60.0,
            collector="collector:4318",
        )


def lines(events: Sequence[LogEvent]) -> list[str]:
    return [formatEvent(event) for event in events if event["log_level"] > LogLevel.debug]


class ReportTests(ServiceTestCase):
    def test_period(self) -> None:
        """One report each period, the first after one has passed."""
        service = self.service()
        service.startService()
        assert len(self.sent.snapshots) == 0
        self.clock.pump([60.0] * 3)
        assert len(self.sent.snapshots) == 3

    def test_report(self) -> None:
        """A report has what was counted until then."""
        service = self.service()
        service.startService()
        service.totals.decided(VOICE, AGAIN, held=held(0.0), degraded=False)
        self.clock.advance(60)
        assert self.sent.snapshots == [service.totals.snapshot()]

    def test_no_overlap(self) -> None:
        """No report begins before the one before has ended."""
        under_way: list[Deferred[None]] = []

        def slowly(work: object) -> Deferred[None]:
            under_way.append(Deferred())
            return under_way[-1]

        service = self.service(slowly)
        service.startService()
        self.clock.pump([60.0] * 5)
        assert len(under_way) == 1
        under_way[0].callback(None)
        self.clock.advance(60)
        assert len(under_way) == 2

    def test_a_line_per_change(self) -> None:
        """A collector that is away costs one line, its return another; reports go on."""
        service = self.service()
        service.startService()
        with capturedLogs() as events:
            self.sent.trouble = NotTaken("HTTP 503")
            self.clock.pump([60.0] * 10)
            assert lines(events) == [AWAY]
            self.sent.trouble = None
            self.clock.pump([60.0] * 10)
            assert lines(events) == [AWAY, BACK]
        assert len(self.sent.snapshots) == 20


class StopTests(ServiceTestCase):
    def test_last_report(self) -> None:
        """A last report is sent at the end, and none after it."""
        service = self.service()
        service.startService()
        self.successResultOf(service.stopService())
        assert (len(self.sent.snapshots), self.sent.closed) == (1, 1)
        self.clock.pump([60.0] * 3)
        assert len(self.sent.snapshots) == 1

    def test_does_not_wait(self) -> None:
        """A collector that does not answer holds up the end for two seconds, no longer."""
        service = self.service(lambda work: Deferred())
        service.startService()
        self.clock.advance(60)
        with capturedLogs() as events:
            stopped = service.stopService()
            self.clock.advance(1.9)
            self.assertNoResult(stopped)
            self.clock.advance(0.1)
            self.successResultOf(stopped)
        assert self.sent.closed == 1
        assert lines(events) == []

    def test_known_to_be_away(self) -> None:
        """A collector that is known to be away is not waited for at all."""
        service = self.service()
        service.startService()
        self.sent.trouble = NotTaken("HTTP 503")
        self.clock.advance(60)
        self.successResultOf(service.stopService())
        assert (len(self.sent.snapshots), self.sent.closed) == (1, 1)

    def test_never_started(self) -> None:
        """A service that was never started can be stopped."""
        self.successResultOf(self.service().stopService())


class MistakeTests(ServiceTestCase):
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """These tests look at what is logged themselves."""

    def test_the_next_report(self) -> None:
        """Trouble that nobody foresaw is logged with its traceback, and the reports go on."""
        service = self.service()
        service.startService()
        self.sent.trouble = ZeroDivisionError()
        self.clock.advance(60)
        assert [each.type for each in self.flushLoggedErrors()] == [ZeroDivisionError]
        self.sent.trouble = None
        self.clock.advance(60)
        assert len(self.sent.snapshots) == 2
