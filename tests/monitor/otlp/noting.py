"""Totals with something in them."""

from __future__ import annotations

from boomerang.monitor.otlp.totals import Totals
from boomerang.monitor.result import Reason, Result
from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.request import parse_failed_request
from boomerang.settings.checks import Check

START = 1_800_000_000.0
"""When the totals began; their wall clock stands still."""

VOICE = parse_failed_request(
    [("ErrorCode", "11200"), ("ErrorUrl", "https://app.example.com/voice"), ("CallSid", "CA1")], []
)
AGAIN = Decision(Kind.RETRY, 1, "", url="https://app.example.com/voice")


def held(overshoot: float) -> Held:
    return Held(seconds=8.0, overshoot=overshoot, early=False)


def check(name: str, *, interval: float = 60.0, timeout: float = 10.0) -> Check:
    return Check(name=name, url="https://example.com/", interval=interval, timeout=timeout)


def busy_totals(at: float = START + 60.0) -> Totals:
    """Totals of two checks, one of them failing, and of two decisions; a minute after the start."""
    times = iter([START])
    totals = Totals(held=lambda: 3, wall_clock=lambda: next(times, at))
    phases = {"connect": 0.1, "first_byte": 0.25}
    totals.checked(check("web"), Result(at=at, seconds=0.4, phases=phases), affected=False)
    refused = Result(at=at, seconds=0.001, reason=Reason.CONNECT, phases={"resolve": 0.001})
    for _ in range(2):
        totals.checked(check("api"), refused, affected=True)
    totals.decided(VOICE, AGAIN, held=held(0.002), degraded=False)
    totals.decided(VOICE, AGAIN, held=held(7.5), degraded=False)
    return totals
