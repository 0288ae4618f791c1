"""Messages in the store: over restarts, and while the store is away."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from boomerang.monitor.notify.entry import Entry
from boomerang.monitor.notify.message import Message
from boomerang.monitor.notify.outbox import LEASE, PATIENCE, Outbox
from boomerang.monitor.notify.service import ROUND
from tests.monitor.notify.desk import EPOCH, TOPIC, Address, Desk, NotifyTestCase, Threads, lines

DAY = 86400.0


class RestartTests(NotifyTestCase):
    def test_after_a_stop(self) -> None:
        """What was not delivered is delivered after the next start, in its order."""
        self.mail.refuses = True
        first = self.desk(self.mail).start()
        first.begins()
        first.ends()
        self.successResultOf(first.service.stopService())
        self.mail.refuses = False
        self.desk(self.mail, holder="two").start()
        assert self.mail.titles == ["web is down", "web is up again"]
        assert self.notes.kept() == {}

    def test_after_a_crash(self) -> None:
        """After a crash too, as soon as it is clear that nobody else delivers it."""
        self.mail.refuses = True
        dead = Desk(self.mail, clock=Clock(), notes=self.notes)  # its clock stands still
        dead.start().begins()
        self.mail.refuses = False
        self.desk(self.mail, holder="two").start()
        self.clock.pump([1.0] * int(LEASE - 1))
        assert self.mail.titles == []
        self.clock.pump([1.0] * int(ROUND + 1))
        assert self.mail.titles == ["web is down"]
        assert self.notes.kept() == {}

    def test_same_name(self) -> None:
        """A process that has the name of the one before it need not wait."""
        self.mail.refuses = True
        self.desk(self.mail, run=lambda work: Deferred()).start().begins()
        self.mail.refuses = False
        self.desk(self.mail, holder="one").start()
        assert self.mail.titles == ["web is down"]

    def test_another_process_lives(self) -> None:
        """What another process is still trying to deliver is left to it."""
        self.mail.refuses = True
        self.desk(self.mail, holder="one").start().begins()
        elsewhere = Address("mailto")
        self.desk(elsewhere, holder="two").start()
        self.clock.pump([ROUND] * 100)
        assert elsewhere.attempts == 0
        self.mail.refuses = False
        self.clock.pump([ROUND] * 100)
        assert self.mail.titles == ["web is down"]
        assert elsewhere.attempts == 0

    def test_old_when_found(self) -> None:
        """What is found after more than a day is given up without an attempt."""
        self.mail.refuses = True
        first = self.desk(self.mail).start()
        first.begins()
        self.successResultOf(first.service.stopService())
        self.clock.advance(DAY + 1)
        self.mail.refuses = False
        desk = self.desk(self.mail, holder="two").start()
        assert self.mail.titles == []
        assert desk.counts == (0, 0, 1)
        assert self.notes.kept() == {}

    def test_an_address_that_is_gone(self) -> None:
        """What waits for an address that is in the settings no more is given up after a day."""
        self.slack.refuses = True
        first = self.desk(self.slack).start()
        first.begins()
        self.successResultOf(first.service.stopService())
        desk = self.desk(self.mail, holder="two").start()
        self.clock.pump([ROUND] * 100)
        assert len(self.notes.kept()) == 1
        with capturedLogs() as events:
            self.clock.pump([600.0] * 144)
        assert self.notes.kept() == {}
        assert desk.counts == (0, 0, 1)
        assert lines(events) == [
            "a notification is given up, as its URL is no longer there: [test] web is down"
        ]

    def test_nonsense_in_the_store(self) -> None:
        """What cannot be read is left as it is."""
        self.notes.real.write(TOPIC, {"0": "nonsense"})
        desk = self.desk(self.mail).start()
        desk.begins()
        self.clock.pump([ROUND] * 10)
        assert self.mail.titles == ["web is down"]
        assert self.notes.kept() == {"0": "nonsense"}


class StoreTests(NotifyTestCase):
    def test_away(self) -> None:
        """Without the store messages are delivered all the same; its state costs a line each."""
        desk = self.desk(self.mail).start()
        with capturedLogs() as events:
            self.notes.away = True
            desk.begins()
            assert self.mail.titles == ["web is down"]
            desk.pass_seconds(60)
            self.notes.away = False
            desk.pass_seconds(60)
        assert lines(events) == [
            "notifications are kept in memory alone: gone fishing",
            "notifications are kept in the store again",
        ]

    def test_hanging(self) -> None:
        """A store that never answers delays a message by no more than it is given."""
        self.notes.hanging = True
        desk = self.desk(self.mail).start()
        desk.begins()
        desk.pass_seconds(PATIENCE - 1)
        assert self.mail.titles == []
        desk.pass_seconds(1)
        assert self.mail.titles == ["web is down"]

    def test_back_before_the_address(self) -> None:
        """What could not be written at first is written once the store is back."""
        self.notes.away = True
        self.mail.refuses = True
        desk = self.desk(self.mail).start()
        desk.begins()
        assert self.notes.kept() == {}
        self.notes.away = False
        desk.pass_seconds(ROUND)
        assert len(self.notes.kept()) == 1
        self.mail.refuses = False
        desk.pass_seconds(600)
        assert self.mail.titles == ["web is down"]
        assert self.notes.kept() == {}

    def test_away_after_delivery(self) -> None:
        """What could not be erased is erased once the store is back, and not sent twice."""
        threads = Threads()
        desk = self.desk(self.mail, run=threads).start()
        desk.begins()
        self.notes.away = True
        threads.end()
        assert len(self.notes.kept()) == 1
        self.notes.away = False
        desk.pass_seconds(ROUND)
        assert self.notes.kept() == {}
        desk.pass_seconds(600)
        assert self.mail.titles == ["web is down"]

    def test_away_for_long(self) -> None:
        """However long the store is away, what is to be told to it is bounded."""
        self.notes.away = True
        desk = self.desk(self.mail).start()
        for number in range(2500):
            desk.begins(f"check{number}")
        assert len(self.mail.titles) == 2500
        self.notes.away = False
        self.notes.written.clear()
        desk.pass_seconds(ROUND)
        assert self.notes.written == [2000]

    def test_quiet_when_nothing_is_to_do(self) -> None:
        """With nothing to deliver the store is only looked at, once a round."""
        desk = self.desk(self.mail).start()
        self.notes.asked.clear()
        desk.pass_seconds(10 * ROUND)
        assert self.notes.asked == ["read"] * 10

    def test_gone_while_it_is_written(self) -> None:
        """What is given up while it is being written is erased afterwards."""
        store: Any = self.notes
        outbox = Outbox(store, environment="test", holder="one", clock=self.clock)
        self.successResultOf(Deferred.fromCoroutine(outbox.keep()))
        entry = Entry("1", "mailto", EPOCH, Message("t", "b", "failure"))
        outbox.add(entry)
        self.notes.slow = True
        keeping = Deferred.fromCoroutine(outbox.keep())
        self.notes.answer()  # the lease
        outbox.remove(entry.key)
        self.notes.answer()
        self.successResultOf(keeping)
        assert set(self.notes.kept()) == {"1"}
        self.notes.slow = False
        self.successResultOf(Deferred.fromCoroutine(outbox.keep()))
        assert self.notes.kept() == {}
