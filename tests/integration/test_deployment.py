"""The files around the code say what the code does, and pass the checkers of their kinds."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from klein import Klein
from twisted.logger import capturedLogs, formatEvent

import boomerang.web
from boomerang.account.daily import AuditCollector, Standing
from boomerang.metrics import Metrics
from boomerang.monitor.prometheus import CheckCollector
from boomerang.monitor.result import Result
from boomerang.monitor.watched import CheckView, Watched
from boomerang.options import SettingsOptions
from boomerang.retry.hold import Held
from boomerang.retry.outcomes import Chance
from boomerang.retry.policy import CODE, DEAD, ENDPOINT, Decision, Kind
from boomerang.retry.record import DecisionRecord, OutcomeRecord
from boomerang.retry.request import parse_failed_request
from boomerang.settings import Sources, load_settings
from boomerang.settings.checks import KINDS, Check
from boomerang.settings.load import declared_entries, declared_settings, keys_of
from boomerang.settings.reports import SERVICE_SETTINGS
from boomerang.stores.interfaces import Marked
from boomerang.workers.counts import SupervisorCounts
from tests.integration.daemon import ROOT, environment

NOW = 1_800_000_000.0


def checked(*command: str, directory: Path = ROOT) -> str:
    """What a checker says, on both streams; nothing if all is well."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout or f"exit {done.returncode}" * bool(done.returncode)


def table(first_column: str) -> list[str]:
    """What stands in code quotes in the first column of README's table with that heading."""
    lines = iter((ROOT / "README.md").read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {first_column} |"):
            assert next(lines).startswith("|---")
            return [name for row in _rows(lines) for name in re.findall("`([^`]+)`", row[0])]
    raise AssertionError(f"README has no table that begins with {first_column}")


def _rows(lines: Iterator[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield line.strip("|").split("|")


def test_settings_table() -> None:
    """README's table has every setting, in their order, and no other."""
    assert table("Setting") == [declared.name for declared in declared_settings()]


@pytest.mark.parametrize("name", list(declared_entries()))
def test_tables_of_entries(name: str) -> None:
    """README's tables of these arrays have every key of an entry, in their order, and no other."""
    keys = [declared.name for declared in keys_of(declared_entries()[name].of)]
    assert table(f"`[[{name}]]`") == keys


def test_kinds_table() -> None:
    """README has the URL of every kind of check, and names every type of Librato's services."""
    assert table("Kind") == list(KINDS)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert ", ".join(f"`{each}`" for each in SERVICE_SETTINGS) in text


def test_example_of_checks() -> None:
    """README's example of two checks is a good one."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Watching\n")[2]
    example = section.partition("```toml\n")[2].partition("```\n")[0]
    cloud, web = load_settings(Sources(file=example)).check
    assert web.depends_on == (cloud.name,)


def test_routes_table() -> None:
    """README's table has every route, and no other."""
    routes: set[str] = set()
    for module in pkgutil.iter_modules(boomerang.web.__path__, "boomerang.web."):
        for thing in vars(importlib.import_module(module.name)).values():
            app = getattr(thing, "app", None)
            if isinstance(thing, type) and isinstance(app, Klein):
                routes.update(rule.rule for rule in app.url_map.iter_rules())

    assert set(table("Route")) == routes
    assert len(routes) >= 4


def test_metrics_table() -> None:
    """README's table has every metric of boomerang's own, with its labels, and no other."""
    metrics = Metrics(version="1", environment="test")
    metrics.watch_held(lambda: 0.0)
    metrics.registry.register(CheckCollector(lambda: [_checked()]))
    metrics.registry.register(AuditCollector(lambda: Standing(at=NOW, gaps={"missing": 1})))
    families = {}
    of_supervisor = SupervisorCounts(of=2).registry
    for family in (*metrics.registry.collect(), *of_supervisor.collect()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name.startswith("boomerang_"):
            assert family.samples, f"{name} does not show its labels"
            labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
            families[name] = sorted(labels.keys() - {"le"})

    listed = {}
    for entry in table("Metric"):
        name, _, named = entry.rstrip("}").partition("{")
        if name.startswith("boomerang_"):
            listed[name] = sorted(named.split(",")) if named else []

    assert listed == families


def _checked() -> CheckView:
    """A check of which all is known that can be."""
    watched = Watched(Check(name="app", url="https://app.example.com/"))
    phases = {"connect": 0.1, "transfer": 0.1}
    watched.add(Result(at=NOW, seconds=0.2, phases=phases, status=200, certificate_expires=NOW))
    return CheckView(
        check=watched.check,
        standing=watched.standing,
        causes=(),
        paused_until=None,
        results=tuple(watched.results),
        failures=watched.failures,
    )


def test_log_lines() -> None:
    """README's example of the log is how the lines are written."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search("(?m)^(retry attempt=.*)\n(recovered attempt=.*)$", text)
    assert shown is not None
    sid = "CA00000000000000000000000000000001"
    failed = parse_failed_request(
        [("ErrorCode", "11200"), ("ErrorUrl", "https://app.example.com/menu"), ("CallSid", sid)], []
    )
    metrics = Metrics(version="1", environment="test", endpoints=["menu"])
    record = DecisionRecord(metrics, lambda url: "unknown")
    decision = Decision(Kind.RETRY, 1, "", url=failed.error.url, endpoint="menu")
    held = Held(seconds=8.001, overshoot=0.001, early=False)
    chance = Chance(
        marked=Marked(failed.identity, failed.call),
        attempt=1,
        endpoint="menu",
        circuit=False,
        product="voice",
        sid=sid,
        origin=failed.error.parts.origin,
        given_at=0.0,
    )
    with capturedLogs() as events:
        record.decided(failed, decision, held=held, degraded=False)
        OutcomeRecord(metrics, _Nobody()).recovered(chance)

    lines = [formatEvent(event).replace(sid, "CA...") for event in events]
    assert lines == list(shown.groups())


class _Nobody:
    """Learns nothing."""

    def saved(self, origin: tuple[str, int], *, given_at: float) -> None: ...

    def lost(self, origin: tuple[str, int]) -> None: ...


def test_decisions() -> None:
    """README names every decision that a header can have, and every reason of one."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    answers = text.partition("\n## What it answers\n")[2].partition("\n**What it promises.**")[0]
    log = text.partition("`reason` says why")[2].partition("\n## ")[0]

    named = set(re.findall(r"`([a-z-]+)(?:; attempt=1)?`", answers))
    assert {kind.value for kind in Kind} <= named
    assert {CODE, ENDPOINT, DEAD, "repeated", "rounds", "circle"} <= set(
        re.findall("`([a-z]+)`", log)
    )


def test_procfile() -> None:
    """Heroku starts the daemon in the foreground, and without a file for its number."""
    assert (ROOT / "Procfile").read_text() == "web: twistd -n --pidfile= boomerang\n"


def test_app_json() -> None:
    """Heroku's button asks for settings that exist, and says what they are for."""
    app = json.loads((ROOT / "app.json").read_text())

    known = {name for declared in declared_settings() for name in declared.environment_names}
    assert app["name"] == "boomerang"
    assert app["description"]
    assert app["env"].keys() <= known
    assert all(asked["description"] for asked in app["env"].values())


def test_dockerfile() -> None:
    """The Dockerfile passes ``hadolint``."""
    assert (ROOT / "Dockerfile").is_file()
    assert checked(str(Path(sys.executable).with_name("hadolint")), "Dockerfile") == ""


def test_units(tmp_path: Path) -> None:
    """systemd finds nothing to say against the units."""
    for name in ("boomerang.service", "boomerang.socket"):
        text = (ROOT / "examples" / name).read_text()
        there = re.sub(r"(?m)^(ExecStart=)\S+", rf"\g<1>{shutil.which('true')}", text)
        assert (there != text) == name.endswith(".service")
        (tmp_path / name).write_text(there)

    verify = ("systemd-analyze", "verify", "--man=no", "./boomerang.service", "./boomerang.socket")
    assert checked(*verify, directory=tmp_path) == ""


def test_settings_of_the_unit() -> None:
    """What the unit and its comments set are settings, and the daemon takes them."""
    unit = (ROOT / "examples" / "boomerang.service").read_text()
    given = dict(re.findall(r'Environment="?(\w+)=([^"\n]+)', unit))
    options = SettingsOptions()
    options.environment = given

    options.parseOptions([])

    assert given.keys() >= {"BOOMERANG_STORE", "BOOMERANG_LISTEN"}


def test_example_settings() -> None:
    """The example of a settings file is a good one."""
    options = SettingsOptions()
    options.environment = {"BOOMERANG_STATUS_PASSWORD": "secret"}

    options.parseOptions(["--config", str(ROOT / "examples" / "boomerang.toml")])

    assert options["settings"].retry.wait == 8
    assert options["settings"].check == ()


def test_example_settings_without_comments(tmp_path: Path) -> None:
    """What stands in its comments is good, too: two checks, and where to report."""
    text = (ROOT / "examples" / "boomerang.toml").read_text()
    example = tmp_path / "boomerang.toml"
    example.write_text(re.sub(r"(?m)^# (?=\[|\w+ = )", "", text))
    options = SettingsOptions()
    options.environment = {"BOOMERANG_STATUS_PASSWORD": "secret", "LIBRATO_TOKEN": "secret"}

    options.parseOptions(["--config", str(example)])

    settings = options["settings"]
    assert [check.name for check in settings.check] == ["cloud", "web"]
    assert settings.check[1].depends_on == ("cloud",)
    assert settings.librato.user
    assert [service.type for service in settings.librato.service] == ["mail"]
