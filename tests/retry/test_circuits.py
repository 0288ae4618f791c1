"""The circuits of all origins, in one process."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel, capturedLogs, formatEvent

from boomerang.retry.circuit import LOSSES, TRIAL_EVERY
from boomerang.retry.circuits import REPEAT, ROUND
from boomerang.stores.notes_memory import MemoryNotes
from tests.retry.circuit_driving import APP, OTHER, PROBE, Case, Process


class OutcomesTests(Case):
    """What second chances tell of an app."""

    def test_losses(self) -> None:
        """Five second chances in a row that are lost open the circuit of their origin alone."""
        self.one.lose(LOSSES - 1)
        assert (self.one.admits(), self.one.state) == (True, {})
        self.one.lose(1)
        assert (self.one.admits(), self.one.state) == (False, {APP[0]: "open, losses"})
        assert self.one.admits(origin=OTHER)
        assert self.one.count == 1

    def test_saved(self) -> None:
        """One that was saved begins the count anew."""
        self.one.lose(LOSSES - 1)
        self.one.save()
        self.one.lose(LOSSES - 1)
        assert self.one.state == {}

    def test_saved_before(self) -> None:
        """One of a time before that was not lost, since its caller hung up perhaps, is no proof."""
        self.pass_seconds(8.0)
        self.one.lose()
        self.pass_seconds(30.0)
        self.one.save(ago=30.5)
        assert self.one.state == {APP[0]: "open, losses"}
        self.one.save(ago=29.5)
        assert self.one.state == {}

    def test_saved_unheard_of(self) -> None:
        """Nothing need be known of an app that is well."""
        self.one.save()
        assert self.one.circuits.open() == {}
        assert self.one.admits()

    def test_trial(self) -> None:
        """Every five seconds a call is let through as a trial; once one was saved, all are."""
        self.one.lose()
        admitted = []
        for tenth in range(150):
            if self.one.admits():
                admitted.append(tenth / 10)
            self.clock.advance(0.1)
        assert len(admitted) == 2
        assert admitted[1] - admitted[0] == pytest.approx(TRIAL_EVERY, abs=0.11)
        assert self.one.state == {APP[0]: "half-open, losses"}
        self.one.save()
        assert (self.one.admits(), self.one.state, self.one.count) == (True, {}, 0)

    def test_lost_trial(self) -> None:
        """A trial that is lost leaves it as it was."""
        self.one.lose()
        self.pass_seconds(TRIAL_EVERY)
        assert self.one.admits()
        self.one.lose(1)
        assert self.one.state == {APP[0]: "open, losses"}
        assert not self.one.admits()

    def test_several(self) -> None:
        """Each origin has a circuit of its own, and the metrics know how many are open."""
        self.one.lose(origin=APP)
        self.one.lose(origin=OTHER)
        assert self.one.count == 2
        self.pass_seconds(TRIAL_EVERY)
        assert self.one.admits(origin=OTHER)
        self.one.save(OTHER)
        assert (self.one.state, self.one.count) == ({APP[0]: "open, losses"}, 1)


class ClockTests(Case):
    """Somebody sets the wall clock; the reactor's goes on."""

    def test_trials(self) -> None:
        """A trial comes every five seconds also after that, and the saved call closes it."""
        for ahead in (-3600.0, 3600.0, 0.0):
            self.one.lose()
            assert not self.one.admits()
            self.one.ahead = ahead
            self.pass_seconds(TRIAL_EVERY)
            assert self.one.admits()
            assert not self.one.admits()
            self.one.lose(1)
            self.pass_seconds(TRIAL_EVERY)
            assert self.one.admits()
            self.pass_seconds(1.0)
            self.one.save()
            assert self.one.state == {}

    def test_repeated(self) -> None:
        """What is known is repeated for the others as often as before."""
        for ahead in (-3600.0, 3600.0, 0.0):
            self.one.lose()
            self.pass_seconds(2 * ROUND)
            self.one.ahead = ahead
            self.pass_seconds(REPEAT + ROUND)
            (word,) = self.written().values()
            assert abs(word["written"] - self.one.wall()) <= REPEAT + ROUND  # type: ignore[operator]


class ProbeTests(Case):
    """Dead apps are asked whether they are back."""

    def test_asked(self) -> None:
        """While the circuit is open the app is asked every two seconds; not before, nor after."""
        self.one.admits(PROBE)
        self.pass_seconds(4.0)
        self.one.lose()
        self.one.admits(PROBE)
        assert self.one.apps.asked == []
        self.pass_seconds(4.5)
        assert self.one.apps.asked == [6.0, 8.0]
        self.one.apps.awake = True
        self.pass_seconds(2.0)
        assert (self.one.apps.asked[2:], self.one.state) == ([10.0], {})
        self.pass_seconds(10.0)
        assert len(self.one.apps.asked) == 3

    def test_found_soon(self) -> None:
        """Whenever the app comes back, its callers get second chances within five seconds."""
        for moment in (0.0, 0.1, 0.9, 1.9, 3.3, 17.7):
            self.one.apps.awake = False
            self.one.lose()
            assert not self.one.admits(PROBE)
            self.clock.pump([0.1] * round(moment * 10))
            self.one.apps.awake = True
            self.clock.pump([0.1] * 30)
            assert self.one.admits(PROBE)

    def test_monitor_too(self) -> None:
        """Also where it was the monitor that found the app down."""
        self.one.monitor[APP] = False
        self.pass_seconds(ROUND)
        assert not self.one.admits(PROBE)
        self.one.apps.awake = True
        self.pass_seconds(ROUND)
        assert self.one.admits(PROBE)

    def test_asked_without_callers(self) -> None:
        """Who failed before it was known to be dead has told how to ask: it is found back alone."""
        assert self.one.admits(PROBE)
        self.one.monitor[APP] = False
        self.pass_seconds(ROUND)
        assert self.one.state == {APP[0]: "open, monitor"}
        self.one.apps.awake = True
        self.pass_seconds(ROUND)
        assert self.one.state == {}

    def test_endpoints_without(self) -> None:
        """A failure of an endpoint that has no probe does not end the questions."""
        self.one.lose()
        self.one.admits(PROBE)
        self.one.admits(None)
        self.pass_seconds(ROUND)
        assert len(self.one.apps.asked) == 1

    def test_one_question(self) -> None:
        """Origins with the same probe are one question."""
        for number in range(50):
            origin = (f"app-{number}.example.com", 443)
            self.one.lose(origin=origin)
            self.one.admits(PROBE, origin)
        assert self.one.count == 50
        self.pass_seconds(ROUND)
        assert len(self.one.apps.asked) == 1
        self.one.apps.awake = True
        self.pass_seconds(ROUND)
        assert (self.one.state, self.one.count) == ({}, 0)

    def test_no_answer(self) -> None:
        """An app that never answers is not back, and is asked on."""
        self.one.apps.silent = True
        self.one.lose()
        self.one.admits(PROBE)
        self.pass_seconds(10 * ROUND)
        assert len(self.one.apps.asked) == 10
        assert self.one.state == {APP[0]: "open, losses"}

    def test_store_that_hangs(self) -> None:
        """A store that says nothing does not keep dead apps from being asked."""
        self.one.lose()
        self.one.admits(PROBE)
        self.notes.mood = "silent"
        self.pass_seconds(10 * ROUND)
        assert len(self.one.apps.asked) == 10


class MonitorTests(Case):
    """What the monitor has found counts at once."""

    def test_down_and_up(self) -> None:
        """A check that is down opens the circuit, without any trial; it closes as it is up."""
        self.one.monitor[APP] = False
        self.pass_seconds(ROUND)
        assert self.one.state == {APP[0]: "open, monitor"}
        for _ in range(100):
            assert not self.one.admits()
            self.pass_seconds(1.0)
        self.one.monitor[APP] = True
        self.pass_seconds(ROUND)
        assert (self.one.admits(), self.one.state) == (True, {})

    def test_up_from_the_start(self) -> None:
        """A check that is up says nothing new, and is no proof against losses."""
        self.one.monitor[APP] = True
        self.pass_seconds(ROUND)
        assert self.one.state == {}
        self.one.lose()
        self.pass_seconds(10 * ROUND)
        assert self.one.state == {APP[0]: "open, losses"}

    def test_the_probe_knows_better(self) -> None:
        """Once the app has answered, a check that is still down does not open it again."""
        self.one.monitor[APP] = False
        self.one.apps.awake = True
        self.pass_seconds(ROUND)
        assert not self.one.admits(PROBE)
        self.pass_seconds(20.0)
        assert self.one.admits(PROBE)
        assert self.one.state == {}

    def test_paused(self) -> None:
        """When the monitor says no more of an app that was down, trials are to find out."""
        self.one.monitor[APP] = False
        self.pass_seconds(ROUND)
        del self.one.monitor[APP]
        self.pass_seconds(ROUND)
        assert self.one.state == {APP[0]: "open, unwatched"}
        assert not self.one.admits()
        self.pass_seconds(TRIAL_EVERY)
        assert self.one.admits()
        self.one.save()
        assert self.one.state == {}

    def test_paused_and_up(self) -> None:
        """A check that was down, was not heard of for a while, and then is up, closes it."""
        for found in (False, None, True):
            self.one.monitor = {} if found is None else {APP: found}
            self.pass_seconds(2 * ROUND)
        assert (self.one.admits(), self.one.state) == (True, {})

    def test_paused_and_down(self) -> None:
        """If it then is still down, all is as before."""
        for found in (False, None, False):
            self.one.monitor = {} if found is None else {APP: found}
            self.pass_seconds(2 * ROUND)
        assert self.one.state == {APP[0]: "open, monitor"}
        self.pass_seconds(TRIAL_EVERY)
        assert not self.one.admits()


class BoundTests(Case):
    """Whoever names hosts of apps that fail cannot fill the memory."""

    def setUp(self) -> None:
        super().setUp()
        self.one = Process(self.clock, self.notes, most=10)

    def fill(self, count: int, *, losses: int) -> None:
        for number in range(count):
            self.one.lose(losses, (f"{number}.example.com", 443))

    def test_forgotten(self) -> None:
        """The origin that was heard of longest ago is forgotten."""
        self.one.lose(LOSSES - 1)
        self.fill(10, losses=1)
        self.one.lose(1)
        assert self.one.state == {}
        self.one.lose(LOSSES - 1)
        assert self.one.state == {APP[0]: "open, losses"}

    def test_the_dead_stay(self) -> None:
        """One whose app is dead stays, as long as there are others."""
        self.one.lose()
        self.fill(100, losses=1)
        assert (self.one.state, self.one.count) == ({APP[0]: "open, losses"}, 1)
        assert not self.one.admits()

    def test_only_dead(self) -> None:
        """Of the dead, too, only so many are kept, and counted."""
        self.fill(50, losses=LOSSES)
        assert len(self.one.state) == self.one.count == 10

    def test_by_others(self) -> None:
        """What other processes tell is bounded alike."""
        crowd = Process(self.clock, self.notes, most=1000)
        for number in range(50):
            crowd.lose(origin=(f"{number}.example.com", 443))
        self.pass_seconds(2 * ROUND)
        assert len(self.one.state) == self.one.count == 10
        assert len(crowd.state) == 50

    def test_store_away(self) -> None:
        """What waits to be written is bounded as well."""
        self.notes.mood = "away"
        for number in range(200):
            self.one.lose(origin=(f"{number}.example.com", 443))
            self.clock.advance(0.5)
        self.notes.mood = "there"
        self.pass_seconds(2 * ROUND)
        assert len(self.written()) <= 10


class LogTests(Case):
    """What the log tells."""

    def test_lines(self) -> None:
        """A line for each change of state, with the reason; and none for each failure."""
        with capturedLogs() as events:
            self.one.lose(3 * LOSSES)
            self.one.admits(PROBE)
            self.pass_seconds(20.0)
            self.one.apps.awake = True
            self.pass_seconds(ROUND)
            self.one.monitor[OTHER] = False
            self.pass_seconds(ROUND)
        assert [(event["log_level"], formatEvent(event)) for event in events] == [
            (
                LogLevel.warn,
                "circuit open origin=app.example.com:443 reason=losses: its callers get their"
                " last resort at once",
            ),
            (LogLevel.info, "circuit closed origin=app.example.com:443"),
            (
                LogLevel.warn,
                "circuit open origin=other.example.com:8443 reason=monitor: its callers get their"
                " last resort at once",
            ),
        ]
        assert {event["log_namespace"] for event in events} == {"boomerang.retry"}

    def test_secrets(self) -> None:
        """Neither log nor store ever has what stands in a probe's URL, or in the store's."""
        with capturedLogs() as events:
            self.one.lose()
            self.one.admits(PROBE)
            self.pass_seconds(10.0)
            self.notes.mood = "away"
            self.pass_seconds(10.0)
        shown = f"{[formatEvent(event) for event in events]} {events} {self.written()}"
        assert "app.example.com" in shown
        assert "hunter2" not in shown

    def test_other_process(self) -> None:
        """A process tells of what it has heard from another one, too."""
        other = self.process()
        self.one.lose()
        with capturedLogs() as events:
            self.pass_seconds(2 * ROUND)
        assert len(events) == 1
        assert other.count == 1


class LifeTests(Case):
    """When it runs, and when not."""

    def test_not_in_use(self) -> None:
        """Where no endpoint wants it, nothing is asked, read or written."""
        self.one.circuits.stopService()
        self.notes.asked = 0
        idle = self.process(in_use=False)
        idle.monitor[APP] = False
        self.pass_seconds(60.0)
        assert (self.notes.asked, idle.apps.asked, idle.state) == (0, [], {})
        assert self.clock.getDelayedCalls() == []
        idle.circuits.stopService()

    def test_stop(self) -> None:
        """After the end nothing is left to be done, be an answer still under way or not."""
        self.one.lose()
        self.one.admits(PROBE)
        self.one.apps.silent = True
        self.pass_seconds(5.0)
        self.one.circuits.stopService()
        assert self.clock.getDelayedCalls() == []
        asked = self.notes.asked
        self.pass_seconds(60.0)
        assert (len(self.one.apps.asked), self.notes.asked) == (2, asked)

    def test_stop_while_the_store_hangs(self) -> None:
        """A store that hangs is given up five seconds later, and not asked again."""
        self.notes.mood = "silent"
        self.pass_seconds(ROUND)
        self.one.circuits.stopService()
        self.pass_seconds(5.0)
        assert self.clock.getDelayedCalls() == []


class MistakeTests(Case):
    """Something in the process does what it should not."""

    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here mistakes are to be logged."""

    def logged(self) -> set[type[BaseException]]:
        return {mistake.type for mistake in self.flushLoggedErrors()}

    def test_question(self) -> None:
        """A question that fails is logged, and the next one put."""
        self.one.apps.broken = True
        self.one.lose()
        self.one.admits(PROBE)
        self.pass_seconds(2 * ROUND)
        assert self.logged() == {ZeroDivisionError}
        self.one.apps.broken, self.one.apps.awake = False, True
        self.pass_seconds(ROUND)
        assert self.one.state == {}

    def test_monitor(self) -> None:
        """A monitor that fails is logged, and heard of again when it is well."""
        self.one.monitor_broken = True
        self.pass_seconds(2 * ROUND)
        assert self.logged() == {ZeroDivisionError}
        self.one.monitor_broken = False
        self.one.monitor[APP] = False
        self.pass_seconds(ROUND)
        assert self.one.state == {APP[0]: "open, monitor"}

    def test_store(self) -> None:
        """A store that makes no sense is logged, and asked again."""

        class Broken(MemoryNotes):
            broken = True

            def read(self, topic: str) -> Deferred[Mapping[str, str]]:
                return fail(ZeroDivisionError()) if self.broken else super().read(topic)

        notes = Broken(self.clock)
        one, other = Process(self.clock, notes), Process(self.clock, notes)
        self.pass_seconds(ROUND)
        assert self.logged() == {ZeroDivisionError}
        notes.broken = False
        one.lose()
        self.pass_seconds(2 * ROUND)
        assert other.state == {APP[0]: "open, losses"}
