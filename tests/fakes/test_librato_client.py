"""Librato's official Python client gets along with the stand-in, on a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from librato import exceptions  # type: ignore[import-untyped]
from librato.aggregator import Aggregator  # type: ignore[import-untyped]

from tests.fakes.librato_account import NOW
from tests.fakes.librato_answers import dropped, rate_limited
from tests.fakes.librato_served import Served, serve


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def served() -> Any:
    served = await serve()
    yield served
    await served.close()


class TestOfficialClient:
    """python-librato 3.1.0 gets along with it."""

    async def test_metrics(self, served: Served) -> None:
        """Gauges, counters, queues, aggregators and tags arrive."""
        api = served.client

        def send() -> None:
            api.submit("a", 1.5, source="x", measure_time=NOW)
            api.submit("hits", 7, type="counter", source="x")
            api.submit("b", 2, tags={"check": "web"}, time=NOW)
            with api.new_queue() as queue:
                queue.add("c", 3, source="x")
                queue.add("d", 4, tags={"check": "web"})
            aggregator = Aggregator(api, source="x", measure_time=NOW)
            aggregator.add("ping", 0.25)
            aggregator.add("ping", 0.75)
            aggregator.submit()

        await served.do(send)
        values = {name: served.fake.values(name) for name in ("a", "hits", "b", "c", "d", "ping")}
        assert values == {"a": [1.5], "hits": [7], "b": [2], "c": [3], "d": [4], "ping": [0.5]}
        names = await served.do(lambda: [metric.name for metric in api.list_all_metrics()])
        assert sorted(names) == ["a", "b", "c", "d", "hits", "ping"]
        metric = await served.do(api.get, "a")
        assert metric.attributes["created_by_ua"].startswith("python-librato/3.1.0")

    async def test_alerts(self, served: Served) -> None:
        """An alert is created, found, changed and deleted, with its service."""
        api = served.client
        served.fake.services["849"] = {"id": "849", "type": "mail", "title": "Ops", "settings": {}}

        def create() -> Any:
            alert = api.create_alert("web.slow", services=[849], description="slow")
            alert.add_condition_for("time", "web").above(5, "max")
            alert.add_condition_for("up", "web").stops_reporting_for(300)
            return alert.save()

        await served.do(create)
        (stored,) = served.fake.alerts.values()
        assert [each["type"] for each in stored["conditions"]] == ["above", "absent"]

        def change() -> Any:
            alert = api.get_alert("web.slow")
            alert.description = "slower"
            return alert.save()

        await served.do(change)
        assert (stored["description"], stored["services"]) == ("slower", ["849"])
        assert len(stored["conditions"]) == 2
        names = await served.do(lambda: [alert.name for alert in api.list_alerts()])
        assert names == ["web.slow"]
        titles = await served.do(lambda: [service.title for service in api.list_services()])
        assert titles == ["Ops"]
        await served.do(api.delete_alert, "web.slow")
        assert served.fake.alerts == {}

    async def test_annotations(self, served: Served) -> None:
        """An annotation is made and read."""
        api = served.client
        made = await served.do(api.post_annotation, "starts", title="boomerang started", source="x")
        assert served.fake.streams["starts"][made["id"]]["title"] == "boomerang started"
        read = await served.do(api.get_annotation_stream, "starts", start_time=NOW - 1)
        assert read.events[0]["x"][0]["id"] == made["id"]

    async def test_spaces(self, served: Served) -> None:
        """A space is made and found, with its charts."""
        api = served.client

        def make() -> Any:
            space = api.create_space("boomerang")
            space.add_single_line_chart("Times", "time", group_function="breakout")
            return api.find_space("Boomerang").charts()

        (chart,) = await served.do(make)
        assert (chart.name, chart.streams[0].metric) == ("Times", "time")

    async def test_errors(self, served: Served) -> None:
        """The client understands what is refused, and limits."""
        api = served.client

        def message(call: Callable[[], object]) -> str:
            with pytest.raises(exceptions.ClientError) as caught:
                call()
            return str(caught.value)

        said = await served.do(message, lambda: api.submit("a b", 1))
        assert said == "[400] params: name: is invalid"
        api.api_key = b"wrong"
        assert "Access denied" in await served.do(message, lambda: api.submit("a", 1))
        assert "Authorization Required" in await served.do(message, api.list_metrics)
        served.fake.trouble = rate_limited()
        assert "API limit" in await served.do(message, lambda: api.submit("a", 1))

    async def test_dropped(self, served: Served) -> None:
        """A lost connection is one on a real socket, too."""
        served.fake.trouble = dropped()

        def fails() -> None:
            with pytest.raises(OSError):  # noqa: PT011
                served.client.list_metrics()

        await served.do(fails)
