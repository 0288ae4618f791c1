"""Which rules there are for some settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Final

from boomerang.monitor.absence import span_of
from boomerang.monitor.rules.rule import CRITICAL, WARNING, Group, Rule, Series, selecting
from boomerang.monitor.rules.service import RUNBOOKS, of_service
from boomerang.monitor.tree import ancestors
from boomerang.settings import Settings
from boomerang.settings.checks import Check

_GAP: Final = 60
"""Seconds without a scrape that mean nothing yet."""


def rules(settings: Settings, checks: Sequence[Check], *, selector: str) -> tuple[Group, ...]:
    """The rules for these checks, of which the critical ones alert, and for the retry service.

    ``selector`` has matchers that all series must fit (see `boomerang.monitor.rules.matchers`).
    """
    series = selecting(selector)
    named = [
        ("checks", tuple(_of_checks(checks, series))),
        ("service", tuple(of_service(settings, checks, series))),
    ]
    environment = settings.environment
    return tuple(
        Group(f"boomerang.{environment}.{name}", environment, group)
        for name, group in named
        if group
    )


def _of_checks(checks: Sequence[Check], series: Series) -> Iterator[Rule]:
    by_name = {check.name: check for check in checks}
    above = ancestors({check.name: check.depends_on for check in checks})
    for check in checks:
        if check.critical:
            wait = patience(check, [by_name[name] for name in sorted(above[check.name])])
            runbook = check.runbook_url or RUNBOOKS
            yield _slow(check, series, wait, runbook)
            yield _down(check, series, wait, runbook)
            yield _absent(check, series, runbook)


def patience(check: Check, needed: Sequence[Check]) -> int:
    """Seconds to wait, once a check is down, for what it depends on to be found down as well.

    Both may begin to fail in the same moment, and only the cause is to alert; but no longer than
    it takes the check to fail as often again.
    """
    at_once = (check.failures - 1) * check.interval
    at_last = max((each.failures * each.interval + each.timeout for each in needed), default=0.0)
    return ceil(min(max(0.0, at_last - at_once), check.failures * check.interval))


def _of(check: Check) -> str:
    return f'check="{check.name}"'


def _in_state(check: Check, state: str, series: Series) -> str:
    """The check is in a state, and nothing that it depends on explains that."""
    in_state = series("boomerang_check_state", _of(check), f'state="{state}"')
    expr = f"{in_state} == 1"
    if not check.depends_on:
        return expr
    affected = series("boomerang_check_affected", _of(check))
    return f"{expr} unless ignoring (state) {affected} == 1"


def _slow(check: Check, series: Series, wait: int, runbook: str) -> Rule:
    return Rule(
        alert="BoomerangCheckSlow",
        expr=_in_state(check, "slow", series),
        wait=wait,
        severity=WARNING,
        summary=f"{check.name} is slow",
        description=f"{check.name} takes longer than {check.slow:g} s to answer.",
        runbook_url=runbook,
        check=check.name,
    )


def _down(check: Check, series: Series, wait: int, runbook: str) -> Rule:
    times = "once" if check.failures == 1 else f"{check.failures} times in a row"
    return Rule(
        alert="BoomerangCheckDown",
        expr=_in_state(check, "down", series),
        wait=wait,
        severity=CRITICAL,
        summary=f"{check.name} is down",
        description=f"The check of {check.name} failed {times}, or more.",
        runbook_url=runbook,
        check=check.name,
    )


def _absent(check: Check, series: Series, runbook: str) -> Rule:
    span = span_of(check)
    last_run = series("boomerang_check_last_run_timestamp_seconds", _of(check), span=span)
    paused = series("boomerang_check_state", _of(check), 'state="paused"', span=span)
    return Rule(
        alert="BoomerangCheckAbsent",
        # The range keeps the last run of a process that is gone in view until it is too long ago.
        expr=(
            f"absent(max_over_time({last_run}) > time() - {span})"
            f" unless on () max_over_time({paused}) == 1"
        ),
        wait=_GAP,
        severity=CRITICAL,
        summary=f"{check.name} is not checked",
        description=(
            f"No result of the check {check.name} for {span} s: boomerang's monitor does not run,"
            " or Prometheus cannot reach it."
        ),
        runbook_url=runbook,
        check=check.name,
    )
