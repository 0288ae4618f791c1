"""The stand-in for Librato: which alerts it raises."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.librato_account import ABOVE, ABSENT, NOW, Account, gauges, measurements


class TestFiring:
    """Which alerts are raised; the clock stands at the last measurement unless it is moved."""

    TIME = "boomerang.check.time"
    UP = "boomerang.check.up"

    def feed(self, account: Account, name: str, *points: tuple[float, float], **more: Any) -> None:
        for at, value in points:
            account.measure(name, value, at=at, **more)

    @pytest.mark.parametrize(
        ("values", "fires"),
        [
            ((1, 6), True),
            ((6, 6), True),
            ((6, 1), False),
            ((1, 5), False),  # equal is not above
            ((6,), False),  # one measurement never is enough
            ((), False),
        ],
    )
    def test_above(self, account: Account, values: tuple[float, ...], fires: bool) -> None:
        """Without a duration the last measurement counts; any normal one clears."""
        account.alert()
        self.feed(account, self.TIME, *enumerate(values, start=1))
        assert account.librato.firing() == ({"boomerang.web.slow"} if fires else set())

    @pytest.mark.parametrize(
        ("values", "fires"), [((1, 0), True), ((0, 1), False), ((1, 1), False)]
    )
    def test_below(self, account: Account, values: tuple[float, ...], fires: bool) -> None:
        """Below is the same the other way round."""
        account.alert("down", {**ABOVE, "type": "below", "metric_name": self.UP, "threshold": 1})
        self.feed(account, self.UP, *enumerate(values, start=1))
        assert account.librato.firing() == ({"down"} if fires else set())

    def test_ever(self, account: Account) -> None:
        """An alert that has cleared has been raised all the same."""
        account.alert()
        self.feed(account, self.TIME, (1, 1), (2, 6), (3, 1))
        assert account.librato.firing() == set()
        assert account.librato.ever_fired() == {"boomerang.web.slow"}

    def test_duration(self, account: Account) -> None:
        """With a duration every point of that time must violate."""
        account.alert("a", {**ABOVE, "duration": 120})
        self.feed(account, self.TIME, (0, 6), (60, 6))
        assert account.librato.firing() == set()
        self.feed(account, self.TIME, (120, 6))
        assert account.librato.firing() == {"a"}
        self.feed(account, self.TIME, (180, 1), (240, 6), (300, 6))
        assert account.librato.firing() == set()

    def test_duration_needs_points(self, account: Account) -> None:
        """A stream that fell silent does not violate for ever."""
        account.alert("a", {**ABOVE, "duration": 120})
        self.feed(account, self.TIME, (0, 6), (60, 6))
        account.bench.clock.advance(300)
        assert account.librato.firing() == set()

    def test_absent(self, account: Account) -> None:
        """A stream must have been there before it can be missed; any measurement clears."""
        account.alert("absent", ABSENT)
        account.bench.clock.advance(1000)
        assert account.librato.firing() == set()
        self.feed(account, self.UP, (1000, 1), (1060, 1))
        account.bench.clock.advance(299)
        assert account.librato.firing() == set()
        account.bench.clock.advance(1)
        assert account.librato.firing() == {"absent"}
        self.feed(account, self.UP, (1400, 0))
        assert account.librato.firing() == set()
        assert account.librato.ever_fired() == {"absent"}

    def test_absent_and_forgotten(self, account: Account) -> None:
        """After ten days of silence an alert clears."""
        account.alert("absent", ABSENT)
        self.feed(account, self.UP, (0, 1), (60, 1))
        account.bench.clock.advance(11 * 86_400)
        assert account.librato.firing() == set()

    def test_updated(self, account: Account) -> None:
        """What came before an alert was changed does not count."""
        made = account.alert()
        self.feed(account, self.TIME, (1, 6), (2, 6))
        account.bench.clock.advance(1)
        account.ask("PUT", f"alerts/{made['id']}", {"name": "a", "conditions": [ABOVE]})
        assert account.librato.firing() == set()

    def test_all_conditions(self, account: Account) -> None:
        """All conditions must hold, each for some stream of its own."""
        up = {**ABOVE, "type": "below", "metric_name": self.UP, "threshold": 1, "source": "*"}
        account.alert("both", ABOVE, up)
        self.feed(account, self.TIME, (1, 6), (2, 6))
        assert account.librato.firing() == set()
        self.feed(account, self.UP, (3, 0), (4, 0), source="other")
        assert account.librato.firing() == {"both"}

    @pytest.mark.parametrize("active", [True, False])
    def test_none(self, account: Account, active: bool) -> None:
        """An alert that is not active, or has no conditions, is never raised."""
        account.ask("POST", "alerts", {"name": "a", "conditions": [], "active": active})
        if not active:
            account.alert("b", ABOVE, active=False)
        self.feed(account, self.TIME, (1, 6), (2, 6))
        assert account.librato.ever_fired() == set()

    @pytest.mark.parametrize(
        ("source", "fires"),
        [("web", True), ("WEB", True), ("w*", True), ("*", True), (None, True), ("we", False)],
    )
    def test_source(self, account: Account, source: str | None, fires: bool) -> None:
        """A source may have a wildcard; letter case does not count."""
        account.alert("a", {**ABOVE, "source": source})
        self.feed(account, self.TIME, (1, 6), (2, 6), source="Web")
        assert bool(account.librato.firing()) is fires

    @pytest.mark.parametrize(
        ("tags", "fires"),
        [
            ([{"name": "check", "values": ["web"]}], True),
            ([{"name": "Check", "values": ["api", "we*"]}], True),
            ([{"name": "check", "values": ["api"]}], False),
            ([{"name": "check", "values": ["web"]}, {"name": "dyno", "values": ["*"]}], False),
            ([], True),
        ],
    )
    def test_tags(self, tagged: Account, tags: list[Any], fires: bool) -> None:
        """All tags of a condition must be there, with one of the values."""
        tagged.alert("a", {**ABOVE, "source": "*", "tags": tags})
        for at in (1, 2):
            one = {"name": self.TIME, "value": 6, "tags": {"check": "web"}, "time": NOW + at}
            tagged.ask("POST", "measurements", measurements(one))
        tagged.bench.clock.advance(2)
        assert bool(tagged.librato.firing()) is fires

    @pytest.mark.parametrize(
        ("function", "threshold", "fires"),
        [
            ("min", 0.5, True),
            ("max", 3.5, True),
            ("average", 2.5, False),
            (None, 1.5, True),
            ("sum", 5.5, True),
            ("count", 2.5, True),
            ("count", 3.5, False),
            ("derivative", 0.5, False),
        ],
    )
    def test_summary(
        self, account: Account, function: str | None, threshold: float, fires: bool
    ) -> None:
        """What is compared is what the condition says of several values: here of 1, 1 and 4."""
        account.alert("a", {**ABOVE, "summary_function": function, "threshold": threshold})
        for at in (1, 2):
            one = {"name": self.TIME, "count": 3, "sum": 6, "min": 1, "max": 4, "source": "web"}
            account.ask("POST", "metrics", gauges(one, measure_time=NOW + at))
        account.bench.clock.advance(2)
        assert bool(account.librato.firing()) is fires

    @pytest.mark.parametrize(("reset", "fires"), [(True, False), (False, True)])
    def test_derivative(self, account: Account, reset: bool, fires: bool) -> None:
        """A counter that went down has been reset, unless the condition says otherwise."""
        below = {**ABOVE, "type": "below", "threshold": 0, "summary_function": "derivative"}
        account.alert("a", {**below, "detect_reset": reset})
        self.feed(account, self.TIME, (1, 10), (2, 3))
        assert bool(account.librato.firing()) is fires
