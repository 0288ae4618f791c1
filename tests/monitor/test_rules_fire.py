"""When the alerting rules fire: tried by Prometheus' own ``promtool test rules``."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from boomerang.monitor.rules import rules, to_yaml
from boomerang.settings import Settings
from boomerang.settings.checks import Check
from boomerang.settings.reports import NotifySettings

PROMTOOL: Final = shutil.which("promtool")

DAY: Final = 86_400

WEB = Check(
    name="web",
    url="https://app.example.com/",
    critical=True,
    depends_on=("cloud",),
    runbook_url="https://example.com/{{web}}",
)
CLOUD = Check(name="cloud", url="https://cloud.example.com/", critical=True)
LAZY = Check(name="lazy", url="tcp://example.com:1", interval=600.0)
SETTINGS = Settings(check=(WEB, CLOUD, LAZY), notify=NotifySettings(urls=("json://example.com",)))

Series = dict[str, str | None]
"""Values by the name of a series, a minute apart (promtool's notation); `None` takes it away."""


def state(check: str, of: str, values: str) -> tuple[str, str]:
    return f'boomerang_check_state{{check="{check}",state="{of}"}}', values


def states(check: str, up: str, **others: str) -> Series:
    """The states of a check; those that are not named are 0."""
    values = {"up": up, **dict.fromkeys(("slow", "down", "unknown", "paused"), "0x60"), **others}
    return dict(state(check, name, each) for name, each in values.items())


def affected(check: str, values: str) -> Series:
    return {f'boomerang_check_affected{{check="{check}"}}': values}


def last_run(check: str, values: str | None) -> Series:
    return {f'boomerang_check_last_run_timestamp_seconds{{check="{check}"}}': values}


def expiry(check: str, values: str) -> Series:
    return {f'boomerang_check_certificate_expiry_timestamp_seconds{{check="{check}"}}': values}


def decisions(decision: str, values: str, product: str = "voice") -> Series:
    name = f'decision="{decision}",product="{product}",endpoint="main"'
    return {f"boomerang_decisions_total{{{name}}}": values}


def held(values: str) -> Series:
    return {"boomerang_held_requests": values}


def unheld(reason: str, values: str) -> Series:
    return {f'boomerang_unheld_requests_total{{reason="{reason}"}}': values}


def overshoot(**by_bound: str) -> Series:
    """The histogram, from the values of some of its buckets (``le_0_5``)."""
    bounds = {name.removeprefix("le_").replace("_", "."): each for name, each in by_bound.items()}
    return {
        f'boomerang_hold_overshoot_seconds_bucket{{le="{bound}"}}': values
        for bound, values in bounds.items()
    }


def notified(outcome: str, values: str) -> Series:
    return {f'boomerang_notifications_total{{outcome="{outcome}"}}': values}


BUILD: Final = 'boomerang_build_info{version="1",environment="production"}'

WELL: Final[Series] = {
    BUILD: "1x60",
    "boomerang_store_degraded": "0x60",
    **held("3x60"),
    **decisions("retry", "0+10x60"),
    **decisions("fallback", "0+5x60"),
    **decisions("hold", "0x60"),
    **decisions("apology", "0x60"),
    **decisions("give-up", "0x60"),
    **decisions("give-up", "0x60", product="messaging"),
    **overshoot(le_0_5="0+10x60", le_1="0+10x60", le_2_5="0+10x60", Inf="0+10x60"),
    **states("web", "1x60"),
    **states("cloud", "1x60"),
    **states("lazy", "1x60"),
    **affected("web", "0x60"),
    **affected("cloud", "0x60"),
    **last_run("web", "0+60x60"),
    **last_run("cloud", "0+60x60"),
    **last_run("lazy", "0+60x60"),
    **expiry("web", f"{90 * DAY}x60"),
    **expiry("cloud", f"{90 * DAY}x60"),
    **unheld("full", "0x60"),
    **notified("delivered", "0+1x60"),
    **notified("failed", "0x60"),
    **notified("dropped", "0x60"),
}
"""An hour in which nothing is wrong."""

FIRING: Final = 'count by (alertname, severity, check) (ALERTS{alertstate="firing"})'

GONE: Final[Series] = dict.fromkeys(WELL)

BOUNDS = (
    'boomerang_hold_overshoot_seconds_bucket{le="Inf"}',
    'boomerang_hold_overshoot_seconds_bucket{le="+Inf"}',
)


def instance(series: Mapping[str, str | None], name: str) -> Series:
    """The same series as another instance has them."""
    return {
        f'{metric.rstrip("}")}{"," if "{" in metric else "{"}instance="{name}"}}': values
        for metric, values in series.items()
    }


def asked(
    name: str, changes: Series, at: str = "0m", expected: Sequence[str] = ()
) -> dict[str, Any]:
    """A test for promtool: the alerts that fire at an instant, as ``Alert severity check``."""
    series = {**WELL, **changes}
    return {
        "interval": "1m",
        "input_series": [
            {"series": name.replace(*BOUNDS), "values": values}
            for name, values in series.items()
            if values is not None
        ],
        "promql_expr_test": [
            {
                "expr": f"{FIRING} # {name}",  # by which promtool's complaint is known
                "eval_time": at,
                "exp_samples": [{"labels": _labels(each), "value": 1} for each in expected],
            }
        ],
    }


def _labels(expected: str) -> str:
    alert, severity, *check = expected.split()
    labels = {"alertname": alert, "severity": severity, **({"check": check[0]} if check else {})}
    return "{" + ",".join(f'{name}="{each}"' for name, each in labels.items()) + "}"


def promtool(tests: Sequence[Mapping[str, Any]], folder: Path) -> tuple[int, str]:
    """Run tests against our rules; JSON is YAML."""
    assert PROMTOOL, "promtool is missing; it comes with Prometheus"
    text = to_yaml(rules(SETTINGS, SETTINGS.check, selector=""))
    (folder / "rules.yml").write_text(text, encoding="utf-8")
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yml").write_text(json.dumps(document), encoding="utf-8")
    found = subprocess.run(
        [PROMTOOL, "test", "rules", "tests.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return found.returncode, found.stdout + found.stderr


SLOW = "BoomerangCheckSlow warning web"
DOWN = "BoomerangCheckDown critical web"
CLOUD_DOWN = "BoomerangCheckDown critical cloud"
ABSENT = "BoomerangCheckAbsent critical web"
ALL_ABSENT = [ABSENT, "BoomerangCheckAbsent critical cloud"]
STALE = "BoomerangMonitorStale critical"
LOST = "BoomerangCallLost warning"
MANY_LOST = "BoomerangCallsLost critical"
STUCK = "BoomerangNothingReleased critical"
LATE = "BoomerangOvershoot warning"
NOT_HELD = "BoomerangNotHeld warning"
EXPIRES_SOON = "BoomerangCertificateExpires warning web"
EXPIRES_NOW = "BoomerangCertificateExpires critical web"

NOTHING_DECIDED = {**decisions("retry", "90x60"), **decisions("fallback", "0x60")}

FROM_10 = {"up": "1x9 0x50", "down": "0x9 1x50"}

CASES: list[tuple[str, Series, str, list[str]]] = [
    ("well", {}, "30m", []),
    ("well-at-start", {}, "1m", []),
    # Checks
    ("slow", states("web", "1x9 0x50", slow="0x9 1x50"), "12m", [SLOW]),
    ("down", states("web", **FROM_10), "12m", [DOWN]),
    ("down-for-a-minute", states("web", **FROM_10), "11m", []),
    ("up-again", states("web", "1x9 0x9 1x40", down="0x9 1x9 0x40"), "30m", []),
    ("down-without-dependence", states("cloud", **FROM_10), "10m", [CLOUD_DOWN]),
    (
        "affected",
        {**states("web", **FROM_10), **states("cloud", **FROM_10), **affected("web", "0x9 1x50")},
        "30m",
        [CLOUD_DOWN],
    ),
    (
        "affected-a-minute-later",
        {**states("web", **FROM_10), **states("cloud", **FROM_10), **affected("web", "0x10 1x49")},
        "30m",
        [CLOUD_DOWN],
    ),
    (
        "slow-and-affected",
        {**states("web", "1x9 0x50", slow="0x9 1x50"), **affected("web", "0x9 1x50")},
        "30m",
        [],
    ),
    (
        "still-down-when-the-cause-is-over",
        {**states("web", **FROM_10), **affected("web", "0x9 1x10 0x40")},
        "30m",
        [DOWN],
    ),
    ("down-but-not-critical", states("lazy", **FROM_10), "30m", []),
    ("paused", states("web", "1x9 0x50", paused="0x9 1x50"), "30m", []),
    ("unknown", states("web", "1x9 0x50", unknown="0x9 1x50"), "30m", []),
    # Nothing is measured
    ("run-late", last_run("web", "0+60x9 540x50"), "14m", []),
    ("not-run", last_run("web", "0+60x9 540x50"), "16m", [ABSENT]),
    ("gone-from-view", last_run("web", "0+60x9 _x50"), "16m", [ABSENT]),
    ("never-run", last_run("web", None), "5m", [ABSENT]),
    ("late-start", last_run("web", "_x1 120+60x50"), "30m", []),
    (
        "paused-not-run",
        {**last_run("web", "0+60x9 540x50"), **states("web", "1x9 0x50", paused="0x9 1x50")},
        "30m",
        [],
    ),
    (
        "just-resumed",
        {
            **last_run("web", "0+60x9 540x20 1860+60x30"),
            **states("web", "1x9 0x20 1x30", paused="0x9 1x20 0x30"),
        },
        "31m",
        [],
    ),
    (
        "resumed-and-not-run",
        {
            **last_run("web", "0+60x9 540x50"),
            **states("web", "1x9 0x20 1x30", paused="0x9 1x20 0x30"),
        },
        "38m",
        [ABSENT],
    ),
    ("not-run-but-not-critical", last_run("lazy", "0x60"), "50m", []),
    (
        "monitor-dead",
        {
            **last_run("web", "0+60x9 540x50"),
            **last_run("cloud", "0+60x9 540x50"),
            **last_run("lazy", "0+60x9 540x50"),
        },
        "16m",
        [*ALL_ABSENT, STALE],
    ),
    (
        "all-paused",
        {
            name: values
            for check in ("web", "cloud", "lazy")
            for name, values in {
                **last_run(check, "0+60x9 540x50"),
                **states(check, "1x9 0x50", paused="0x9 1x50"),
            }.items()
        },
        "30m",
        [],
    ),
    ("process-dead", GONE, "5m", [*ALL_ABSENT, "BoomerangAbsent critical"]),
    ("other-environment", {**GONE, BUILD.replace("production", "staging"): "1x60"}, "5m",
     [*ALL_ABSENT, "BoomerangAbsent critical"]),
    ("one-of-two-dead", {**instance({BUILD: "1x5 _x50"}, "two")}, "30m", []),
    # The retry service
    ("lost", decisions("give-up", "0x9 1x50"), "12m", [LOST]),
    ("lost-message", decisions("give-up", "0x9 1x50", product="messaging"), "12m", [LOST]),
    ("lost-long-ago", decisions("give-up", "0x9 1x50"), "25m", []),
    ("lost-before-we-looked", decisions("give-up", "7x60"), "30m", []),
    ("many-lost", decisions("give-up", "0x9 0+5x50"), "15m", [LOST, MANY_LOST]),
    ("many-lost-just-now", decisions("give-up", "0x14 0+30x50"), "16m", [LOST]),
    (
        "many-lost-of-very-many",
        {**decisions("give-up", "0x9 0+5x50"), **decisions("retry", "0+500x60")},
        "20m",
        [LOST],
    ),
    (
        "few-lost-of-few",
        {**NOTHING_DECIDED, **decisions("give-up", "0x9 0+1x50")},
        "20m",
        [LOST],
    ),
    ("many-apologies", decisions("apology", "0x9 0+5x50"), "15m", [MANY_LOST]),
    ("one-apology", decisions("apology", "0x9 1x50"), "12m", []),
    (
        "many-lost-while-others-are-held",
        {**decisions("give-up", "0x9 0+5x50"), **decisions("hold", "0+500x60")},
        "20m",
        [LOST, MANY_LOST],
    ),
    ("only-redirected", decisions("fallback", "0x9 0+500x50"), "20m", []),
    ("degraded", {"boomerang_store_degraded": "0x9 1x50"}, "12m",
     ["BoomerangStoreDegraded warning"]),
    ("degraded-for-a-moment", {"boomerang_store_degraded": "0x9 1x1 0x49"}, "12m", []),
    ("stuck", {**decisions("retry", "0+10x9 90x50"), **decisions("fallback", "0x60")},
     "12m", [STUCK]),
    ("stuck-just-now", {**decisions("retry", "0+10x9 90x50"), **decisions("fallback", "0x60")},
     "10m", []),
    (
        "quiet",
        {**NOTHING_DECIDED, **held("0x60")},
        "30m",
        [],
    ),
    (
        "one-call-after-long",
        {
            **held("0x29 1 0x30"),
            **decisions("retry", "90x30 91x30"),
            **decisions("fallback", "0x60"),
        },
        "31m",
        [],
    ),
    *(
        (
            f"two-callers-hang-up-{at}",
            {**NOTHING_DECIDED, **held("0x29 1 1 0x30")},
            at,
            [],
        )
        for at in ("31m", "32m")
    ),
    (
        "all-hang-up-now-and-then",
        {**NOTHING_DECIDED, **held("0x9 1 1 0 1 1 0 1 1 0x40")},
        "13m",
        [],
    ),
    (
        "late",
        overshoot(le_0_5="0+10x60", le_1="0+98x60", le_2_5="0+100x60", Inf="0+100x60"),
        "15m",
        [LATE],
    ),
    ("not-held", unheld("full", "0x9 0+1x50"), "12m", [NOT_HELD]),
    ("not-held-once", unheld("share", "0x9 3x50"), "25m", []),
    (
        "one-of-a-thousand-late",
        overshoot(le_0_5="0+10x60", le_1="0+999x60", le_2_5="0+1000x60", Inf="0+1000x60"),
        "15m",
        [],
    ),
    (
        "late-for-a-moment",
        overshoot(le_1="0+10x9 80x50", le_2_5="0+10x9 100x50", Inf="0+10x9 100x50"),
        "11m",
        [],
    ),
    # What else there is to know
    ("expires-in-two-weeks", expiry("web", f"{15 * DAY}x60"), "59m", []),
    ("expires-soon", expiry("web", f"{13 * DAY}x60"), "30m", [EXPIRES_SOON]),
    ("expires-now", expiry("web", f"{2 * DAY}x60"), "30m", [EXPIRES_SOON, EXPIRES_NOW]),
    ("expired", expiry("web", "1x60"), "30m", [EXPIRES_SOON, EXPIRES_NOW]),
    ("seen-once", expiry("web", f"{90 * DAY}x9 1 {90 * DAY}x50"), "11m", []),
    ("not-notified", notified("failed", "0x9 1x50"), "12m", ["BoomerangNotificationsFail warning"]),
    ("dropped", notified("dropped", "0x9 1x50"), "12m", ["BoomerangNotificationsFail warning"]),
    ("not-notified-long-ago", notified("failed", "0x9 1x50"), "40m", []),
]  # fmt: skip


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What promtool has to say of all cases; it is run once, as that takes the time."""
    assert len(CASES) == len({case[0] for case in CASES})
    status, said = promtool([asked(*case) for case in CASES], tmp_path_factory.mktemp("rules"))
    assert (status == 0) is ("FAILED" not in said)
    return said


@pytest.mark.parametrize("name", [each[0] for each in CASES])
def test_fires(name: str, complaints: str) -> None:
    """Each rule fires when it should, and no other does."""
    assert "Unit Testing:  tests.yml\n" in complaints
    assert f'# {name}",' not in complaints, complaints


def test_each_is_tried() -> None:
    """There is a case for every rule."""
    tried = {tuple(each.split()[:2]) for case in CASES for each in case[3]}
    groups = rules(SETTINGS, SETTINGS.check, selector="")
    assert tried == {(rule.alert, rule.severity) for group in groups for rule in group.rules}


def test_words(tmp_path: Path) -> None:
    """What people read is complete: labels, and texts with what they are about."""
    test = asked("words", {**states("web", **FROM_10), **expiry("cloud", f"{2 * DAY}x60")})
    project = "https://github.com/impactdialing/boomerang#alerts"
    own = {"environment": "production", "check": "web", "severity": "critical", "state": "down"}
    test["alert_rule_test"] = [
        {
            "alertname": "BoomerangCheckDown",
            "eval_time": "20m",
            "exp_alerts": [
                {
                    "exp_labels": own,
                    "exp_annotations": {
                        "summary": "web is down",
                        "description": "The check of web failed 3 times in a row, or more.",
                        "runbook_url": "https://example.com/{{web}}",
                    },
                }
            ],
        },
        {
            "alertname": "BoomerangCertificateExpires",
            "eval_time": "1h",
            "exp_alerts": [
                {
                    "exp_labels": {
                        "environment": "production",
                        "check": "cloud",
                        "severity": severity,
                    },
                    "exp_annotations": {
                        "summary": f"a certificate expires in less than {days} days",
                        "description": "The certificate that the check cloud saw expires in"
                        " 1d 23h 0m 0s.",
                        "runbook_url": project,
                    },
                }
                for severity, days in (("warning", 14), ("critical", 3))
            ],
        },
    ]
    found = promtool([test], tmp_path)
    assert found == (0, "Unit Testing:  tests.yml\n  SUCCESS\n\n")
