"""The circuits of all origins: fed with outcomes and by the monitor, shared by processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from attrs import evolve, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from boomerang.retry import circuit as rules
from boomerang.retry.awake import Ask
from boomerang.retry.circuit import Circuit, Position
from boomerang.stores.interfaces import NoteStore, StoreUnavailable

Origin = tuple[str, int]

ROUND: Final = 2.0
"""Seconds from one look at dead apps, at the monitor and at other processes to the next."""

MOST: Final = 1000
"""Origins that are known of; beyond it the one that was heard of longest ago is forgotten."""

STALE: Final = 120.0
"""Seconds after which another process's word is no longer believed; it repeats it in time."""

_REPEAT: Final = 30.0
_PATIENCE: Final = 5.0


class CircuitWatcher(Protocol):
    """Whoever tells of circuits: the metrics."""

    def circuits_open(self, count: int) -> None: ...


@frozen
class Known:
    """A circuit, when it last changed (seconds since the epoch), and how the app can be asked."""

    circuit: Circuit
    changed: float = 0.0
    probe: str | None = None


class Circuits(Service):
    """Knows which origins are dead.

    ``found`` gives what the monitor says of origins: true where the app is up, false where it is
    down. ``ask`` asks a probe. Unless it is ``in_use`` by an endpoint, it asks and writes
    nothing. The process that learns something writes it down for the others.
    """

    _log = Logger(namespace="boomerang.retry")

    def __init__(
        self,
        *,
        notes: NoteStore,
        topic: str,
        ask: Ask,
        found: Callable[[], Mapping[Origin, bool]],
        clock: IReactorTime,
        wall_clock: Callable[[], float],
        watcher: CircuitWatcher,
        in_use: bool,
    ) -> None:
        self._notes = notes
        self._topic = topic
        self._ask = ask
        self._found = found
        self._clock = clock
        self._wall_clock = wall_clock
        self._watcher = watcher
        self._in_use = in_use
        self._known: dict[Origin, Known] = {}
        self._told: dict[Origin, bool] = {}
        self._unwritten: set[Origin] = set()
        self._written_at = 0.0
        self._rounds = LoopingCall(lambda: Deferred.fromCoroutine(self._round()))
        self._rounds.clock = clock

    def startService(self) -> None:
        super().startService()
        if self._in_use:
            self._rounds.start(ROUND)

    def stopService(self) -> None:
        super().stopService()
        if self._rounds.running:
            self._rounds.stop()

    def admits(self, origin: Origin, probe: str | None) -> bool:
        """Whether a new failure of this origin gets its second chance."""
        known = self._known.get(origin)
        if known is None:
            return True
        admitted, circuit = rules.admits(known.circuit, now=self._wall_clock())
        if circuit is not known.circuit or probe != known.probe:
            self._known[origin] = evolve(known, circuit=circuit, probe=probe)
        return admitted

    def lost(self, origin: Origin) -> None:
        self._change(origin, rules.lost)

    def saved(self, origin: Origin) -> None:
        if origin in self._known:
            self._change(origin, rules.saved)

    def open(self) -> Mapping[Origin, Circuit]:
        """The circuits that are not closed."""
        return {
            origin: known.circuit
            for origin, known in self._known.items()
            if known.circuit.position is not Position.CLOSED
        }

    def _change(self, origin: Origin, step: Callable[..., Circuit]) -> None:
        known = self._known.pop(origin, Known(Circuit()))
        now = self._wall_clock()
        after = step(known.circuit, now=now)
        turned = (after.position is Position.CLOSED) != (known.circuit.position is Position.CLOSED)
        self._known[origin] = evolve(known, circuit=after, changed=now if turned else known.changed)
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        if turned:
            self._unwritten.add(origin)
            self._tell(origin, after)

    def _tell(self, origin: Origin, circuit: Circuit) -> None:
        self._watcher.circuits_open(len(self.open()))
        if circuit.position is Position.CLOSED:
            self._log.info("circuit closed origin={host}:{port}", host=origin[0], port=origin[1])
        else:
            self._log.warn(
                "circuit open origin={host}:{port} reason={reason}: its callers get their last"
                " resort at once",
                host=origin[0],
                port=origin[1],
                reason=circuit.reason,
            )

    async def _round(self) -> None:
        """Nothing here may end the loop."""
        try:
            self._hear_the_monitor()
            for origin, known in list(self._known.items()):
                if known.circuit.position is not Position.CLOSED and known.probe is not None:
                    self._ask(known.probe).addCallback(self._answered, origin)
            await self._share()
        except (StoreUnavailable, TimeoutError):
            pass  # each process knows what it has found by itself; the monitor tells of the store
        except Exception:
            self._log.failure("a round of the circuits failed")

    def _hear_the_monitor(self) -> None:
        """Only a change counts, so that a probe may know better in between."""
        found = self._found()
        for origin, up in found.items():
            if self._told.get(origin, True) != up:
                self._change(origin, rules.found_up if up else rules.found_down)
        self._told = dict(found)

    def _answered(self, awake: bool, origin: Origin) -> None:
        if awake and origin in self._known:
            self._change(origin, rules.found_up)

    async def _share(self) -> None:
        """Write down what has changed here, and believe what others have found since."""
        now = self._wall_clock()
        if now - self._written_at >= _REPEAT:
            self._unwritten |= set(self.open())
        if self._unwritten:
            changed, self._unwritten = self._unwritten, set()
            notes = {_key(origin): _note(self._known.get(origin), now) for origin in changed}
            await self._notes.write(self._topic, notes).addTimeout(_PATIENCE, self._clock)
            self._written_at = now
        others = await self._notes.read(self._topic).addTimeout(_PATIENCE, self._clock)
        for key, note in others.items():
            self._believe(key, note, now)

    def _believe(self, key: str, note: str, now: float) -> None:
        try:
            host, _, port = key.rpartition(":")
            said, origin = json.loads(note), (host, int(port))
            position, reason = Position(said["position"]), str(said["reason"])
            changed, since, written = (float(said[n]) for n in ("changed", "since", "written"))
        except (ValueError, KeyError, TypeError):
            return
        known = self._known.get(origin, Known(Circuit()))
        if changed <= known.changed or now - written > STALE:
            return
        circuit = Circuit() if position is Position.CLOSED else known.circuit
        if circuit.position is Position.CLOSED and position is not Position.CLOSED:
            circuit = evolve(
                circuit, position=Position.OPEN, since=since, reason=reason, trial_at=now
            )
        turned = (circuit.position is Position.CLOSED) != (
            known.circuit.position is Position.CLOSED
        )
        self._known[origin] = evolve(known, circuit=circuit, changed=changed)
        if turned:
            self._tell(origin, circuit)


def _key(origin: Origin) -> str:
    return f"{origin[0]}:{origin[1]}"


def _note(known: Known | None, now: float) -> str | None:
    """What the others are told; of a circuit that is forgotten, that nothing is known."""
    if known is None:
        return None
    data = {
        "position": known.circuit.position.value,
        "reason": known.circuit.reason,
        "since": known.circuit.since,
        "changed": known.changed,
        "written": now,
    }
    return json.dumps(data)
