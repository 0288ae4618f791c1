"""Rules for boomerang itself: for what costs calls, or blinds those who watch. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from boomerang.monitor.absence import span_of
from boomerang.monitor.rules.rule import CRITICAL, WARNING, Rule, Series
from boomerang.settings import Settings
from boomerang.settings.checks import Check
from boomerang.settings.values import HOME_URL

RUNBOOKS: Final = f"{HOME_URL}#alerts"
"""What to do about alerts that no check's own runbook is about."""

_DAY: Final = 86_400
_MANY_LOST: Final = 10
_LARGE_PART: Final = 0.1
_LATE: Final = 1.0
"""Seconds; Twilio waits for 15, of which a hold takes 8 by default, and 14 at the most."""


def of_service(settings: Settings, checks: Sequence[Check], series: Series) -> Iterator[Rule]:
    """The rules for the retry service, and for the monitor where there is something to monitor."""
    yield _gone(settings, series)
    yield from _lost(series)
    yield _degraded(series)
    yield _stuck(series)
    yield _late(series)
    yield _unheld(series)
    if checks:
        yield _stale(settings, checks, series)
    if any(check.url.lower().startswith("https:") for check in checks):
        yield _expiring(series, 14, WARNING)
        yield _expiring(series, 3, CRITICAL)
    if settings.notify.urls:
        yield _unheard(series)


def _build(settings: Settings, series: Series) -> str:
    return series("boomerang_build_info", f'environment="{settings.environment}"')


def _gone(settings: Settings, series: Series) -> Rule:
    return Rule(
        alert="BoomerangAbsent",
        expr=f"absent({_build(settings, series)})",
        wait=120,
        severity=CRITICAL,
        summary="no boomerang can be reached",
        description="Prometheus reaches no boomerang: a call whose webhook fails now may be lost.",
        runbook_url=RUNBOOKS,
    )


def _lost(series: Series) -> Iterator[Rule]:
    """One that Twilio's own message ended is worth a look; many that ended at all, a call."""
    given_up = series("boomerang_decisions_total", 'decision="give-up"', span=600)
    yield Rule(
        alert="BoomerangCallLost",
        expr=f"sum by (product, endpoint) (increase({given_up})) > 0",
        wait=0,
        severity=WARNING,
        summary="calls or messages were lost",
        description=(
            "In the last ten minutes a webhook ({{ $labels.product }}, endpoint"
            " {{ $labels.endpoint }}) failed again after its second chance, or had none, and there"
            " was no fallback."
        ),
        runbook_url=RUNBOOKS,
    )
    ended = series("boomerang_decisions_total", 'decision=~"give-up|apology"', span=300)
    # A call that is told to come back is counted again when it does.
    all_ = series("boomerang_decisions_total", 'decision!="hold"', span=300)
    yield Rule(
        alert="BoomerangCallsLost",
        expr=(
            f"sum(increase({ended})) > {_MANY_LOST}"
            f" and sum(increase({ended})) > {_LARGE_PART:g} * sum(increase({all_}))"
        ),
        wait=60,
        severity=CRITICAL,
        summary="many calls or messages are being lost",
        description=(
            '{{ $value | printf "%.0f" }} in the last five minutes, more than a tenth of those'
            " whose webhooks failed, ended with an apology or with Twilio's own message: the app"
            " does not recover within the hold."
        ),
        runbook_url=RUNBOOKS,
    )


def _degraded(series: Series) -> Rule:
    return Rule(
        alert="BoomerangStoreDegraded",
        expr=f"{series('boomerang_store_degraded')} == 1",
        wait=120,
        severity=WARNING,
        summary="boomerang works without its store",
        description=(
            "{{ $labels.instance }} decides from its own memory: other instances and a restart know"
            " nothing of the failures that it has seen."
        ),
        runbook_url=RUNBOOKS,
    )


def _stuck(series: Series) -> Rule:
    """Held now and a minute ago, and nothing decided meanwhile; no hold lasts so long."""
    held = series("boomerang_held_requests")
    decisions = series("boomerang_decisions_total")
    decided = "sum without (decision, product, endpoint)"
    return Rule(
        alert="BoomerangNothingReleased",
        expr=(
            f"({held} > 0) and ({held} offset 1m > 0)"
            f" and ({decided} ({decisions}) == {decided} ({decisions} offset 1m))"
        ),
        wait=60,
        severity=CRITICAL,
        summary="held calls are not released",
        description=(
            "{{ $labels.instance }} holds {{ $value }} requests and has answered none for a minute:"
            " Twilio gives them up after 15 seconds."
        ),
        runbook_url=RUNBOOKS,
    )


def _late(series: Series) -> Rule:
    buckets = series("boomerang_hold_overshoot_seconds_bucket", span=300)
    return Rule(
        alert="BoomerangOvershoot",
        expr=f"histogram_quantile(0.99, rate({buckets})) > {_LATE:g}",
        wait=300,
        severity=WARNING,
        summary="held calls are released late",
        description=(
            "On {{ $labels.instance }} one of a hundred held requests is answered"
            " {{ $value | humanizeDuration }} after its time: the machine is too busy."
        ),
        runbook_url=RUNBOOKS,
    )


def _unheld(series: Series) -> Rule:
    unheld = series("boomerang_unheld_requests_total", span=600)
    return Rule(
        alert="BoomerangNotHeld",
        expr=f"sum without (reason) (increase({unheld})) > 0",
        wait=0,
        severity=WARNING,
        summary="calls get their second chance without the wait",
        description=(
            "{{ $labels.instance }} had no place to hold some requests in the last ten minutes, and"
            " redirected them at once: an app that needs seconds to wake up fails them again."
        ),
        runbook_url=RUNBOOKS,
    )


def _stale(settings: Settings, checks: Sequence[Check], series: Series) -> Rule:
    """The process is there and makes no check; that it is not there is another alert."""
    span = min(map(span_of, checks))
    last_run = series("boomerang_check_last_run_timestamp_seconds", span=span)
    paused = series("boomerang_check_state", 'state="paused"', span=span)
    here = _build(settings, series)
    return Rule(
        alert="BoomerangMonitorStale",
        expr=(
            f"(absent(max_over_time({last_run}) > time() - {span}) and on () {here})"
            f" unless on () min(max_over_time({paused})) == 1"
        ),
        wait=60,
        severity=CRITICAL,
        summary="boomerang makes no checks",
        description=f"No check has run for {span} s, though boomerang runs.",
        runbook_url=RUNBOOKS,
    )


def _expiring(series: Series, days: int, severity: str) -> Rule:
    expiry = series("boomerang_check_certificate_expiry_timestamp_seconds")
    return Rule(
        alert="BoomerangCertificateExpires",
        expr=f"{expiry} - time() < {days * _DAY}",
        wait=900,
        severity=severity,
        summary=f"a certificate expires in less than {days} days",
        description=(
            "The certificate that the check {{ $labels.check }} saw expires in"
            " {{ $value | humanizeDuration }}."
        ),
        runbook_url=RUNBOOKS,
    )


def _unheard(series: Series) -> Rule:
    lost = series("boomerang_notifications_total", 'outcome!="delivered"', span=900)
    return Rule(
        alert="BoomerangNotificationsFail",
        expr=f"sum(increase({lost})) > 0",
        wait=0,
        severity=WARNING,
        summary="messages about outages do not arrive",
        description="In the last quarter of an hour a message of [notify] could not be delivered.",
        runbook_url=RUNBOOKS,
    )
