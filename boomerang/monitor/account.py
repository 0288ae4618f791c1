"""The audit of the account at Twilio, as a check among the others."""

from __future__ import annotations

from typing import Final

from boomerang.account.daily import Standing
from boomerang.monitor.result import Reason, Result
from boomerang.settings import Settings
from boomerang.settings.checks import Check

NAME: Final = "twilio-account"
KIND: Final = "account"
"""No kind that a file can name: nothing is asked, the audit brings its results itself."""


GAPS_FOUND: Final = "gaps at Twilio"
"""How the detail begins of an audit that found some; any other says why there was no audit."""


def account_check(settings: Settings) -> tuple[Check, ...]:
    """The check, if the account is audited. Each audit counts at once: there is one a day."""
    every = settings.account.audit_every
    if not every or any(check.name == NAME for check in settings.check):
        return ()
    return (Check(name=NAME, url="account:", kind=KIND, interval=every, failures=1, successes=1),)


def result_of(standing: Standing, *, now: float) -> Result:
    """What an audit found, as the run of a check; the names of what it found stay out of it."""
    if standing.error is not None:
        return Result(at=now, seconds=0.0, reason=Reason.ERROR, detail=standing.error)
    gaps = ", ".join(f"{count} {verdict}" for verdict, count in standing.gaps.items() if count)
    if gaps:
        return Result(at=now, seconds=0.0, reason=Reason.STATUS, detail=f"{GAPS_FOUND}: {gaps}")
    return Result(at=now, seconds=0.0)
