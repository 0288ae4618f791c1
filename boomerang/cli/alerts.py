"""``boomerang alerts``: what should alert people, at Librato or in Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from boomerang.cli.output import Output, complain
from boomerang.cli.records import paused_checks
from boomerang.cli.running import (
    FAILED,
    PENDING,
    WELL,
    Command,
    CommandFailed,
    Group,
    ReactorCommand,
)
from boomerang.monitor.librato.alerts import Desired, desired
from boomerang.monitor.librato.api import LibratoApi
from boomerang.monitor.librato.apply import Stopped, carry_out, read
from boomerang.monitor.librato.errors import LibratoError
from boomerang.monitor.librato.plan import Action, Change, Plan, plan
from boomerang.monitor.rules import matchers, rules, to_yaml
from boomerang.monitor.service import checks_of
from boomerang.outbound import Outbound
from boomerang.settings import Settings

_MARKS: Final = {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-", Action.KEEP: "="}

_DONE: Final = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.DELETE: "deleted",
    Action.KEEP: "was created by somebody else, as it should be:",
}


class PlanAlerts(ReactorCommand):
    """``boomerang alerts plan``."""

    optFlags = [["prune", None, "Delete alerts of this environment's checks that are no more."]]
    synopsis = "Usage: boomerang alerts plan [options]"
    longdesc = (
        "Exit status: 0 when nothing has to change at Librato, 2 when something has to, 1 when that"
        " could not be found out."
    )

    async def act(self, settings: Settings, reactor: Any) -> int:
        outbound = Outbound(reactor)
        try:
            api = LibratoApi.of(settings.librato, outbound)
            if api is None:
                raise CommandFailed("librato.token is not set (LIBRATO_TOKEN in the environment)")
            wanted = desired(
                settings.librato,
                checks_of(settings),
                environment=settings.environment,
                paused=await paused_checks(settings, reactor),
            )
            return await provision(api, wanted, prune=bool(self["prune"]), yes=self.yes())
        finally:
            await outbound.close()

    def yes(self) -> bool:
        """Whether to carry the plan out."""
        return False


class ApplyAlerts(PlanAlerts):
    """``boomerang alerts apply``."""

    optFlags = [["yes", "y", "Carry the plan out; without it, the plan is only printed."]]
    synopsis = "Usage: boomerang alerts apply [options]"
    longdesc = (
        "Exit status: 0 when all is as it should be, 2 when something has to change and --yes was"
        " not given, 1 when it could not be found out or not be done."
    )

    def yes(self) -> bool:
        return bool(self["yes"])


class Rules(Command):
    """``boomerang alerts rules``."""

    optParameters = [
        ["selector", "s", "", 'Labels that all series must have, like job="boomerang".'],
    ]
    synopsis = "Usage: boomerang alerts rules [options] > boomerang.rules.yml"
    longdesc = (
        "Where one Prometheus scrapes several environments, --selector tells them apart: the"
        " metrics of the checks have no label of their environment."
    )

    def run(self, settings: Settings) -> int:
        try:
            selector = matchers(self["selector"])
        except ValueError as error:
            raise CommandFailed(f"--selector expected {error}") from None
        print(to_yaml(rules(settings, checks_of(settings), selector=selector)), end="")
        return WELL


class Alerts(Group):
    """``boomerang alerts``."""

    subCommands = [
        ("plan", None, PlanAlerts, "Print what has to change at Librato."),
        ("apply", None, ApplyAlerts, "Print it, and change it with --yes."),
        ("rules", None, Rules, "Print alerting rules for Prometheus."),
    ]
    synopsis = "Usage: boomerang alerts COMMAND [options]"


async def provision(api: LibratoApi, wanted: Desired, *, prune: bool, yes: bool) -> int:
    """Print what has to change, and with ``yes`` change it; returns the exit status."""
    try:
        planned = plan(wanted, await read(api, wanted), prune=prune)
    except LibratoError as error:
        raise CommandFailed(f"cannot read what is at {api.url}: {error}") from None
    out = Output()
    for line in described(planned):
        out.write(line)
    if planned.pending and yes:
        return await _apply(api, planned, out)
    if planned.pending:
        out.write("nothing was changed: boomerang alerts apply --yes does it")
    out.check()
    return PENDING if planned.pending else WELL


async def _apply(api: LibratoApi, planned: Plan, out: Output) -> int:
    try:
        await carry_out(api, planned, done=lambda change: out.write(_told(change)))
    except Stopped as stop:
        for change in stop.left:
            out.tell(f"not done: {change.action.value} {change.kind.value} {change.name}")
        first = stop.left[0]
        raise CommandFailed(f"stopped at {first.kind.value} {first.name}: {stop}") from None
    if out.lost is None:
        return WELL
    complain(f"all was done; that could not be written: {out.lost.strerror}")
    return FAILED


def _told(change: Change) -> str:
    return f"{_DONE[change.action]} {change.kind.value} {change.name}"


def described(planned: Plan) -> Iterator[str]:
    """The plan for people, a line for each object and each field that changes; no secrets."""
    for change in planned.pending:
        action = change.action
        yield f"{_MARKS[action]} {action.value} {change.kind.value} {change.name}"
        for each in change.differences:
            before = "" if action is Action.CREATE else f"{each.before or '(none)'} -> "
            yield f"    {each.field}: {before}{each.after or '(none)'}"
    for name in planned.left_over:
        yield f"! left over: alert {name} (--prune deletes it)"
    for note in planned.notes:
        yield f"! {note}"
    counts = Counter(change.action for change in planned.changes)
    yield (
        f"{counts[Action.CREATE]} to create, {counts[Action.UPDATE]} to update,"
        f" {counts[Action.DELETE]} to delete, {counts[Action.KEEP]} as they should be"
    )
