"""The audit of the account at Twilio, as a check among the others."""

from __future__ import annotations

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from boomerang.account.daily import Standing
from boomerang.monitor.account import NAME, account_check, result_of
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.service import checks_of
from boomerang.settings import Settings
from boomerang.settings.account import AccountSettings
from boomerang.settings.checks import Check
from boomerang.stores.notes_memory import MemoryNotes
from tests.monitor.watching import Bench

DAILY = evolve(Settings(), account=AccountSettings(audit_every=86400.0))


def test_check() -> None:
    """With an audit there is a check of it, beside the others, for which each audit counts."""
    web = Check(name="web", url="https://app.example.com/")
    checks = checks_of(evolve(DAILY, check=(web,)))
    assert [check.name for check in checks] == ["web", NAME]
    assert (checks[1].interval, checks[1].failures, checks[1].successes) == (86400.0, 1, 1)
    assert account_check(Settings()) == ()


def test_name_taken() -> None:
    """A check of the file that has its name stays what it is."""
    own = Check(name=NAME, url="https://app.example.com/")
    assert checks_of(evolve(DAILY, check=(own,))) == (own,)


@pytest.mark.parametrize(
    ("standing", "reason", "detail"),
    [
        (Standing(at=1.0), None, ""),
        (
            Standing(at=1.0, gaps={"missing": 2, "wrong-method": 0, "elsewhere": 1}),
            Reason.STATUS,
            "gaps at Twilio: 2 missing, 1 elsewhere",
        ),
        (Standing(error="401: Authenticate"), Reason.ERROR, "401: Authenticate"),
    ],
)
def test_result(standing: Standing, reason: Reason | None, detail: str) -> None:
    """Gaps, or an account that cannot be looked at, are failures that say what is the case."""
    assert result_of(standing, now=5.0) == Result(at=5.0, seconds=0.0, reason=reason, detail=detail)


def test_heard_by_the_watch() -> None:
    """A new gap begins an outage, its end ends it; nothing is asked by the watch itself."""
    (check,) = account_check(DAILY)
    clock = Clock()
    bench = Bench([check], MemoryNotes(clock), clock=clock)
    bad = result_of(Standing(at=1.0, gaps={"missing": 1}), now=1.0)
    bench.watch.hear(NAME, bad)
    assert bench.heard.outages == []  # another process may be watching
    bench.watch.startService()
    clock.pump([1.0] * 100)
    assert bench.heard.outages == [f"+{NAME}"]
    bench.watch.hear(NAME, result_of(Standing(at=2.0), now=2.0))
    assert bench.heard.outages == [f"+{NAME}", f"-{NAME}"]
    assert bench.watch.at_work()


def test_an_older_audit() -> None:
    """Who takes over does not tell of an audit that is older than what the other one has told."""
    (check,) = account_check(DAILY)
    clock = Clock()
    notes = MemoryNotes(clock)
    first = Bench([check], notes, clock=clock, holder="one")
    second = Bench([check], notes, clock=clock, holder="two")
    for bench in (first, second):
        bench.watch.startService()
    second.watch.hear(NAME, result_of(Standing(at=1.0, gaps={"missing": 1}), now=1.0))
    first.watch.hear(NAME, result_of(Standing(at=2.0), now=2.0))
    first.watch.stopService()
    clock.pump([1.0] * 10)
    assert second.watch.leads
    assert second.heard.outages == []
    assert [each.well for each in second.view(NAME).results] == [True]
