"""One run of a check: a probe under a deadline, and what became of it as a `Result`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.monitor.result import CheckFailed, Reason, Result
from boomerang.settings.checks import Check

_log = Logger(namespace="boomerang.monitor")


class Trace:
    """What a probe notes on its way, so that a run that is cut off tells how far it came.

    ``phases`` are seconds by the names of `boomerang.monitor.result.PHASES`; a phase that is
    entered again (a redirect) goes on adding up. The clock is monotonic.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._began = 0.0
        self.under_way: str | None = None
        self.phases: dict[str, float] = {}
        self.status: int | None = None
        self.certificate_expires: float | None = None

    def begin(self, phase: str) -> None:
        """Enter a phase, and leave the one before."""
        self.end()
        self.under_way = phase
        self._began = self._clock.seconds()

    def end(self) -> None:
        """Leave the phase, if one is under way."""
        if self.under_way is not None:
            spent = self._clock.seconds() - self._began
            self.phases[self.under_way] = self.phases.get(self.under_way, 0.0) + spent
            self.under_way = None


class Probe(Protocol):
    """Asks what is checked, in one protocol.

    Returns when all is well, raises `CheckFailed` when it is not. It needs no time limit of its
    own: it is cancelled at the check's deadline, and lets go of its connection then. What else it
    raises counts as a mistake of our own, and is logged with a traceback.
    """

    def __call__(self, check: Check, trace: Trace) -> Coroutine[Deferred[Any], Any, None]: ...


def run_check(
    check: Check,
    probe: Probe,
    *,
    clock: IReactorTime,
    wall_clock: Callable[[], float],
) -> Deferred[Result]:
    """Run a check once. The Deferred never fails, except when it is cancelled from outside."""
    at, began = wall_clock(), clock.seconds()
    trace = Trace(clock)

    def result(reason: Reason | None, detail: str) -> Result:
        return Result(
            at=at,
            seconds=clock.seconds() - began,
            reason=reason,
            detail=detail,
            phases=dict(trace.phases),
            status=trace.status,
            certificate_expires=trace.certificate_expires,
        )

    def well(_: None) -> Result:
        trace.end()
        return result(None, "")

    def failed(why: Failure) -> Result | Failure:
        if why.check(CancelledError):
            return why
        phase = trace.under_way
        trace.end()
        if why.check(TimeoutError):
            where = f" ({phase.replace('_', ' ')})" if phase else ""
            return result(Reason.TIMEOUT, f"no answer within {check.timeout:g} s{where}")
        if isinstance(why.value, CheckFailed):
            return result(why.value.reason, why.value.detail)
        why.trap(Exception)
        _log.failure("check {check} could not be run", why, check=check.name)
        return result(Reason.ERROR, f"the check itself failed: {type(why.value).__name__}")

    running = Deferred.fromCoroutine(probe(check, trace)).addTimeout(check.timeout, clock)
    return running.addCallbacks(well, failed)
