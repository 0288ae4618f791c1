"""The workers of a host: started, started again, told to stop; and which of them are ready."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from attrs import define
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from boomerang.workers.identity import Worker
from boomerang.workers.restarts import STEADY, Past
from boomerang.workers.spawning import Running, Spawn
from boomerang.workers.workplace import Orders

QUIET: Final = 2
"""Looks in a row without a sign of life, after which others stand in for a worker."""

HANGS: Final = 8
"""The same after which it is killed."""

SLOWEST_START: Final = 30
"""The same for one that is starting, and gives no signs yet: a minute."""

LOOK_EVERY: Final = 2.0
"""Seconds from one look to the next; workers give their signs half as far apart."""

Heard = Callable[[int, dict[str, Any]], None]


@define(eq=False)
class _Seat:
    """One worker, whichever process it is at the moment."""

    running: Running | None = None
    alive: bool = False
    ready: bool = False
    answering: bool = False
    began: float = 0.0
    past: Past = Past()
    next_start: IDelayedCall | None = None
    signs_missed: int = 0
    killed: bool = False


class Crew:
    """Keeps each worker running. A death costs one log line, a crash loop one more.

    ``heard`` gets the messages of workers, ``changed`` hears when it is others that are ready,
    ``died`` when one has ended that was not told to. ``orders`` gives those of a worker.
    """

    _log = Logger(namespace="boomerang.workers")

    def __init__(
        self,
        of: int,
        *,
        spawn: Spawn,
        orders: Callable[[Worker], Orders],
        clock: Any,
        heard: Heard,
        changed: Callable[[], None],
        died: Callable[[int, str], None],
        restarted: Callable[[int], None],
    ) -> None:
        self.of = of
        self._spawn = spawn
        self._orders = orders
        self._clock = clock
        self._heard = heard
        self._changed = changed
        self._died = died
        self._restarted = restarted
        self._seats = [_Seat() for _ in range(of)]
        self._stopping = False
        self._patient = True
        self._ends_well = True
        self._ended: list[Deferred[None]] = []

    @property
    def ready(self) -> Collection[int]:
        """Those that serve, or would if they were told to."""
        return [
            number
            for number, seat in enumerate(self._seats)
            if seat.ready and seat.signs_missed < QUIET
        ]

    @property
    def ended_well(self) -> bool:
        """Whether none had to be killed since all were told to end."""
        return self._ends_well

    @property
    def answering(self) -> Collection[int]:
        """Those that can be asked: also one that stops, which holds calls and counts to its end."""
        return [
            number
            for number, seat in enumerate(self._seats)
            if seat.answering and seat.signs_missed < QUIET
        ]

    def start(self) -> None:
        for number in range(self.of):
            self._start(number)

    def send(self, number: int, /, **message: Any) -> None:
        """Tell a worker something; one that is away misses it."""
        running = self._seats[number].running
        if running is not None:
            running.send(**message)

    def look(self) -> None:
        """Find those that are quiet, and end those that hang: called each `LOOK_EVERY` seconds."""
        before = self.ready
        for seat in self._seats:
            if seat.running is not None:
                seat.signs_missed += 1
        self._kill_those_that_hang()
        if self.ready != before:
            self._changed()

    def lose_patience(self) -> None:
        """Take from now on whoever is quiet, or still starting, for one that hangs."""
        self._patient = False
        self._kill_those_that_hang()

    def stop(self) -> Deferred[None]:
        """Tell all to end in good order, and start none again; fires when all have ended."""
        self._stopping = True
        for seat in self._seats:
            if seat.next_start is not None:
                seat.next_start.cancel()
                seat.next_start = None
        for seat in self._seats:
            if seat.running is not None:
                seat.running.signal("TERM")
        if not any(seat.running for seat in self._seats):
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._ended.append(ended)
        return ended

    def kill(self) -> int:
        """Kill all that are left; how many that is."""
        left = [seat for seat in self._seats if seat.running is not None]
        for seat in left:
            self._kill(seat)
        return len(left)

    def _kill_those_that_hang(self) -> None:
        for number, seat in enumerate(self._seats):
            limit = (HANGS if seat.alive else SLOWEST_START) if self._patient else QUIET
            if seat.signs_missed >= limit and not seat.killed:
                self._log.error("worker {number} gives no sign of life, killed", number=number)
                self._kill(seat)

    def _kill(self, seat: _Seat) -> None:
        if seat.running is not None:
            seat.running.signal("KILL")
            seat.killed = True
            self._ends_well = not self._stopping

    def _start(self, number: int) -> None:
        seat = self._seats[number]
        seat.next_start = None
        seat.began = self._clock.seconds()
        seat.running = self._spawn(
            self._orders(Worker(number, self.of)),
            lambda message: self._hear(number, message),
            lambda ending: self._end(number, ending),
        )
        self._log.info("worker {number} is process {pid}", number=number, pid=seat.running.pid)

    def _start_again(self, number: int) -> None:
        self._restarted(number)
        self._start(number)

    def _hear(self, number: int, message: dict[str, Any]) -> None:
        seat = self._seats[number]
        was_quiet = seat.ready and seat.signs_missed >= QUIET
        seat.alive, seat.signs_missed = True, 0
        if was_quiet:
            self._changed()
        state = message.get("state")
        if state is None:
            self._heard(number, message)
        elif state in ("READY=1", "STOPPING=1"):
            seat.ready, seat.answering = state == "READY=1", True
            self._changed()

    def _end(self, number: int, ending: str) -> None:
        seat = self._seats[number]
        pid = seat.running.pid if seat.running is not None else 0
        seat.running, seat.signs_missed, seat.killed = None, 0, False
        seat.alive = seat.ready = seat.answering = False
        if self._stopping:
            if not any(each.running for each in self._seats):
                for waiting in self._ended:
                    waiting.callback(None)
                self._ended.clear()
            return
        self._died(number, ending)
        self._changed()
        if self._stopping:  # since nothing can come of it
            return
        was_loop = seat.past.is_loop
        seat.past = seat.past.and_then(self._clock.seconds() - seat.began)
        self._say(number, pid, ending, seat.past, is_news=seat.past.is_loop and not was_loop)
        seat.next_start = self._clock.callLater(seat.past.pause, self._start_again, number)

    def _say(self, number: int, pid: int, ending: str, past: Past, *, is_news: bool) -> None:
        self._log.warn(
            "worker {number} (process {pid}) has ended, {ending}; it is started again in"
            " {pause:g} s",
            number=number,
            pid=pid,
            ending=ending,
            pause=past.pause,
        )
        if is_news:
            self._log.error(
                "worker {number} keeps dying: {count} times in a row within {steady:g} s of its"
                " start; it is started less and less often",
                number=number,
                count=past.short_lives,
                steady=STEADY,
            )
