"""The service that runs the checks, each at its own pace, and tells the reporters of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.monitor.ledger import Ledger
from boomerang.monitor.outage import Outage, Reporter
from boomerang.monitor.panel import Kept, Panel, Turn
from boomerang.monitor.records import LEASE, Records
from boomerang.monitor.result import Result
from boomerang.monitor.run import Probe, run_check
from boomerang.monitor.verdict import Standing, State
from boomerang.stores.interfaces import StoreUnavailable

ROUND: Final = 5.0
"""Seconds from one round to the next, in which results are written and pauses are read."""

LONGEST_START: Final = 10.0
"""Seconds over which the first runs are spread, so that the checks do not all ask at once."""

LAST_WORDS: Final = 1.0
"""Seconds that the store has at the end of the process."""

_STORE_TROUBLE: Final = (StoreUnavailable, TimeoutError)


class Watch(Service):
    """Runs the checks, in one of the processes that share a store.

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
        self._reporters = reporters
        self._holder = holder
        self._clock = clock
        self._wall_clock = wall_clock
        self._random = random
        self._loops: dict[str, LoopingCall] = {}
        self._starts: list[IDelayedCall] = []
        self._running: dict[str, Deferred[Result]] = {}
        self._last_runs: dict[str, float] = {}
        self._rounds = LoopingCall(lambda: Deferred.fromCoroutine(self._round()))
        self._rounds.clock = clock
        self._store_answered = clock.seconds()
        self._trouble = ""

    def startService(self) -> None:
        super().startService()
        self._store_answered = self._clock.seconds()
        self._rounds.start(ROUND).addErrback(self._unexpected)

    def stopService(self) -> Deferred[None]:
        """End all runs, write what there is to write, and let another process take over."""
        super().stopService()
        if self._rounds.running:
            self._rounds.stop()
        self._step_down()
        leaving = Deferred.fromCoroutine(self._leave())
        return leaving.addTimeout(LAST_WORDS, self._clock).addErrback(self._has_not_left)

    def at_work(self) -> bool:
        """Whether each check that should have run lately has, here: for the heartbeat."""
        now, wall = self._clock.seconds(), self._wall_clock()
        return self.leads and all(
            self.panel.paused_until(name, now=wall) is not None
            or now - self._last_runs[name] <= 3 * check.interval + check.timeout + LONGEST_START
            for name, check in self.panel.checks.items()
        )

    async def _round(self) -> None:
        try:
            await self._look_who_watches()
            if self.leads:
                self.panel.pauses = await self._records.pauses()
                await self._ledger.write()
            self._store_is(trouble="")
        except _STORE_TROUBLE as error:
            self._store_is(trouble=str(error) or "no answer in time")
        except Exception:
            self._log.failure("a round of the monitor failed")

    async def _look_who_watches(self) -> None:
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

    async def _take_over(self) -> None:
        try:
            kept = await self._records.kept(list(self.panel.checks))
        except _STORE_TROUBLE as error:
            self._store_is(trouble=str(error) or "no answer in time")
            kept = Kept()
        if not self.running:
            return
        self.leads = True
        for outage in self.panel.restore(kept, now=self._wall_clock()):
            self._tell_of(outage)
        now = self._clock.seconds()
        for name, check in self.panel.checks.items():
            self._last_runs[name] = now
            loop = self._loops[name] = LoopingCall(self._run, name)
            loop.clock = self._clock
            jitter = self._random() * min(check.interval, LONGEST_START)
            start = partial(self._start, loop, check.interval)
            self._starts.append(self._clock.callLater(jitter, start))
        self._log.info("watching {checks} checks", checks=len(self.panel.checks))

    def _start(self, loop: LoopingCall, interval: float) -> None:
        loop.start(interval).addErrback(self._unexpected)

    def _step_down(self) -> None:
        self.leads = False
        for start in self._starts:
            if start.active():
                start.cancel()
        self._starts.clear()
        for loop in self._loops.values():
            if loop.running:
                loop.stop()
        self._loops.clear()
        for running in tuple(self._running.values()):
            running.cancel()

    async def _leave(self) -> None:
        try:
            await self._ledger.write()
            await self._records.leave_watch(self._holder)
        except _STORE_TROUBLE as error:
            self._store_is(trouble=str(error) or "no answer in time")

    def _has_not_left(self, trouble: Failure) -> None:
        if not trouble.check(TimeoutError):
            self._unexpected(trouble)

    def _run(self, name: str) -> Deferred[None]:
        """One run; `LoopingCall` begins no other of this check before it has ended."""
        if self.panel.paused_until(name, now=self._wall_clock()) is not None:
            return Deferred.fromCoroutine(_nothing())
        return Deferred.fromCoroutine(self._run_now(name))

    async def _run_now(self, name: str) -> None:
        check = self.panel.checks[name]
        running = self._running[name] = run_check(
            check, self._probes[check.kind], clock=self._clock, wall_clock=self._wall_clock
        )
        try:
            result = await running
        except CancelledError:
            return
        finally:
            del self._running[name]
        self._last_runs[name] = self._clock.seconds()
        now = self._wall_clock()
        if self.panel.paused_until(name, now=now) is None:
            self._take(name, result, now)

    def _take(self, name: str, result: Result, now: float) -> None:
        turn = self.panel.add(name, result, now=now)
        self._ledger.result(name, result)
        affected = bool(self.panel.causes(name, now=now))
        for reporter in self._reporters:
            self._tell(reporter.checked, self.panel.checks[name], result, affected=affected)
        self._tell_of_turn(name, turn, affected=affected)

    def _tell_of_turn(self, name: str, turn: Turn, *, affected: bool) -> None:
        if turn.standing is not None:
            self._ledger.standing(name, turn.standing)
            self._log_turn(name, turn.standing, affected=affected)
        for outage in turn.outages:
            self._tell_of(outage)

    def _tell_of(self, outage: Outage) -> None:
        self._ledger.outage(outage)
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


async def _nothing() -> None:
    return None
