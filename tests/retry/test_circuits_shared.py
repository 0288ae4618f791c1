"""The circuits of several processes on one store, and without it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs

from boomerang.retry.circuit import TRIAL_EVERY
from boomerang.retry.circuit_notes import STALE, UNHEARD
from boomerang.retry.circuits import ROUND
from boomerang.stores.notes_memory import MemoryNotes
from tests.retry.circuit_driving import APP, EPOCH, PROBE, TOPIC, Case, Notes, Process


class SharingTests(Case):
    """Processes on one store know the same."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.process()

    def test_losses(self) -> None:
        """What one process has found, the others know two rounds later; the end of it too."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        assert self.other.state == {APP[0]: "open, losses"}
        assert (self.other.count, self.other.admits()) == (1, False)
        self.one.save()
        self.pass_seconds(2 * ROUND)
        assert (self.other.state, self.other.count) == ({}, 0)
        assert self.other.admits()

    def test_found_by_the_other(self) -> None:
        """It does not matter which of them finds that the app is back."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        self.other.admits(PROBE)
        self.other.apps.awake = True
        self.pass_seconds(3 * ROUND)
        assert self.one.state == self.other.state == {}

    def test_the_newer_word(self) -> None:
        """Of what two say at about the same time, the newer counts with both."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        self.one.save()
        self.clock.advance(0.25)
        self.other.save()
        self.other.lose()
        self.pass_seconds(3 * ROUND)
        assert self.one.state == self.other.state == {APP[0]: "open, losses"}

    def test_closed_whenever(self) -> None:
        """An end that is found just as others repeat that the app is dead is not lost by that."""
        for moment in range(70):
            self.one.lose()
            self.pass_seconds(2 * ROUND + 0.5 * moment)
            assert self.other.state == {APP[0]: "open, losses"}
            self.one.save()
            self.pass_seconds(2 * ROUND)
            assert self.one.state == self.other.state == {}

    def test_overwritten(self) -> None:
        """A word that reached the store late, over a newer one, does not stand for long."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        late = self.successResultOf(MemoryNotes.read(self.notes, TOPIC))
        self.one.save()
        self.pass_seconds(2 * ROUND)
        self.successResultOf(MemoryNotes.write(self.notes, TOPIC, dict(late)))
        self.pass_seconds(2 * ROUND)
        assert self.written()["app.example.com:443"]["position"] == "closed"
        assert self.process().state == {}

    def test_a_heard_word_is_not_vouched_for(self) -> None:
        """Who only heard of a check that is down does not say so in the watching one's stead."""
        self.one.monitor[APP] = False
        self.pass_seconds(3 * ROUND)
        self.one.circuits.stopService()
        (key, word), *_ = self.written().items()
        older = {**word, "position": "closed", "changed": EPOCH - 1.0}
        self.successResultOf(MemoryNotes.write(self.notes, TOPIC, {key: json.dumps(older)}))
        self.pass_seconds(2 * ROUND)
        assert self.written() == {key: older}

    def test_clocks_that_differ(self) -> None:
        """An end is newer than what it ends, whatever the clock of who has found that says."""
        fast = Process(self.clock, self.notes, ahead=20.0)
        fast.lose()
        fast.admits(PROBE)
        self.pass_seconds(2 * ROUND)
        assert self.one.state == {APP[0]: "open, losses"}
        self.one.admits(PROBE)
        self.one.apps.awake = True
        self.pass_seconds(2 * ROUND)
        assert self.one.state == fast.state == {}

    def test_trials_of_each(self) -> None:
        """A process that heard of it makes no trial at once."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        assert not self.other.admits()
        self.pass_seconds(TRIAL_EVERY)
        assert self.other.admits()

    def test_started_later(self) -> None:
        """A process that starts while an app is dead knows it, however long that has been so."""
        self.one.lose()
        self.pass_seconds(10 * STALE)
        later = self.process()
        assert later.state == {APP[0]: "open, losses"}

    def test_the_finder_is_gone(self) -> None:
        """Those that only heard of it do not keep each other's word alive: without traffic the
        circuit ends some minutes after the process that had seen the losses."""
        third = self.process()
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        self.one.circuits.stopService()
        self.pass_seconds(STALE - ROUND)
        assert self.other.state == third.state == {APP[0]: "open, losses"}
        self.pass_seconds(UNHEARD * ROUND + 2 * ROUND)
        assert (self.other.state, self.other.count) == (third.state, third.count) == ({}, 0)
        self.pass_seconds(STALE)
        assert self.written() == {}

    def test_the_finder_lives(self) -> None:
        """As long as that one says so, they believe it."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        for _ in range(40):
            assert self.other.state == {APP[0]: "open, losses"}
            self.pass_seconds(STALE / 10)

    def test_seen_since(self) -> None:
        """Who has lost a trial of its own knows by itself, and says so to the others."""
        third = self.process()
        self.one.lose()
        self.pass_seconds(2 * TRIAL_EVERY)
        self.one.circuits.stopService()
        assert self.other.admits()
        self.other.lose(1)
        self.pass_seconds(4 * STALE)
        assert self.other.state == third.state == {APP[0]: "open, losses"}

    def test_a_store_that_forgot(self) -> None:
        """They go on as before until the one that has seen it repeats it: also while the store is
        away for long, and when it comes back empty."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        self.notes.mood = "away"
        self.pass_seconds(3 * STALE)
        MemoryNotes.__init__(self.notes, self.clock)
        with capturedLogs() as events:
            self.notes.mood = "there"
            self.pass_seconds(2 * STALE)
        assert self.other.state == {APP[0]: "open, losses"}
        assert events == []

    def test_the_finder_comes_back(self) -> None:
        """One that could not reach the store for long is believed again."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        self.one.circuits.stopService()
        self.pass_seconds(2 * STALE)
        assert self.other.state == {}
        self.one.circuits.startService()
        self.pass_seconds(2 * ROUND)
        assert self.other.state == {APP[0]: "open, losses"}

    def test_monitor(self) -> None:
        """What the watching process has found counts in the others as if they watched."""
        self.one.monitor[APP] = False
        self.pass_seconds(3 * ROUND)
        for _ in range(round(2 * STALE)):
            assert self.other.state == {APP[0]: "open, monitor"}
            assert not self.other.admits()
            self.pass_seconds(1.0)
        self.one.monitor[APP] = True
        self.pass_seconds(2 * ROUND)
        assert self.other.state == {}

    def test_another_watches_then(self) -> None:
        """When another process takes over the watch, it stays as it was."""
        self.one.monitor[APP] = False
        self.pass_seconds(3 * ROUND)
        self.one.monitor.clear()
        self.pass_seconds(1.0)
        self.other.monitor[APP] = False
        self.pass_seconds(STALE)
        for process in (self.one, self.other):
            assert process.state == {APP[0]: "open, monitor"}
        self.other.monitor[APP] = True
        self.pass_seconds(3 * ROUND)
        for process in (self.one, self.other):
            assert process.state == {}

    def test_another_finds_it_up(self) -> None:
        """If the one that takes over finds the app up, that counts with all of them."""
        self.one.monitor[APP] = False
        self.pass_seconds(3 * ROUND)
        self.one.monitor.clear()
        self.other.monitor[APP] = True
        self.pass_seconds(3 * ROUND)
        assert self.one.state == self.other.state == {}

    def test_nobody_watches(self) -> None:
        """When the watching process has died, the others make trials, after two minutes."""
        self.one.monitor[APP] = False
        self.pass_seconds(3 * ROUND)
        self.one.circuits.stopService()
        self.pass_seconds(STALE + 2 * ROUND)
        assert self.other.state == {APP[0]: "open, unwatched"}
        self.pass_seconds(TRIAL_EVERY)
        assert self.other.admits()

    def test_restarted_without_the_check(self) -> None:
        """A note of a process before is no reason to hold an app for dead for ever."""
        self.one.monitor[APP] = False
        self.pass_seconds(3 * ROUND)
        self.one.circuits.stopService()
        self.other.circuits.stopService()
        later = self.process()
        assert later.state == {APP[0]: "open, monitor"}
        self.pass_seconds(STALE + TRIAL_EVERY + 2 * ROUND)
        assert later.admits()

    def test_old_notes(self) -> None:
        """What was written long ago is not believed, and is erased."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        self.one.circuits.stopService()
        self.other.circuits.stopService()
        self.pass_seconds(STALE + 1.0)
        later = self.process()
        self.pass_seconds(2 * ROUND)
        assert later.state == {}
        assert len(self.written()) == 1
        self.pass_seconds(STALE + 2 * ROUND)
        assert self.written() == {}

    def test_closed_notes(self) -> None:
        """That a circuit was closed need not be known for ever either."""
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        self.one.save()
        self.pass_seconds(2 * ROUND)
        assert self.written()["app.example.com:443"]["position"] == "closed"
        self.pass_seconds(2 * STALE + 3 * ROUND)
        assert self.written() == {}
        assert self.one.state == self.other.state == {}

    def test_garbage(self) -> None:
        """Notes that cannot be understood are left alone."""
        garbage = {"a": "b", "a:b": "{}", "a:1": "[]", "b:1": '{"position": "ajar"}', "c:1": "1"}
        self.successResultOf(self.notes.write(TOPIC, garbage))
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        assert self.other.state == {APP[0]: "open, losses"}

    def test_addresses(self) -> None:
        """An origin that is an IPv6 address is told of as well."""
        self.one.lose(origin=("[2001:db8::1]", 8443))
        self.pass_seconds(2 * ROUND)
        assert self.other.state == {"[2001:db8::1]": "open, losses"}
        assert not self.other.admits(origin=("[2001:db8::1]", 8443))


class StoreTests(Case):
    """A store that is not there."""

    def test_alone(self) -> None:
        """Each process knows what it has found by itself, and says nothing of the store."""
        for mood in ("away", "silent"):
            self.notes.mood = mood
            with capturedLogs() as events:
                self.one.lose()
                assert not self.one.admits()
                self.pass_seconds(20.0)
                self.one.save()
                self.pass_seconds(20.0)
            assert self.one.state == {}
            assert [event["log_level"] for event in events] == [LogLevel.warn, LogLevel.info]

    def test_told_later(self) -> None:
        """What could not be written down is, as soon as the store is back."""
        other = self.process()
        self.one.lose()
        self.pass_seconds(2 * ROUND)
        assert other.state == {APP[0]: "open, losses"}
        for mood in ("away", "silent", "read-only"):
            self.notes.mood = mood
            self.one.save()
            self.pass_seconds(4 * ROUND)
            self.notes.mood = "there"
            self.pass_seconds(8 * ROUND)
            assert other.state == {}
            self.one.lose()
            self.pass_seconds(2 * ROUND)
            assert other.state == {APP[0]: "open, losses"}

    def test_few_writes(self) -> None:
        """While nothing changes, it is written twice a minute; without anything, never."""
        written: dict[str, int] = defaultdict(int)

        class Counting(Notes):
            def write(self, topic: str, notes: Mapping[str, str | None]) -> Deferred[None]:
                written["times"] += 1
                return super().write(topic, notes)

        process = Process(self.clock, Counting(self.clock))
        self.pass_seconds(600.0)
        assert written["times"] == 0
        process.lose()
        self.pass_seconds(600.0)
        assert 20 <= written["times"] <= 22
