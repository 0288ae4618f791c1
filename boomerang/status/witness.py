"""What this process can say of itself: the chronicle, and how its parts stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized

from attrs import frozen

from boomerang import __version__
from boomerang.relay.standing import Standing
from boomerang.retry.circuits import Circuits
from boomerang.retry.hold import Hold
from boomerang.status.chronicle import Chronicle
from boomerang.status.report import (
    SECONDS_LEFT,
    CircuitNow,
    HeldNow,
    RelayNow,
    Report,
    Trouble,
)
from boomerang.stores.failsafe import FailsafeStore


@frozen(eq=False)
class Witness:
    """Makes the report of this process.

    ``instance`` names it for good, ``name`` for people; ``outcomes`` are the second chances of
    which nobody knows yet; ``wall_clock`` gives seconds since the epoch.
    """

    instance: str
    name: str
    started: float
    chronicle: Chronicle
    hold: Hold
    outcomes: Sized
    store: FailsafeStore
    circuits: Circuits
    relay: Standing
    wall_clock: Callable[[], float]

    def __call__(self) -> Report:
        return Report(
            instance=self.instance,
            name=self.name,
            version=__version__,
            started=self.started,
            at=self.wall_clock(),
            held=held_now(self.hold.left(), followed=len(self.outcomes)),
            troubles=self._troubles(),
            circuits=tuple(
                CircuitNow(f"{host}:{port}", known.position.value, known.reason, known.since)
                for (host, port), known in self.circuits.open().items()
            ),
            relay=self._relay(),
            minutes=self.chronicle.minutes(),
            decisions=self.chronicle.decisions(),
            failures=self.chronicle.failures(),
        )

    def _troubles(self) -> tuple[Trouble, ...]:
        degraded = self.store.degraded
        own = () if degraded is None else (Trouble("store", degraded.since),)
        return (*own, *(Trouble(part, since) for part, since in self.relay.troubles()))

    def _relay(self) -> RelayNow | None:
        stats = self.relay.stats
        return None if stats is None else RelayNow(stats.waiting, stats.dead, stats.oldest)


def held_now(left: Iterable[float], *, followed: int) -> HeldNow:
    """Holds counted by the whole seconds that are left of them; what is late has none left."""
    counts = [0] * (SECONDS_LEFT + 1)
    for seconds in left:
        counts[min(max(int(seconds), 0), SECONDS_LEFT)] += 1
    return HeldNow(count=sum(counts), left=tuple(counts), followed=followed)
