"""Held requests that may go before their time, and must not all go at once.

They wait in the order of their coming. One is due when its wait is over, or when the app has
answered its probe; those that are due go at the rate that the app is thought to take.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Final

from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from boomerang.retry.awake import Ask, Questions
from boomerang.retry.spread import overdue, pace

TICK: Final = 0.05
"""Seconds from one look at those that are due to the next, where a rate is kept."""

Origin = tuple[str, int]


@frozen
class Terms:
    """How the held requests of an origin are let go.

    ``probe`` is a URL that is asked whether the app is awake, if there is one; ``rate`` is how
    many requests may go in a second, 0 for no limit.
    """

    probe: str | None
    rate: float


class Gate:
    """All requests that are held with such terms. ``random`` gives numbers from 0 to 1."""

    def __init__(self, clock: IReactorTime, *, ask: Ask, random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._questions = Questions(clock, ask=ask)
        self._queues: dict[tuple[Origin, Terms], _Queue] = {}

    def wait(
        self,
        origin: Origin,
        terms: Terms,
        *,
        due: float,
        limit: float,
        turn: float | None = None,
        waited: float = 0.0,
    ) -> Deferred[bool]:
        """Fires when the request may go: ``due`` seconds from now, or once the app has answered.

        Where others go first it may be later, but not later than ``limit`` seconds from now. With
        ``turn`` it fires with false after that many seconds, unless it may go before. Who has
        ``waited`` already, in turns before this one, keeps its place. Cancelling it (the client
        hung up) takes the request out.
        """
        stay = _Stay(due=due, limit=max(due, limit), turn=turn, waited=waited)
        queue = self._queues.get((origin, terms))
        if queue is not None:
            return queue.add(stay)
        queue = self._queues[origin, terms] = _Queue(
            terms.rate,
            clock=self._clock,
            random=self._random,
            empty=partial(self._close, origin, terms),
        )
        gone = queue.add(stay)
        if terms.probe is not None:  # whose answer may be there at once
            self._questions.begin(terms.probe, queue.release)
        return gone

    def _close(self, origin: Origin, terms: Terms) -> None:
        queue = self._queues.pop((origin, terms))
        if terms.probe is not None:
            self._questions.end(terms.probe, queue.release)


@frozen
class _Stay:
    """How long a request is to stay; see `Gate.wait`."""

    due: float
    limit: float
    turn: float | None
    waited: float


@define(eq=False)
class _Held:
    """One request: the instant at which it came, and that at which it goes whatever happens."""

    came: float
    limit: float
    gone: Deferred[bool]
    timer: IDelayedCall | None = None
    turn: IDelayedCall | None = None
    leaving: bool = False


class _Queue:
    """The requests of one origin under the same terms, in the order of their coming."""

    def __init__(
        self,
        rate: float,
        *,
        clock: IReactorTime,
        random: Callable[[], float],
        empty: Callable[[], None],
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._random = random
        self._empty = empty
        self._held: dict[Deferred[bool], _Held] = {}
        self._due: dict[Deferred[bool], _Held] = {}
        self._allowance = 1.0
        self._looked_at = clock.seconds()
        self._ticking: IDelayedCall | None = None

    def add(self, stay: _Stay) -> Deferred[bool]:
        gone: Deferred[bool] = Deferred(self._forget)
        now = self._clock.seconds()
        held = _Held(now - stay.waited, now + stay.limit, gone)
        held.timer = self._clock.callLater(stay.due, self._is_due, held)
        if stay.turn is not None:
            held.turn = self._clock.callLater(stay.turn, self._fire, held, False)
        self._held[gone] = held
        return gone

    def release(self) -> None:
        """The app is awake: all that are held are due, but those that are about to go keep that."""
        for held in list(self._held.values()):
            if held.gone in self._held and held.gone not in self._due and not held.leaving:
                self._is_due(held)

    def _is_due(self, held: _Held) -> None:
        _cancel(held.timer)
        if self._rate <= 0:
            self._fire(held, True)
            return
        self._due[held.gone] = held
        if self._ticking is None:
            self._look()

    def _look(self) -> None:
        """Let go those whose turn it is, and look again a tick later while others are left."""
        now = self._clock.seconds()
        due = sorted(self._due.values(), key=attrgetter("came"))
        limits = [held.limit for held in due]
        a_second = pace(limits, now=now, rate=self._rate)
        earned = self._allowance + (now - self._looked_at) * a_second
        self._allowance = min(earned, 2 * a_second * TICK + 1.0)  # a late look loses nothing
        self._looked_at = now
        turns = max(int(self._allowance), overdue(limits, until=now + TICK))
        self._allowance = max(0.0, self._allowance - turns)
        jitters = sorted(self._random() * TICK for _ in range(turns))
        for held, jitter in zip(due, jitters, strict=False):
            del self._due[held.gone]
            held.leaving = True
            _cancel(held.turn)
            in_time = min(jitter, max(0.0, held.limit - now))
            held.timer = self._clock.callLater(in_time, self._fire, held, True)
        self._ticking = self._clock.callLater(TICK, self._look) if self._due else None

    def _fire(self, held: _Held, may_go: bool) -> None:
        self._forget(held.gone)
        held.gone.callback(may_go)

    def _forget(self, gone: Deferred[bool]) -> None:
        held = self._held.pop(gone)
        self._due.pop(gone, None)
        _cancel(held.timer)
        _cancel(held.turn)
        held.timer = held.turn = None  # which would keep it until garbage is collected
        if not self._held:
            _cancel(self._ticking)
            self._ticking = None
            self._empty()


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
