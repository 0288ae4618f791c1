"""What the page shows, put together from what processes tell."""

from __future__ import annotations

from math import inf

import pytest

from boomerang.monitor.result import Reason, Result
from boomerang.status.overview import SILENT_AFTER, EndpointNow
from boomerang.status.report import CircuitNow, HeldNow, Minute, RelayNow, Report, Trouble
from tests.status.telling import NOON, check, report, seen, told

NOW = int(NOON // 60)


def held(*left: int, followed: int = 0) -> HeldNow:
    return HeldNow(sum(left), (*left, *[0] * (16 - len(left))), followed)


def test_one() -> None:
    """One process that has nothing to tell."""
    now = seen()
    (instance,) = now.instances
    assert (instance.name, instance.state, instance.held) == ("one", "running", 0)
    assert (now.held.count, now.decisions, now.circuits, now.relay) == (0, (), (), RelayNow())
    assert len(now.hour) == 60
    assert (now.hour[0].at, now.hour[-1].at) == (NOON - 59 * 60, NOON)
    assert now.total == Minute()


def test_several() -> None:
    """What several processes tell is added up; of decisions the newest come first."""
    now = seen(
        report("two", held=held(1, 2, followed=3), decisions=(told(NOON - 1), told(NOON - 3))),
        report("one", held=held(0, 1, 5), decisions=(told(NOON - 2),)),
    )
    assert [each.name for each in now.instances] == ["one", "two"]
    assert now.held == held(1, 3, 5, followed=3)
    assert [each.at for each in now.decisions] == [NOON - 1, NOON - 2, NOON - 3]


def test_hour() -> None:
    """The minutes of all processes are added up, those that are gone included; old ones are not."""
    now = seen(
        report("one", minutes={NOW: Minute(1, 2, 3), NOW - 59: Minute(saved=1)}),
        report("two", ended=True, minutes={NOW: Minute(lost=4), NOW - 60: Minute(lost=100)}),
    )
    assert now.total == Minute(2, 2, 7)
    assert now.lately == Minute(1, 2, 7)
    assert [each.at for each in now.hour if each.saved] == [NOON - 59 * 60, NOON]


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (report(), "running"),
        (report(at=NOON - SILENT_AFTER), "running"),
        (report(at=NOON - SILENT_AFTER - 1), "silent"),
        (report(at=NOON - 1, ended=True), "ended"),
        (report(at=NOON + 30), "running"),
    ],
)
def test_state(given: Report, state: str) -> None:
    """Who says nothing for a while is gone, unless it has said goodbye."""
    now = seen(given)
    assert [each.state for each in now.instances] == [state]


def test_who_is_gone_holds_nothing() -> None:
    """The calls that a killed process held are no longer held, its circuits known by the others."""
    circuit = CircuitNow("app.example.com:443", "open", "losses", NOON)
    now = seen(report(at=NOON - 300, held=held(7), circuits=(circuit,)), report("two"))
    assert (now.held.count, now.circuits) == (0, ())


def test_circuits() -> None:
    """A circuit that several processes tell of is one, and as old as its oldest word."""
    old = CircuitNow("app.example.com:443", "open", "losses", NOON - 60)
    new = CircuitNow("app.example.com:443", "half-open", "losses", NOON)
    other = CircuitNow("a.example.com:80", "open", "monitor", NOON)
    now = seen(report("one", circuits=(new,)), report("two", circuits=(old, other)))
    assert now.circuits == (other, old)


def test_relay() -> None:
    """Of the queue, which is one for all, the last look counts."""
    old, new = RelayNow(waiting=9), RelayNow(waiting=1, dead=2, oldest=NOON - 5)
    now = seen(
        report("one", at=NOON - 5, relay=old), report("two", relay=new), report("three", at=NOON)
    )
    assert now.relay == new


def test_endpoints() -> None:
    """Each endpoint has its last failures in all processes, the newest first."""
    menu = EndpointNow(name="menu", match="/menu", held="8 s", last_resort="none")
    one = report("one", failures={"menu": tuple(told(NOON - each) for each in (1, 3, 5))})
    two = report("two", failures={"menu": tuple(told(NOON - each) for each in (2, 4, 6))})
    now = seen(one, two, endpoints=(menu,))
    assert [NOON - each.at for each in now.endpoints[0].failures] == [1, 2, 3, 4, 5]


def test_troubles() -> None:
    """What is wrong with a process is told of it."""
    now = seen(report(troubles=(Trouble("store", NOON),)))
    assert now.instances[0].troubles == (Trouble("store", NOON),)


class TestChecks:
    def test_tree(self) -> None:
        """Checks stand below the first of those that they depend on, each once."""
        views = [
            check("page", settings={"depends_on": ("web",)}),
            check("cloud"),
            check("web", settings={"depends_on": ("cloud", "net")}),
            check("net"),
            check("job", settings={"depends_on": ("cloud",)}),
        ]
        now = seen(checks=views)
        assert [(each.level, each.name) for each in now.checks] == [
            (0, "cloud"),
            (1, "web"),
            (2, "page"),
            (1, "job"),
            (0, "net"),
        ]

    def test_down(self) -> None:
        """A check that is down says why, and since when."""
        (web,) = seen(checks=[check("web", "down")]).checks
        assert (web.state, web.since, web.why) == ("down", NOON - 60, "connect: refused")

    def test_last_failure(self) -> None:
        """One that has just failed says so, though it is not down yet."""
        result = Result(at=NOON, seconds=15.0, reason=Reason.TIMEOUT, detail="no answer")
        (web,) = seen(checks=[check(results=(result,))]).checks
        assert (web.state, web.why) == ("up", "timeout: no answer")
        assert [(run.seconds, run.well) for run in web.runs] == [(15.0, False)]

    @pytest.mark.parametrize(
        ("until", "shown"), [(NOON + 600, NOON + 600), (inf, None), (None, None)]
    )
    def test_paused(self, until: float | None, shown: float | None) -> None:
        """A pause without an end has none that could be shown."""
        (web,) = seen(checks=[check(paused_until=until)]).checks
        assert (web.state, web.paused_until) == ("up" if until is None else "paused", shown)

    @pytest.mark.parametrize(
        ("expires", "days"), [(NOON + 86_400 * 30 + 5, 30), (NOON - 5, -1), (None, None)]
    )
    def test_certificate(self, expires: float | None, days: int | None) -> None:
        """Whole days that the certificate is good for; by the last run that has seen one."""
        results = (
            Result(at=NOON - 9, seconds=0.1, certificate_expires=expires),
            Result(at=NOON, seconds=0.1, reason=Reason.CONNECT),
        )
        (web,) = seen(checks=[check(results=results)]).checks
        assert web.certificate_days == days

    def test_uptime(self) -> None:
        """The share of runs that were well."""
        view = check()
        for at, well in ((NOON - 86_400 * 2, False), (NOON - 60, True)):
            view.uptime.add(Result(at=at, seconds=0.1, reason=None if well else Reason.CONNECT))
        (web,) = seen(checks=[view]).checks
        assert (web.uptime_day, web.uptime_week) == (1.0, 0.5)
