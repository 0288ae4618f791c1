"""Reading what is at Librato, and changing it: against the stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from attrs import evolve

from boomerang.monitor.librato.alerts import Desired, desired
from boomerang.monitor.librato.api import LibratoApi
from boomerang.monitor.librato.apply import Stopped, carry_out, read
from boomerang.monitor.librato.errors import Refused, TryLater
from boomerang.monitor.librato.plan import Action, Change, Plan, plan
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoService, LibratoSettings
from tests.fakes.librato_answers import Trouble, maintenance
from tests.fakes.librato_bench import SOURCE, TAGS, LibratoBench
from tests.monitor.librato.driving import run

OPS = LibratoService(type="mail", title="Ops", settings={"addresses": "ops@example.com"})
HOOK = LibratoService(type="webhook", title="Hook", settings={"url": "https://example.com/x"})

WEB = Check(name="web", url="https://app.example.com/", critical=True, depends_on=("cloud",))
CLOUD = Check(name="cloud", url="https://cloud.example.com/", critical=True)

SLOW = "boomerang.production.web.slow"

TAKEN = json.dumps({"errors": {"params": {"name": ["has already been taken"]}}}).encode()
WRONG = json.dumps({"errors": {"params": {"threshold": ["is too much"]}}}).encode()


class Account:
    """An account at the stand-in, and what we want of it."""

    def __init__(self, settings: LibratoSettings = SOURCE) -> None:
        self.settings = evolve(settings, service=(OPS, HOOK))
        self.bench = LibratoBench(self.settings)
        self.librato = self.bench.librato
        self.done: list[Change] = []

    def wanted(self, *checks: Check) -> Desired:
        return desired(self.settings, checks or (WEB, CLOUD), environment="production", paused=())

    def plan(self, *checks: Check, prune: bool = False) -> Plan:
        wanted = self.wanted(*checks)
        return plan(wanted, run(read(self.bench.api, wanted)), prune=prune)

    def carry_out(self, plan: Plan, done: Callable[[Change], None] | None = None) -> None:
        run(carry_out(self.bench.api, plan, done=done or self.done.append))

    def apply(self, *checks: Check, prune: bool = False) -> None:
        self.carry_out(self.plan(*checks, prune=prune))

    def changes(self) -> list[str]:
        """The requests until now that were to change something, which are forgotten then."""
        asked = [each for each in self.librato.asked if each.method != "GET"]
        self.librato.asked.clear()
        return [f"{each.method} {each.path.removeprefix('/v1/')}" for each in asked]

    def names(self) -> set[str]:
        return {each["name"] for each in self.librato.alerts.values()}

    def named(self, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.librato.alerts.values() if each["name"] == name)
        return found


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.mark.parametrize("settings", [SOURCE, TAGS], ids=["source", "tags"])
def test_twice(settings: LibratoSettings) -> None:
    """The first time all is created; the second time, nothing but reading."""
    account = Account(settings)
    account.apply()
    assert account.names() == {each.name for each in account.wanted().alerts}
    assert len(account.names()) == 6
    assert [each["title"] for each in account.librato.services.values()] == ["Ops", "Hook"]
    assert [each["name"] for each in account.librato.spaces.values()] == ["boomerang production"]
    (charts,) = account.librato.charts.values()
    names = [each.name for each in account.wanted().charts]
    assert [each["name"] for each in charts.values()] == names
    assert len(account.changes()) == 2 + 6 + 1 + 5
    before = json.dumps(account.librato.alerts)
    account.bench.pass_seconds(60)
    account.apply()
    assert account.changes() == []
    assert json.dumps(account.librato.alerts) == before


def test_tells(account: Account) -> None:
    """Each change is told of once it is made, in the order of the plan."""
    planned = account.plan()
    account.carry_out(planned)
    assert account.done == list(planned.pending)


def test_new_services(account: Account) -> None:
    """The alerts tell the services that were created for them."""
    account.apply()
    assert {tuple(each["services"]) for each in account.librato.alerts.values()} == {
        tuple(account.librato.services)
    }


def test_update(account: Account) -> None:
    """What has changed in the settings is changed there, and nothing else is touched."""
    account.apply()
    account.changes()
    (number,) = (each["id"] for each in account.librato.alerts.values() if each["name"] == SLOW)
    account.apply(evolve(WEB, slow=2.5), CLOUD)
    assert account.changes() == [f"PUT alerts/{number}"]
    assert [each["threshold"] for each in account.named(SLOW)["conditions"]] == [2.5, 1.0]
    assert len(account.named(SLOW)["services"]) == 2


def test_update_of_others_than_alerts(account: Account) -> None:
    """A service and a chart that somebody changed are put right."""
    account.apply()
    account.changes()
    hook = list(account.librato.services)[1]
    account.librato.services[hook]["settings"] = {"url": "https://example.com/other"}
    ((space, charts),) = account.librato.charts.items()
    chart = list(charts)[3]
    charts[chart]["streams"] = []
    account.apply()
    assert account.changes() == [f"PUT services/{hook}", f"PUT spaces/{space}/charts/{chart}"]
    assert account.librato.services[hook]["settings"] == {"url": "https://example.com/x"}
    assert len(charts[chart]["streams"]) == 1
    account.apply()
    assert account.changes() == []


def test_three_pages(account: Account) -> None:
    """Our alerts are found behind 250 others, none of which is touched."""
    for number in range(250):
        alert = {**account.wanted().alerts[0].document, "services": []}
        alert["name"] = f"a.boomerang.production.{number}.slow"
        run(account.bench.api.post("alerts", alert))
    others = json.dumps(account.librato.alerts)
    account.apply()
    assert len(account.librato.alerts) == 256
    account.changes()
    account.apply(prune=True)
    pages = [each.query["offset"] for each in account.librato.asked if "/alerts?" in each.path]
    assert pages == ["0", "100", "200"]
    assert account.changes() == []
    account.apply(CLOUD, prune=True)
    assert len(account.changes()) == 3
    assert json.dumps(account.librato.alerts).startswith(others[:-1])


def test_upper_case(account: Account) -> None:
    """An alert with our name in other letters is ours: there cannot be another beside it."""
    account.apply()
    for alert in account.librato.alerts.values():
        alert["name"] = alert["name"].upper()
    account.changes()
    account.apply(prune=True)
    assert account.changes() == []


def test_left_over(account: Account) -> None:
    """What is left over stays, until it is to be deleted; others' alerts stay then, too."""
    account.apply()
    run(
        account.bench.api.post(
            "alerts", {"name": "boomerang.production.web.slower", "services": [], "conditions": []}
        )
    )
    account.changes()
    account.apply(CLOUD)
    assert account.changes() == []
    account.apply(CLOUD, prune=True)
    assert [each.partition("/")[0] for each in account.changes()] == ["DELETE alerts"] * 3
    assert account.names() == {
        "boomerang.production.web.slower",
        *(each.name for each in account.wanted(CLOUD).alerts),
    }


def test_deleted_meanwhile(account: Account) -> None:
    """What is to be deleted and is gone already is no failure."""
    account.apply()
    planned = account.plan(CLOUD, prune=True)
    account.librato.alerts.clear()
    account.done.clear()
    account.carry_out(planned)
    assert [each.action for each in account.done] == [Action.DELETE] * 3


@pytest.fixture
def prepared(account: Account) -> Account:
    """All is there but the alerts."""
    account.apply(evolve(WEB, critical=False), evolve(CLOUD, critical=False))
    account.changes()
    account.done.clear()
    return account


@pytest.mark.parametrize("first", [[], [Trouble(status=400, body=TAKEN)]], ids=["422", "400"])
def test_race(prepared: Account, first: Sequence[Trouble]) -> None:
    """Somebody who was faster with the same alerts has done our work, which is no failure."""
    planned = prepared.plan()
    prepared.apply()
    assert len(prepared.changes()) == 6
    before = json.dumps(prepared.librato.alerts)
    prepared.librato.troubles.extend(first)
    prepared.done.clear()
    prepared.carry_out(planned)
    assert [each.action for each in prepared.done] == [Action.KEEP] * 6
    assert prepared.changes() == ["POST alerts"] * 6
    assert json.dumps(prepared.librato.alerts) == before


def test_race_with_another(prepared: Account) -> None:
    """An alert that somebody made otherwise meanwhile is made ours."""
    planned = prepared.plan()
    prepared.apply(evolve(WEB, slow=1.0), CLOUD)
    number = prepared.named(SLOW)["id"]
    prepared.changes()
    prepared.done.clear()
    prepared.carry_out(planned)
    assert [each.action for each in prepared.done] == [Action.UPDATE, *[Action.KEEP] * 5]
    assert [each for each in prepared.changes() if "PUT" in each] == [f"PUT alerts/{number}"]
    assert prepared.named(SLOW)["conditions"][0]["threshold"] == 5.0
    prepared.apply()
    assert prepared.changes() == []


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (Trouble(status=422, body=TAKEN), "422: params: name: has already been taken"),
        (Trouble(status=400, body=TAKEN), "400: params: name: has already been taken"),
        (Trouble(status=400, body=WRONG), "400: params: threshold: is too much"),
        (maintenance(), "503: system: The API is in maintenance"),
    ],
)
def test_no_race(prepared: Account, trouble: Trouble, reason: str) -> None:
    """What is refused for something else is a failure, with the reason that was given first."""
    planned = prepared.plan()
    prepared.librato.troubles.append(trouble)
    with pytest.raises(Stopped, match=reason) as stop:
        prepared.carry_out(planned)
    assert stop.value.left == planned.pending
    assert prepared.done == []
    assert prepared.changes() == ["POST alerts"]


@pytest.mark.parametrize("after", range(14))
def test_stops(account: Account, after: int) -> None:
    """The first refusal ends it; what was done is told, what not is in the error, and a second
    run does the rest."""
    planned = account.plan()

    def done(change: Change) -> None:
        account.done.append(change)
        if len(account.done) == after:
            account.librato.trouble = Trouble(status=400, body=WRONG)

    if after == 0:
        account.librato.trouble = Trouble(status=400, body=WRONG)
    with pytest.raises(Stopped, match="400: params: threshold: is too much") as stop:
        account.carry_out(planned, done)
    assert [*account.done, *stop.value.left] == list(planned.pending)
    assert len(account.done) == after
    assert len(account.changes()) == after + 1
    account.librato.trouble = None
    account.apply()
    assert len(account.changes()) == 14 - after
    account.apply()
    assert account.changes() == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"id": null}'])
def test_no_id(account: Account, body: bytes) -> None:
    """Without the id of what was created, nothing that refers to it can be made."""
    planned = account.plan()
    account.librato.troubles.append(Trouble(status=201, body=body))
    with pytest.raises(Stopped, match="an answer without the id") as stop:
        account.carry_out(planned)
    assert stop.value.left == planned.pending


@pytest.mark.parametrize("luck", range(4))
def test_cannot_read(account: Account, luck: int) -> None:
    """A plan is made from all that is there, or not at all."""
    account.apply()
    api = cast(LibratoApi, _Failing(account.bench.api, luck))
    with pytest.raises(TryLater, match="no luck"):
        run(read(api, account.wanted()))


class _Failing:
    """A client that has luck so many times."""

    def __init__(self, api: LibratoApi, luck: int) -> None:
        self._api = api
        self._luck = luck

    def _try(self) -> None:
        self._luck -= 1
        if self._luck < 0:
            raise TryLater("503: no luck")

    async def pages(self, *args: Any) -> Any:
        self._try()
        return await self._api.pages(*args)

    async def get(self, *args: Any) -> Any:
        self._try()
        return await self._api.get(*args)


class _Charts:
    """A client of a server with a space, and charts that are given."""

    def __init__(self, charts: object) -> None:
        self._charts = charts

    async def pages(self, path: str, key: str, query: object = None) -> list[dict[str, Any]]:
        return [{"id": "1/2", "name": "boomerang production"}] if path == "spaces" else []

    async def get(self, path: str) -> object:
        assert path == "spaces/1%2F2/charts"
        return self._charts


@pytest.mark.parametrize("answer", [[{"id": 1}], {"charts": [{"id": 1}]}])
def test_charts(account: Account, answer: object) -> None:
    """The charts of a space are a list, or a list by its name; an id is no part of a path."""
    api = cast(LibratoApi, _Charts(answer))
    assert run(read(api, account.wanted())).charts == [{"id": 1}]


@pytest.mark.parametrize("answer", [None, {}, {"charts": None}, [1], "x"])
def test_no_charts(account: Account, answer: object) -> None:
    """An answer without charts is none: it must not make us create them again."""
    with pytest.raises(TryLater, match="an answer without charts"):
        run(read(cast(LibratoApi, _Charts(answer)), account.wanted()))


def test_wrong_credentials(account: Account) -> None:
    """Whom Librato does not know, it tells so."""
    api = evolve(account.bench.api, token="wrong")
    with pytest.raises(Refused, match="401"):
        run(read(api, account.wanted()))
