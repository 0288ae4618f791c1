"""The geometry of the page's charts."""

from __future__ import annotations

import re
from math import sqrt
from random import Random

import pytest

from boomerang.status.charts import Bar, held_bars, hour_bars, response_line
from boomerang.status.checks import Run
from boomerang.status.overview import MinuteNow
from boomerang.status.report import HeldNow


def run(seconds: float, *, well: bool = True) -> Run:
    return Run(at=0.0, seconds=seconds, well=well)


class TestHour:
    def test_stacked(self) -> None:
        """The fullest minute is as high as the chart; what was lost stands at the bottom."""
        hour = [MinuteNow(0, 0, 0, 0), MinuteNow(60, 5, 3, 2)]
        bars = hour_bars(hour, width=100, height=50)
        assert bars == [
            Bar(50, 40, 40, 10, "lost"),
            Bar(50, 25, 40, 15, "apologised"),
            Bar(50, 0, 40, 25, "saved"),
        ]

    def test_nothing(self) -> None:
        """An hour in which nothing happened has no bars."""
        assert hour_bars([MinuteNow(0, 0, 0, 0)] * 60, width=100, height=50) == []

    def test_one_among_many(self) -> None:
        """One lost caller is seen beside a thousand saved ones, whose bar leaves room for it."""
        hour = [MinuteNow(0, 1000, 0, 0), MinuteNow(60, 0, 0, 1), MinuteNow(120, 999, 1, 1)]
        bars = hour_bars(hour, width=90, height=50)
        assert [(each.kind, each.y, each.height) for each in bars[1:]] == [
            ("lost", 49, 1),
            ("lost", 49, 1),
            ("apologised", 48, 1),
            ("saved", 0, 48),
        ]


class TestHeld:
    def test_wander(self) -> None:
        """Those with the least time left stand at the right."""
        left = (4, 2, *[0] * 13, 1)
        bars = held_bars(HeldNow(7, left), width=160, height=40)
        assert [(each.x, each.y, each.height) for each in bars] == [
            (150, 0, 40),
            (140, 20, 20),
            (0, 30, 10),
        ]
        assert bars[0].title == "4 with 0 to 1 s left"

    def test_nobody(self) -> None:
        """Nobody is held, so there is nothing to see."""
        assert held_bars(HeldNow(), width=160, height=40) == []


class TestResponses:
    def test_pieces(self) -> None:
        """The newest run stands at the right edge; a failure parts the line."""
        runs = [run(0.0), run(7.0), run(1.75), run(2.0, well=False), run(1.75)]
        line = response_line(runs, most=10, height=20)
        assert line.path == "M5 20l1-20l1 10M9 10"
        assert line.failures == (8,)
        assert line.slowest == 7.0

    def test_no_drift(self) -> None:
        """What is rounded from run to run does not add up: the line ends where its last run is."""
        random = Random(7)
        runs = [run(random.uniform(0.0, 7.0)) for _ in range(100)]
        line = response_line(runs, most=100, height=160)
        heights = [int(step) for step in re.findall(r"(?:M0 |l1 ?)(-?\d+)", line.path)]
        assert len(heights) == 100
        assert sum(heights) == round(160 - 160 * sqrt(runs[-1].seconds / 7))

    @pytest.mark.parametrize("runs", [[], [run(1.0, well=False)]])
    def test_nothing(self, runs: list[Run]) -> None:
        """Without a run that went well there is no line."""
        assert response_line(runs, most=5, height=20).path == ""

    def test_mark(self) -> None:
        """The mark of 5 s is always there, lower where something took longer than 7 s."""
        assert response_line([], most=5, height=20).mark == 3
        assert response_line([run(20.0)], most=5, height=20).mark == 10
