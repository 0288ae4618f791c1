"""What we send of an alert is what Librato's official client sends of it (python-librato 3.1.0)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import librato  # type: ignore[import-untyped]
import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.threads import deferToThread
from twisted.web.server import Site

from boomerang.monitor.librato.alerts import Desired, desired
from boomerang.monitor.librato.api import LibratoApi
from boomerang.monitor.librato.apply import carry_out, read
from boomerang.monitor.librato.plan import plan
from boomerang.outbound import Outbound
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoService, LibratoSettings
from tests.fakes.librato import TOKEN, USER, FakeLibrato
from tests.fakes.librato_answers import Asked
from tests.fakes.librato_bench import EPOCH

OPS = LibratoService(type="mail", title="Ops", settings={"addresses": "ops@example.com"})
CHECKS = [
    Check(
        name="web",
        url="https://app.example.com/",
        critical=True,
        depends_on=("cloud",),
        runbook_url="https://example.com/rb",
    ),
    Check(name="cloud", url="https://cloud.example.com/", critical=True, failures=1),
]

CAPTURED_ABOVE = {
    "name": "boomerang.web.slow",
    "md": False,
    "attributes": {"runbook_url": "https://example.com/rb"},
    "version": 2,
    "description": "web slower than 5 s",
    "rearm_seconds": 600,
    "active": True,
    "services": [849],
    "conditions": [
        {
            "type": "above",
            "metric_name": "boomerang.ping.time",
            "source": "web",
            "tags": {},
            "summary_function": "max",
            "duration": None,
            "threshold": 5,
        }
    ],
}
"""What the official client was captured to send, python 3.11, in full."""

CAPTURED_ABSENT = {
    "name": "boomerang.web.absent",
    "md": False,
    "attributes": {},
    "version": 2,
    "description": None,
    "rearm_seconds": None,
    "active": True,
    "services": [849],
    "conditions": [
        {
            "type": "absent",
            "metric_name": "boomerang.ping.time",
            "source": "web",
            "tags": {},
            "summary_function": None,
            "duration": 300,
        }
    ],
}


def meaning(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what says nothing: nulls, no tags, and any source."""
    conditions = [
        {
            name: value
            for name, value in condition.items()
            if value not in (None, {}, []) and (name, value) != ("source", "*")
        }
        for condition in document["conditions"]
    ]
    return {
        **{name: value for name, value in document.items() if value is not None},
        "conditions": conditions,
    }


def shape(document: Mapping[str, Any]) -> tuple[set[str], list[dict[str, Any]]]:
    """Which fields an alert has, and all of its conditions but what they are about."""
    conditions = [
        {name: each for name, each in condition.items() if name not in ("metric_name", "source")}
        for condition in meaning(document)["conditions"]
    ]
    return set(document), conditions


def wanted(dialect: str) -> Desired:
    settings = LibratoSettings(dialect=dialect, service=(OPS,))
    return desired(settings, CHECKS, environment="production", paused=())


@frozen
class Both:
    """The stand-in on a socket, and the two clients."""

    fake: FakeLibrato
    ours: LibratoApi
    official: Any

    def asked(self, method: str, path: str) -> dict[str, Asked]:
        """The requests until now of a sort, by the name in the document; forgotten then."""
        found = [
            each
            for each in self.fake.asked
            if each.method == method and each.path.startswith(f"/v1/{path}")
        ]
        self.fake.asked.clear()
        return {each.document["name"]: each for each in found}


def in_thread(call: Any, *args: Any, **options: Any) -> Deferred[Any]:
    return deferToThread(call, *args, **options)


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def both() -> AsyncIterator[Both]:
    from twisted.internet import reactor

    fake = FakeLibrato(wall_clock=lambda: EPOCH, kind="hybrid")
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    port = await endpoint.listen(Site(fake.app.resource()))
    host = f"127.0.0.1:{port.getHost().port}"
    outbound = Outbound(reactor)
    yield Both(
        fake=fake,
        ours=LibratoApi(outbound=outbound, url=f"http://{host}/v1", user=USER, token=TOKEN),
        official=librato.connect(USER, TOKEN, hostname=host, protocol="http"),
    )
    await outbound.close()
    await port.stopListening()


async def provide(both: Both, desired: Desired) -> None:
    await carry_out(
        both.ours, plan(desired, await read(both.ours, desired), prune=False), done=lambda _: None
    )


def create(official: Any, document: Mapping[str, Any], services: list[int]) -> None:
    """Create an alert as the client's own documentation does it."""
    fields = {name: each for name, each in document.items() if name not in ("name", "services")}
    official.create_alert(document["name"], services=services, **fields)


@pytest.mark.parametrize("dialect", ["source", "tags"])
async def test_create(both: Both, dialect: str) -> None:
    """Each alert is created with the same request line, credentials, type and document."""
    desired = wanted(dialect)
    await provide(both, desired)
    ours = both.asked("POST", "alerts")
    both.fake.alerts.clear()
    services = [int(each) for each in both.fake.services]
    for alert in desired.alerts:
        await in_thread(create, both.official, alert.document, services)
    official = both.asked("POST", "alerts")
    assert ours.keys() == official.keys() == {each.name for each in desired.alerts}
    for name, sent in official.items():
        assert meaning(ours[name].document) == meaning(sent.document)
        assert ours[name].path == sent.path
        for header in ("Authorization", "Content-Type", "Host"):
            assert ours[name].header(header) == sent.header(header) is not None
        assert ours[name].header("User-Agent")


async def test_update(both: Both) -> None:
    """An alert is updated with the same document, and on the same path."""
    desired = wanted("source")
    await provide(both, desired)
    changed = evolve(
        desired,
        alerts=tuple(
            evolve(each, document={**each.document, "description": "other"})
            for each in desired.alerts
        ),
    )
    before = {number: dict(each) for number, each in both.fake.alerts.items()}
    both.fake.asked.clear()
    await provide(both, changed)
    ours = both.asked("PUT", "alerts")
    both.fake.alerts.update(before)

    def update(name: str) -> None:
        alert = both.official.get_alert(name)
        alert.description = "other"
        alert.save()

    for alert in changed.alerts:
        await in_thread(update, alert.name)
    official = both.asked("PUT", "alerts")
    assert ours.keys() == official.keys() == {each.name for each in desired.alerts}
    for name, sent in official.items():
        assert meaning(ours[name].document) == meaning(sent.document)
        assert ours[name].path == sent.path


async def test_delete(both: Both) -> None:
    """An alert is deleted on the same path, without a body."""
    await provide(both, wanted("source"))
    (number,) = (n for n, each in both.fake.alerts.items() if each["name"].endswith("cloud.down"))
    alert = dict(both.fake.alerts[number])
    less = evolve(wanted("source"), alerts=wanted("source").alerts[:4])
    await carry_out(
        both.ours, plan(less, await read(both.ours, less), prune=True), done=lambda _: None
    )
    ours = {(each.path, each.body) for each in both.fake.asked if each.method == "DELETE"}
    both.fake.asked.clear()
    both.fake.alerts[number] = alert
    await in_thread(both.official.delete_alert, alert["name"])
    (official,) = (each for each in both.fake.asked if each.method == "DELETE")
    assert official.body == b""
    assert (official.path, official.body) in ours


@pytest.mark.parametrize(
    ("kind", "captured"), [("slow", CAPTURED_ABOVE), ("absent", CAPTURED_ABSENT)]
)
def test_captures(kind: str, captured: Mapping[str, Any]) -> None:
    """What was captured of the client has the same fields, and conditions of the same form."""
    (alert,) = (each for each in wanted("source").alerts if each.name.endswith(f"cloud.{kind}"))
    assert shape({**alert.document, "services": [849]}) == shape(captured)
