"""``boomerang alerts``: what is printed, what is changed, and with which status it ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.utils import getProcessOutputAndValue
from twisted.web.server import Site

from boomerang.cli import main
from boomerang.cli.alerts import ApplyAlerts, PlanAlerts, described, provision
from boomerang.cli.running import FAILED, PENDING, WELL, CommandFailed
from boomerang.monitor.librato.alerts import Desired, desired
from boomerang.monitor.librato.compare import Difference
from boomerang.monitor.librato.plan import Action, Change, Kind, Plan
from boomerang.monitor.rules import rules, to_yaml
from boomerang.monitor.service import checks_of
from boomerang.settings import Settings
from boomerang.settings.checks import Check
from boomerang.settings.reports import LibratoService, LibratoSettings
from boomerang.stores.address import MemoryAddress, RedisAddress
from tests.fakes.librato import TOKEN, USER, FakeLibrato
from tests.fakes.librato_answers import Trouble, maintenance
from tests.fakes.librato_bench import EPOCH, SOURCE, LibratoBench
from tests.monitor.librato.driving import run
from tests.servers import free_port

OPS = LibratoService(type="mail", title="Ops", settings={"addresses": "ops@example.com"})
WEB = Check(name="web", url="https://app.example.com/", critical=True)
WRONG = json.dumps({"errors": {"params": {"threshold": ["is too much"]}}}).encode()


def wanted(*checks: Check) -> Desired:
    settings = evolve(SOURCE, service=(OPS,))
    return desired(settings, checks or (WEB,), environment="production", paused=())


PLAN = Plan(
    changes=(
        Change(Action.KEEP, Kind.SERVICE, 'mail "Ops"', id="849"),
        Change(
            Action.CREATE,
            Kind.ALERT,
            "boomerang.production.web.slow",
            differences=(Difference("version", None, "2"), Difference("active", None, "true")),
        ),
        Change(
            Action.UPDATE,
            Kind.ALERT,
            "boomerang.production.web.down",
            id="7",
            differences=(
                Difference("conditions[0].threshold", "4", "5"),
                Difference("conditions[0].duration", "60", None),
                Difference("description", None, "web is down"),
            ),
        ),
        Change(Action.DELETE, Kind.ALERT, "boomerang.production.gone.down", id="8"),
    ),
    left_over=("boomerang.production.gone.slow",),
    notes=("check web is paused",),
)


def test_described() -> None:
    """Each change is a line, each field of it another; what is kept is only counted."""
    assert list(described(PLAN)) == [
        "+ create alert boomerang.production.web.slow",
        "    version: 2",
        "    active: true",
        "~ update alert boomerang.production.web.down",
        "    conditions[0].threshold: 4 -> 5",
        "    conditions[0].duration: 60 -> (none)",
        "    description: (none) -> web is down",
        "- delete alert boomerang.production.gone.down",
        "! left over: alert boomerang.production.gone.slow (--prune deletes it)",
        "! check web is paused",
        "1 to create, 1 to update, 1 to delete, 1 as they should be",
    ]


class TestProvision:
    """`provision`, against the stand-in in memory."""

    def test_not_without_yes(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What would be changed is printed, and nothing is changed."""
        bench = LibratoBench()
        assert run(provision(bench.api, wanted(), prune=True, yes=False)) == PENDING
        assert {each.method for each in bench.librato.asked} == {"GET"}
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == '+ create service mail "Ops"'
        assert "    settings.addresses: (not shown)" in lines
        assert "    conditions[0].duration: 120" in lines
        assert lines[-2] == "10 to create, 0 to update, 0 to delete, 0 as they should be"
        assert lines[-1] == "nothing was changed: boomerang alerts apply --yes does it"

    def test_yes(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The plan comes first, then each change once it is made; a second time there is none."""
        bench = LibratoBench()
        assert run(provision(bench.api, wanted(), prune=False, yes=True)) == WELL
        lines = capsys.readouterr().out.splitlines()
        counted = lines.index("10 to create, 0 to update, 0 to delete, 0 as they should be")
        assert lines[counted + 1 : counted + 3] == [
            'created service mail "Ops"',
            "created alert boomerang.production.web.slow",
        ]
        assert len(lines) == counted + 1 + 10
        assert run(provision(bench.api, wanted(), prune=False, yes=True)) == WELL
        summary = "0 to create, 0 to update, 0 to delete, 10 as they should be\n"
        assert capsys.readouterr().out == summary
        assert run(provision(bench.api, wanted(), prune=False, yes=False)) == WELL

    def test_left_over(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What is left over is nothing to do, unless it is to be deleted."""
        bench = LibratoBench()
        run(provision(bench.api, wanted(), prune=False, yes=True))
        nobody = evolve(WEB, critical=False)
        assert run(provision(bench.api, wanted(nobody), prune=False, yes=False)) == WELL
        assert run(provision(bench.api, wanted(nobody), prune=True, yes=False)) == PENDING
        assert len(bench.librato.alerts) == 3
        capsys.readouterr()
        assert run(provision(bench.api, wanted(nobody), prune=True, yes=True)) == WELL
        assert bench.librato.alerts == {}
        assert "deleted alert boomerang.production.web.down\n" in capsys.readouterr().out

    def test_stopped(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where one is refused it ends: what was done and what was not is told, and why."""
        bench = LibratoBench()
        first, second, third = wanted().alerts
        broken = evolve(second, document={**second.document, "rearm_seconds": 61})
        broken_plan = evolve(wanted(), alerts=(first, broken, third), charts=())
        with pytest.raises(CommandFailed) as failed:
            run(provision(bench.api, broken_plan, prune=False, yes=True))
        assert str(failed.value) == (
            "stopped at alert boomerang.production.web.down:"
            " 400: params: rearm_seconds: must be a multiple of 60"
        )
        lines = capsys.readouterr().out.splitlines()
        assert lines[-5:] == [
            'created service mail "Ops"',
            "created alert boomerang.production.web.slow",
            "not done: create alert boomerang.production.web.down",
            "not done: create alert boomerang.production.web.absent",
            "not done: create space boomerang production",
        ]

    def test_output(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An output that cannot be written stops no change; it is told on the other one."""
        bench = LibratoBench()
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            assert run(provision(bench.api, wanted(), prune=False, yes=True)) == FAILED
        assert len(bench.librato.alerts) == 3
        assert capsys.readouterr().err == (
            "boomerang: all was done; that could not be written: Broken pipe\n"
        )

    def test_output_without_yes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where nothing is to be changed, such an output is an error like any other."""
        bench = LibratoBench()
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            with pytest.raises(BrokenPipeError):
                run(provision(bench.api, wanted(), prune=False, yes=False))

    def test_somebody_was_faster(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What somebody else created since it was read is told as such."""
        bench = LibratoBench()
        run(provision(bench.api, wanted(), prune=False, yes=True))
        capsys.readouterr()
        services = {"query": {"total": 1}, "services": list(bench.librato.services.values())}
        for before in (services, {"query": {"total": 0}, "alerts": []}):
            bench.librato.troubles.append(Trouble(body=json.dumps(before).encode()))
        assert run(provision(bench.api, wanted(), prune=False, yes=True)) == WELL
        lines = capsys.readouterr().out.splitlines()
        assert lines[-3:] == [
            f"was created by somebody else, as it should be: alert boomerang.production.web.{kind}"
            for kind in ("slow", "down", "absent")
        ]

    def test_unreadable(self) -> None:
        """What cannot be read cannot be planned; the reason is given, and where it was asked."""
        bench = LibratoBench()
        bench.librato.trouble = maintenance()
        with pytest.raises(CommandFailed) as failed:
            run(provision(bench.api, wanted(), prune=False, yes=True))
        assert str(failed.value) == (
            "cannot read what is at https://metrics-api.librato.com/v1:"
            " 503: system: The API is in maintenance"
        )
        assert {each.method for each in bench.librato.asked} == {"GET"}


class Served:
    """The stand-in on a socket, and settings that lead to it."""

    def __init__(self, fake: FakeLibrato, port: int, folder: Path) -> None:
        self.fake = fake
        self.librato = LibratoSettings(
            url=f"http://127.0.0.1:{port}/v1", user=USER, token=TOKEN, service=(OPS,)
        )
        self.settings = Settings(check=(WEB,), librato=self.librato, store=MemoryAddress())
        self.file = folder / "boomerang.toml"
        self.file.write_text(
            f"""
            store = "memory:"
            [librato]
            url = "{self.librato.url}"
            user = "{USER}"
            [[librato.service]]
            type = "mail"
            title = "Ops"
            settings = {{addresses = "ops@example.com"}}
            [[check]]
            name = "web"
            url = "https://app.example.com/"
            critical = true
            """
        )


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    from twisted.internet import reactor

    fake = FakeLibrato(wall_clock=lambda: EPOCH)
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    port = await endpoint.listen(Site(fake.app.resource()))
    yield Served(fake, port.getHost().port, tmp_path)
    await port.stopListening()


class TestAct:
    """The commands, as they talk to a server."""

    async def act(self, command: PlanAlerts, settings: Settings, *arguments: str) -> int:
        from twisted.internet import reactor

        command.environment = {}
        command.parseOptions(arguments)
        return await command.act(settings, reactor)

    async def test_plan_and_apply(self, served: Served) -> None:
        """To plan changes nothing, to apply does so with ``--yes`` alone."""
        assert await self.act(PlanAlerts(), served.settings) == PENDING
        assert await self.act(ApplyAlerts(), served.settings) == PENDING
        assert served.fake.alerts == {}
        assert await self.act(ApplyAlerts(), served.settings, "--yes") == WELL
        assert len(served.fake.alerts) == 3
        assert await self.act(PlanAlerts(), served.settings) == WELL

    async def test_prune(self, served: Served) -> None:
        """What is left over goes only if both are asked for."""
        await self.act(ApplyAlerts(), served.settings, "--yes")
        nobody = evolve(served.settings, check=(evolve(WEB, critical=False),))
        assert await self.act(ApplyAlerts(), nobody, "-y") == WELL
        assert await self.act(ApplyAlerts(), nobody, "--prune") == PENDING
        assert await self.act(PlanAlerts(), nobody, "--prune") == PENDING
        assert len(served.fake.alerts) == 3
        assert await self.act(ApplyAlerts(), nobody, "--prune", "--yes") == WELL
        assert served.fake.alerts == {}

    async def test_the_host_itself(
        self, served: Served, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without a check named, the host's own is what is alerted of, if anything is."""
        bare = evolve(served.settings, check=(), public_url="https://boomerang.example.com")
        assert await self.act(PlanAlerts(), bare) == PENDING
        out = capsys.readouterr().out
        (own,) = checks_of(bare)
        assert (f"alert boomerang.production.{own.name}.down" in out) is own.critical

    async def test_no_token(self, served: Served) -> None:
        """Without a token it is said which setting to set."""
        bare = evolve(served.settings, librato=evolve(served.librato, token=None))
        with pytest.raises(CommandFailed, match=r"librato.token is not set \(LIBRATO_TOKEN"):
            await self.act(PlanAlerts(), bare)

    async def test_no_server(self, served: Served) -> None:
        """A server that is not there is named, and why."""
        away = evolve(served.librato, url=f"http://127.0.0.1:{free_port()}/v1")
        with pytest.raises(CommandFailed, match=r"cannot read what is at .*/v1: .*refused"):
            await self.act(PlanAlerts(), evolve(served.settings, librato=away))

    async def test_no_store(self, served: Served) -> None:
        """Whether a check is paused must be known, or its alerts would be switched on."""
        away = evolve(served.settings, store=RedisAddress((("127.0.0.1", free_port()),)))
        with pytest.raises(CommandFailed):
            await self.act(ApplyAlerts(), away, "--yes")
        assert served.fake.asked == []


async def test_processes(served: Served) -> None:
    """The exit status is the command's; what is wrong is one line, without any secret."""

    async def ran(*arguments: str, token: str = TOKEN) -> tuple[int, str, str]:
        environment = {**os.environ, "LIBRATO_TOKEN": token}
        command = "from boomerang.cli import main; raise SystemExit(main())"
        out, err, status = await getProcessOutputAndValue(
            sys.executable, ["-c", command, "alerts", *arguments], env=environment
        )
        return status, out.decode(), err.decode()

    file = str(served.file)
    plan, unknown, none = await gatherResults(
        [
            Deferred.fromCoroutine(ran("plan", "-c", file)),
            Deferred.fromCoroutine(ran("plan", "-c", file, token="hunter2")),
            Deferred.fromCoroutine(ran("plan", "-c", file, token="")),
        ]
    )
    assert (plan[0], plan[2]) == (PENDING, "")
    assert "+ create alert boomerang.production.web.slow\n" in plan[1]
    assert unknown == (
        FAILED,
        "",
        f"boomerang: cannot read what is at {served.librato.url}:"
        " 401: request: Authorization Required\n",
    )
    assert none == (
        FAILED,
        "",
        "boomerang: librato.token is not set (LIBRATO_TOKEN in the environment)\n",
    )
    status, _, err = await ran("apply", "-c", file, "--yes")
    assert (status, err) == (WELL, "")
    assert len(served.fake.alerts) == 3


class TestRules:
    """``boomerang alerts rules``, which asks nobody."""

    def test_rules(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """The rules are those of the settings, and nothing else is printed."""
        file = tmp_path / "b.toml"
        file.write_text('[[check]]\nname = "web"\nurl = "https://a.com/"\ncritical = true\n')
        assert main(["alerts", "rules", "-c", str(file), "--selector", 'job = "b"']) == WELL
        checks = (evolve(WEB, url="https://a.com/"),)
        text = to_yaml(rules(Settings(check=checks), checks, selector='job="b"'))
        assert capsys.readouterr() == (text, "")

    def test_the_host_itself(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a check named, that of the host itself is watched."""
        assert main(["alerts", "rules", "--public-url", "https://b.example.com"]) == WELL
        assert '"BoomerangMonitorStale"' in capsys.readouterr().out

    def test_no_selector(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A selector that is none is refused."""
        assert main(["alerts", "rules", "--selector", "job"]) == FAILED
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("boomerang: --selector expected label matchers like job=")
