"""Many calls or messages at once, at a steady rate, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from boomerang.standin.events import Failed, Outcome
from boomerang.standin.play import Played, play
from boomerang.standin.script import Script
from boomerang.standin.surroundings import Surroundings


@frozen
class Standing:
    """How a storm stands: how many have begun of how many, and how those ended that have."""

    calls: int
    begun: int = 0
    saved: int = 0
    apologised: int = 0
    lost: int = 0

    @property
    def ended(self) -> int:
        return self.saved + self.apologised + self.lost

    @property
    def under_way(self) -> int:
        return self.begun - self.ended


@frozen
class Summary:
    """What became of a storm.

    ``failed`` counts those in which anything failed, ``codes`` the error codes of all failures;
    ``reasons`` why some were not saved. ``silences`` are the longest of each, sorted.
    """

    standing: Standing
    seconds: float
    most_under_way: int
    failed: int
    codes: tuple[tuple[int, int], ...]
    reasons: tuple[tuple[str, int], ...]
    silences: tuple[float, ...] = field(repr=False)


async def play_storm(
    script: Script,
    surroundings: Surroundings,
    *,
    calls: int,
    rate: float,
    watch: Callable[[Standing], object] = lambda _: None,
) -> Summary:
    """Play the script so many times, ``rate`` of them beginning each second.

    Each has a SID of its own. ``watch`` is told whenever one begins or ends.
    """
    storm = _Storm(calls, watch)
    clock = surroundings.clock
    began = clock.seconds()
    playing: list[Deferred[None]] = []
    try:
        for number in range(calls):
            early = began + number / rate - clock.seconds()
            await deferLater(clock, max(0.0, early))
            playing.append(Deferred.fromCoroutine(storm.play(script, surroundings)))
        for each in playing:
            await each
    finally:
        for each in playing:
            each.addErrback(_left).cancel()
    return storm.summary(clock.seconds() - began)


def _left(failure: Failure) -> None:
    """Nobody waits for it any more."""
    failure.trap(CancelledError)


class _Storm:
    """Counts what becomes of the calls."""

    def __init__(self, calls: int, watch: Callable[[Standing], object]) -> None:
        self._standing = Standing(calls)
        self._watch = watch
        self._most_under_way = 0
        self._failed = 0
        self._codes: Counter[int] = Counter()
        self._reasons: Counter[str] = Counter()
        self._silences: list[float] = []

    async def play(self, script: Script, surroundings: Surroundings) -> None:
        self._stands(begun=self._standing.begun + 1)
        played = await play(script, surroundings)
        self._note(played)
        name = played.outcome.value
        self._stands(**{name: getattr(self._standing, name) + 1})

    def _note(self, played: Played) -> None:
        codes = [event.told.code for event in played.events if isinstance(event.told, Failed)]
        self._codes.update(codes)
        self._failed += bool(codes)
        self._silences.append(played.silence)
        if played.outcome is not Outcome.SAVED:
            self._reasons[played.reason] += 1

    def _stands(self, **changes: int) -> None:
        self._standing = evolve(self._standing, **changes)
        self._most_under_way = max(self._most_under_way, self._standing.under_way)
        self._watch(self._standing)

    def summary(self, seconds: float) -> Summary:
        return Summary(
            standing=self._standing,
            seconds=seconds,
            most_under_way=self._most_under_way,
            failed=self._failed,
            codes=tuple(self._codes.most_common()),
            reasons=tuple(self._reasons.most_common()),
            silences=tuple(sorted(self._silences)),
        )
