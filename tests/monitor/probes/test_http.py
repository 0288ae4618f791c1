"""Checks of kind http, run against real servers that behave in every way."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs

from boomerang.monitor.probes.asking import BODY_CAP, Asking
from boomerang.monitor.probes.http import HttpProbe, body_failure, decoded, status_failure
from boomerang.monitor.result import PHASES, CheckFailed, Reason
from boomerang.outbound import Answer
from boomerang.settings.checks import Check
from tests.monitor.probes.driving import check, nothing_left, run, start, turn
from tests.outbound.clients import Names, client
from tests.servers import HOST, eventually
from tests.web_servers import (
    DAY,
    Asked,
    Authority,
    Behaviour,
    Caller,
    answers,
    answers_and_closes,
    closed_port,
    full_port,
    hangs,
    page,
    redirects,
    resets,
    serving,
)

SECRET = "s3cret"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@asynccontextmanager
async def probing(authority: Authority | None = None, **names: Any) -> AsyncIterator[HttpProbe]:
    """A probe that trusts an authority, and knows names (`Names`)."""
    root = authority.trust_root if authority else None
    async with client(root, Names(**names) if names else None) as outbound:
        yield HttpProbe(Asking(outbound, time.time))


def http_check(url: str, **keys: Any) -> Check:
    return check("http", url, **keys)


# Rules


def answer(status: int = 200, body: bytes = b"", type: str = "", **keys: Any) -> Answer:
    return Answer(status, {"content-type": type}, body, **keys)


@pytest.mark.parametrize(
    ("status", "patterns", "well"),
    [
        (200, ("2xx",), True),
        (299, ("2xx",), True),
        (302, ("2xx",), False),
        (200, ("200",), True),
        (201, ("200",), False),
        (401, ("2xx", "401"), True),
        (404, ("40x",), True),
        (999, ("2xx",), False),
        (20, ("2xx",), False),
        (2000, ("2xx",), False),
    ],
)
def test_status(status: int, patterns: tuple[str, ...], well: bool) -> None:
    """A status is well if one of the patterns fits it; x stands for any digit."""
    failure = status_failure(answer(status), patterns)
    assert (failure is None) is well


def test_status_in_words() -> None:
    """What came and what was expected is said."""
    failure = status_failure(answer(503), ("2xx", "401"))
    assert failure is not None
    assert (failure.reason, failure.detail) == (Reason.STATUS, "answered 503, expected 2xx or 401")


@pytest.mark.parametrize(
    ("body", "truncated", "contains", "lacks", "detail"),
    [
        (b"all is well", False, None, None, None),
        (b"all is well", True, None, None, None),
        (b"all is well", False, "well", None, None),
        (b"all is well", True, "well", None, None),
        (b"all is well", False, "bad", None, 'has no "bad" in it'),
        (b"all is well", True, "bad", None, 'has no "bad" in its first 1024 KiB'),
        (b"all is well", False, None, "bad", None),
        (b"all is well", False, None, "well", 'has "well" in it'),
        (b"all is well", True, None, "well", 'has "well" in it'),
        (
            b"all is well",
            True,
            None,
            "bad",
            "is too long to tell what it lacks: only 1024 KiB of it are read",
        ),
        (b"all is well", False, "all", "bad", None),
        (b"all is well", False, "all", "well", 'has "well" in it'),
        (b"all is well", False, "Well", None, 'has no "Well" in it'),
        (b"", False, "x" * 100, None, f'has no "{"x" * 60}" in it'),
    ],
)
def test_body(
    body: bytes, truncated: bool, contains: str | None, lacks: str | None, detail: str | None
) -> None:
    """A body must have one text and lack another; what cannot be decided is a failure."""
    rules = http_check("http://h/", body_contains=contains, body_lacks=lacks)
    failure = body_failure(answer(body=body, truncated=truncated), rules)
    if detail is None:
        assert failure is None
    else:
        assert failure is not None
        assert (failure.reason, failure.detail) == (Reason.BODY, f"the body {detail}")


def test_encoded_body() -> None:
    """A body that comes compressed though nobody asked for it cannot be judged, and says so."""
    compressed = Answer(200, {"content-encoding": "gzip"}, b"\x1f\x8b")
    assert body_failure(compressed, http_check("http://h/")) is None
    failure = body_failure(compressed, http_check("http://h/", body_lacks="x"))
    assert failure is not None
    assert "(gzip)" in failure.detail


@pytest.mark.parametrize(
    ("body", "type", "text"),
    [
        ("grün".encode(), "", "grün"),
        ("grün".encode(), "text/html", "grün"),
        ("grün".encode(), "text/html; charset=UTF-8", "grün"),
        ("grün".encode("latin-1"), "text/html; charset=ISO-8859-1", "grün"),
        ("grün".encode("latin-1"), "text/html;Charset = 'latin1' ; x", "grün"),
        ("grün".encode("utf-16"), 'text/plain; charset="utf-16"', "grün"),
        ("緑".encode("shift_jis"), "text/plain; charset=Shift_JIS", "緑"),
        ("grün".encode("latin-1"), "", "gr\ufffdn"),
        (b"gr\xffn", "text/plain; charset=us-ascii", "gr\ufffdn"),
        (b"green", "text/plain; charset=iso-none", "green"),
        (b"green", "text/plain; charset=", "green"),
        (b"green-", "text/plain; charset=punycode", "green-"),
        (b"green", "text/plain; charset=rot13", "green"),
        (b"6772", "text/plain; charset=hex", "6772"),
    ],
)
def test_decoded(body: bytes, type: str, text: str) -> None:
    """Text is read by the charset that the answer names, if it is one of the web, or as UTF-8."""
    assert decoded(answer(body=body, type=type)) == text


# Runs that are well


async def test_well() -> None:
    """A good answer is well; the phases are all there, and add up to no more than the time."""
    async with probing() as probe, serving(answers(page())) as server:
        result = await run(probe, http_check(server.url()))
    assert (result.reason, result.detail, result.status) == (None, "", 200)
    assert list(result.phases) == [phase for phase in PHASES if phase != "tls"]
    assert sum(result.phases.values()) <= result.seconds
    assert result.certificate_expires is None


async def test_well_with_tls(authority: Authority) -> None:
    """With TLS its phase is there, and so is the certificate's end."""
    async with (
        probing(authority) as probe,
        serving(answers(page()), tls=authority.issue(HOST, days=20)) as server,
    ):
        result = await run(probe, http_check(server.url()))
    assert result.well
    assert tuple(result.phases) == PHASES
    assert result.certificate_expires == pytest.approx(time.time() + 20 * DAY, abs=60)


async def test_phases() -> None:
    """The time until an answer begins, and the time that it takes, are told apart."""

    def late(caller: Caller, _: Asked) -> None:
        reactor.callLater(0.1, begin, caller)

    def begin(caller: Caller) -> None:
        caller.send(page(length=8))
        reactor.callLater(0.05, caller.send, b"more")

    async with probing() as probe, serving(late) as server:
        result = await run(probe, http_check(server.url()))
    assert 0.09 < result.phases["first_byte"] < result.seconds - 0.04
    assert 0.04 < result.phases["transfer"] < result.seconds - 0.09


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_what_is_sent(method: str) -> None:
    """Method and headers are those of the check; the connection is for this run alone."""
    headers = {"X-Token": SECRET, "accept": "text/html"}
    one = page(b"") if method == "HEAD" else page()
    async with probing() as probe, serving(answers(one)) as server:
        for _ in range(2):
            assert (await run(probe, http_check(server.url(), method=method, headers=headers))).well
        assert server.visits == 2
    for asked in server.requests:
        assert asked.line == f"{method} / HTTP/1.1"
        assert asked.headers["x-token"] == SECRET
        assert asked.headers["accept"] == "text/html"
        assert asked.headers["connection"] == "close"
        assert asked.headers["user-agent"].startswith("boomerang/")


async def test_accept() -> None:
    """Servers that want to know what is accepted are told: anything."""
    async with probing() as probe, serving(answers(page())) as server:
        await run(probe, http_check(server.url()))
    assert server.requests[0].headers["accept"] == "*/*"


async def test_login() -> None:
    """A login in the URL is sent as such."""
    async with probing() as probe, serving(answers(page())) as server:
        await run(probe, http_check(server.url(login="ops:s3cret@")))
    assert server.requests[0].headers["authorization"] == "Basic b3BzOnMzY3JldA=="


async def test_large_body() -> None:
    """Without a rule for it, a body longer than the cap is well; no more is read."""
    async with probing() as probe, serving(answers(page(b"x" * 3 * BODY_CAP))) as server:
        assert (await run(probe, http_check(server.url()))).well


async def test_redirects() -> None:
    """Redirects are followed to the page that is judged; its status is the result's."""
    async with probing() as probe, serving(redirects(a="/b", b="/c", c="/d")) as server:
        result = await run(probe, http_check(server.url("/a"), body_contains="end"))
    assert (result.well, result.status) == (True, 200)
    assert len(server.requests) == 4


async def test_redirect_that_is_expected() -> None:
    """With no redirects allowed, one is judged by its status."""
    async with probing() as probe, serving(redirects(a="/b")) as server:
        one = http_check(server.url("/a"), redirects=0, status=("302",))
        assert (await run(probe, one)).well
        result = await run(probe, http_check(server.url("/a"), redirects=0))
        assert (result.reason, result.status) == (Reason.STATUS, 302)
        assert [asked.path for asked in server.requests] == ["/a", "/a"]


# Runs that fail


async def test_wrong_status() -> None:
    """An unexpected status fails the run, and goes before a wrong body."""
    async with probing() as probe, serving(answers(page(status=503))) as server:
        result = await run(probe, http_check(server.url(), body_contains="else"))
    assert (result.reason, result.detail, result.status) == (
        Reason.STATUS,
        "answered 503, expected 2xx",
        503,
    )


async def test_wrong_body() -> None:
    """A body without the text that it must have fails the run."""
    async with probing() as probe, serving(answers(page())) as server:
        result = await run(probe, http_check(server.url(), body_contains="else"))
    assert (result.reason, result.detail) == (Reason.BODY, 'the body has no "else" in it')


async def test_text_beyond_the_cap() -> None:
    """A text that stands where nobody reads any more is told as not found there."""
    async with probing() as probe, serving(answers(page(b"x" * BODY_CAP + b"end"))) as server:
        result = await run(probe, http_check(server.url(), body_contains="end"))
    assert result.reason is Reason.BODY
    assert "in its first 1024 KiB" in result.detail


async def test_too_many_redirects() -> None:
    """More redirects than allowed fail the run."""
    async with probing() as probe, serving(redirects(a="/b", b="/a")) as server:
        result = await run(probe, http_check(server.url("/a"), redirects=2))
    assert result.reason is Reason.STATUS
    assert "more than 2 redirects" in result.detail
    assert result.status == 302


def breaks_off(caller: Caller, _: Asked) -> None:
    """Crashes amid an answer."""
    caller.send(page(length=9))
    reactor.callLater(0.01, caller.reset)


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (resets, Reason.CONNECT),
        (answers_and_closes(b""), Reason.CONNECT),
        (answers_and_closes(page(length=9)), Reason.BODY),
        (answers_and_closes(b"HTTP/1.1 200 OK\r\nX"), Reason.BODY),
        (breaks_off, Reason.BODY),
        (answers(b"SSH-2.0-OpenSSH\r\n"), Reason.ERROR),
        (answers(b"HTTP/1.1 no\r\n\r\n"), Reason.ERROR),
    ],
)
async def test_broken_answers(behave: Behaviour, reason: Reason) -> None:
    """Connections that break and answers that are none have their reasons, without secrets."""
    async with probing() as probe, serving(behave) as server:
        url = server.url(f"/{SECRET}", login=f"ops:{SECRET}@")
        result = await run(probe, http_check(url, headers={"X": SECRET}))
    assert result.reason is reason
    assert result.detail.startswith(f"{HOST}:{server.port}: ")
    assert SECRET not in result.detail


async def test_nobody_there() -> None:
    """A name without an address, and a refused connection, have their reasons."""
    async with probing(known={"known.example": [HOST]}) as probe:
        unknown = await run(probe, http_check("http://gone.example/"))
        refused = await run(probe, http_check(f"http://known.example:{closed_port()}/"))
    assert (unknown.reason, list(unknown.phases)) == (Reason.DNS, ["resolve"])
    assert (refused.reason, list(refused.phases)) == (Reason.CONNECT, ["resolve", "connect"])
    assert refused.response_seconds is None


async def test_no_tls(authority: Authority) -> None:
    """A handshake that fails has its reason, and its time."""
    async with probing(authority) as probe, serving(hangs()) as server, nothing_left():
        running = start(probe, http_check(server.url().replace("http:", "https:")))
        (await server.next_caller()).send(b"HTTP/1.1 400 No TLS here\r\n\r\n")
        result = await running
    assert result.reason is Reason.TLS
    assert list(result.phases) == ["resolve", "connect", "tls"]


async def test_bad_certificates(authority: Authority) -> None:
    """Certificates that are old, for another host or of a stranger have their reason; when they
    end is told nevertheless."""
    for tls, days in [
        (authority.issue(HOST, days=-3), -3),
        (authority.issue("other.example"), 90),
        (Authority().issue(HOST), 90),
    ]:
        async with probing(authority) as probe, serving(answers(page()), tls=tls) as server:
            result = await run(probe, http_check(server.url()))
        assert result.reason is Reason.CERTIFICATE
        assert result.certificate_expires == pytest.approx(time.time() + days * DAY, abs=60)


@pytest.mark.parametrize(("days", "well"), [(15, True), (13.9, False)])
async def test_certificate_days(days: float, well: bool, authority: Authority) -> None:
    """A certificate that ends within so many days fails the run."""
    async with (
        probing(authority) as probe,
        serving(answers(page()), tls=authority.issue(HOST, days=days)) as server,
    ):
        result = await run(probe, http_check(server.url(), certificate_days=14))
    if well:
        assert result.well
    else:
        assert (result.reason, result.detail) == (
            Reason.CERTIFICATE,
            "the certificate expires in 13.9 days, expected 14",
        )


# Runs that take too long


async def test_timeout_of_look_up() -> None:
    """A look-up that hangs is told; its late answer is noticed nowhere, not in the log either."""
    names = Names(hanging=["slow.example"])
    async with client(resolver=names) as outbound:
        probe = HttpProbe(Asking(outbound, time.time))
        with capturedLogs() as events:
            result = await run(probe, http_check("http://slow.example/", timeout=0.1))
            names.answer(names.waiting[0], HOST)
            await turn()
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "no answer within 0.1 s (resolve)")
    assert events == []


async def test_timeout_of_connection() -> None:
    """A connection that is neither made nor refused is told."""
    with full_port() as port:
        async with probing() as probe:
            result = await run(probe, http_check(f"http://{HOST}:{port}/", timeout=0.1))
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "no answer within 0.1 s (connect)")


@pytest.mark.parametrize(
    ("beginning", "phase"),
    [
        (b"", "first byte"),
        (b"HTTP/1.1 200 OK\r\nX", "transfer"),
        (page(length=9), "transfer"),
    ],
)
@pytest.mark.parametrize("encrypted", [False, True])
async def test_timeout_of_answer(
    beginning: bytes, phase: str, encrypted: bool, authority: Authority
) -> None:
    """A server that hangs before or amid its answer is told, and left: its side sees us go."""
    tls = authority.issue(HOST) if encrypted else None
    async with probing(authority) as probe, serving(hangs(beginning), tls=tls) as server:
        running = start(probe, http_check(server.url(), timeout=0.2))
        caller = await server.next_caller()
        result = await running
        assert (result.reason, result.detail) == (
            Reason.TIMEOUT,
            f"no answer within 0.2 s ({phase})",
        )
        assert result.seconds >= 0.2
        await caller.gone.addTimeout(0.5, reactor)
        assert server.visits == 1


async def test_timeout_of_tls(authority: Authority) -> None:
    """A handshake that hangs is told, and left."""
    async with probing(authority) as probe, serving(hangs()) as server:
        running = start(probe, http_check(server.url().replace("http:", "https:"), timeout=0.1))
        caller = await server.next_caller()
        result = await running
        assert (result.reason, result.detail) == (Reason.TIMEOUT, "no answer within 0.1 s (tls)")
        await caller.gone.addTimeout(0.5, reactor)


async def test_cancelled_from_outside() -> None:
    """A run that is cancelled, as at the end of the process, leaves nothing."""
    async with probing() as probe, serving(hangs()) as server, nothing_left():
        running = start(probe, http_check(server.url()))
        await eventually(lambda: bool(server.requests), what="the request")
        running.cancel()
        with pytest.raises(CancelledError):
            await running
        await turn()


async def test_many_at_once(authority: Authority) -> None:
    """Many runs at the same time do not disturb each other."""
    async with (
        probing(authority) as probe,
        serving(answers(page()), tls=authority.issue(HOST)) as server,
        nothing_left(),
    ):
        running = [start(probe, http_check(server.url())) for _ in range(100)]
        results = [await each for each in running]
    assert all(result.well for result in results)
    assert server.visits == 100


def test_failures_are_short() -> None:
    """What a failure says fits one line, whatever the check's own texts are."""
    failure = body_failure(answer(), http_check("http://h/", body_contains="x" * 10_000))
    assert isinstance(failure, CheckFailed)
    assert len(failure.detail) < 100
