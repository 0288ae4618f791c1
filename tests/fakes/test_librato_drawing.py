"""The stand-in for Librato: annotations, spaces and charts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.fakes.librato_account import NOW, Account


class TestAnnotations:
    """Events on charts."""

    def test_life(self, account: Account) -> None:
        """An event makes its stream, gets an end, and is found by its time and source."""
        event = {"title": "down", "source": "web", "description": "x", "start_time": NOW}
        status, made = account.ask("POST", "annotations/outages", event)
        assert (status, made["title"], made["end_time"]) == (201, "down", None)
        path = f"annotations/outages/{made['id']}"
        assert account.ask("PUT", path, {"end_time": NOW + 9}) == (204, b"")
        ended = {**made, "end_time": NOW + 9}
        assert account.ask("GET", path) == (200, ended)
        found = account.ask("GET", f"annotations/outages?start_time={NOW}")[1]
        assert found["events"] == [{"web": [ended]}]
        assert account.ask("GET", f"annotations/outages?start_time={NOW + 1}")[1]["events"] == [{}]
        streams = account.ask("GET", "annotations")[1]["annotations"]
        assert [stream["name"] for stream in streams] == ["outages"]
        assert account.ask("DELETE", "annotations/outages")[0] == 204

    @pytest.mark.parametrize(
        ("document", "param"),
        [
            ({}, "title"),
            ({"title": ""}, "title"),
            ({"title": "a", "source": "a b"}, "source"),
            ({"title": "a", "description": 1}, "description"),
            ({"title": "a", "start_time": NOW + 0.5}, "start_time"),
            ({"title": "a", "start_time": NOW, "end_time": "later"}, "end_time"),
            ({"title": "a", "start_time": NOW, "end_time": NOW - 1}, "end_time"),
            ({"title": "a", "links": [{"rel": "x"}]}, "links"),
            ({"title": "a", "colour": "red"}, "colour"),
        ],
    )
    def test_refused(self, account: Account, document: object, param: str) -> None:
        """What is wrong is named."""
        status, said = account.ask("POST", "annotations/a", document)
        assert (status, list(said["errors"]["params"])) == (400, [param])

    def test_unknown(self, account: Account) -> None:
        """What was never made has no end; what is asked for must be bounded."""
        assert account.ask("PUT", "annotations/a/7", {"end_time": NOW})[0] == 404
        account.ask("POST", "annotations/a", {"title": "x"})
        assert account.ask("PUT", "annotations/a/7", {"end_time": NOW})[0] == 404
        assert account.ask("GET", "annotations/a")[0] == 400


class TestSpaces:
    """Dashboards."""

    STREAM: Mapping[str, object] = {
        "metric": "boomerang.check.time",
        "source": "*",
        "group_function": "breakout",
        "summary_function": "max",
    }

    def test_life(self, account: Account) -> None:
        """A space has charts, a chart has streams; changed streams replace the old ones."""
        status, space = account.ask("POST", "spaces", {"name": "boomerang"})
        assert status == 201
        charts = f"spaces/{space['id']}/charts"
        chart = {"name": "Times", "type": "line", "streams": [self.STREAM]}
        status, made = account.ask("POST", charts, chart)
        assert (status, made["name"], len(made["streams"])) == (201, "Times", 1)
        assert account.ask("GET", charts) == (200, [made])
        shown = account.ask("GET", f"spaces/{space['id']}")[1]
        assert shown == {**space, "charts": [{"id": made["id"]}]}
        renamed = account.ask("PUT", f"{charts}/{made['id']}", {"name": "Seconds"})[1]
        assert renamed["name"] == "Seconds"
        assert account.ask("GET", f"{charts}/{made['id']}") == (200, renamed)
        emptied = account.ask("PUT", f"{charts}/{made['id']}", {"streams": []})[1]
        assert emptied["streams"] == []
        assert account.ask("DELETE", f"{charts}/{made['id']}")[0] == 204
        assert account.ask("PUT", f"spaces/{space['id']}", {"name": "other"})[0] == 204
        assert account.ask("GET", "spaces?name=boomerang")[1]["spaces"] == []
        assert account.ask("DELETE", f"spaces/{space['id']}")[0] == 204
        assert account.ask("GET", charts)[0] == 404

    @pytest.mark.parametrize(
        ("chart", "param"),
        [
            ({}, "name"),
            ({"name": "a", "type": "pie"}, "type"),
            ({"name": "a", "type": "bignumber"}, "thresholds"),
            ({"name": "a", "streams": {}}, "streams"),
            ({"name": "a", "streams": ["x"]}, "streams"),
            ({"name": "a", "streams": [{}]}, "streams"),
            ({"name": "a", "streams": [{**STREAM, "group_function": "all"}]}, "streams"),
            ({"name": "a", "streams": [{**STREAM, "summary_function": "last"}]}, "streams"),
            ({"name": "a", "streams": [{**STREAM, "tags": [{"name": "a"}]}]}, "streams"),
            ({"name": "a", "streams": [{**STREAM, "composite": "x"}]}, "streams"),
            ({"name": "a", "colour": "red"}, "colour"),
        ],
    )
    def test_chart_refused(self, account: Account, chart: object, param: str) -> None:
        """What is wrong with a chart is named."""
        space = account.ask("POST", "spaces", {"name": "a"})[1]
        status, said = account.ask("POST", f"spaces/{space['id']}/charts", chart)
        assert (status, list(said["errors"]["params"])) == (400, [param])

    def test_nameless(self, account: Account) -> None:
        """A space has a name."""
        assert account.ask("POST", "spaces", {})[0] == 400
