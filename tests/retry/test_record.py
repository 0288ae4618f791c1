"""What operators are told of decisions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent

from boomerang.logs import message
from boomerang.metrics import Metrics
from boomerang.retry.hold import Held
from boomerang.retry.outcomes import Chance
from boomerang.retry.policy import Decision, Kind
from boomerang.retry.record import DecisionRecord, OutcomeRecord, Watchers, masked, shown_sid
from boomerang.retry.request import FailedRequest, parse_failed_request
from boomerang.stores.interfaces import Marked
from boomerang.urls import WebUrl

CA = "CA00000000000000000000000000000001"
APP = "https://app.example.com/voice"
HELD = Held(seconds=8.0, overshoot=0.0, early=False)
NOT_HELD = Held(seconds=0.0, overshoot=0.0, early=False)


def failure(url: str = APP, *, code: str = "11200", **sids: str) -> FailedRequest:
    return parse_failed_request([("ErrorCode", code), ("ErrorUrl", url), *sids.items()], [])


def metrics() -> Metrics:
    return Metrics(version="1", environment="test", endpoints=["unknown", "menu"])


def named(url: WebUrl) -> str:
    """An endpoint table that knows one host."""
    return {"app.example.com": "ivr"}.get(url.host, "unknown")


def told(
    failed: FailedRequest, decision: Decision, held: Held, *, degraded: bool = False
) -> Sequence[LogEvent]:
    with capturedLogs() as events:
        DecisionRecord(metrics(), named).decided(failed, decision, held=held, degraded=degraded)
    return events


def told_of_hanging_up(failed: FailedRequest) -> Sequence[LogEvent]:
    with capturedLogs() as events:
        DecisionRecord(metrics(), named).hung_up(failed)
    return events


RETRY = Decision(Kind.RETRY, 1, "", url=APP)
FALLBACK = Decision(
    Kind.FALLBACK, 2, "repeated", url="https://static.example.com/", endpoint="menu"
)
HOLD = Decision(
    Kind.HOLD, 1, "", url="https://b.example.com/retry/continue?token=hunter2", endpoint="menu"
)
APOLOGY = Decision(
    Kind.APOLOGY, 0, "dead", document=b"<Response>hunter2</Response>", endpoint="menu"
)
GIVE_UP = Decision(Kind.GIVE_UP, 0, "code")
DECISIONS = (RETRY, FALLBACK, HOLD, APOLOGY, GIVE_UP)


@pytest.mark.parametrize(
    ("failed", "decision", "held", "degraded", "line"),
    [
        (
            failure(CallSid=CA),
            RETRY,
            Held(seconds=8.00049, overshoot=0.00049, early=False),
            False,
            "retry attempt=1 code=11200 product=voice endpoint=unknown host=app.example.com"
            f" path=/voice sid={CA} held=8.0 reason=- degraded=no",
        ),
        (
            failure("http://bücher.example:81?x=1", code="11205", MessageSid="SM1"),
            FALLBACK,
            NOT_HELD,
            True,
            "fallback attempt=2 code=11205 product=messaging endpoint=menu"
            " host=xn--bcher-kva.example path=/ sid=SM1 held=0.0 reason=repeated degraded=yes",
        ),
        (
            failure(code="12100"),
            GIVE_UP,
            NOT_HELD,
            False,
            "give-up attempt=0 code=12100 product=unknown endpoint=unknown host=app.example.com"
            " path=/voice sid=- held=0.0 reason=code degraded=no",
        ),
        (
            failure(CallSid=CA),
            HOLD,
            Held(seconds=10.0004, overshoot=0.0, early=False, may_go=False),
            False,
            "hold attempt=1 code=11200 product=voice endpoint=menu host=app.example.com"
            f" path=/voice sid={CA} held=10.0 reason=- degraded=no",
        ),
        (
            failure(CallSid=CA),
            APOLOGY,
            NOT_HELD,
            False,
            "apology attempt=0 code=11200 product=voice endpoint=menu host=app.example.com"
            f" path=/voice sid={CA} held=0.0 reason=dead degraded=no",
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


LINE = (
    "{decision} attempt={attempt} code={code} product={product} endpoint={endpoint} host={host}"
    " path={path} sid={sid} held={held} reason={reason} degraded={degraded}"
)


@given(
    path=st.text("ab/1{}%\u202e\u0661", max_size=12),
    sid=st.sampled_from([CA, "", "{sid}", "+15005550006", "%s"]),
    decision=st.sampled_from(DECISIONS),
    seconds=st.sampled_from([0.0, 0.0004, 0.0005, 1.0, 2.6745, 13.99951]),
    degraded=st.booleans(),
)
def test_words_and_fields(
    path: str, sid: str, decision: Decision, seconds: float, degraded: bool
) -> None:
    """The words of the line are those of the event's fields, whatever is in them."""
    held = Held(seconds=seconds, overshoot=0.0, early=False)
    failed = failure(f"https://app.example.com/{path}", CallSid=sid)
    (event,) = told(failed, decision, held, degraded=degraded)
    assert event["log_text"] == formatEvent({**event, "log_format": LINE})
    fields = {name: value for name, value in event.items() if not name.startswith("log_")}
    assert fields == {
        "decision": decision.kind,
        "attempt": decision.attempt,
        "code": "11200",
        "product": failed.product,
        "endpoint": decision.endpoint,
        "host": "app.example.com",
        "path": masked(failed.error.parts.path),
        "sid": shown_sid(sid),
        "held": round(seconds, 3),
        "reason": decision.reason or "-",
        "degraded": "yes" if degraded else "no",
    }


def test_hung_up_line() -> None:
    """A client that hung up is one line too."""
    (event,) = told_of_hanging_up(failure(CallSid=CA))
    assert message(event) == (
        f"hung-up code=11200 product=voice endpoint=ivr host=app.example.com path=/voice sid={CA}"
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
    events = [each for decision in DECISIONS for each in told(failed, decision, HELD)]
    for event in (*events, *told_of_hanging_up(failed)):
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
                "boomerang_decisions_total{retry,voice,unknown}": 1.0,
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
                "boomerang_decisions_total{retry,messaging,unknown}": 1.0,
                "boomerang_degraded_decisions_total": 1.0,
                "boomerang_released_early_requests_total": 1.0,
            },
        ),
        (
            FALLBACK,
            failure(),
            NOT_HELD,
            False,
            {"boomerang_decisions_total{fallback,unknown,menu}": 1.0},
        ),
        (
            GIVE_UP,
            failure(CallSid=CA),
            NOT_HELD,
            False,
            {"boomerang_decisions_total{give-up,voice,unknown}": 1.0},
        ),
        (
            HOLD,
            failure(CallSid=CA),
            Held(seconds=10.0, overshoot=0.0, early=False, may_go=False),
            False,
            {
                "boomerang_decisions_total{hold,voice,menu}": 1.0,
                "boomerang_hold_overshoot_seconds_count": 1.0,
            },
        ),
        (
            APOLOGY,
            failure(CallSid=CA),
            NOT_HELD,
            False,
            {"boomerang_decisions_total{apology,voice,menu}": 1.0},
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
    DecisionRecord(instruments, named).decided(failed, decision, held=held, degraded=degraded)
    assert increased(instruments) == counted


@pytest.mark.parametrize("why", ["full", "share", "account"])
def test_not_held(why: str) -> None:
    """A second chance that was given at once, since there was no room, says why."""
    instruments, decision = metrics(), evolve(RETRY, reason=why)
    with capturedLogs() as events:
        DecisionRecord(instruments, named).decided(
            failure(CallSid=CA), decision, held=NOT_HELD, degraded=False
        )
    assert f"held=0.0 reason={why} degraded=no" in message(events[0])
    assert increased(instruments) == {
        "boomerang_decisions_total{retry,voice,unknown}": 1.0,
        f"boomerang_unheld_requests_total{{{why}}}": 1.0,
    }


def test_hanging_up_counted() -> None:
    """A client that hung up is counted, as no decision."""
    instruments = metrics()
    DecisionRecord(instruments, named).hung_up(failure(CallSid=CA))
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


@given(st.text("12/a-. ()\u0661\u0662", max_size=30))
def test_masked_quickly(text: str) -> None:
    """What cannot have a number is seen at once, and never wrongly so: padding changes nothing."""
    padded = masked(f"\u0661_{text}_______")
    assert masked(text) == padded.removeprefix("\u0661_").removesuffix("_______")


def test_masked_separators() -> None:
    """A number with separators is masked, too."""
    assert "555-0006" not in masked("/call/500-555-0006")


def test_namespace() -> None:
    """Decisions and outcomes are logged under one short name."""
    with capturedLogs() as events:
        DecisionRecord(metrics(), named).decided(failure(), RETRY, held=HELD, degraded=False)
        OutcomeRecord(metrics(), Dead()).recovered(chance())
    assert [event["log_namespace"] for event in events] == ["boomerang.retry"] * 2


@define
class Dead:
    """What the circuits are told."""

    told: list[tuple[str, tuple[str, int]]] = field(factory=list)

    def saved(self, origin: tuple[str, int], *, given_at: float) -> None:
        assert given_at == 7.0
        self.told.append(("saved", origin))

    def lost(self, origin: tuple[str, int]) -> None:
        self.told.append(("lost", origin))


def chance(*, circuit: bool = True, sid: str = CA) -> Chance:
    return Chance(
        marked=Marked("identity", "call"),
        attempt=1,
        endpoint="menu",
        circuit=circuit,
        product="voice",
        sid=sid,
        origin=("app.example.com", 443),
        given_at=7.0,
    )


@pytest.mark.parametrize("circuit", [True, False])
def test_recovered(circuit: bool) -> None:
    """A second chance that saved its call is a line, a number, and news of the app."""
    instruments, dead = metrics(), Dead()
    with capturedLogs() as events:
        OutcomeRecord(instruments, dead).recovered(chance(circuit=circuit))
    (line,) = map(message, events)
    assert line == (
        f"recovered attempt=1 product=voice endpoint=menu host=app.example.com sid={CA}"
    )
    assert increased(instruments) == {"boomerang_second_chances_total{recovered,menu}": 1.0}
    assert dead.told == [("saved", ("app.example.com", 443))] * circuit


@pytest.mark.parametrize("circuit", [True, False])
def test_lost(circuit: bool) -> None:
    """So is one that did not; only endpoints that have a circuit tell of it."""
    instruments, dead = metrics(), Dead()
    with capturedLogs() as events:
        OutcomeRecord(instruments, dead).lost(chance(circuit=circuit))
    (line,) = map(message, events)
    assert line == f"lost attempt=1 product=voice endpoint=menu host=app.example.com sid={CA}"
    assert increased(instruments) == {"boomerang_second_chances_total{lost,menu}": 1.0}
    assert dead.told == [("lost", ("app.example.com", 443))] * circuit


def test_sid_of_an_outcome() -> None:
    """A SID that is none of Twilio's may be a number, here as there."""
    with capturedLogs() as events:
        OutcomeRecord(metrics(), Dead()).lost(chance(sid="15005550006"))
        OutcomeRecord(metrics(), Dead()).lost(chance(sid=""))
    assert [event["sid"] for event in events] == ["*06", "-"]


def test_several_watchers() -> None:
    """Several watchers hear of all, in their order."""
    heard: list[tuple[str, object]] = []

    class Watcher:
        def __init__(self, name: str) -> None:
            self._name = name

        def decided(
            self, failed: FailedRequest, decision: Decision, *, held: Held, degraded: bool
        ) -> None:
            heard.append((self._name, (failed, decision, held, degraded)))

        def hung_up(self, failed: FailedRequest) -> None:
            heard.append((self._name, failed))

    failed = failure()
    both = Watchers(Watcher("one"), Watcher("other"))
    both.decided(failed, RETRY, held=HELD, degraded=True)
    both.hung_up(failed)
    decided = (failed, RETRY, HELD, True)
    assert heard == [("one", decided), ("other", decided), ("one", failed), ("other", failed)]


class TestMistakes:
    @pytest.fixture(autouse=True)
    def _nothing_critical_logged(self) -> None:
        """Here a mistake is to be logged."""

    def test_watcher_that_fails(self) -> None:
        """A watcher that fails keeps no other from hearing, and no caller from the answer."""

        class Broken:
            def decided(self, *_: object, **__: object) -> None:
                raise ZeroDivisionError

            def hung_up(self, failed: FailedRequest) -> None:
                raise ZeroDivisionError

        instruments = metrics()
        both = Watchers(Broken(), DecisionRecord(instruments, named))
        with capturedLogs() as events:
            both.decided(failure(CallSid=CA), RETRY, held=HELD, degraded=False)
            both.hung_up(failure(CallSid=CA))
        mistakes = [message(each) for each in events if each["log_level"] is LogLevel.critical]
        assert [text.partition("\n")[0] for text in mistakes] == [
            "a decision could not be told",
            "a caller's hanging up could not be told",
        ]
        assert increased(instruments)["boomerang_decisions_total{retry,voice,unknown}"] == 1.0
        assert increased(instruments)["boomerang_hung_up_requests_total"] == 1.0
