"""The messages to one address: in order, and again until they are taken."""

from __future__ import annotations

from twisted.logger import capturedLogs

from boomerang.monitor.notify.line import MOST, PAUSES, TOO_OLD
from tests.monitor.notify.desk import NotifyTestCase, Threads, lines

DAY = 86400.0


class RetryTests(NotifyTestCase):
    def test_pauses(self) -> None:
        """A message that is not taken is tried again, with longer and longer pauses."""
        self.mail.refuses = True
        desk = self.desk(self.mail).start()
        desk.begins()
        expected = [0.0, 5.0, 35.0, 155.0, 755.0, 1355.0, 1955.0]
        attempts: list[float] = []
        for second in range(2000):
            if len(attempts) < self.mail.attempts:
                attempts.append(float(second))
            desk.pass_seconds(1)
        assert attempts == expected
        assert PAUSES == (5.0, 30.0, 120.0, 600.0)
        assert desk.counts == (0, 7, 0)

    def test_order(self) -> None:
        """Messages that come meanwhile wait for their turn."""
        self.mail.refuses = True
        desk = self.desk(self.mail).start()
        desk.begins()
        desk.pass_seconds(1)
        desk.ends()
        desk.begins("other")
        assert self.mail.attempts == 1
        self.mail.refuses = False
        desk.pass_seconds(4)
        assert self.mail.titles == ["web is down", "web is up again", "other is down"]
        assert self.notes.kept() == {}

    def test_one_address_fails(self) -> None:
        """Others hear of everything once and at once."""
        self.slack.refuses = True
        desk = self.desk().start()
        desk.begins()
        desk.ends()
        assert self.mail.titles == ["web is down", "web is up again"]
        desk.pass_seconds(7200)
        self.slack.refuses = False
        desk.pass_seconds(600)
        assert self.mail.titles == self.slack.titles == ["web is down", "web is up again"]
        assert self.mail.attempts == 2

    def test_the_first_pause_again(self) -> None:
        """After a success the pauses are short again."""
        desk = self.desk(self.mail).start()
        for _ in range(2):
            self.mail.refuses = True
            desk.begins()
            self.mail.refuses = False
            desk.pass_seconds(5)
        assert len(self.mail.titles) == 2

    def test_a_line_per_change(self) -> None:
        """Failures cost one line, the end of them another; no URL is in them."""
        desk = self.desk(self.mail).start()
        with capturedLogs() as events:
            self.mail.trouble = OSError("https://hooks.example.com/hush")
            desk.begins()
            desk.begins("other")
            desk.pass_seconds(7200)
            assert lines(events) == [
                "notifications to number 1 (mailto) fail, and are tried again: OSError"
            ]
            self.mail.trouble = None
            desk.pass_seconds(600)
        assert lines(events)[1:] == ["notifications to number 1 (mailto) work again"]
        assert "hush" not in repr(events)
        assert desk.counts.delivered == 2

    def test_refused(self) -> None:
        """When Apprise says no more than that it failed, so does the log."""
        self.mail.refuses = True
        with capturedLogs() as events:
            self.desk(self.mail).start().begins()
        assert lines(events) == [
            "notifications to number 1 (mailto) fail, and are tried again:"
            " Apprise could not deliver it"
        ]

    def test_given_up(self) -> None:
        """After a day a message is given up, with an error in the log; the next is tried then."""
        self.mail.refuses = True
        desk = self.desk(self.mail).start()
        desk.begins()
        self.clock.pump([600.0] * 100)
        desk.begins("other")
        with capturedLogs() as events:
            self.clock.pump([600.0] * 46)
        assert lines(events) == [
            "a notification to number 1 (mailto) is given up: [test] web is down (it is too old)"
        ]
        assert [event["log_level"].name for event in events] == ["error"]
        assert desk.counts.dropped == 1
        assert len(self.notes.kept()) == 1
        self.mail.refuses = False
        self.clock.pump([600.0])
        assert self.mail.titles == ["other is down"]
        assert TOO_OLD == DAY

    def test_too_many(self) -> None:
        """More messages than anybody would read are not kept: the oldest are given up."""
        self.mail.refuses = True
        desk = self.desk(self.mail).start()
        with capturedLogs() as events:
            for number in range(MOST + 2):
                desk.begins(f"check{number}")
        assert desk.counts.dropped == 2
        assert lines(events)[1:] == [
            "a notification to number 1 (mailto) is given up: [test] check0 is down"
            " (too many are waiting)",
            "a notification to number 1 (mailto) is given up: [test] check1 is down"
            " (too many are waiting)",
        ]
        self.mail.refuses = False
        desk.pass_seconds(5)
        assert self.mail.titles[0] == "check2 is down"
        assert len(self.mail.titles) == MOST
        assert self.notes.kept() == {}

    def test_too_many_while_one_is_sent(self) -> None:
        """The message that is being sent is not given up in that moment, but the next."""
        threads = Threads()
        desk = self.desk(self.mail, run=threads).start()
        for number in range(MOST + 1):
            desk.begins(f"check{number}")
        while threads.works:
            threads.end()
        assert self.mail.titles[:2] == ["check0 is down", "check2 is down"]
        assert desk.counts == (MOST, 0, 1)

    def test_added_at_the_last_moment(self) -> None:
        """A message that comes while the one before is being erased is sent right after."""
        threads = Threads()
        desk = self.desk(self.mail, run=threads).start()
        desk.begins()
        self.notes.slow = True
        threads.end()
        desk.ends()
        self.notes.slow = False
        assert threads.works == []
        self.notes.answer()
        assert len(threads.works) == 1


class ThreadTests(NotifyTestCase):
    def test_one_at_a_time(self) -> None:
        """An address has one attempt under way, and none waits for another's."""
        threads = Threads()
        desk = self.desk(run=threads).start()
        desk.begins()
        desk.ends()
        assert len(threads.works) == 2
        threads.end(1)
        assert len(threads.works) == 2
        threads.end(1)
        assert self.slack.titles == ["web is down", "web is up again"]
        assert self.mail.titles == []

    def test_hanging(self) -> None:
        """An attempt that does not end counts as failed, and no other begins beside it."""
        threads = Threads()
        desk = self.desk(self.mail, run=threads).start()
        with capturedLogs() as events:
            desk.begins()
            desk.pass_seconds(7200)
        assert len(threads.works) == 1
        assert desk.counts.failed > 5
        assert lines(events) == [
            "notifications to number 1 (mailto) fail, and are tried again: no end within 60 s"
        ]

    def test_taken_late(self) -> None:
        """A message that was taken after it was given up is not sent again."""
        threads = Threads()
        desk = self.desk(self.mail, run=threads).start()
        desk.begins()
        desk.pass_seconds(61)
        threads.end()
        desk.pass_seconds(10)
        assert threads.works == []
        assert self.mail.titles == ["web is down"]
        assert desk.counts == (1, 1, 0)
        assert self.notes.kept() == {}

    def test_refused_late(self) -> None:
        """One that was refused late is tried again."""
        threads = Threads()
        desk = self.desk(self.mail, run=threads).start()
        desk.begins()
        desk.pass_seconds(61)
        self.mail.refuses = True
        threads.end()
        self.mail.refuses = False
        desk.pass_seconds(10)
        threads.end()
        assert self.mail.titles == ["web is down"]

    def test_hanging_for_a_day(self) -> None:
        """A message whose attempt never ends is given up like any other."""
        threads = Threads()
        desk = self.desk(self.mail, run=threads).start()
        desk.begins()
        self.clock.pump([600.0] * 150)
        assert desk.counts.dropped == 1
        assert self.notes.kept() == {}
