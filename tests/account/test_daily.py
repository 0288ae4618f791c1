"""The audit as the daemon runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from boomerang.account.api import MissingSetting
from boomerang.account.audit import Audit, Snapshot, audit
from boomerang.account.daily import (
    LONGEST_START,
    AuditCollector,
    DailyAudit,
    Ended,
    Standing,
    make_daily_audit,
)
from boomerang.account.errors import TwilioError
from boomerang.settings import Settings, TwilioSettings
from boomerang.settings.account import AccountSettings
from tests.account.resources import APP, HERE, resource, wanted
from tests.fakes.twilio_api import MAIN, TOKEN, FakeTwilio
from tests.servers import eventually

DAY = 86400.0
EPOCH = 1_700_000_000.0

GAPS = audit(Snapshot((resource(voice_url=APP, sms_url=APP),)), wanted())
WELL = audit(Snapshot((resource(),)), wanted())


class Bench:
    """The service with a clock of its own; ``found`` is what an audit finds, or how it fails."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.found: Audit | Exception = WELL
        self.heard: list[Standing] = []
        self.runs = 0
        self.running: list[Deferred[Any]] = []
        self.blocked = False
        self.service = DailyAudit(
            self.look,
            every=DAY,
            run=self.run,
            heard=self.heard.append,
            clock=self.clock,
            wall_clock=lambda: EPOCH + self.clock.seconds(),
            random=lambda: 0.5,
        )

    def look(self, sleep: Callable[[float], None], random: Callable[[], float]) -> Audit:
        self.runs += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def run(self, work: Callable[[], Any], /) -> Deferred[Any]:
        if self.blocked:
            self.running.append(Deferred())
            return self.running[-1]
        try:
            return succeed(work())
        except Exception:
            return fail()

    def start(self) -> None:
        self.service.startService()
        self.clock.advance(LONGEST_START / 2)


def test_daily() -> None:
    """It audits soon after the start, and then each period."""
    bench = Bench()
    bench.service.startService()
    assert bench.runs == 0
    bench.clock.advance(LONGEST_START / 2)
    assert bench.runs == 1
    bench.clock.pump([DAY / 4] * 8)
    assert bench.runs == 3
    bench.service.stopService()
    bench.clock.advance(2 * DAY)
    assert bench.runs == 3
    assert bench.clock.getDelayedCalls() == []


def test_stopped_before_the_first() -> None:
    """Stopped before the first audit, there is none."""
    bench = Bench()
    bench.service.startService()
    bench.service.stopService()
    bench.clock.advance(DAY)
    assert bench.runs == 0


def test_standing() -> None:
    """The last result is a value, by verdict, and whoever wants to hears of each."""
    bench = Bench()
    assert (bench.service.standing.at, bench.service.standing.count) == (None, 0)
    bench.found = GAPS
    bench.start()
    standing = bench.service.standing
    assert standing.at == EPOCH + LONGEST_START / 2
    assert (standing.count, standing.gaps["missing"]) == (2, 2)
    assert [each.url_field for each in standing.findings] == [
        "voice_fallback_url",
        "sms_fallback_url",
    ]
    bench.found = WELL
    bench.clock.advance(DAY)
    assert [each.count for each in bench.heard] == [2, 0]
    bench.service.stopService()


@pytest.mark.parametrize(
    ("error", "told"),
    [(TwilioError("503: down"), "503: down"), (MissingSetting("public_url"), "public_url")],
)
def test_failed(error: Exception, told: str) -> None:
    """A try that fails keeps what was known, says why, and is made again."""
    bench = Bench()
    bench.found = GAPS
    bench.start()
    bench.found = error
    bench.clock.advance(DAY)
    assert bench.service.standing == evolve(bench.heard[0], error=told)
    bench.found = WELL
    bench.clock.advance(DAY)
    assert (bench.service.standing.error, bench.service.standing.count) == (None, 0)
    bench.service.stopService()


def test_log() -> None:
    """A line for each change of state, none for each audit, and nothing of Twilio's in it."""
    bench = Bench()
    down = TwilioError("503: down")
    with capturedLogs() as events:
        bench.found = WELL
        bench.start()
        for found in (WELL, GAPS, GAPS, down, down, GAPS, WELL):
            bench.found = found
            bench.clock.advance(DAY)
        bench.service.stopService()
    lines = [(each["log_level"], each.get("gaps", each.get("reason"))) for each in events]
    assert lines == [
        (LogLevel.info, "none"),
        (LogLevel.warn, "2 missing"),
        (LogLevel.warn, "503: down"),
        (LogLevel.warn, "2 missing"),
        (LogLevel.info, "none"),
    ]


class TestMistake(SynchronousTestCase):
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged."""

    def test_logged(self) -> None:
        """A mistake of ours is logged with its traceback, and does not end the audits."""
        bench = Bench()
        bench.found = ZeroDivisionError()
        bench.start()
        assert [each.type for each in self.flushLoggedErrors()] == [ZeroDivisionError]
        assert bench.service.standing.error == "ZeroDivisionError"
        bench.found = WELL
        bench.clock.advance(DAY)
        assert bench.service.standing.error is None
        bench.service.stopService()


def test_stopped_meanwhile() -> None:
    """Stopped during an audit, it ends at once; a thread that sleeps is woken and gives up."""
    bench = Bench()
    bench.blocked = True
    bench.start()
    bench.clock.advance(2 * DAY)
    assert len(bench.running) == 1
    bench.service.stopService()
    with pytest.raises(Ended):
        bench.service._sleep(3600)
    bench.running[0].callback(GAPS)
    assert bench.heard == []


def test_metrics() -> None:
    """Every verdict that is a gap has a gauge, once there was an audit."""
    standing = Standing()
    registry = CollectorRegistry()
    registry.register(AuditCollector(lambda: standing))
    assert 'boomerang_account_gaps{verdict="' not in generate_latest(registry).decode()
    standing = Standing.after(GAPS, at=EPOCH)
    text = generate_latest(registry).decode()
    assert 'boomerang_account_gaps{verdict="missing"} 2.0' in text
    assert 'boomerang_account_gaps{verdict="callback not relayed"} 0.0' in text
    assert text.count("boomerang_account_gaps{") == 5
    assert "boomerang_account_audit_timestamp_seconds 1.7e+09" in text
    assert "boomerang_account_audit_failed 0.0" in text
    standing = evolve(standing, error="503: down")
    assert "boomerang_account_audit_failed 1.0" in generate_latest(registry).decode()


async def test_real(twilio: FakeTwilio) -> None:
    """In a thread of its own it audits what is really there."""
    from twisted.internet import reactor

    heard: list[Standing] = []
    service = make_daily_audit(
        Settings(
            public_url=HERE,
            twilio=TwilioSettings(account_sid=MAIN, auth_token=(TOKEN,)),
            account=AccountSettings(audit_every=DAY, api_url=twilio.url),
        ),
        reactor=reactor,
        heard=heard.append,
        wall_clock=lambda: EPOCH,
        random=lambda: 0.0,
    )
    assert service is not None
    service.startService()
    await eventually(lambda: bool(heard), what="an audit")
    service.stopService()
    assert heard == [Standing(at=EPOCH)]


def test_none() -> None:
    """None is made unless it is asked for."""
    assert (
        make_daily_audit(
            Settings(),
            reactor=None,
            heard=print,
            wall_clock=lambda: EPOCH,
            random=lambda: 0.0,
        )
        is None
    )
