"""The alerting rules for Prometheus: what they are made of, and how they are written."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from boomerang.metrics import Metrics
from boomerang.monitor.prometheus import CheckCollector
from boomerang.monitor.rules import Rule, matchers, rules, to_yaml
from boomerang.monitor.rules.making import patience
from boomerang.settings import Settings
from boomerang.settings.checks import Check
from boomerang.settings.reports import NotifySettings

PROMTOOL = shutil.which("promtool")

OF_SERVICE = [
    "BoomerangAbsent",
    "BoomerangCallLost",
    "BoomerangCallsLost",
    "BoomerangStoreDegraded",
    "BoomerangNothingReleased",
    "BoomerangOvershoot",
    "BoomerangNotHeld",
]


def check(name: str = "web", **changes: Any) -> Check:
    return Check(**{"name": name, "url": "http://app.example.com/", "critical": True, **changes})


def made(
    *checks: Check, settings: Settings | None = None, selector: str = ""
) -> dict[str, Sequence[Rule]]:
    """The rules by their groups."""
    groups = rules(settings or Settings(), checks, selector=selector)
    return {group.name: group.rules for group in groups}


def names(*checks: Check, settings: Settings | None = None) -> list[str]:
    groups = made(*checks, settings=settings)
    return [rule.alert for group in groups.values() for rule in group]


def test_without_checks() -> None:
    """Where nothing is checked there are the rules for the retry service, and no others."""
    assert list(made()) == ["boomerang.production.service"]
    assert names() == OF_SERVICE


def test_of_checks() -> None:
    """A critical check has three rules, any check makes the monitor one to be watched."""
    groups = made(check("web"), check("api"), check("cloud", critical=False))
    assert list(groups) == ["boomerang.production.checks", "boomerang.production.service"]
    found = [(rule.alert, rule.check) for rule in groups["boomerang.production.checks"]]
    assert found == [
        (f"BoomerangCheck{kind}", name)
        for name in ("web", "api")
        for kind in ("Slow", "Down", "Absent")
    ]
    assert names(check(critical=False)) == [*OF_SERVICE, "BoomerangMonitorStale"]


@pytest.mark.parametrize(
    ("url", "there"), [("https://a.com/", 2), ("HTTPS://a.com/", 2), ("http://a.com/", 0)]
)
def test_certificates(url: str, there: int) -> None:
    """Where a certificate is seen, it is watched."""
    assert names(check(url=url)).count("BoomerangCertificateExpires") == there


def test_notifications() -> None:
    """Where messages are sent, it is watched whether they arrive."""
    settings = Settings(notify=NotifySettings(urls=("json://example.com",)))
    assert names(settings=settings) == [*OF_SERVICE, "BoomerangNotificationsFail"]


def test_runbooks() -> None:
    """Rules of a check lead to its own runbook, all others to the project's page."""
    groups = made(check(runbook_url="https://example.com/web"), check("api"))
    found = {(rule.check, rule.runbook_url) for group in groups.values() for rule in group}
    page = "https://github.com/impactdialing/boomerang#alerts"
    assert found == {("web", "https://example.com/web"), ("api", page), (None, page)}


@pytest.mark.parametrize(
    ("changes", "needed", "seconds"),
    [
        ({}, [], 0),
        ({}, [{}], 70),
        ({}, [{"failures": 1}], 0),
        ({}, [{"failures": 1}, {}], 70),
        ({"failures": 1}, [{}], 60),
        ({"interval": 10.0}, [{}], 30),
        ({"interval": 10.0, "failures": 10}, [{}], 100),
        ({}, [{"interval": 300.0}], 180),
        ({"interval": 0.3}, [{}], 1),
        ({}, [{"interval": 20.5, "timeout": 59.0}], 1),
    ],
)
def test_patience(changes: dict[str, Any], needed: list[dict[str, Any]], seconds: int) -> None:
    """A check waits for what it depends on, as long as it takes to fail as often again at most."""
    assert patience(check(**changes), [check(**each) for each in needed]) == seconds


def test_patience_with_all_above() -> None:
    """A check waits for what it depends on through others, too."""
    checks = [
        check("web", depends_on=("host",)),
        check("host", depends_on=("cloud",), critical=False, failures=1, interval=10.0),
        check("cloud", critical=False),
    ]
    waits = {rule.alert: rule.wait for rule in made(*checks)["boomerang.production.checks"]}
    assert waits == {
        "BoomerangCheckSlow": 70,
        "BoomerangCheckDown": 70,
        "BoomerangCheckAbsent": 60,
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        ('job="boomerang"', 'job="boomerang"'),
        (' job = "a" , env!="b",', 'job="a",env!="b"'),
        ('a=~"x|y",b!~"z.*"', 'a=~"x|y",b!~"z.*"'),
        ('a="quoted \\" and \\\\ and, {}"', 'a="quoted \\" and \\\\ and, {}"'),
        ('a="é"', 'a="é"'),
    ],
)
def test_matchers(text: str, found: str) -> None:
    """Matchers are PromQL's."""
    assert matchers(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "job",
        "job=boomerang",
        'job="boomerang',
        "job='boomerang'",
        'job=="a"',
        '{job="a"}',
        'a="b" c="d"',
        ',a="b"',
        '1a="b"',
        'a="\\x"',
        'a="b"} or vector(1) #',
        'a="b\n"',
        'a="\x85"',
        'a="\udc80"',
        " ",
    ],
)
def test_no_matchers(text: str) -> None:
    """Anything else is refused: it would become part of every expression."""
    with pytest.raises(ValueError, match="label matchers like"):
        matchers(text)


def test_selector_everywhere() -> None:
    """Every series of every rule is selected by the matchers."""
    settings = Settings(notify=NotifySettings(urls=("json://example.com",)))
    checks = [check(url="https://a.com/", depends_on=("cloud",)), check("cloud")]
    groups = made(*checks, settings=settings, selector='job="b"')
    found = [rule for group in groups.values() for rule in group]
    assert len(found) == len(names(*checks, settings=settings)) > len(checks)
    for rule in found:
        assert rule.expr.count("boomerang_") == rule.expr.count('job="b"}') > 0


def test_metrics_are_there() -> None:
    """Rules are about metrics that there are."""
    metrics = Metrics(version="1", environment="production")
    metrics.watch_held(lambda: 0)
    families = [*metrics.registry.collect(), *CheckCollector(list).collect()]
    there = {family.name for family in families}
    settings = Settings(notify=NotifySettings(urls=("json://example.com",)))
    checks = [check(url="https://a.com/", depends_on=("cloud",)), check("cloud")]
    named = {
        re.sub("_(total|bucket)$", "", name)
        for group in made(*checks, settings=settings).values()
        for rule in group
        for name in re.findall(r"\bboomerang_\w+", rule.expr)
    }
    assert len(named) > 8
    assert named <= there


AWKWARD = Settings(
    environment="é😀-1",
    check=(
        check(
            url="https://a.com/",
            depends_on=("yes",),
            runbook_url='https://a.com/{{ template }}?a="b"&c=%7B#: \'',
        ),
        check("yes", runbook_url="https://a.com/\u2028\ufeff\U000e0001😀"),
        check("1.5"),
    ),
    notify=NotifySettings(urls=("json://example.com",)),
)


@pytest.mark.parametrize("settings", [Settings(), AWKWARD], ids=["bare", "awkward"])
@pytest.mark.parametrize("selector", ["", 'job=~"a\\\\.b|é",env!="\\"x"'])
def test_promtool(settings: Settings, selector: str, tmp_path: Path) -> None:
    """Prometheus' own checker finds nothing to say."""
    assert PROMTOOL, "promtool is missing; it comes with Prometheus"
    file = tmp_path / "rules.yml"
    groups = rules(settings, settings.check, selector=selector)
    file.write_text(to_yaml(groups), encoding="utf-8")
    found = subprocess.run(
        [PROMTOOL, "check", "rules", "--lint=all", "--lint-fatal", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    count = sum(len(group.rules) for group in groups)
    assert f"SUCCESS: {count} rules found" in found.stdout
    assert (found.returncode, found.stderr) == (0, "")


def test_text() -> None:
    """What is written is for people too: one line for each thing, no line broken."""
    (group,) = rules(Settings(), (), selector="")
    rule = evolve(group.rules[0], description='a "b" \\ c\u2028{{ $value }}', runbook_url="{{x}}")
    text = to_yaml([evolve(group, rules=(evolve(rule, check="web"),))])
    assert text.splitlines() == [
        "# Made by: boomerang alerts rules. Make it again after a change of the settings.",
        "groups:",
        '  - name: "boomerang.production.service"',
        "    rules:",
        '      - alert: "BoomerangAbsent"',
        "        expr: |-",
        '          absent(boomerang_build_info{environment="production"})',
        "        for: 120s",
        "        labels:",
        "          severity: critical",
        '          environment: "production"',
        '          check: "web"',
        "        annotations:",
        '          summary: "no boomerang can be reached"',
        '          description: "a \\"b\\" \\\\ c\\U00002028{{ $value }}"',
        '          runbook_url: "{{\\"{{\\"}}x}}"',
    ]
