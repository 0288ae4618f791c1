"""The benchmarks' own arithmetic, and one small run of their driver against a real daemon."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from urllib.parse import parse_qsl

import pytest

from benchmarks import compare, figures, monitor, patterns, traffic
from benchmarks.driver import Driver
from benchmarks.exchanges import (
    Exchange,
    MemorySample,
    Order,
    Outcome,
    faults,
    kib_per_held,
    lateness_from_sent,
    lateness_from_syn,
    lost_calls,
)
from benchmarks.held_figures import Lateness
from benchmarks.servers import FLOOR, everything_on, serving
from boomerang import twiml
from boomerang.settings import Sources, load_settings
from boomerang.standin import signing
from boomerang.standin.script import Call, Webhook, failure_parameters, standard_parameters

ANSWERED = Exchange(started=0.0, sent=1.0, answered=9.5, fault="")
LATE = Exchange(started=0.0, sent=0.0, answered=16.0, fault="")
CLOSED = Exchange(started=0.0, sent=0.5, fault="closed without an answer")


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([5.0], 0.5, 5.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 101)), 1.0, 100),
        (list(range(1, 1001)), 0.99, 990),
    ],
)
def test_percentile(values: list[float], share: float, expected: float) -> None:
    """A percentile is one of the values, the smallest that enough others do not exceed."""
    assert figures.percentile(values, share) == expected


def test_percentile_of_nothing() -> None:
    """Without values there is no percentile, and no target holds."""
    nothing = figures.percentile([], 0.99)
    assert math.isnan(nothing)
    assert not figures.OVERSHOOT_EVEN.holds(nothing)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.4, "x", "0.40 x"),
        (8.0, "KiB", "8 KiB"),
        (12.34, "ms", "12.3 ms"),
        (1234.5, "ms", "1,234 ms"),
        (math.nan, "ms", "- ms"),
    ],
)
def test_quantity(value: float, unit: str, expected: str) -> None:
    """Numbers are written as people read them."""
    assert figures.quantity(value, unit) == (expected if math.isfinite(value) else "-")


def test_ratios_are_paired() -> None:
    """A round is compared with the same round of the other, which saw the same machine."""
    assert figures.paired_ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]
    assert math.isnan(figures.ratio(1.0, 0.0))


def test_figures_table_says_no() -> None:
    """A target that is missed is named."""
    missed = figures.Figure("memory", [9.0], figures.MEMORY_PER_HELD)
    kept = figures.Figure("overshoot", [9.0], figures.OVERSHOOT_EVEN)
    lines = figures.figures_table([missed, kept]).splitlines()
    assert [line.split()[-2] for line in lines[2:]] == ["NO", "yes"]


def test_lateness() -> None:
    """Lateness counts from the bytes' being sent, or from the first SYN; failures have none."""
    exchanges = [ANSWERED, LATE, CLOSED]
    assert lateness_from_sent(exchanges, 8.0) == [0.5, 8.0]
    assert lateness_from_syn(exchanges, 8.0) == [1.5, 8.0]
    assert faults(exchanges) == {"closed without an answer": 1}
    assert lost_calls(exchanges) == 2


def test_memory_per_held() -> None:
    """Memory counts for what is held at the instant of the sample."""
    exchanges = [Exchange(started=0.0, sent=0.0, answered=8.0, fault="") for _ in range(10)]
    samples = [MemorySample(4.0, 1100), MemorySample(20.0, 9999)]
    assert kib_per_held(samples, exchanges, idle_kib=1000, between=(0.0, 8.0)) == 10.0


@pytest.mark.parametrize(
    ("pattern", "held", "count", "wait"),
    [
        (patterns.EVEN, 1000, 1000, 8.0),
        (patterns.EVEN, 10_000, 10_000, 12.0),
        (patterns.BURST, 10_000, 10_000, 8.0),
        (patterns.TURNOVER, 1000, 2500, 8.0),
    ],
)
def test_orders(pattern: str, held: int, count: int, wait: float) -> None:
    """A pattern sends as many requests as it takes to hold that many together."""
    order = patterns.order_for(pattern, held, turnover_seconds=20.0, grace=5.0)
    assert (order.count, order.wait) == (count, wait)
    assert Order.from_json(order.to_json()) == order


def test_request() -> None:
    """A request has the 25 fields of a voice webhook, and is the only one of its call and host."""
    head, _, body = traffic.request(7, 8080).partition(b"\r\n\r\n")
    fields = dict(parse_qsl(body.decode()))
    assert len(fields) == 25
    assert fields["CallSid"].endswith("000000000007")
    url = "https://app-000000000007.example.com/voice?x=1&y=2"
    call = Call(first=Webhook(url), account_sid=fields["AccountSid"], sid=fields["CallSid"])
    told = standard_parameters(call, picked_up=True) + failure_parameters(11200, url)
    assert dict(told).items() <= fields.items()
    assert b"Content-Length: %d" % len(body) in head


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", "closed without an answer"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "answered HTTP/1.1 500"),
        (b"HTTP/1.1 200 OK\r\n\r\n<Response/>", "not the expected redirect"),
        (
            b"HTTP/1.1 200 OK\r\n\r\n"
            + twiml.redirect("https://app-000000000007.example.com/voice?x=1&y=2", "POST"),
            "",
        ),
    ],
)
def test_fault(answer: bytes, fault: str) -> None:
    """Only the redirect to the request's own URL counts as an answer."""
    assert traffic.fault(7, answer) == fault


@pytest.mark.parametrize("name", ["boomerang memory:", FLOOR])
def test_driver_measures_a_daemon(name: str) -> None:
    """A daemon that checks signatures, and the floor, hold all requests and answer them rightly."""
    with serving(name, wait=1.0) as server:
        order = Order(
            port=server.port, first_number=1, count=50, per_second=0.0, wait=1.0, grace=10.0
        )
        outcome = Outcome.from_json(Driver(order).run().to_json())
    assert faults(outcome.exchanges) == {}
    assert min(lateness_from_sent(outcome.exchanges, 1.0)) > -0.05


def watched(variant: str, *, p99: float, cpu_share: float, up: int = 500) -> monitor.MonitorRound:
    late = Lateness(p50=1.0, p99=p99, max=9.0)
    return monitor.MonitorRound(
        variant=variant, late=late, failed=0, cpu_share=cpu_share, checks_up=up
    )


def test_monitor_is_paired() -> None:
    """Rounds with checks are compared with the rounds without that saw the same machine."""
    rounds = [
        watched(monitor.ALONE, p99=2.0, cpu_share=1.0),
        watched(monitor.WATCHING, p99=3.0, cpu_share=9.0),
        watched(monitor.ALONE, p99=20.0, cpu_share=2.0),
        watched(monitor.WATCHING, p99=23.0, cpu_share=12.0, up=499),
    ]
    found = {figure.name: figure.value for figure in monitor.conclusions(rounds)}
    assert list(found.values()) == [13.0, 2.0, 9.0, 0, 1]
    assert "p99 x 1.32 (1.15-1.50); the checks take 9 (8-10) %" in monitor.report(rounds)


def test_checks_of_the_benchmark() -> None:
    """There are as many checks as are spoken of, at the interval that is spoken of."""
    checks = load_settings(Sources(file=everything_on() + monitor.settings_for(1))).check
    assert (len(checks), {check.interval for check in checks}) == (500, {10.0})


def test_twiml_of_the_benchmark_is_xml() -> None:
    """What the benchmark looks for in an answer is what a TwiML reader sees."""
    url = "https://app-000000000007.example.com/voice?x=1&y=2"
    (redirect,) = ET.fromstring(twiml.redirect(url, "POST"))
    assert redirect.text == url


def test_requests_are_signed() -> None:
    """The signature of a request is the one that Twilio's own library makes."""
    form = parse_qsl(traffic.request(7, 8080).partition(b"\r\n\r\n")[2].decode())
    url = f"{traffic.PUBLIC_URL}/retry"
    assert traffic.signature(7) == signing.signature(traffic.AUTH_TOKEN, url, tuple(form))
    assert traffic.signatures(7)[-traffic.SIGNATURE_LENGTH :].decode() == traffic.signature(7)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [([1.0, 2.0], [2.0, 3.0], True), ([1.0, 2.0], [2.1, 3.0], False), ([], [1.0], False)],
)
def test_runs_agree(old: list[float], new: list[float], expected: bool) -> None:
    """Two runs agree about a ratio whose ranges overlap."""
    figure = {"name": "cpu", "target": {"unit": "x"}}
    runs = [{"figures": [{**figure, "values": values}]} for values in (old, new)]
    assert compare.compare(runs[0], runs[1])[1] is expected
