"""Runs each check at its own pace, again and again, whatever becomes of a run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.settings.checks import Check

LONGEST_START: Final = 10.0
"""Seconds over which the first runs are spread, so that the checks do not all ask at once."""


class Pace:
    """Gives each check its turn once per interval, and never two turns of a check at once.

    ``run`` is what is done in a turn; what it raises is logged, and ends nothing. ``random`` gives
    numbers from 0 to 1.
    """

    _log = Logger(namespace="boomerang.monitor")

    def __init__(
        self,
        checks: Iterable[Check],
        run: Callable[[Check], Coroutine[Deferred[Any], Any, None]],
        *,
        clock: IReactorTime,
        random: Callable[[], float],
    ) -> None:
        self._checks = tuple(checks)
        self._run = run
        self._clock = clock
        self._random = random
        self._starts: list[IDelayedCall] = []
        self._loops: list[LoopingCall] = []
        self._under_way: set[Deferred[None]] = set()
        self._last_turns: dict[str, float] = {}

    def start(self) -> None:
        now = self._clock.seconds()
        for check in self._checks:
            self._last_turns[check.name] = now
            loop = LoopingCall(self._turn, check)
            loop.clock = self._clock
            self._loops.append(loop)
            jitter = self._random() * min(check.interval, LONGEST_START)
            begin = partial(self._begin, loop, check.interval)
            self._starts.append(self._clock.callLater(jitter, begin))

    def stop(self) -> None:
        """Cancel the turns that are under way, and begin no others."""
        for start in self._starts:
            if start.active():
                start.cancel()
        for loop in self._loops:
            if loop.running:
                loop.stop()
        self._starts.clear()
        self._loops.clear()
        for turn in tuple(self._under_way):
            turn.cancel()

    def is_kept(self) -> bool:
        """Whether no check has missed its turn; right while started."""
        now = self._clock.seconds()
        return all(
            now - self._last_turns[check.name]
            <= 2 * (check.interval + check.timeout) + LONGEST_START
            for check in self._checks
        )

    def _begin(self, loop: LoopingCall, interval: float) -> None:
        loop.start(interval).addErrback(self._ended)

    def _turn(self, check: Check) -> Deferred[None]:
        """One turn; `LoopingCall` begins no other of this check before it is over."""
        turn = Deferred.fromCoroutine(self._run(check))
        self._under_way.add(turn)

        def over(outcome: Failure | None) -> None:
            self._under_way.discard(turn)
            self._last_turns[check.name] = self._clock.seconds()
            if outcome is not None and not outcome.check(CancelledError):
                self._log.failure("a turn of check {check} failed", outcome, check=check.name)

        return turn.addBoth(over)

    def _ended(self, trouble: Failure) -> None:
        self._log.failure("the loop of a check ended unexpectedly", trouble)
