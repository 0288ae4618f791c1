"""What operators are told of decisions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.logger import LogEvent, LogLevel, capturedLogs

from boomerang.logs import message
from boomerang.metrics import Metrics
from boomerang.retry.hold import Held
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.record import DecisionRecord, masked
from boomerang.retry.request import FailedRequest, parse_failed_request

CA = "CA00000000000000000000000000000001"
APP = "https://app.example.com/voice"
HELD = Held(seconds=8.0, overshoot=0.0, early=False)
NOT_HELD = Held(seconds=0.0, overshoot=0.0, early=False)


def failure(url: str = APP, *, code: str = "11200", **sids: str) -> FailedRequest:
    return parse_failed_request([("ErrorCode", code), ("ErrorUrl", url), *sids.items()], [])


def metrics() -> Metrics:
    return Metrics(version="1", environment="test")


def told(
    failed: FailedRequest, decision: Decision, held: Held, *, degraded: bool = False
) -> Sequence[LogEvent]:
    with capturedLogs() as events:
        DecisionRecord(metrics()).decided(failed, decision, held=held, degraded=degraded)
    return events


def told_of_hanging_up(failed: FailedRequest) -> Sequence[LogEvent]:
    with capturedLogs() as events:
        DecisionRecord(metrics()).hung_up(failed)
    return events


RETRY = Decision(Kind.RETRY, 1, "", url=APP)
FALLBACK = Decision(Kind.FALLBACK, 2, "repeated", url="https://static.example.com/")
GIVE_UP = Decision(Kind.GIVE_UP, 0, "code")


@pytest.mark.parametrize(
    ("failed", "decision", "held", "degraded", "line"),
    [
        (
            failure(CallSid=CA),
            RETRY,
            Held(seconds=8.00049, overshoot=0.00049, early=False),
            False,
            "retry attempt=1 code=11200 product=voice host=app.example.com path=/voice"
            f" sid={CA} held=8.0 reason=- degraded=no",
        ),
        (
            failure("http://bücher.example:81?x=1", code="11205", MessageSid="SM1"),
            FALLBACK,
            NOT_HELD,
            True,
            "fallback attempt=2 code=11205 product=messaging host=xn--bcher-kva.example path=/"
            " sid=SM1 held=0.0 reason=repeated degraded=yes",
        ),
        (
            failure(code="12100"),
            GIVE_UP,
            NOT_HELD,
            False,
            "give-up attempt=0 code=12100 product=unknown host=app.example.com path=/voice"
            " sid=- held=0.0 reason=code degraded=no",
        ),
    ],
)
def test_line(
    failed: FailedRequest, decision: Decision, held: Held, degraded: bool, line: str
) -> None:
    """Each decision is one line, in the namespace of its feature, with all there is to know."""
    (event,) = told(failed, decision, held, degraded=degraded)
    assert message(event) == line
    assert event["log_level"] is LogLevel.info
    assert str(event["log_namespace"]).startswith("boomerang.retry")


def test_hung_up_line() -> None:
    """A client that hung up is one line too."""
    (event,) = told_of_hanging_up(failure(CallSid=CA))
    assert message(event) == (
        f"hung-up code=11200 product=voice host=app.example.com path=/voice sid={CA}"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/voice", "/voice"),
        ("/call/15005550006", "/call/*06"),
        ("/call/+15005550006/menu", "/call/+*06/menu"),
        ("/call/%2B15005550006", "/call/%2B*06"),
        ("/15005550006/15005550007", "/*06/*07"),
        ("from15005550006to15005550007", "from*06to*07"),
        ("/call/5550006", "/call/*06"),
        ("/call/\u0661\u0665\u0660\u0660\u0665\u0665\u0665", "/call/*\u0665\u0665"),
        ("/call/555000", "/call/555000"),
        ("/v2/2010-04-01", "/v2/2010-04-01"),
        ("", ""),
    ],
)
def test_masked(text: str, shown: str) -> None:
    """Of a telephone number the last two digits stay, and shorter numbers are left alone."""
    assert masked(text) == shown


@pytest.mark.parametrize(
    ("sid", "shown"),
    [
        (CA, CA),
        ("CA0123456789abcdef0123456789abcdef", "CA0123456789abcdef0123456789abcdef"),
        ("15005550006", "*06"),
        ("CA15005550006", "CA*06"),
        (f"{CA}5005550006", "CA*06"),
        (CA.lower(), "ca*01"),
        ("{sid}", "{sid}"),
        ("", "-"),
    ],
)
def test_sid(sid: str, shown: str) -> None:
    """One of Twilio's SIDs is shown whole; whatever else stands there may be a number."""
    (event,) = told(failure(CallSid=sid), RETRY, HELD)
    assert event["sid"] == shown
    (event,) = told_of_hanging_up(failure(CallSid=sid))
    assert event["sid"] == shown


def test_nothing_private() -> None:
    """No event has numbers, bodies, credentials or queries, in its words or in its fields."""
    private = {
        "ErrorUrl": "https://me:hunter2@app.example.com/15005550006?token=hunter2#hunter2",
        "CallSid": CA,
        "From": "+15005550006",
        "To": "+15005550001",
        "Body": "hunter2",
    }
    options = [("FallbackUrl", "https://static.example.com/?token=hunter2")]
    failed = parse_failed_request([("ErrorCode", "11200"), *private.items()], options)
    for event in (*told(failed, FALLBACK, HELD), *told_of_hanging_up(failed)):
        shown = f"{event} {message(event)}"
        assert "hunter2" not in shown
        assert "1500555" not in shown


def test_braces() -> None:
    """Braces in what was sent are shown as they are."""
    (event,) = told(failure("https://a/{path}/{0}{log_source}{}", CallSid="{sid}"), RETRY, HELD)
    assert "path=/{path}/{0}{log_source}{} sid={sid}" in message(event)


@pytest.mark.parametrize(
    ("decision", "failed", "held", "degraded", "counted"),
    [
        (
            RETRY,
            failure(CallSid=CA),
            Held(seconds=8.25, overshoot=0.25, early=False),
            False,
            {
                "boomerang_decisions_total{retry,voice}": 1.0,
                "boomerang_hold_overshoot_seconds_count": 1.0,
                "boomerang_hold_overshoot_seconds_sum": 0.25,
            },
        ),
        (
            RETRY,
            failure(MessageSid="SM1"),
            Held(seconds=2.0, overshoot=0.0, early=True),
            True,
            {
                "boomerang_decisions_total{retry,messaging}": 1.0,
                "boomerang_degraded_decisions_total": 1.0,
                "boomerang_released_early_requests_total": 1.0,
            },
        ),
        (
            FALLBACK,
            failure(),
            NOT_HELD,
            False,
            {"boomerang_decisions_total{fallback,unknown}": 1.0},
        ),
        (
            GIVE_UP,
            failure(CallSid=CA),
            NOT_HELD,
            False,
            {"boomerang_decisions_total{give-up,voice}": 1.0},
        ),
    ],
)
def test_counted(
    decision: Decision,
    failed: FailedRequest,
    held: Held,
    degraded: bool,
    counted: dict[str, float],
) -> None:
    """Each decision is counted once, and a hold only where there was one."""
    instruments = metrics()
    DecisionRecord(instruments).decided(failed, decision, held=held, degraded=degraded)
    assert increased(instruments) == counted


def test_hanging_up_counted() -> None:
    """A client that hung up is counted, as no decision."""
    instruments = metrics()
    DecisionRecord(instruments).hung_up(failure(CallSid=CA))
    assert increased(instruments) == {"boomerang_hung_up_requests_total": 1.0}


def increased(instruments: Metrics) -> dict[str, float]:
    """What has been counted, by name and label values; buckets are left out."""
    found = {}
    for family in instruments.registry.collect():
        for sample in family.samples:
            if not sample.name.startswith("boomerang_") or sample.name.endswith("_info"):
                continue
            if sample.value and not sample.name.endswith(("_bucket", "_created")):
                labels = f"{{{','.join(sample.labels.values())}}}" if sample.labels else ""
                found[f"{sample.name}{labels}"] = sample.value
    return found


def _failed(url: str) -> FailedRequest:
    return parse_failed_request(
        [("ErrorCode", "11200"), ("ErrorUrl", url), ("CallSid", "CA1"), ("AccountSid", "AC1")], []
    )


def test_masked_separators() -> None:
    """A number with separators is masked, too."""
    from boomerang.retry.record import masked

    assert "555-0006" not in masked("/call/500-555-0006")


def test_namespace() -> None:
    """Decisions are logged under one short name."""
    from boomerang.retry.hold import Held
    from boomerang.retry.policy import Decision
    from boomerang.retry.record import DecisionRecord

    with capturedLogs() as events:
        DecisionRecord(Metrics(version="1", environment="x")).decided(
            _failed("http://a"), Decision(Kind.RETRY, 1, ""), held=Held(1, 0, False), degraded=False
        )
    assert events[0]["log_namespace"] == "boomerang.retry"
