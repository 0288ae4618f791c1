"""The circuits of all origins: fed with outcomes and by the monitor, shared by processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from boomerang.retry import circuit as rules
from boomerang.retry.awake import Ask
from boomerang.retry.circuit import Circuit, Position
from boomerang.retry.circuit_notes import (
    Known,
    Origin,
    Word,
    after_a_look,
    key_of,
    note_of,
    read_notes,
)
from boomerang.stores.interfaces import NoteStore, StoreUnavailable

T = TypeVar("T")

ROUND: Final = 2.0
"""Seconds from one look at dead apps, at the monitor and at other processes to the next."""

MOST: Final = 1000
"""Origins that are known of; beyond it the one that was heard of longest ago is forgotten, and
one whose app is not dead before any that is."""

REPEAT: Final = 30.0
"""Seconds from one time that a process says what it knows to the next."""

_PATIENCE: Final = 5.0
_NEWER: Final = 0.001


class CircuitWatcher(Protocol):
    """Whoever tells of circuits: the metrics."""

    def circuits_open(self, count: int) -> None: ...


class Circuits(Service):
    """Knows which origins are dead.

    ``found`` gives what the monitor says of origins: true where the app is up, false where it is
    down. ``ask`` asks a probe. Unless it is ``in_use`` by an endpoint, it asks and writes
    nothing. The process that learns something writes it down for the others.
    """

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
        most: int = MOST,
    ) -> None:
        self._log = Logger(namespace="boomerang.retry")  # of a class, it would be the class's name
        self._notes = notes
        self._topic = topic
        self._ask = ask
        self._found = found
        self._clock = clock
        self._wall_clock = wall_clock
        self._watcher = watcher
        self._in_use = in_use
        self._most = most
        self._known: dict[Origin, Known] = {}
        self._told: Mapping[Origin, bool] = {}
        self._unwritten: set[Origin] = set()
        self._outdated: set[Origin] = set()
        self._repeated_at = -REPEAT
        # Two, so that a store that hangs does not keep dead apps from being asked.
        self._loops = (
            LoopingCall(self._look),
            LoopingCall(lambda: Deferred.fromCoroutine(self._share())),
        )
        for loop in self._loops:
            loop.clock = clock

    def startService(self) -> None:
        super().startService()
        if self._in_use:
            for loop in self._loops:
                loop.start(ROUND)

    def stopService(self) -> None:
        super().stopService()
        for loop in self._loops:
            if loop.running:
                loop.stop()

    def admits(self, origin: Origin, probe: str | None) -> bool:
        """Whether a new failure of this origin gets its second chance."""
        known = self._known.get(origin)
        if known is None:
            if probe is not None:  # by which it can be asked, should it be found dead
                self._note(origin, Known(Circuit()), Known(Circuit(), probe=probe))
            return True
        admitted, circuit = rules.admits(known.circuit, now=self._wall_clock())
        self._known[origin] = evolve(known, circuit=circuit, probe=probe or known.probe)
        return admitted

    def lost(self, origin: Origin) -> None:
        known = self._known.get(origin, Known(Circuit()))
        self._known[origin] = evolve(known, unheard=None)
        self._change(origin, rules.lost)

    def saved(self, origin: Origin, *, given_at: float) -> None:
        """A second chance has succeeded, which was given at an instant of the clock."""
        if origin in self._known:
            age = self._clock.seconds() - given_at
            self._change(origin, partial(rules.saved, given_at=self._wall_clock() - age))

    def open(self) -> Mapping[Origin, Circuit]:
        """The circuits that are not closed."""
        return {origin: known.circuit for origin, known in self._known.items() if not known.closed}

    def _change(self, origin: Origin, step: Callable[..., Circuit]) -> None:
        known = self._known.get(origin, Known(Circuit()))
        now = self._wall_clock()
        after = evolve(known, circuit=step(known.circuit, now=now))
        if after.closed != known.closed:
            # Newer than the word it contradicts, though that was of a process whose clock is ahead.
            after = evolve(after, changed=max(now, known.changed + _NEWER))
            self._unwritten.add(origin)
        self._note(origin, known, after)

    def _note(self, origin: Origin, before: Known, known: Known) -> None:
        """Something was heard of an origin, whose circuit may have been opened or closed by it."""
        self._known.pop(origin, None)
        self._known[origin] = known
        if len(self._known) > self._most:
            closed = (each for each, known in self._known.items() if known.closed)
            forgotten = next(closed, next(iter(self._known)))
            del self._known[forgotten]
            self._unwritten.discard(forgotten)
        if known.closed != before.closed:
            self._watcher.circuits_open(len(self.open()))
            self._tell(origin, known)

    def _tell(self, origin: Origin, known: Known) -> None:
        if known.closed:
            self._log.info("circuit closed origin={host}:{port}", host=origin[0], port=origin[1])
        else:
            self._log.warn(
                "circuit open origin={host}:{port} reason={reason}: its callers get their last"
                " resort at once",
                host=origin[0],
                port=origin[1],
                reason=known.circuit.reason,
            )

    def _look(self) -> None:
        """See what the monitor and the dead apps say. Nothing here may end the loop."""
        try:
            self._hear_the_monitor()
            self._ask_the_dead()
        except Exception:
            self._log.failure("a look at dead apps failed")

    def _hear_the_monitor(self) -> None:
        """Only a change counts, so that a probe may know better in between."""
        told, self._told = self._told, dict(self._found())
        for origin, up in self._told.items():
            if not up and told.get(origin, True):
                self._change(origin, rules.found_down)
            elif up and (not told.get(origin, True) or self._was_down_by_monitor(origin)):
                self._change(origin, rules.found_up)
        for origin in told.keys() - self._told.keys():
            if self._was_down_by_monitor(origin):
                self._change(origin, rules.unwatched)
                self._unwritten.add(origin)

    def _was_down_by_monitor(self, origin: Origin) -> bool:
        """Whether the circuit is open by the word of a check, be it that of a former process."""
        known = self._known.get(origin)
        return known is not None and known.circuit.reason in ("monitor", "unwatched")

    def _ask_the_dead(self) -> None:
        asked: dict[str, list[Origin]] = defaultdict(list)
        for origin, known in self._known.items():
            if known.probe is not None and not known.closed:
                asked[known.probe].append(origin)
        for probe, origins in asked.items():
            answered = self._ask(probe).addCallback(self._answered, origins)
            answered.addErrback(self._unexpected)

    def _answered(self, awake: bool, origins: list[Origin]) -> None:
        for origin in origins:
            if awake and origin in self._known:
                self._change(origin, rules.found_up)

    def _unexpected(self, failure: Failure) -> None:
        self._log.failure("a question to a dead app failed", failure)

    async def _share(self) -> None:
        """Believe what others have found since, and then write down what has changed here.

        In this order, so that what is out of date is not repeated over what another has found.
        """
        try:
            notes = await self._in_time(self._notes.read(self._topic))
            self._hear_the_others(read_notes(notes), now=self._wall_clock())
            await self._write_down()
        except (StoreUnavailable, TimeoutError):
            pass  # each process knows what it has found by itself; the monitor tells of the store
        except Exception:
            self._log.failure("circuits could not be shared")

    def _in_time(self, asked: Deferred[T]) -> Deferred[T]:
        return asked.addTimeout(_PATIENCE, self._clock)

    async def _write_down(self) -> None:
        now = self._wall_clock()
        ticks = self._clock.seconds()  # since nobody sets that clock
        repeating = ticks - self._repeated_at >= REPEAT
        changed, self._unwritten = self._unwritten, set()
        said = changed | {each for each in self.open() if repeating and self._vouches_for(each)}
        notes: dict[str, str | None] = {key_of(each): None for each in self._outdated}
        for origin in said & self._known.keys():
            known = self._known[origin]
            notes[key_of(origin)] = note_of(known.circuit, changed=known.changed, now=now)
        try:
            if notes:
                await self._in_time(self._notes.write(self._topic, notes))
        except Exception:
            self._unwritten |= changed & self._known.keys()
            raise
        if repeating:
            self._repeated_at = ticks

    def _vouches_for(self, origin: Origin) -> bool:
        """Whether this process knows by itself that the app is dead."""
        return self._known[origin].has_seen_losses or self._told.get(origin) is False

    def _contradicts(self, origin: Origin, word: Word) -> bool:
        """Whether this process knows better than an older word, written over a newer one.

        That happens to two that read before either has written.
        """
        known = self._known.get(origin)
        if known is None or word.changed >= known.changed:
            return False
        told_closed = word.position is Position.CLOSED
        return known.closed != told_closed and (known.closed or self._vouches_for(origin))

    def _hear_the_others(self, said: Mapping[Origin, Word], *, now: float) -> None:
        self._outdated = {each for each, word in said.items() if word.is_to_be_erased(now=now)}
        believed = {each: word for each, word in said.items() if word.is_believed(now=now)}
        for origin in (*believed, *(self.open().keys() - believed.keys())):
            known, word = self._known.get(origin, Known(Circuit())), believed.get(origin)
            after = after_a_look(known, word, now=now)
            if after.changed != known.changed:
                self._note(origin, known, after)
            elif origin in self._known:
                self._known[origin] = after
            if word is not None and self._contradicts(origin, word):
                self._unwritten.add(origin)
        # What is yet to be written here may be what the store still says otherwise.
        for origin in self.open().keys() - self._told.keys() - self._unwritten:
            checked = origin in believed and believed[origin].tells_of_a_check()
            reason = self._known[origin].circuit.reason
            if reason == "monitor" and not checked:
                self._change(origin, rules.unwatched)
            elif reason == "unwatched" and checked:
                self._change(origin, rules.found_down)
