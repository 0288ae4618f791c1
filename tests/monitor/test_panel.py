"""All that is watched, fed with results."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import pytest
from attrs import evolve

from boomerang.monitor.outage import Outage
from boomerang.monitor.panel import Kept, Panel, Turn
from boomerang.monitor.result import KEPT, Reason, Result
from boomerang.monitor.verdict import State
from boomerang.monitor.watched import CheckView
from boomerang.settings.checks import Check

CLOUD = Check(name="cloud", url="https://cloud.example.com/")
WEB = Check(name="web", url="https://app.example.com/", depends_on=("cloud",))
PAGE = Check(name="page", url="https://app.example.com/page", depends_on=("web",))
ALONE = Check(name="alone", url="https://alone.example.com/")
CHECKS = (CLOUD, WEB, PAGE, ALONE)

NOON = 1_800_000_000.0
DOWN = Outage("web", NOON, Reason.CONNECT, "refused")


def result(at: float, *, well: bool = True) -> Result:
    if well:
        return Result(at=at, seconds=0.1)
    return Result(at=at, seconds=0.001, reason=Reason.CONNECT, detail="refused")


def row(times: Sequence[float], *, well: bool = True) -> list[Result]:
    return [result(at, well=well) for at in times]


class Bench:
    """A panel whose checks are run one after the other, a second apart."""

    def __init__(self, *checks: Check) -> None:
        self.panel = Panel(checks or CHECKS)
        self.now = NOON
        self.told: list[str] = []
        self.turned: list[str] = []

    def run(self, **well: bool) -> None:
        """Each of these checks once."""
        for name, is_well in well.items():
            self.take(name, self.panel.add(name, result(self.now, well=is_well), now=self.now))
            self.now += 1

    def take(self, name: str, turn: Turn) -> None:
        if turn.standing is not None:
            self.turned.append(f"{name} {turn.standing.state.value}")
        self.told += [f"{'+' if each.ended is None else '-'}{each.check}" for each in turn.outages]

    def views(self) -> dict[str, CheckView]:
        return {each.check.name: each for each in self.panel.view(now=self.now)}

    def labels(self) -> dict[str, str]:
        return {name: each.label for name, each in self.views().items()}


def test_begins() -> None:
    """At first nothing is known, and nobody is to blame."""
    bench = Bench()
    assert bench.labels() == dict.fromkeys(["cloud", "web", "page", "alone"], "unknown")
    assert all(each.last is None and each.causes == () for each in bench.views().values())
    assert list(bench.panel.checks.values()) == list(CHECKS)


def test_turns() -> None:
    """A result tells what it has changed: the standing when its state is another, outages."""
    bench = Bench(ALONE)
    for well in (True, True, False, False, False, False, True, True):
        bench.run(alone=well)
    assert bench.turned == ["alone up", "alone down", "alone up"]
    assert bench.told == ["+alone", "-alone"]


def test_turn_has_all() -> None:
    """A turn has the standing with its reason, and the outage with what it affects."""
    bench = Bench()
    bench.run(cloud=True, web=True)
    for _ in range(2):
        bench.panel.add("web", result(bench.now, well=False), now=bench.now)
    turn = bench.panel.add("web", result(bench.now, well=False), now=bench.now)
    assert turn.standing is not None
    assert (turn.standing.state, turn.standing.reason) == (State.DOWN, Reason.CONNECT)
    outage = Outage("web", bench.now, Reason.CONNECT, "refused", affects=("page",))
    assert turn.outages == (outage,)


def test_only_the_cause() -> None:
    """When a provider is down, what depends on it is affected, and only the cause is told of."""
    bench = Bench()
    bench.run(cloud=True, web=True, page=True)
    for _ in range(4):
        bench.run(web=False, page=False, cloud=False)
    assert bench.told == ["+cloud"]
    assert bench.labels() == {
        "cloud": "down",
        "web": "affected",
        "page": "affected",
        "alone": "unknown",
    }
    assert bench.views()["page"].causes == ("cloud",)
    assert bench.panel.causes("page", now=bench.now) == ["cloud"]
    for _ in range(2):
        bench.run(cloud=True, web=True, page=True)
    assert bench.told == ["+cloud", "-cloud"]


def test_cause_that_recovers_alone() -> None:
    """What is still down when the cause has recovered is told of then."""
    bench = Bench(CLOUD, WEB)
    bench.run(cloud=True, web=True)
    for _ in range(4):
        bench.run(cloud=False, web=False)
    for _ in range(6):
        bench.run(cloud=True, web=False)
    assert bench.told == ["+cloud", "-cloud", "+web"]


def test_paused() -> None:
    """A paused check is down for nobody, until its pause is over; another's pause is no matter."""
    bench = Bench(CLOUD, WEB)
    bench.run(cloud=True, web=True)
    for _ in range(3):
        bench.run(cloud=False)
    assert bench.labels() == {"cloud": "down", "web": "affected"}
    bench.panel.pauses = {"cloud": bench.now + 5, "web": bench.now, "gone": inf}
    assert bench.labels() == {"cloud": "paused", "web": "up"}
    assert bench.panel.causes("web", now=bench.now) == []
    assert bench.panel.paused_until("cloud", now=bench.now) == bench.now + 5
    assert bench.panel.paused_until("cloud", now=bench.now + 5) is None
    bench.now += 5
    assert bench.labels() == {"cloud": "down", "web": "affected"}


@pytest.mark.parametrize("paused", [True, False])
def test_outage_of_a_paused_check(paused: bool) -> None:
    """An outage neither begins nor ends while the check is paused, though a run comes in."""
    bench = Bench(ALONE)
    bench.panel.pauses = {"alone": inf} if paused else {}
    for well in (False, False, False, True, True):
        bench.run(alone=well)
    assert bench.told == ([] if paused else ["+alone", "-alone"])


def test_failures_are_counted() -> None:
    """Failures count by reason, for as long as the process lives."""
    bench = Bench(ALONE)
    for well in (True, False, True, False):
        bench.run(alone=well)
    assert bench.views()["alone"].failures == {"connect": 2}
    bench.panel.restore(Kept(results={"alone": row([NOON - 1], well=False)}), now=bench.now)
    assert bench.views()["alone"].failures == {"connect": 2}
    bench.panel.forget()
    assert bench.views()["alone"].failures == {"connect": 2}


def test_results_are_bounded() -> None:
    """The last hundred results of a check are kept."""
    bench = Bench(ALONE)
    for _ in range(KEPT + 20):
        bench.run(alone=True)
    assert [each.at - NOON for each in bench.views()["alone"].results] == list(range(20, KEPT + 20))


def test_view_does_not_change() -> None:
    """A view that was taken stays as it was."""
    bench = Bench(ALONE)
    bench.run(alone=True)
    view = bench.views()["alone"]
    bench.run(alone=False)
    assert len(view.results) == 1


class TestRestored:
    """A panel that goes on where another watch ended."""

    def test_standing(self) -> None:
        """A check stands as its results say, since when the other watch noted it."""
        bench = Bench(ALONE)
        kept = Kept(
            results={"alone": row([NOON - 30, NOON - 20, NOON - 10], well=False)},
            stood={"alone": ("down", NOON - 5000)},
        )
        assert bench.panel.restore(kept, now=NOON) == []
        view = bench.views()["alone"]
        assert (view.label, view.standing.since) == ("down", NOON - 5000)
        assert view.last == result(NOON - 10, well=False)

    @pytest.mark.parametrize("stood", [("up", NOON - 5000), ("down", NOON), ("sideways", 0.0)])
    def test_standing_of_another_time(self, stood: tuple[str, float]) -> None:
        """What was noted of another state, or for a later time, does not count."""
        bench = Bench(ALONE)
        results = {"alone": row([NOON - 30, NOON - 20, NOON - 10], well=False)}
        bench.panel.restore(Kept(results=results, stood={"alone": stood}), now=NOON)
        assert bench.views()["alone"].standing.since == NOON - 30

    def test_without_results(self) -> None:
        """Of a check without results nothing is known, whatever was noted of it."""
        bench = Bench(ALONE)
        bench.panel.restore(Kept(stood={"alone": ("down", NOON)}), now=NOON)
        assert bench.labels() == {"alone": "unknown"}

    def test_outage_goes_on(self) -> None:
        """An outage that lasts is not told of again; its end is, as that of the same outage."""
        bench = Bench(ALONE)
        outage = evolve(DOWN, check="alone", began=NOON - 100)
        results = {"alone": row([NOON - 30, NOON - 20, NOON - 10], well=False)}
        bench.panel.restore(Kept(results=results, outages={"alone": outage}), now=NOON)
        bench.run(alone=False)
        assert bench.told == []
        bench.panel.add("alone", result(NOON + 1), now=NOON + 1)
        turn = bench.panel.add("alone", result(NOON + 2), now=NOON + 2)
        assert turn.outages == (evolve(outage, ended=NOON + 1),)

    def test_outage_without_results(self) -> None:
        """An outage ends when the check is found well, though its results are lost."""
        bench = Bench(ALONE)
        kept = Kept(outages={"alone": evolve(DOWN, check="alone")})
        bench.panel.restore(kept, now=NOON)
        bench.run(alone=True)
        assert bench.told == ["-alone"]

    def test_check_that_is_no_more(self) -> None:
        """The outage of a check that is no more ends now, and is known of no longer."""
        bench = Bench(ALONE)
        kept = Kept(outages={"web": DOWN}, results={"web": [result(NOON)]})
        assert bench.panel.restore(kept, now=NOON + 9) == [evolve(DOWN, ended=NOON + 9)]
        assert bench.labels() == {"alone": "unknown"}

    def test_pauses(self) -> None:
        """Pauses go on."""
        bench = Bench(ALONE)
        bench.panel.restore(Kept(pauses={"alone": inf}), now=NOON)
        assert bench.labels() == {"alone": "paused"}

    def test_again(self) -> None:
        """What was here before it is restored does not count."""
        bench = Bench(ALONE)
        for _ in range(3):
            bench.run(alone=False)
        bench.panel.restore(Kept(results={"alone": [result(NOON)]}), now=bench.now)
        assert bench.labels() == {"alone": "up"}
        assert len(bench.views()["alone"].results) == 1
        bench.run(alone=True)
        assert bench.told == ["+alone"]

    def test_in_parts(self) -> None:
        """Results may be taken over check by check; checks that are no more do not count."""
        bench = Bench(CLOUD, ALONE)
        stood = {"cloud": ("up", NOON - 9), "alone": ("up", NOON - 8)}
        bench.panel.restore(Kept(stood=stood), now=NOON)
        for results in ({"cloud": [result(NOON)]}, {"alone": [result(NOON)], "gone": []}):
            bench.panel.recall(results, stood)
        views = bench.views()
        assert [each.standing.since for each in views.values()] == [NOON - 9, NOON - 8]
        assert [len(each.results) for each in views.values()] == [1, 1]


class TestGoOn:
    """A panel that takes in what another one has found since."""

    def test_results(self) -> None:
        """Results come after those that are here, and decide how the check stands."""
        since = Bench(ALONE)
        for well in (False, True, True):
            since.run(alone=well)
        past = Bench(ALONE)
        outage = evolve(DOWN, check="alone", began=NOON - 30)
        kept = Kept(
            results={"alone": row([NOON - 30, NOON - 20, NOON - 10], well=False)},
            stood={"alone": ("down", NOON - 300)},
            outages={"alone": outage},
        )
        past.panel.restore(kept, now=NOON)
        past.panel.go_on(since.panel)
        view = past.views()["alone"]
        assert (view.standing.state, view.standing.recovered) == (State.UP, NOON + 1)
        assert [each.well for each in view.results] == [False] * 4 + [True] * 2
        assert view.failures == {"connect": 1}
        past.run(alone=True)
        assert past.told == ["-alone"]

    def test_outage(self) -> None:
        """Of two outages of a check the one counts that was begun since."""
        since, past = Bench(ALONE), Bench(ALONE)
        for _ in range(3):
            since.run(alone=False)
        before = evolve(DOWN, check="alone", began=NOON - 300)
        past.panel.restore(Kept(outages={"alone": before}), now=NOON)
        past.panel.go_on(since.panel)
        past.run(alone=True)
        turn = past.panel.add("alone", result(past.now), now=past.now)
        assert [each.began for each in turn.outages] == [NOON]


def test_forget() -> None:
    """After it has been left to another watch, it is as it was, and may be restored again."""
    bench = Bench(ALONE)
    for _ in range(3):
        bench.run(alone=False)
    bench.panel.forget()
    assert bench.labels() == {"alone": "unknown"}
    results = {"alone": [*row([NOON, NOON + 1, NOON + 2], well=False), *row([NOON + 3, NOON + 4])]}
    bench.panel.restore(Kept(results=results), now=bench.now)
    assert bench.labels() == {"alone": "up"}
    assert len(bench.views()["alone"].results) == 5
    bench.run(alone=True)
    assert bench.told == ["+alone"]
