"""The stand-in for Librato: which measurements it takes, and which it refuses."""

from __future__ import annotations

import pytest

from tests.fakes.librato_account import NOW, Account, gauges, measurements


class TestMetrics:
    """``POST /v1/metrics``."""

    def test_taken(self, account: Account) -> None:
        """The answer is an empty 200; inner values win over those at the top."""
        one = {"name": "a", "value": 1}
        two = {"name": "B", "count": 3, "sum": 0.9, "min": 0.2, "max": 0.4, "source": "x"}
        document = gauges(one, two, source="web", measure_time=NOW - 60)
        assert account.ask("POST", "metrics", document) == (200, b"")
        first, second = account.librato.samples
        assert (first.metric, first.value, first.source, first.at) == ("a", 1, "web", NOW - 60)
        assert (second.source, second.count, second.max) == ("x", 3, 0.4)
        assert second.value == pytest.approx(0.3)

    @pytest.mark.parametrize(
        "document",
        [
            {"gauges": {"a": {"value": 1}}},
            {"gauges": {"0": {"name": "a", "value": 1}}},
            {"counters": [{"name": "a", "value": 1}]},
        ],
    )
    def test_forms(self, account: Account, document: object) -> None:
        """Measurements may be in an object by name or by number, and may be counters."""
        assert account.ask("POST", "metrics", document) == (200, b"")
        assert account.librato.values("a") == [1]

    def test_defaults(self, account: Account) -> None:
        """Without a time it is now, without a source there is none; the smallest are zero."""
        account.ask("POST", "metrics", gauges({"name": "a", "value": 1e-200}))
        (sample,) = account.librato.samples
        assert (sample.at, sample.source, sample.value) == (NOW, None, 0)

    @pytest.mark.parametrize(
        ("one", "param"),
        [
            ({"name": "a b", "value": 1}, "name"),
            ({"name": "é", "value": 1}, "name"),
            ({"name": "a" * 256, "value": 1}, "name"),
            ({"value": 1}, "name"),
            ({"name": "a"}, "value"),
            ({"name": "a", "value": None}, "value"),
            ({"name": "a", "value": "1"}, "value"),
            ({"name": "a", "value": True}, "value"),
            ({"name": "a", "value": 1e127}, "value"),
            ({"name": "a", "value": -1e127}, "value"),
            ({"name": "a", "value": 1, "source": "a b"}, "source"),
            ({"name": "a", "value": 1, "source": "all"}, "source"),
            ({"name": "a", "value": 1, "source": "ALL"}, "source"),
            ({"name": "a", "value": 1, "source": ""}, "source"),
            ({"name": "a", "value": 1, "measure_time": NOW + 0.5}, "measure_time"),
            ({"name": "a", "value": 1, "measure_time": str(NOW)}, "measure_time"),
            ({"name": "a", "value": 1, "measure_time": NOW - 100_000}, "measure_time"),
            ({"name": "a", "value": 1, "measure_time": NOW + 100_000}, "measure_time"),
            ({"name": "a", "value": 1, "count": 1, "sum": 1}, "count"),
            ({"name": "a", "count": 1}, "count"),
            ({"name": "a", "count": 0, "sum": 0}, "count"),
            ({"name": "a", "sum": 1}, "value"),
            ({"name": "a", "value": 1, "period": 0.5}, "period"),
            ({"name": "a", "value": 1, "attributes": []}, "attributes"),
            ("a", "gauge"),
        ],
    )
    def test_refused(self, account: Account, one: object, param: str) -> None:
        """One bad measurement is named, and costs all others of the request."""
        good = {"name": "good", "value": 1}
        status, said = account.ask("POST", "metrics", gauges(good, one, good))
        assert (status, list(said["errors"]["params"])) == (400, [param])
        assert account.librato.samples == []
        assert account.librato.metrics == {}

    def test_nothing(self, account: Account) -> None:
        """There must be a measurement."""
        assert account.ask("POST", "metrics", gauges())[0] == 400

    def test_type(self, account: Account) -> None:
        """A name has one type for good, in whatever case it is written."""
        account.measure("Hits", 1)
        status, said = account.ask("POST", "metrics", {"counters": [{"name": "hits", "value": 1}]})
        assert (status, list(said["errors"]["params"])) == (400, ["type"])

    def test_doubled(self, account: Account) -> None:
        """Two of a stream in one second are told to the test: one of them would be lost."""
        account.measure("a", 1)
        assert account.librato.doubled == []
        account.measure("A", 2)
        assert [sample.value for sample in account.librato.doubled] == [2]

    def test_tags_only(self, tagged: Account) -> None:
        """An account without sources takes none of it."""
        assert tagged.ask("POST", "metrics", gauges({"name": "a", "value": 1}))[0] == 400

    def test_metadata(self, account: Account) -> None:
        """Properties count for the first measurement alone, and are changed by PUT."""
        for period in (60, 10):
            one = {"name": "a", "value": 1, "period": period, "attributes": {"display_min": 0}}
            account.ask("POST", "metrics", gauges(one))
        status, metric = account.ask("GET", "metrics/A")
        assert (status, metric["type"], metric["period"]) == (200, "gauge", 60)
        assert metric["attributes"]["display_min"] == 0
        assert metric["attributes"]["created_by_ua"].startswith("boomerang/")
        change = {"period": 10, "attributes": {"display_units_short": "s"}}
        assert account.ask("PUT", "metrics/a", change)[0] == 204
        changed = account.ask("GET", "metrics/a")[1]
        assert changed["period"] == 10
        assert changed["attributes"].keys() >= {"display_min", "display_units_short"}
        assert account.ask("PUT", "metrics/b", {"type": "gauge"})[0] == 201
        assert account.ask("PUT", "metrics/c", {})[0] == 400
        names = [each["name"] for each in account.ask("GET", "metrics?name=B")[1]["metrics"]]
        assert names == ["b"]
        assert account.ask("DELETE", "metrics/a")[0] == 204
        assert account.ask("GET", "metrics/a")[0] == 404


class TestMeasurements:
    """``POST /v1/measurements``."""

    def test_taken(self, tagged: Account) -> None:
        """202, and a word on how many failed; own tags take the place of those at the top."""
        one = {"name": "a", "value": 1, "tags": {"Check": "Web"}}
        two = {"name": "b", "count": 2, "sum": 1.0, "last": 0.5, "stddev": 0.0}
        document = measurements(one, two, tags={"environment": "test"}, time=NOW - 5)
        status, said = tagged.ask("POST", "measurements", document)
        assert (status, said["measurements"]["summary"]["failed"]) == (202, 0)
        first, second = tagged.librato.samples
        assert (first.tags, first.at, first.value) == ({"check": "web"}, NOW - 5, 1)
        assert (second.tags, second.value) == ({"environment": "test"}, 0.5)

    @pytest.mark.parametrize(
        ("one", "param"),
        [
            ({"name": "a", "value": 1}, "tags"),
            ({"name": "a", "value": 1, "tags": {}}, "tags"),
            ({"name": "a", "value": 1, "tags": {"a b": "c"}}, "tags"),
            ({"name": "a", "value": 1, "tags": {"a" * 65: "c"}}, "tags"),
            ({"name": "a", "value": 1, "tags": {"a": ""}}, "tags"),
            ({"name": "a", "value": 1, "tags": {"a": "é"}}, "tags"),
            ({"name": "a", "value": 1, "tags": {"a": 1}}, "tags"),
            ({"name": "a", "value": 1, "tags": {f"t{n}": "x" for n in range(51)}}, "tags"),
            ({"name": "a", "value": 1, "tags": {"a": "b"}, "source": "x"}, "source"),
            ({"name": "a", "value": 1, "tags": {"a": "b"}, "measure_time": NOW}, "measure_time"),
            ({"name": "a", "value": 1, "tags": {"a": "b"}, "time": NOW + 0.5}, "time"),
            ({"name": "a", "value": 1, "tags": {"a": "b"}, "time": NOW - 100_000}, "time"),
            ({"name": "a", "tags": {"a": "b"}}, "value"),
            ({"name": "a b", "value": 1, "tags": {"a": "b"}}, "name"),
            (
                {"name": "a", "count": 1, "sum": 1, "sum_squares": 1, "tags": {"a": "b"}},
                "sum_squares",
            ),
        ],
    )
    def test_refused(self, tagged: Account, one: object, param: str) -> None:
        """What is wrong is named."""
        status, said = tagged.ask("POST", "measurements", measurements(one))
        assert (status, list(said["errors"]["params"])) == (400, [param])
        assert tagged.librato.samples == []

    @pytest.mark.parametrize("document", [{}, {"measurements": []}, {"measurements": {}}])
    def test_not_understood(self, tagged: Account, document: object) -> None:
        """What has no measurements gets the status of a rate limit."""
        assert tagged.ask("POST", "measurements", document)[0] == 429

    def test_sources_only(self, account: Account) -> None:
        """An old account takes none of it."""
        one = {"name": "a", "value": 1, "tags": {"a": "b"}}
        assert account.ask("POST", "measurements", measurements(one))[0] == 400
