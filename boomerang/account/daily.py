"""The audit as the daemon runs it: now and then, in a thread, its last result kept as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event
from typing import Any, Final

from attrs import evolve, field, frozen
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.account.api import MissingSetting
from boomerang.account.audit import Audit
from boomerang.account.errors import TwilioError
from boomerang.account.looking import look
from boomerang.account.verdict import GAPS, Finding
from boomerang.settings import Settings
from boomerang.threads import Run, daemon_threads

LONGEST_START: Final = 60.0
"""Seconds over which the first audits of several hosts that start together are spread."""

MOST_KEPT: Final = 1000
"""Findings that are kept for reports; all are counted."""

Look = Callable[[Callable[[float], None], Callable[[], float]], Audit]
"""An audit that blocks, given how to sleep and numbers from 0 to 1."""


class Ended(Exception):
    """The daemon stops, so the audit does."""


@frozen
class Standing:
    """What the last audit found, in the terms of a report.

    ``at`` is when it was, in seconds since the epoch, `None` before the first; ``gaps`` is by the
    value of each verdict that is a gap, ``findings`` has the first of them. ``error`` says why the
    last try failed, if it did: then the rest is of the one before. ``unseen`` says what that one
    could not look at. The names of findings may be phone numbers.
    """

    at: float | None = None
    gaps: Mapping[str, int] = field(factory=lambda: {each.value: 0 for each in GAPS})
    findings: Sequence[Finding] = ()
    unseen: tuple[str, ...] = ()
    error: str | None = None

    @property
    def count(self) -> int:
        """How many gaps there are."""
        return sum(self.gaps.values())

    @classmethod
    def after(cls, audit: Audit, *, at: float) -> Standing:
        return cls(
            at=at,
            gaps={each.value: audit.counts[each] for each in GAPS},
            findings=tuple(audit.gaps[:MOST_KEPT]),
            unseen=audit.unseen,
        )


class DailyAudit(Service):
    """Audits each period, beginning soon after the start. One log line per change, not per audit.

    ``standing`` is the last result; ``heard`` is called with each. ``random`` gives numbers from 0
    to 1; ``run`` calls something that blocks in a thread.
    """

    _log = Logger(namespace="boomerang.account")

    def __init__(
        self,
        look: Look,
        *,
        every: float,
        run: Run,
        heard: Callable[[Standing], None],
        clock: Any,
        wall_clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.standing = Standing()
        self._look = look
        self._every = every
        self._run = run
        self._heard = heard
        self._clock = clock
        self._wall_clock = wall_clock
        self._random = random
        self._stopping = Event()
        self._start: IDelayedCall | None = None
        self._auditing: Deferred[None] | None = None
        self._loop = LoopingCall(self._begin_audit)
        self._loop.clock = clock

    def startService(self) -> None:
        super().startService()
        self._stopping.clear()
        delay = self._random() * min(self._every, LONGEST_START)
        self._start = self._clock.callLater(delay, self._begin)

    def stopService(self) -> None:
        """End at once; what an audit that is under way finds is not heard of any more."""
        super().stopService()
        self._stopping.set()
        if self._start is not None and self._start.active():
            self._start.cancel()
        if self._loop.running:
            self._loop.stop()
        if self._auditing is not None:
            self._auditing.cancel()

    def _begin(self) -> None:
        self._loop.start(self._every).addErrback(self._unexpected)

    def _begin_audit(self) -> Deferred[None]:
        """One audit; `LoopingCall` begins no other before it has ended."""
        self._auditing = Deferred.fromCoroutine(self._audit())
        return self._auditing

    async def _audit(self) -> None:
        try:
            found = await self._run(lambda: self._look(self._sleep, self._random))
        except (Ended, CancelledError):
            return
        except (TwilioError, MissingSetting) as error:
            self._is(evolve(self.standing, error=str(error)))
        except Exception as error:
            self._log.failure("the audit of the account failed")
            self._is(evolve(self.standing, error=type(error).__name__))
        else:
            self._is(Standing.after(found, at=self._wall_clock()))

    def _sleep(self, seconds: float) -> None:
        """Sleep in the thread, unless the daemon stops meanwhile."""
        if self._stopping.wait(seconds):
            raise Ended

    def _is(self, standing: Standing) -> None:
        before, self.standing = self.standing, standing
        if standing.error is not None:
            if standing.error != before.error:
                self._log.warn("the account cannot be audited: {reason}", reason=standing.error)
        elif before.at is None or before.error is not None or before.gaps != standing.gaps:
            gaps = [f"{count} {name}" for name, count in standing.gaps.items() if count]
            told = ", ".join(gaps) or "none"
            (self._log.warn if gaps else self._log.info)(
                "gaps at Twilio: {gaps} (boomerang twilio audit --gaps)", gaps=told
            )
        self._heard(standing)

    def _unexpected(self, trouble: Failure) -> None:
        self._log.failure("the loop of audits ended unexpectedly", trouble)


@frozen(eq=False)
class AuditCollector(Collector):
    """The last audit on ``/metrics``; nothing of it before there was one."""

    view: Callable[[], Standing]

    def collect(self) -> Iterable[Metric]:
        standing = self.view()
        gaps = GaugeMetricFamily(
            "boomerang_account_gaps",
            "What at Twilio does not point here, by verdict.",
            labels=("verdict",),
        )
        when = GaugeMetricFamily(
            "boomerang_account_audit_timestamp_seconds",
            "When the account at Twilio was last audited.",
        )
        if standing.at is not None:
            for verdict, count in standing.gaps.items():
                gaps.add_metric((verdict,), count)
            when.add_metric((), standing.at)
        failed = GaugeMetricFamily(
            "boomerang_account_audit_failed",
            "1 if the last audit could not look at everything.",
        )
        failed.add_metric((), bool(standing.error or standing.unseen))
        return (gaps, when, failed)


def make_daily_audit(
    settings: Settings,
    *,
    reactor: Any,
    heard: Callable[[Standing], None],
    wall_clock: Callable[[], float],
    random: Callable[[], float],
) -> DailyAudit | None:
    """The audit that the settings ask for, in a thread of its own; `None` if they ask for none."""
    if not settings.account.audit_every:
        return None
    return DailyAudit(
        lambda sleep, chance: look(settings, sleep=sleep, random=chance),
        every=settings.account.audit_every,
        run=daemon_threads(reactor, name="account", most=1),
        heard=heard,
        clock=reactor,
        wall_clock=wall_clock,
        random=random,
    )
