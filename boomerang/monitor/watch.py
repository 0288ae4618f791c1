"""The service that has the checks run, judges their results, and tells the reporters of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.monitor.account import KIND as BROUGHT
from boomerang.monitor.ledger import Ledger
from boomerang.monitor.outage import Outage, Reporter
from boomerang.monitor.pace import Pace
from boomerang.monitor.panel import Panel, Turn
from boomerang.monitor.records import LEASE, Records
from boomerang.monitor.result import Result
from boomerang.monitor.run import Probe, run_check
from boomerang.monitor.uptime import Uptime
from boomerang.monitor.verdict import Standing, State
from boomerang.settings.checks import Check
from boomerang.stores.interfaces import StoreUnavailable

ROUND: Final = 5.0
"""Seconds from one round to the next, in which results are written and pauses are read.

Where an outage begins or ends there is a round at once.
"""

UPTIMES_EVERY: Final = 60.0
"""Seconds from one writing of the uptimes to the next; a crash costs what was counted since."""

AT_ONCE: Final = 5
"""Checks whose results are read from the store at once: a hundred of each take some 2 ms."""

LAST_WORDS: Final = 1.0
"""Seconds that the store has at the end of the process."""

_STORE_TROUBLE: Final = (StoreUnavailable, TimeoutError)


class Watch(Service):
    """Watches the checks, in one of the processes that share a store.

    The others stand by, and take over when this one no longer renews its lease. A store that
    does not answer leaves things as they are for a lease's time; then every process watches by
    itself, since a doubled message is better than none. ``holder`` names this process among them,
    ``random`` gives numbers from 0 to 1.
    """

    _log = Logger(namespace="boomerang.monitor")

    def __init__(
        self,
        panel: Panel,
        *,
        probes: Mapping[str, Probe],
        records: Records,
        reporters: Sequence[Reporter],
        holder: str,
        clock: IReactorTime,
        wall_clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.panel = panel
        self.leads = False
        self._probes = probes
        self._records = records
        self._ledger = Ledger(records)
        self._reporters = tuple(reporters)
        self._holder = holder
        self._clock = clock
        self._wall_clock = wall_clock
        asked = [check for check in panel.checks.values() if check.kind != BROUGHT]
        self._pace = Pace(asked, self._run, clock=clock, random=random)
        self._rounds: LoopingCall | None = None
        self._one_at_a_time = DeferredLock()
        self._round_waits = False
        self._restored = False
        self._store_answered = clock.seconds()
        self._trouble = ""
        self._brought: dict[str, Result] = {}
        self._uptimes_written = clock.seconds()

    def startService(self) -> None:
        super().startService()
        self._store_answered = self._clock.seconds()
        # A new one each time: the last round of the one before may still be under way.
        rounds = self._rounds = LoopingCall(lambda: Deferred.fromCoroutine(self._round()))
        rounds.clock = self._clock
        rounds.start(ROUND).addErrback(self._unexpected)

    def stopService(self) -> Deferred[None]:
        """End all runs, write what there is to write, and let another process take over."""
        super().stopService()
        if self._rounds is not None and self._rounds.running:
            self._rounds.stop()
        uptimes = self.panel.uptimes() if self._restored else {}
        self._step_down()
        leaving = Deferred.fromCoroutine(self._leave(uptimes))
        return leaving.addTimeout(LAST_WORDS, self._clock).addErrback(self._has_not_left)

    def at_work(self) -> bool:
        """Whether each check that should have run lately has, here: for the heartbeat."""
        return self.leads and self._pace.is_kept()

    def hear(self, name: str, result: Result) -> None:
        """Take in the result of a check that is made elsewhere; kept while another watches, since
        there may be none for a day if this process has to take over."""
        check = self.panel.checks[name]
        if check.kind == BROUGHT and not self._is_paused(check):
            if self.leads:
                self._take(check, result)
            else:
                self._brought[name] = result

    async def _round(self) -> None:
        """Never raises: what goes wrong is logged, and the next round tries again."""
        self._round_waits = True
        try:
            async with self._one_at_a_time:
                self._round_waits = False
                await self._look_who_watches()
                if self.leads:
                    await self._exchange()
            self._store_is(trouble="")
        except _STORE_TROUBLE as error:
            self._store_is(trouble=_reason(error))
        except Exception:
            self._log.failure("a round of the monitor failed")

    async def _look_who_watches(self) -> None:
        """See whether it is this process that watches, and begin or end it."""
        try:
            chosen = await self._records.take_watch(self._holder)
            self._store_answered = self._clock.seconds()
        except _STORE_TROUBLE:
            if self.leads or self._clock.seconds() - self._store_answered <= LEASE:
                raise
            chosen = True
        if not self.running:
            return
        if chosen and not self.leads:
            await self._take_over()
        elif not chosen and self.leads:
            self._log.info("another process watches from now on")
            self._step_down()
            self._ledger.forget()  # it would mix with what the other one finds

    async def _take_over(self) -> None:
        try:
            await self._restore()
        except _STORE_TROUBLE as error:
            self._store_is(trouble=_reason(error))
        if self.running:
            self.leads = True
            self._pace.start()
            self._log.info("watching {checks} checks", checks=len(self.panel.checks))
            brought, self._brought = self._brought, {}
            for name, result in brought.items():
                last = self.panel.last(name)
                if last is None or last.at < result.at:  # else another's was newer
                    self.hear(name, result)

    async def _restore(self) -> None:
        """Go on where another watch has ended; that may be some time after having taken over."""
        names = list(self.panel.checks)
        kept = await self._records.kept(())
        past = Panel(tuple(self.panel.checks.values()))
        gone = past.restore(kept, now=self._wall_clock())
        for first in range(0, len(names), AT_ONCE):
            results = await self._records.results(names[first : first + AT_ONCE])
            past.recall(results, kept.stood)
        if self.running:
            self._restored = True
            past.go_on(since=self.panel)
            self.panel = past
            for outage in gone:
                self._ledger.outage(outage)
                self._tell_of(outage)

    async def _exchange(self) -> None:
        """Write what has been found, and read what operators want."""
        if not self._restored:
            await self._restore()
        await self._ledger.write()
        self.panel.pauses = await self._records.pauses()
        if self._clock.seconds() - self._uptimes_written >= UPTIMES_EVERY:
            await self._records.note_uptimes(self.panel.uptimes())
            self._uptimes_written = self._clock.seconds()

    def _step_down(self) -> None:
        self.leads = self._restored = False
        self._pace.stop()
        self.panel.forget()

    async def _leave(self, uptimes: Mapping[str, Uptime]) -> None:
        try:
            async with self._one_at_a_time:
                await self._ledger.write()
                if uptimes:
                    await self._records.note_uptimes(uptimes)
                await self._records.leave_watch(self._holder)
        except _STORE_TROUBLE as error:
            self._store_is(trouble=_reason(error))

    def _has_not_left(self, trouble: Failure) -> None:
        if not trouble.check(TimeoutError):
            self._unexpected(trouble)

    async def _run(self, check: Check) -> None:
        """A check's turn; what it finds counts if the check is not paused meanwhile."""
        if self._is_paused(check):
            return
        probe = self._probes[check.kind]
        result = await run_check(check, probe, clock=self._clock, wall_clock=self._wall_clock)
        if self.leads and not self._is_paused(check):
            self._take(check, result)

    def _is_paused(self, check: Check) -> bool:
        return self.panel.paused_until(check.name, now=self._wall_clock()) is not None

    def _take(self, check: Check, result: Result) -> None:
        now = self._wall_clock()
        turn = self.panel.add(check.name, result, now=now)
        self._ledger.result(check.name, result)
        affected = bool(self.panel.causes(check.name, now=now))
        for reporter in self._reporters:
            self._tell(reporter.checked, check, result, affected=affected)
        self._tell_of_turn(check.name, turn, affected=affected)

    def _tell_of_turn(self, name: str, turn: Turn, *, affected: bool) -> None:
        if turn.standing is not None:
            self._ledger.standing(name, turn.standing)
            self._log_turn(name, turn.standing, affected=affected)
        for outage in turn.outages:
            self._ledger.outage(outage)
        if turn.outages:
            self._write_soon()
        for outage in turn.outages:
            self._tell_of(outage)

    def _write_soon(self) -> None:
        """Begin to write what is about to be told, lest it dies with this process.

        Whoever takes over would know nothing of an outage that people were told of, and never end
        it. Nobody waits for the store. It is a whole round, since another process may have taken
        the lease meanwhile; one that waits for its turn already will do.
        """
        if not self._round_waits:
            Deferred.fromCoroutine(self._round())

    def _tell_of(self, outage: Outage) -> None:
        for reporter in self._reporters:
            self._tell(reporter.began if outage.ended is None else reporter.ended, outage)

    def _tell(self, method: Callable[..., None], *args: Any, **options: Any) -> None:
        """Tell one reporter; its mistakes are its own."""
        try:
            method(*args, **options)
        except Exception:
            self._log.failure("a reporter of the monitor failed")

    def _log_turn(self, name: str, standing: Standing, *, affected: bool) -> None:
        if standing.state is State.DOWN:
            self._log.warn(
                "check {check} is down reason={reason} affected={affected}: {detail}",
                check=name,
                reason=standing.reason.value if standing.reason else "-",
                affected="yes" if affected else "no",
                detail=standing.detail,
            )
        else:
            self._log.info("check {check} is {state}", check=name, state=standing.state.value)

    def _store_is(self, *, trouble: str) -> None:
        if trouble and not self._trouble:
            self._log.warn("the monitor cannot use the store: {reason}", reason=trouble)
        elif self._trouble and not trouble:
            self._log.info("the monitor can use the store again")
        self._trouble = trouble

    def _unexpected(self, trouble: Failure) -> None:
        self._log.failure("the monitor's loop ended unexpectedly", trouble)


def _reason(error: Exception) -> str:
    return error.brief if isinstance(error, StoreUnavailable) else "no answer in time"
