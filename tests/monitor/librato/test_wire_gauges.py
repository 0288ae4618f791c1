"""What we send of measurements is what Librato's official client sends of them (3.1.0)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import frozen

from boomerang.monitor.librato.api import LibratoApi
from boomerang.monitor.librato.reporter import LibratoReporter
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.tally import Tally
from boomerang.outbound import Outbound
from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoSettings
from tests.fakes.librato import TOKEN, USER
from tests.fakes.librato_answers import Asked
from tests.fakes.librato_bench import EPOCH
from tests.fakes.librato_served import Served, serve
from tests.monitor.librato.driving import FAILED
from tests.servers import eventually

WEB = Check(name="web", url="https://app.example.com/")
APP = Check(name="app", url="https://app.example.com/", depends_on=("web",))

CAPTURED: dict[str, Any] = {
    "headers": [
        ("Host", "127.0.0.1:<port>"),
        ("Accept-Encoding", "identity"),
        ("Content-Length", "75"),
        ("Authorization", "Basic b3BzQGV4YW1wbGUuY29tOnNlY3JldC10b2tlbg=="),
        ("User-Agent", "python-librato/3.1.0 (python; 3.11.7; x86_64-Linux<release>)"),
        ("Content-Type", "application/json"),
    ],
    "body": {"gauges": [{"name": "name", "value": 1.5, "source": "x"}], "counters": []},
}
"""``api.submit("name", 1.5, type="gauge", source="x")``, as it was captured."""

SUMMARY = {"name", "count", "sum", "min", "max", "source"}
"""What a gauge of several values has, as the client's aggregator sends it."""


@frozen
class Wire:
    """The stand-in on a socket, and what it was sent by us."""

    served: Served
    outbound: Outbound

    async def report(self, dialect: str) -> Asked:
        """The request of a reporter, after some runs and some decisions."""
        from twisted.internet import reactor

        url = f"http://{self.served.host}/v1"
        settings = LibratoSettings(url=url, user=USER, token=TOKEN, dialect=dialect)
        api = LibratoApi.of(settings, self.outbound)
        assert api is not None
        tally = Tally(held=lambda: 2)
        reporter = LibratoReporter(
            api,
            settings=settings,
            environment="production",
            tally=tally,
            clock=reactor,
            wall_clock=lambda: EPOCH,
            random=lambda: 0.0,
        )
        held = Held(seconds=8.0, overshoot=0.25, early=False)
        tally.decided(FAILED, Decision(Kind.RETRY, 1, ""), held=held, degraded=False)
        reporter.checked(WEB, Result(at=EPOCH, seconds=0.5), affected=False)
        failed = Result(at=EPOCH, seconds=0.001, reason=Reason.CONNECT)
        reporter.checked(APP, failed, affected=True)
        reporter.startService()
        asked = self.served.fake.asked
        await eventually(lambda: len(asked) == 1, what="the report")
        await reporter.stopService()
        return asked[0]

    async def sent(self, call: Any, *args: Any, **options: Any) -> Asked:
        """The request that the official client makes of it."""
        self.served.fake.asked.clear()
        await self.served.do(call, *args, **options)
        (asked,) = self.served.fake.asked
        return asked


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def wire() -> AsyncIterator[Wire]:
    from twisted.internet import reactor

    wire = Wire(served=await serve(), outbound=Outbound(reactor))
    yield wire
    await wire.outbound.close()
    await wire.served.close()


def header_set(asked: Asked) -> dict[str, str]:
    """The headers, but those that name the client, the server, and the size of the body.

    What compression of answers a client understands is its own affair: treq says gzip.
    """
    different = ("user-agent", "host", "content-length", "accept-encoding")
    return {name.lower(): value for name, value in asked.headers if name.lower() not in different}


async def test_gauges(wire: Wire) -> None:
    """A report by sources is, byte for meaning, what a queue of the official client sends."""
    ours = await wire.report("source")
    client = wire.served.client

    def queue() -> None:
        with client.new_queue() as queue:
            for gauge in ours.document["gauges"]:
                if "count" in gauge:
                    queue._add_measurement("gauge", gauge)  # as its aggregator does
                else:
                    queue.add(**gauge)

    official = await wire.sent(queue)
    assert len(ours.document["gauges"]) == 5 + len(Kind) + 1
    assert ours.document == official.document
    assert (ours.method, ours.path) == (official.method, official.path)
    assert header_set(ours) == header_set(official)
    assert ours.header("Content-Length") == str(len(ours.body))


async def test_tagged(wire: Wire) -> None:
    """A report by tags has the measurements that the client submits one by one."""
    ours = await wire.report("tags")
    assert len(ours.document["measurements"]) == 5 + len(Kind) + 1
    for one in ours.document["measurements"]:
        fields = {"value": None, **one}  # the client wants it so where there are count and sum
        official = await wire.sent(wire.served.client.submit, **fields)
        (sent,) = official.document["measurements"]
        assert one == {name: value for name, value in sent.items() if value is not None}
        assert official.document.keys() == ours.document.keys()
        assert (ours.method, ours.path) == (official.method, official.path)
        assert header_set(ours) == header_set(official)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_without_body(wire: Wire, method: str) -> None:
    """Requests without a body have the same headers, too."""
    url = f"http://{wire.served.host}/v1"
    api = LibratoApi(outbound=wire.outbound, url=url, user=USER, token=TOKEN)
    space = await api.post("spaces", {"name": "boomerang"})
    wire.served.fake.spaces[7] = wire.served.fake.spaces[space["id"]]
    wire.served.fake.charts[7] = {}
    client = wire.served.client
    if method == "GET":
        await api.get(f"spaces/{space['id']}")
        ours = wire.served.fake.asked[-1]
        official = await wire.sent(client.get_space, 7)
    else:
        await api.delete(f"spaces/{space['id']}")
        ours = wire.served.fake.asked[-1]
        official = await wire.sent(client.delete_space, 7)
    assert ours.method == official.method == method
    assert header_set(ours) == header_set(official)
    assert {"authorization"} == header_set(ours).keys()


async def test_capture(wire: Wire) -> None:
    """The capture has the same headers, and the same structure but for what is optional."""
    ours = await wire.report("source")
    captured = Asked(method="POST", path="/v1/metrics", headers=CAPTURED["headers"], body=b"")
    assert header_set(ours) == header_set(captured)
    assert ours.document.keys() == CAPTURED["body"].keys()
    assert ours.document["counters"] == CAPTURED["body"]["counters"]
    for gauge in ours.document["gauges"]:
        optional = {"measure_time", "period", "attributes"}
        assert gauge.keys() - optional in ({"name", "value", "source"}, SUMMARY)
