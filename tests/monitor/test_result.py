"""What one run of a check found, and what of it the store keeps."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boomerang.monitor.result import (
    LONGEST_DETAIL,
    PHASES,
    CheckFailed,
    Reason,
    Result,
    from_json,
    to_json,
)

NOW = 1795223700.25

TYPICAL = Result(
    at=1795223700.123456,
    seconds=0.412345678,
    phases={
        "resolve": 0.001234567,
        "connect": 0.020123456,
        "tls": 0.040123456,
        "first_byte": 0.300123456,
        "transfer": 0.010123456,
    },
    status=200,
    certificate_expires=1826759700.0,
)

thousandths = st.integers(0, 10**12).map(lambda n: n / 1000)
results = st.builds(
    Result,
    at=thousandths,
    seconds=st.integers(0, 3_000_000).map(lambda n: n / 10_000),
    reason=st.none() | st.sampled_from(Reason),
    detail=st.text(max_size=LONGEST_DETAIL),
    phases=st.dictionaries(
        st.sampled_from(PHASES), st.integers(0, 3_000_000).map(lambda n: n / 10_000)
    ),
    status=st.none() | st.integers(100, 599),
    certificate_expires=st.none() | thousandths,
)


@pytest.mark.parametrize(
    ("reason", "well", "shown"),
    [
        (None, True, 0.5),
        (Reason.TIMEOUT, False, 0.5),
        (Reason.CONNECT, False, None),
        (Reason.DNS, False, None),
        (Reason.TLS, False, None),
        (Reason.STATUS, False, None),
        (Reason.BODY, False, None),
        (Reason.CERTIFICATE, False, None),
        (Reason.ERROR, False, None),
    ],
)
def test_response_seconds(reason: Reason | None, well: bool, shown: float | None) -> None:
    """An answer has a time, so does waiting in vain; a refused connection is never fast."""
    result = Result(at=NOW, seconds=0.5, reason=reason)
    assert result.well is well
    assert result.response_seconds == shown


def test_reasons() -> None:
    """The reasons that stand in metrics are these."""
    assert [reason.value for reason in Reason] == [
        "dns",
        "connect",
        "tls",
        "timeout",
        "status",
        "body",
        "certificate",
        "error",
    ]


@pytest.mark.parametrize(
    ("detail", "kept"),
    [
        ("status 503", "status 503"),
        ("\u00fcber two  lines", "\u00fcber two  lines"),
        ("one\r\ntwo\tthree\0", "one  two three "),
        ("\x1b[2J\u2028\ud800", " [2J  "),
        ("x" * 1000, "x" * LONGEST_DETAIL),
    ],
)
def test_detail(detail: str, kept: str) -> None:
    """What a stranger's server said fits on a line of the log, and can be written to any."""
    failure = CheckFailed(Reason.STATUS, detail)
    assert (failure.reason, failure.detail) == (Reason.STATUS, kept)
    assert failure.detail.encode("utf-8")


@given(results)
def test_round_trip(result: Result) -> None:
    """What the store keeps of a result is the result."""
    text = to_json(result)
    assert text.isascii()
    assert from_json(text) == result


def test_rounded() -> None:
    """Of a result with all that it may have, the store keeps milliseconds and less in 300 bytes."""
    text = to_json(TYPICAL)
    assert len(text) < 200
    kept = from_json(text)
    assert kept.at == 1795223700.123
    assert kept.seconds == 0.4123
    assert kept.phases["first_byte"] == 0.3001
    assert (kept.status, kept.certificate_expires) == (200, 1826759700.0)


def test_size() -> None:
    """A hundred results of five hundred checks are not too much for any store."""
    failed = Result(
        at=NOW,
        seconds=10.0001,
        reason=Reason.TIMEOUT,
        detail="no answer within 10 s (first byte)",
        phases=TYPICAL.phases,
        certificate_expires=TYPICAL.certificate_expires,
    )
    assert len(to_json(failed)) < 300
    assert len(to_json(Result(at=NOW, seconds=0.1))) < 50


def test_short() -> None:
    """What a result does not have takes no room."""
    assert json.loads(to_json(Result(at=NOW, seconds=0.0))) == {"at": NOW, "s": 0.0}


def test_certificate_without_end() -> None:
    """A certificate may be good to the end of the year 9999."""
    result = Result(at=NOW, seconds=0.1, certificate_expires=253402300799.0)
    assert from_json(to_json(result)) == result


GARBAGE = [
    "",
    "x",
    "[]",
    "{}",
    "1",
    "null",
    '"at"',
    '{"at":1}',
    '{"s":1}',
    '{"at":null,"s":1}',
    '{"at":"1","s":1}',
    '{"at":[1],"s":1}',
    '{"at":true,"s":1}',
    '{"at":NaN,"s":1}',
    '{"at":Infinity,"s":1}',
    '{"at":1e999,"s":1}',
    '{"at":1e15,"s":1}',
    f'{{"at":1{"0" * 400},"s":1}}',
    f'{{"at":1{"0" * 5000},"s":1}}',
    '{"at":1,"s":-Infinity}',
    '{"at":1,"s":1,"why":"rain"}',
    '{"at":1,"s":1,"why":null}',
    '{"at":1,"s":1,"why":["dns"]}',
    '{"at":1,"s":1,"why":{}}',
    '{"at":1,"s":1,"detail":5}',
    '{"at":1,"s":1,"detail":null}',
    '{"at":1,"s":1,"phases":[]}',
    '{"at":1,"s":1,"phases":5}',
    '{"at":1,"s":1,"phases":{"tls":"1"}}',
    '{"at":1,"s":1,"phases":{"tls":NaN}}',
    '{"at":1,"s":1,"status":"200"}',
    '{"at":1,"s":1,"status":[200]}',
    '{"at":1,"s":1,"status":NaN}',
    '{"at":1,"s":1,"cert":"2030-01-01"}',
    '{"at":1,"s":1,"cert":Infinity}',
    '{"at":1,"s":1',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", GARBAGE, ids=lambda text: text[:40] or "(empty)")
def test_garbage(text: str) -> None:
    """What is no result is refused, and can be told from a mistake of our own."""
    with pytest.raises(ValueError, match=r"\S"):
        from_json(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
keys = st.sampled_from(["at", "s", "why", "detail", "phases", "status", "cert"])


@given(st.dictionaries(keys, json_values) | json_values)
def test_any_json(value: object) -> None:
    """Whatever JSON the store has is a result or is refused; what is taken can be kept again."""
    with suppress(ValueError):
        result = from_json(json.dumps(value))
        assert isinstance(result.status, int | None)
        again = from_json(to_json(result))
        assert (again.reason, again.detail, again.status) == (
            result.reason,
            result.detail,
            result.status,
        )


@given(st.text())
def test_any_text(text: str) -> None:
    """Any other text is refused."""
    with pytest.raises(ValueError, match=r"\S"):
        from_json(text)
