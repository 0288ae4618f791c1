"""The service that sends measurements."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from twisted.logger import LogLevel, capturedLogs

from boomerang.monitor.librato.backlog import MOST
from boomerang.monitor.librato.reporter import LAST_FLUSH, STALE, LibratoReporter
from boomerang.monitor.outage import Outage
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.tally import Tally
from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoSettings
from tests.fakes.librato_answers import (
    Trouble,
    dropped,
    garbage,
    maintenance,
    rate_limited,
    slow,
)
from tests.fakes.librato_bench import EPOCH, SOURCE, TAGS, LibratoBench
from tests.monitor.librato.driving import FAILED, logged, stop

WEB = Check(name="web", url="https://app.example.com/", interval=60.0)
APP = Check(name="app", url="https://app.example.com/", depends_on=("web",))

TIME = "boomerang.check.time"
UP = "boomerang.check.up"
HELD = "boomerang.held"

FIGURES = len(Kind) + 1
"""How many measurements a period gives in which nothing was held."""


class Bench(LibratoBench):
    """A reporter whose first period ends at once, and its stand-in."""

    def __init__(
        self,
        settings: LibratoSettings = SOURCE,
        *,
        offset: float = 0.0,
        held: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(settings)
        self.tally = Tally(held=held)
        self.reporter = LibratoReporter(
            self.api,
            settings=settings,
            environment="test",
            tally=self.tally,
            clock=self.clock,
            wall_clock=self.wall_clock,
            random=lambda: offset,
        )

    def start(self) -> None:
        self.reporter.startService()
        self.clock.advance(0)

    def check(self, check: Check = WEB, *, seconds: float = 0.25, **options: Any) -> None:
        """A run that has just ended."""
        affected = options.pop("affected", False)
        result = Result(at=self.wall_clock() - seconds, seconds=seconds, **options)
        self.reporter.checked(check, result, affected=affected)

    def posts(self) -> list[float]:
        """How many measurements each request had, those included that were not taken."""
        return [len(asked.document["gauges"]) for asked in self.librato.asked]


@pytest.fixture
def bench() -> Bench:
    return Bench()


class TestSending:
    """What is sent, and when."""

    def test_run(self, bench: Bench) -> None:
        """A run's measurements are sent at the end of the period, for its check and second."""
        bench.start()
        bench.pass_seconds(30.5)
        bench.check(seconds=0.25)
        bench.check(APP, reason=Reason.CONNECT, affected=True)
        bench.pass_seconds(29)
        assert bench.librato.values(UP) == []
        bench.pass_seconds(1)
        assert bench.librato.values(TIME, "test.web") == [0.25]
        assert bench.librato.values(TIME, "test.app") == []
        assert bench.librato.values(UP, "test.web") == [1]
        assert bench.librato.values(UP, "test.app") == [0]
        assert bench.librato.values("boomerang.check.affected") == [1]
        runs = [sample for sample in bench.librato.samples if sample.metric == UP]
        assert [sample.at for sample in runs] == [int(EPOCH) + 30] * 2

    def test_figures(self, bench: Bench) -> None:
        """The retry service's figures are those of the period that ends."""
        bench = Bench(held=lambda: 7)
        bench.start()
        for overshoot in (0.1, 0.3):
            bench.tally.decided(
                FAILED,
                Decision(Kind.RETRY, 1, ""),
                held=Held(seconds=8, overshoot=overshoot, early=False),
                degraded=False,
            )
        bench.pass_seconds(120)
        values = bench.librato.values
        assert values("boomerang.decisions.retry", "test") == [0, 2, 0]
        assert values("boomerang.decisions.fallback", "test") == [0, 0, 0]
        assert values("boomerang.decisions.give-up", "test") == [0, 0, 0]
        assert values(HELD, "test") == [7, 7, 7]
        (overshoot_sample,) = (
            each for each in bench.librato.samples if each.metric == "boomerang.overshoot"
        )
        assert (overshoot_sample.count, overshoot_sample.max) == (2, 0.3)

    @pytest.mark.parametrize("offset", [0.0, 0.25, 0.75])
    def test_offset(self, offset: float) -> None:
        """The first report comes after a random part of the period, the others a period apart."""
        bench = Bench(offset=offset)
        bench.start()
        bench.pass_seconds(offset * 60 + 150)
        times = [each.at - EPOCH for each in bench.librato.samples if each.metric == HELD]
        assert times == [int(offset * 60 + after) for after in (0, 60, 120)]

    def test_period(self) -> None:
        """The period is a setting."""
        bench = Bench(evolve(SOURCE, period=10.0))
        bench.start()
        bench.pass_seconds(35)
        assert len(bench.librato.asked) == 4

    def test_tags(self) -> None:
        """By tags, measurements go elsewhere and say environment and check apart."""
        bench = Bench(TAGS)
        bench.check()
        bench.start()
        assert {asked.path for asked in bench.librato.asked} == {"/v1/measurements"}
        (sample,) = (each for each in bench.librato.samples if each.metric == UP)
        assert sample.tags == {"environment": "test", "check": "web"}

    @pytest.mark.parametrize(
        ("settings", "counts"),
        [(SOURCE, [300, 300, 200 + FIGURES]), (TAGS, [800 + FIGURES])],
        ids=["source", "tags"],
    )
    def test_batches(self, settings: LibratoSettings, counts: list[int]) -> None:
        """Many measurements go in several requests, one after the other."""
        bench = Bench(settings)
        for number in range(400):
            bench.check(evolve(WEB, name=f"web-{number}"))
        bench.start()
        key = "gauges" if settings is SOURCE else "measurements"
        assert [len(asked.document[key]) for asked in bench.librato.asked] == counts
        assert len(bench.librato.samples) == sum(counts)

    def test_often(self, bench: Bench) -> None:
        """Runs of one second are one measurement, which knows the least and the greatest."""
        bench.start()
        for seconds, reason in ((0.25, None), (0.75, Reason.TIMEOUT)):
            bench.check(seconds=seconds, reason=reason)
        bench.pass_seconds(60)
        assert bench.librato.doubled == []
        (up,) = (each for each in bench.librato.samples if each.metric == UP)
        assert (up.count, up.min, up.max) == (2, 0, 1)

    def test_outages(self, bench: Bench) -> None:
        """Outages are nothing to this reporter."""
        bench.start()
        before = len(bench.librato.asked)
        outage = Outage(check="web", began=EPOCH, reason=Reason.DNS, detail="")
        bench.reporter.began(outage)
        bench.reporter.ended(evolve(outage, ended=EPOCH + 1))
        assert len(bench.librato.asked) == before


class TestTroubles:
    """Librato is not well; boomerang is."""

    @pytest.mark.parametrize(
        "trouble",
        [rate_limited(), rate_limited(403), maintenance(), garbage(), garbage(502), dropped()],
        ids=["429", "403", "503", "garbage", "502", "dropped"],
    )
    def test_kept(self, bench: Bench, trouble: Trouble) -> None:
        """What cannot be sent now is sent later, in order and once."""
        bench.check(seconds=1.0)
        bench.librato.trouble = trouble
        bench.start()
        assert bench.librato.samples == []
        bench.librato.trouble = None
        bench.check(seconds=2.0, reason=None)
        bench.pass_seconds(30)
        bench.check(seconds=3.0)
        bench.pass_seconds(30)
        times = [each for each in bench.librato.samples if each.metric == TIME]
        assert [(each.at - EPOCH, each.value) for each in times] == [(0, 1.5), (30, 3.0)]
        assert bench.librato.doubled == []

    def test_slow(self, bench: Bench) -> None:
        """No answer in time is none; there are never two requests at once."""
        bench = Bench(evolve(SOURCE, period=2.0))
        bench.librato.trouble = slow()
        bench.start()
        bench.pass_seconds(9)
        assert len(bench.librato.asked) == 1
        bench.pass_seconds(3)
        assert len(bench.librato.asked) == 2
        bench.librato.trouble = None
        bench.pass_seconds(60)
        assert len(bench.librato.values(HELD)) > 30

    def test_back_off(self, bench: Bench) -> None:
        """The pauses grow, up to five minutes; afterwards all is as before."""
        bench.librato.trouble = maintenance()
        bench.start()
        instants: list[int] = []
        for second in range(3600):
            bench.pass_seconds(1)
            if len(bench.librato.asked) > len(instants) + 1:
                instants.append(second + 1)
        gaps = [after - before for before, after in pairwise([0, *instants])]
        assert gaps[:6] == [60, 120, 240, 300, 300, 300]
        bench.librato.trouble = None
        bench.pass_seconds(360)
        asked = len(bench.librato.asked)
        bench.pass_seconds(120)
        assert len(bench.librato.asked) == asked + 2

    def test_pauses_anew(self, bench: Bench) -> None:
        """After a recovery the pauses begin small again."""
        bench.librato.troubles.extend([maintenance()] * 3)
        bench.start()
        bench.pass_seconds(480)
        asked = len(bench.librato.asked)
        bench.librato.trouble = maintenance()
        bench.pass_seconds(120)
        assert len(bench.librato.asked) == asked + 2

    def test_losses_anew(self, bench: Bench) -> None:
        """After a recovery losses are counted from none."""
        bench.librato.trouble = garbage(401)
        bench.start()
        with logged() as lines:
            bench.librato.trouble = None
            bench.pass_seconds(60)
            bench.librato.trouble = garbage(401)
            bench.pass_seconds(60)
            bench.librato.trouble = None
            bench.pass_seconds(60)
        again = f"Librato takes measurements again; {FIGURES} were lost"
        assert [line for line in lines() if "again" in line] == [again] * 2

    @pytest.mark.parametrize(
        ("retry_after", "second"), [("1", 60), ("90", 120), ("600", 600), ("999999", 3600)]
    )
    def test_retry_after(self, bench: Bench, retry_after: str, second: int) -> None:
        """Librato says when it wants to be asked again, and is not asked before."""
        bench.librato.troubles.append(rate_limited(retry_after=retry_after))
        bench.start()
        bench.pass_seconds(second - 1)
        assert len(bench.librato.asked) == 1
        bench.pass_seconds(1)
        assert len(bench.librato.asked) >= 2

    def test_stale(self, bench: Bench) -> None:
        """What has waited for five minutes is not sent any more."""
        bench.librato.trouble = maintenance()
        bench.start()
        for _ in range(20):
            bench.check()
            bench.pass_seconds(60)
        bench.librato.trouble = None
        bench.pass_seconds(360)
        oldest = max(sample.received - sample.at for sample in bench.librato.samples)
        assert STALE - 60 <= oldest <= STALE

    def test_long_period(self) -> None:
        """With a long period what was measured at its beginning is not stale at its end."""
        bench = Bench(evolve(SOURCE, period=3600.0))
        bench.start()
        bench.pass_seconds(1)
        bench.check()
        bench.pass_seconds(3600)
        assert bench.librato.values(UP) == [1]

    def test_bound(self, bench: Bench) -> None:
        """With too much to keep, the oldest is lost, and the loss told when all is well again."""
        bench.librato.trouble = maintenance()
        bench.start()
        for number in range(MOST // 2 + 50):
            bench.check(evolve(WEB, name=f"web-{number}"))
        bench.librato.trouble = None
        with logged() as lines:
            bench.pass_seconds(60)
        assert len(bench.librato.samples) == MOST
        assert lines() == [f"Librato takes measurements again; {100 + 2 * FIGURES} were lost"]

    def test_part(self, bench: Bench) -> None:
        """What was taken before the trouble is not sent again."""
        for number in range(200):
            bench.check(evolve(WEB, name=f"web-{number}"))
        bench.librato.troubles.extend([Trouble(waits=True), maintenance()])
        bench.start()
        bench.release()
        assert bench.posts() == [300, 100 + FIGURES]
        assert len(bench.librato.samples) == 300
        bench.pass_seconds(60)
        assert bench.posts() == [300, 100 + FIGURES, 100 + 2 * FIGURES]
        assert bench.librato.doubled == []

    def test_refused(self, bench: Bench) -> None:
        """What is refused is lost, and the rest is sent all the same."""
        bench.librato.metrics["boomerang.check.up"] = {"name": UP, "type": "counter"}
        bench.start()
        bench.check()
        with logged() as lines:
            bench.pass_seconds(60)
            assert bench.librato.values(UP) == []
            bench.pass_seconds(60)
        assert len(bench.librato.values(HELD)) == 2
        assert lines() == [
            "Librato refuses measurements, they are lost:"
            " 400: params: type: boomerang.check.up is a counter",
            f"Librato takes measurements again; {2 + FIGURES} were lost",
        ]

    def test_one_refused(self, bench: Bench) -> None:
        """A refused request costs no other."""
        bench.librato.metrics[UP] = {"name": UP, "type": "counter"}
        bench.check()
        for number in range(400):
            bench.check(evolve(WEB, name=f"web-{number}", interval=60.0), seconds=1.0)
        bench.librato.troubles.append(garbage(400, b'{"errors": {"params": {"name": ["is bad"]}}}'))
        del bench.librato.metrics[UP]
        bench.start()
        assert bench.posts() == [300, 300, 202 + FIGURES]
        assert len(bench.librato.samples) == 502 + FIGURES

    def test_unauthorized(self) -> None:
        """With a wrong token nothing is kept, one request a period is made, one line logged."""
        bench = Bench(evolve(SOURCE, token="wrong"))
        for number in range(400):
            bench.check(evolve(WEB, name=f"web-{number}"))
        with logged() as lines:
            bench.start()
            assert len(bench.librato.asked) == 1
            bench.pass_seconds(180)
        assert len(bench.librato.asked) == 4
        assert lines() == [
            "Librato refuses measurements, they are lost: 401: HTTP Basic: Access denied."
        ]

    @pytest.mark.parametrize(
        ("said", "line"),
        [
            (b'{"measurements": {"summary": {"failed": 3}}}', "some were not taken: 3 failed"),
            (b'{"errors": [{"reason": "old"}]}', "some were not taken: reason: old"),
        ],
    )
    def test_accepted_and_failed(self, said: bytes, line: str) -> None:
        """An answer of success that speaks of failures is none."""
        bench = Bench(TAGS)
        bench.librato.trouble = garbage(202, said)
        with logged() as lines:
            bench.start()
        assert lines() == [f"Librato refuses measurements, they are lost: {line}"]

    def test_lines(self, bench: Bench) -> None:
        """There is one line for each change, whatever happens in between."""
        with logged() as lines:
            bench.start()
            bench.pass_seconds(120)
            for trouble in (maintenance(), rate_limited(), garbage(502), dropped()):
                bench.librato.trouble = trouble
                bench.pass_seconds(600)
            bench.librato.trouble = garbage(404)
            bench.pass_seconds(600)
            bench.librato.trouble = None
            bench.pass_seconds(600)
        first, second, third = lines()
        assert first == (
            "Librato does not take measurements for now: 503: system: The API is in maintenance"
        )
        assert second == "Librato refuses measurements, they are lost: 404: an HTML page"
        assert third.startswith("Librato takes measurements again; ")


class TestStopping:
    """The end of the process."""

    def test_flush(self, bench: Bench) -> None:
        """What is queued is sent, figures included, and nothing afterwards."""
        bench.start()
        bench.pass_seconds(10)
        bench.check()
        assert stop(bench.reporter)()
        assert bench.librato.values(UP) == [1]
        assert len(bench.librato.values(HELD)) == 2
        bench.pass_seconds(300)
        assert len(bench.librato.asked) == 2
        assert bench.clock.getDelayedCalls() == []

    def test_before_the_first_period(self) -> None:
        """It may come before anything was sent."""
        bench = Bench(offset=0.5)
        bench.start()
        bench.check()
        assert stop(bench.reporter)()
        assert bench.librato.values(UP) == [1]
        assert bench.clock.getDelayedCalls() == []

    def test_slow(self, bench: Bench) -> None:
        """An endpoint that does not answer holds the end up for two seconds."""
        bench.start()
        bench.check()
        bench.librato.trouble = slow()
        stopped = stop(bench.reporter)
        bench.clock.advance(LAST_FLUSH - 0.1)
        assert not stopped()
        with logged() as lines:
            bench.clock.advance(0.1)
        assert stopped()
        assert lines() == [f"{2 + FIGURES} measurements could not be sent before the end"]
        assert bench.clock.getDelayedCalls() == []

    def test_while_sending(self, bench: Bench) -> None:
        """What is being sent is waited for, then the rest is sent."""
        bench.librato.troubles.append(slow())
        bench.start()
        bench.pass_seconds(5)
        bench.check()
        stopped = stop(bench.reporter)
        assert not stopped()
        bench.release()
        assert stopped()
        assert bench.librato.values(UP) == [1]
        assert len(bench.librato.values(HELD)) == 2
        assert bench.librato.doubled == []

    def test_while_sending_slowly(self, bench: Bench) -> None:
        """That takes two seconds at most, too."""
        bench.librato.trouble = slow()
        bench.start()
        bench.check()
        stopped = stop(bench.reporter)
        with logged() as lines:
            bench.clock.advance(LAST_FLUSH)
        assert stopped()
        assert len(bench.librato.asked) == 1
        assert lines() == [f"{2 + FIGURES} measurements could not be sent before the end"]
        assert bench.clock.getDelayedCalls() == []

    @pytest.mark.parametrize(
        ("trouble", "left"),
        [(maintenance(), 3 * FIGURES), (dropped(), 3 * FIGURES), (garbage(401), 0)],
    )
    def test_in_trouble(self, bench: Bench, trouble: Trouble, left: int) -> None:
        """An endpoint that is not well is tried once more, pause or not."""
        bench.librato.trouble = trouble
        bench.start()
        bench.pass_seconds(70)
        asked = len(bench.librato.asked)
        with logged() as lines:
            assert stop(bench.reporter)()
        assert len(bench.librato.asked) == asked + 1
        line = f"{left} measurements could not be sent before the end"
        assert lines() == ([line] if left else [])
        assert bench.clock.getDelayedCalls() == []

    def test_before_start(self, bench: Bench) -> None:
        """It needs not have been started."""
        assert stop(bench.reporter)()


class TestMistakes:
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here something critical is to be logged, and each test says what."""

    def test_figures(self) -> None:
        """A mistake in the figures costs them, and nothing else."""

        def held() -> int:
            raise ZeroDivisionError

        bench = Bench(held=held)
        bench.check()
        with capturedLogs() as events:
            bench.start()
            bench.check(APP)
            bench.pass_seconds(60)
        critical = [each for each in events if each["log_level"] is LogLevel.critical]
        assert [each["log_failure"].type for each in critical] == [ZeroDivisionError] * 2
        assert bench.librato.values(UP) == [1, 1]

    def test_sending(self, bench: Bench) -> None:
        """A mistake in sending costs what was to be sent, and no later report."""

        class Broken:
            async def post(self, path: str, document: object) -> None:
                raise ZeroDivisionError

        broken: Any = Broken()
        reporter = LibratoReporter(
            broken,
            settings=SOURCE,
            environment="test",
            tally=Tally(held=lambda: 0),
            clock=bench.clock,
            wall_clock=bench.wall_clock,
            random=lambda: 0.0,
        )
        with capturedLogs() as events:
            reporter.startService()
            bench.pass_seconds(125)
        critical = [each for each in events if each["log_level"] is LogLevel.critical]
        assert [each["log_failure"].type for each in critical] == [ZeroDivisionError] * 3
