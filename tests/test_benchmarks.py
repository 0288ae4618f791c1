"""The benchmarks' own arithmetic, and one small run of their driver against a real daemon."""

from __future__ import annotations

import math
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from benchmarks import (
    compare,
    curves,
    documents,
    figures,
    monitor,
    patterns,
    plan,
    report,
    scale_reckoning,
    steps,
    traffic,
    turns,
    workers,
    wrk,
)
from benchmarks.cores import Cores, only_on, share, split
from benchmarks.driver import Driver
from benchmarks.exchanges import (
    Exchange,
    MemorySample,
    Order,
    Outcome,
    all_held,
    faults,
    kib_per_held,
    lateness_from_sent,
    lateness_from_syn,
    lost_calls,
)
from benchmarks.held_figures import HeldRun, Lateness, conclusions
from benchmarks.rate import RatePoint
from benchmarks.servers import FLOOR, PEER, ROOT, SQLITE, everything_on, serving
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
    assert figures.paired_ratios({1: 2.0, 2: 9.0}, {1: 1.0, 2: 3.0}) == [2.0, 3.0]
    assert figures.paired_ratios({1: 2.0, 2: 9.0}, {2: 3.0, 3: 1.0}) == [3.0]
    assert math.isnan(figures.ratio(1.0, 0.0))


def test_figures_table_says_no() -> None:
    """A target that is missed is named."""
    missed = figures.Figure("memory", [9.0], figures.MEMORY_PER_HELD)
    kept = figures.Figure("overshoot", [9.0], figures.OVERSHOOT_EVEN)
    lines = figures.figures_table([missed, kept]).splitlines()
    shown = figures.figures_table([figures.Figure("rate", [9.0], figures.SHOWN)]).splitlines()
    assert [line.split()[-2] for line in [*lines[2:], shown[2]]] == ["NO", "yes", "-"]


def test_target_of_two_workers() -> None:
    """A target may be the least that a figure has to be."""
    held = [figures.TWO_WORKERS.holds(value) for value in (1.79, 1.8, math.nan)]
    assert held == [False, True, False]


@pytest.mark.parametrize(
    ("values", "tolerance", "expected"),
    [
        ([2.0, 4.0], 0.0, (2.0, 4.0)),
        ([2.0, 4.0], 1.0, (1.0, 8.0)),
        ([-1.0, 2.0], 1.0, (-2.0, 4.0)),
        ([0.0], 1.0, (0.0, 0.0)),
    ],
)
def test_spread_is_wider_than_the_rounds(
    values: list[float], tolerance: float, expected: tuple[float, float]
) -> None:
    """A spread is the range of the rounds, wider at either end by the tolerance of its kind."""
    target = figures.Target(tolerance=tolerance)
    assert figures.Figure("late", values, target).spread == expected


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


def test_nearly_all_held() -> None:
    """They are held together once nine of ten have come, until the first is answered."""
    exchanges = [Exchange(started=0.0, sent=n, answered=n + 9.5, fault="") for n in range(1, 11)]
    assert all_held(exchanges) == (9, 10.5)
    assert all_held([]) == (math.inf, math.inf)


@pytest.mark.parametrize(
    ("pattern", "held", "count", "wait"),
    [
        (patterns.EVEN, 1000, 1000, 8.0),
        (patterns.EVEN, 10_000, 10_000, 12.0),
        (patterns.EVEN, 20_000, 20_000, 14.0),
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


@pytest.mark.parametrize(
    ("available", "wanted", "servers", "drivers"),
    [
        ([0], 1, {0}, {0}),
        ([0, 1], 1, {0}, {1}),
        ([0, 1], 2, {0, 1}, {0, 1}),
        ([2, 3, 5, 7], 2, {2, 3}, {5, 7}),
    ],
)
def test_cores(available: list[int], wanted: int, servers: set[int], drivers: set[int]) -> None:
    """Servers and drivers have cores of their own where there are enough."""
    assert split(available, wanted=wanted) == Cores(frozenset(servers), frozenset(drivers))


def test_cores_of_each() -> None:
    """Servers that are loaded at once share their cores out evenly."""
    assert [share({2, 0, 1, 3}, number, of=2) for number in (0, 1)] == [{0, 2}, {1, 3}]
    assert share({5}, 0, of=1) == {5}


def test_affinity_is_given_back() -> None:
    """What is started within the block is bound to the cores, what comes after is not."""
    before = os.sched_getaffinity(0)
    with only_on({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_wrk_yields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load takes no core from a server that is at work on it; what wrk counts is read."""
    wrk_of_ours = tmp_path / "wrk"
    wrk_of_ours.write_text(
        f"#!{sys.executable}\nimport os\nprint('this is wrk')\n"
        """print('{"answered": %d, "not_200": 2, "broken": 3, "microseconds": 500000}'"""
        " % os.sched_getscheduler(0))\n"
    )
    wrk_of_ours.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = wrk.load(1, 1, most=10)
    assert (found.answered, found.wrong, found.seconds) == (os.SCHED_BATCH, 5, 0.5)
    wrk_of_ours.write_text("#!/bin/sh\necho unable to connect\n")
    with pytest.raises(wrk.LoadError, match="unable to connect"):
        wrk.load(1, 1, most=10)


def held_run(
    number: int, server: str, *, p99: float, kib: float, held: int, pattern: str = patterns.EVEN
) -> HeldRun:
    late = Lateness(p50=1.0, p99=p99, max=p99)
    return HeldRun(
        round=number,
        server=server,
        pattern=pattern,
        held=held,
        wait=8.0,
        sent=held,
        failed=0,
        faults={},
        lost_calls=0,
        kib=kib,
        kib_at_end=math.nan,
        from_sent=late,
        from_syn=late,
        driver_ms=1.0,
        microseconds=100.0,
        files=1.0,
    )


def test_held_figures_have_rounds() -> None:
    """Each round counts; the peer is compared with in those rounds that saw it."""
    runs = [
        held_run(1, PEER, p99=40.0, kib=16.0, held=1000),
        held_run(1, SQLITE, p99=4.0, kib=6.0, held=1000),
        held_run(2, SQLITE, p99=8.0, kib=4.0, held=1000),
        held_run(1, SQLITE, p99=9.0, kib=3.0, held=2000),
        held_run(2, SQLITE, p99=9.0, kib=6.0, held=2000),
    ]
    found = {figure.name: figure.values for figure in conclusions(runs, SQLITE)}
    assert found["1,000 held, even: overshoot p99"] == [4.0, 8.0]
    assert found["1,000 held, even: overshoot p99, boomerang / peer"] == [0.1]
    assert found["memory per held, 2,000 / 1,000"] == [0.5, 1.5]


@pytest.mark.parametrize("pattern", [patterns.BURST, patterns.TURNOVER])
def test_peer_at_its_end(pattern: str) -> None:
    """How late a server is that loses requests, or is about to, makes no ratio; its memory does."""
    runs = [
        held_run(1, PEER, p99=4000.0, kib=16.0, held=1000, pattern=pattern),
        held_run(1, SQLITE, p99=4.0, kib=4.0, held=1000, pattern=pattern),
    ]
    found = {figure.name: figure.values for figure in conclusions(runs, SQLITE)}
    assert found[f"1,000 held, {pattern}: memory per held, boomerang / peer"] == [0.25]
    assert f"1,000 held, {pattern}: overshoot p99, boomerang / peer" not in found


def workers_round(
    servers: int, count: int, *, per_second: float, microseconds: float
) -> workers.WorkersRound:
    return workers.WorkersRound(
        round=1,
        variant=workers.Variant(SQLITE, servers, count),
        per_second=per_second,
        microseconds=microseconds,
        server_cores=1.0,
        redis_cores=0.0,
        driver_cores=0.5,
        idle_cores=0.5,
        wrong=0,
    )


def test_two_workers_against_one() -> None:
    """The raw ratio stands beside those in which the driver's share of the cores is counted, and
    what a second busy core costs the first."""
    rounds = [
        workers_round(1, 1, per_second=4000.0, microseconds=200.0),
        workers_round(2, 1, per_second=5800.0, microseconds=250.0),
        workers_round(1, 2, per_second=6000.0, microseconds=320.0),
    ]
    section = workers.conclude([rounds])
    found = [figure.values for figure in section.figures if figure.values]
    assert found == [[1.5], [1.25], [1.5625], [1.6], [0]]
    assert f"{SQLITE}, 1 beside 1" in section.text


def test_rounds_in_turn() -> None:
    """Every round has every variant, and none is always the first; a few rounds make a step."""
    made: list[Sequence[int]] = []
    found = turns.steps("cpu", 7, start_seconds=3.0, round_seconds=2.0, run=made.append)
    for step in found:
        step.run()
    assert [list(numbers) for numbers in made] == [[1, 2, 3, 4, 5], [6, 7]]
    assert [(step.name, step.seconds) for step in found] == [
        ("cpu: rounds 1 to 5 of 7, all servers in turn", 13.0),
        ("cpu: rounds 6 to 7 of 7, all servers in turn", 7.0),
    ]
    assert "".join(f"{number}{name} " for number, name in turns.turns([1, 2, 3], "ab")) == (
        "1a 1b 2b 2a 3a 3b "
    )


def test_what_fails_is_reported() -> None:
    """A step that fails is named with its reason; the others, and what follows from them, stay."""

    def fails() -> int:
        raise OSError("no room")

    def conclude(results: Sequence[int]) -> steps.Section:
        return steps.Section("Sums", str(sum(results)), [], results)

    part = steps.Part(
        "sums",
        [
            steps.Step("one", 1.0, lambda: 1),
            steps.Step("two", 1.0, fails),
            steps.Step("three", 1.0, lambda: 3),
        ],
        conclude,
    )
    section, failed = steps.carry_out(part, steps.Bar(part.seconds))
    assert section is not None
    assert (section.text, failed) == ("4", [steps.Failed("two", "OSError: no room")])
    outcome = report.Outcome(machine={}).having("sums", section, failed)
    assert "OSError: no room" in report.targets(outcome)


def test_a_part_without_results_is_reported() -> None:
    """Where nothing can be concluded, that is what is reported."""

    def conclude(results: Sequence[int]) -> steps.Section:
        raise ValueError("nothing measured")

    section, failed = steps.carry_out(steps.Part("sums", [], conclude), steps.Bar(0))
    assert (section, [each.why for each in failed]) == (None, ["ValueError: nothing measured"])


@pytest.mark.parametrize("chosen", [plan.FULL, plan.QUICK])
def test_parts_conclude_from_nothing(chosen: plan.Plan) -> None:
    """A part all of whose steps failed still has its table, and no figure of it holds."""
    for make in plan.parts(chosen).values():
        found = make().conclude([]).figures
        assert not [each.name for each in found if each.holds]


def test_plan_fits_the_machine() -> None:
    """No more is held than the limit of open files permits."""
    fitted = plan.fitted(plan.FULL, 4_500).held
    assert (fitted.counts, fitted.most) == ((1_000, 3_000), 4_000)
    assert plan.fitted(plan.FULL, 2_000_000) == plan.FULL


def test_documents_are_filled() -> None:
    """Only what is between the markers changes, again and again."""
    text = "before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n"
    once = documents.filled(text, "figures", "new")
    assert once == "before\n<!-- figures -->\n\nnew\n\n<!-- /figures -->\nafter\n"
    assert documents.filled(once, "figures", "new") == once
    with pytest.raises(documents.MarkerError):
        documents.filled("nothing here", "figures", "new")


@pytest.mark.parametrize(
    ("file", "names"),
    [("README.md", ["figures"]), ("docs/scale.md", ["measured", "formulas", "extrapolated"])],
)
def test_documents_have_their_markers(file: str, names: list[str]) -> None:
    """What `make bench` writes has a place in the documents."""
    text = (ROOT / file).read_text()
    for name in names:
        text = documents.filled(text, name, "figure")
    assert text.count("\n\nfigure\n\n") == len(names)


def test_curves_are_drawn(tmp_path: Path) -> None:
    """Each curve is an SVG for light and one for dark pages; a point is no curve."""
    runs = [
        held_run(1, SQLITE, p99=held / 100, kib=6.0, held=held) for held in (1000, 2000, 10_000)
    ]
    point = RatePoint(server=PEER, per_second=100.0, microseconds=400.0, failed=0)
    found = curves.curves(runs, [point])
    curves.draw(found, tmp_path)
    assert [each.name for each in found] == ["overshoot", "memory"]
    for file in tmp_path.iterdir():
        ET.parse(file)
    assert len(list(tmp_path.iterdir())) == 4


def test_fleet() -> None:
    """What a fleet needs follows from what one process takes: two requests for each call."""
    seen = scale_reckoning.Measured(
        request_seconds=300e-6,
        kib=8.0,
        files=1.0,
        redis_seconds=15e-6,
        redis_bytes=400.0,
        sqlite_claims=20_000.0,
        window=900.0,
        wait=8.0,
    )
    few, many = (scale_reckoning.fleet(rate, seen) for rate in (1_000, 100_000))
    assert (few.requests, few.held, few.workers, few.machines) == (2_000, 8_000, 1, 1)
    assert (few.redis_masters, few.sqlite) == (1, True)
    assert (many.workers, many.machines, many.redis_masters) == (100, 13, 5)
    assert not many.sqlite
    assert many.workers_by_files == 13


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
    [
        ([1.0, 2.0], [2.0, 3.0], True),
        ([1.0, 2.0], [2.1, 3.0], False),
        ([None, None], [1.0, 1.0], False),
    ],
)
def test_runs_agree(old: list[float | None], new: list[float | None], expected: bool) -> None:
    """Two runs agree about a ratio whose spreads overlap."""
    figure = {"name": "cpu", "target": {"unit": "x"}}
    runs = [{"figures": [{**figure, "spread": spread}]} for spread in (old, new)]
    assert compare.compare(runs[0], runs[1])[1] is expected
