"""The service that tells people of outages."""

from __future__ import annotations

import pytest
from twisted.logger import capturedLogs

from boomerang.monitor.notify.entry import Entry, entry_key, to_json
from boomerang.monitor.notify.message import Message
from boomerang.monitor.notify.service import ROUND
from boomerang.monitor.result import Result
from tests.monitor.notify.desk import EPOCH, TOPIC, WEB, NotifyTestCase, Threads, lines


class DeliveryTests(NotifyTestCase):
    def test_both_hear_of_it(self) -> None:
        """Beginning and end of an outage are told once to each address, at once."""
        desk = self.desk().start()
        desk.begins()
        desk.ends()
        desk.pass_seconds(3600)
        for address in (self.mail, self.slack):
            assert address.titles == ["web is down", "web is up again"]
        assert desk.counts == (4, 0, 0)
        assert self.notes.kept() == {}

    def test_runs_are_not_told(self) -> None:
        """A run of a check alone is nothing that people hear of."""
        desk = self.desk().start()
        desk.service.checked(WEB, Result(at=EPOCH, seconds=1.0), affected=False)
        assert self.mail.attempts == 0

    def test_written_before_the_attempt(self) -> None:
        """A message is in the store while it is being sent, and gone when it has been."""
        threads = Threads()
        desk = self.desk(self.mail, run=threads).start()
        desk.begins()
        assert len(self.notes.kept()) == 1
        threads.end()
        assert self.notes.kept() == {}
        assert self.mail.titles == ["web is down"]

    def test_no_url_in_the_store(self) -> None:
        """An entry names its address by what stands for it."""
        self.slack.refuses = True
        desk = self.desk(self.slack).start()
        desk.begins()
        ((key, text),) = self.notes.kept().items()
        assert key == entry_key(EPOCH, 1, "slack")
        assert '"to": "slack"' in text

    def test_before_the_start(self) -> None:
        """What is told before the service runs is sent when it does."""
        desk = self.desk(self.mail)
        desk.begins()
        assert self.mail.titles == []
        desk.start()
        assert self.mail.titles == ["web is down"]

    def test_a_clock_that_is_set_back(self) -> None:
        """The end of an outage is told after its beginning, also when the clock goes back."""
        self.mail.refuses = True
        desk = self.desk(self.mail).start()
        desk.begins()
        now = self.clock.seconds()
        self.clock.rightNow = now - 3600
        desk.ends()
        self.clock.rightNow = now
        self.mail.refuses = False
        desk.pass_seconds(6)
        assert self.mail.titles == ["web is down", "web is up again"]


class StopTests(NotifyTestCase):
    def test_nothing_after_it(self) -> None:
        """A stopped service tries nothing, and leaves no timer behind."""
        self.mail.refuses = True
        desk = self.desk(self.mail).start()
        desk.begins()
        self.successResultOf(desk.service.stopService())
        desk.pass_seconds(1000)
        assert self.mail.attempts == 1
        assert not self.clock.getDelayedCalls()

    def test_waits_for_an_attempt(self) -> None:
        """An attempt under way may end, so that it need not be repeated."""
        threads = Threads()
        desk = self.desk(self.mail, run=threads).start()
        desk.begins()
        stopped = desk.service.stopService()
        self.clock.advance(1.0)
        self.assertNoResult(stopped)
        threads.end()
        self.successResultOf(stopped)
        assert self.notes.kept() == {}

    def test_does_not_wait_for_ever(self) -> None:
        """An attempt that goes on is left alone after 1.5 s; its message stays in the store."""
        desk = self.desk(self.mail, run=Threads()).start()
        desk.begins()
        stopped = desk.service.stopService()
        self.clock.advance(1.4)
        self.assertNoResult(stopped)
        self.clock.advance(0.1)
        self.successResultOf(stopped)
        assert len(self.notes.kept()) == 1

    def test_before_an_attempt(self) -> None:
        """A message that is still being written when the service stops is not sent any more."""
        desk = self.desk(self.mail).start()
        self.notes.slow = True
        desk.begins()
        stopped = desk.service.stopService()
        self.notes.slow = False
        self.notes.answer()
        self.successResultOf(stopped)
        assert self.mail.attempts == 0
        assert len(self.notes.kept()) == 1

    def test_hanging_store(self) -> None:
        """A store that hangs as well does not make it more than two seconds."""
        desk = self.desk(self.mail, run=Threads()).start()
        desk.begins()
        self.notes.hanging = True
        stopped = desk.service.stopService()
        self.clock.advance(1.5)
        self.assertNoResult(stopped)
        self.clock.advance(0.5)
        self.successResultOf(stopped)

    def test_what_is_lost_is_said(self) -> None:
        """What neither an address nor the store has taken is lost, which is an error in the log."""
        self.notes.away = True
        self.mail.refuses = self.slack.refuses = True
        desk = self.desk().start()
        desk.begins()
        with capturedLogs() as events:
            self.successResultOf(desk.service.stopService())
        assert lines(events) == [
            "2 notifications are lost: they were not delivered, nor taken by the store"
        ]
        assert desk.counts.dropped == 2

    def test_start_again(self) -> None:
        """A service that was stopped can be started again."""
        self.mail.refuses = True
        desk = self.desk(self.mail).start()
        desk.begins()
        self.successResultOf(desk.service.stopService())
        self.mail.refuses = False
        desk.start()
        assert self.mail.titles == ["web is down"]


class MistakeTests(NotifyTestCase):
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here mistakes are to be logged, and each test says which."""

    def test_of_the_store(self) -> None:
        """A store that fails as it should not is logged; messages are tried again."""
        desk = self.desk(self.mail).start()
        self.notes.broken = "write"
        desk.begins()
        assert [each.type for each in self.flushLoggedErrors()] == [ZeroDivisionError]
        self.notes.broken = ""
        desk.pass_seconds(5)
        assert self.mail.titles == ["web is down"]

    def test_in_a_round(self) -> None:
        """Rounds go on, whatever goes wrong in one."""
        desk = self.desk(self.mail)
        self.notes.broken = "read"
        desk.start()
        assert [each.type for each in self.flushLoggedErrors()] == [ZeroDivisionError]
        self.notes.broken = ""
        entry = Entry(entry_key(EPOCH, 1, "mailto"), "mailto", EPOCH, Message("t", "b", "failure"))
        self.notes.real.write(TOPIC, {entry.key: to_json(entry, holder="dead")})
        desk.pass_seconds(ROUND)
        assert self.mail.titles == ["t"]
