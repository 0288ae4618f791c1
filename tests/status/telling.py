"""Values to tell of, for the tests of the status page."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from attrs import evolve

from boomerang.endpoints.rules import rules_for
from boomerang.monitor.result import Reason, Result
from boomerang.monitor.uptime import Uptime
from boomerang.monitor.verdict import Standing, State
from boomerang.monitor.watched import CheckView
from boomerang.retry.hold import Held
from boomerang.retry.outcomes import Chance
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.request import FailedRequest
from boomerang.settings import RetrySettings
from boomerang.settings.checks import Check
from boomerang.status.overview import EndpointNow, Known, Overview, overview
from boomerang.status.report import Report, Told
from boomerang.stores.interfaces import Marked

NOON: Final = 1_800_000_000.0
"""The beginning of a minute, of an hour and, but for eight of them, of a day."""

NOT_HELD: Final = Held(seconds=0.0, overshoot=0.0, early=False)
HELD: Final = Held(seconds=8.0, overshoot=0.001, early=False)


def told(at: float = NOON, **more: Any) -> Told:
    usual: dict[str, Any] = {
        "at": at,
        "decision": "retry",
        "attempt": 1,
        "code": "11200",
        "product": "voice",
        "endpoint": "unknown",
        "url": "app.example.com/voice",
        "sid": "CA00…0001",
        "held": 8.0,
    }
    return Told(**{**usual, **more})


def report(name: str = "one", **more: Any) -> Report:
    usual: dict[str, Any] = {
        "instance": f"{name}-instance",
        "name": name,
        "version": "1.0",
        "started": NOON - 600,
        "at": NOON,
    }
    return Report(**{**usual, **more})


def decision(kind: Kind = Kind.RETRY, *, attempt: int = 1, reason: str = "") -> Decision:
    return Decision(kind=kind, attempt=attempt, reason=reason)


def chance(failed: FailedRequest) -> Chance:
    """The second chance that a failure was given."""
    rules = rules_for(None, RetrySettings())
    return Chance(
        marked=Marked(identity=failed.identity, call=failed.call),
        attempt=1,
        endpoint=rules.name,
        circuit=rules.circuit,
        product=failed.product,
        sid=failed.sid,
        origin=failed.error.parts.origin,
        given_at=0.0,
    )


def check(name: str = "web", state: str = "up", **more: Any) -> CheckView:
    """A check that has stood so for a minute."""
    settings = Check(name=name, url=f"https://{name}.example.com/", **more.pop("settings", {}))
    down = state == "down"
    standing = Standing(
        state=State(state),
        since=NOON - 60,
        reason=Reason.CONNECT if down else None,
        detail="refused" if down else "",
    )
    view = CheckView(
        check=settings,
        standing=standing,
        causes=(),
        paused_until=None,
        results=(Result(at=NOON - 5, seconds=0.05),),
        failures=Counter(),
        uptime=Uptime(),
    )
    return evolve(view, **more)


UNKNOWN: Final = EndpointNow(name="unknown", match="any other", held="8 s", last_resort="none")


def seen(*reports: Report, now: float = NOON, **known: Any) -> Overview:
    """The overview of some reports; of one process that has nothing to tell if there are none."""
    usual: dict[str, Any] = {"environment": "production", "endpoints": (UNKNOWN,)}
    return overview(reports or [report()], Known(**{**usual, **known}), now=now)
