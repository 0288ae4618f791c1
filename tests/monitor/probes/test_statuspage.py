"""Checks of kind statuspage: what documents say, and what is no such document."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from boomerang.monitor.probes.asking import BODY_CAP, Asking
from boomerang.monitor.probes.statuspage import StatusPageProbe, document, incident
from boomerang.monitor.result import PHASES, CheckFailed, Reason
from boomerang.outbound import Answer
from tests.monitor.probes.driving import check, run
from tests.outbound.clients import client
from tests.servers import HOST
from tests.web_servers import Authority, answers, closed_port, page, redirects, serving

PATH = "/api/v2/status.json"


def said(indicator: object, description: object = "Major Outage") -> dict[str, object]:
    """A document as status pages serve it."""
    return {
        "page": {
            "id": "yh6f0r4529hb",
            "name": "Provider",
            "url": "https://status.example.com",
            "time_zone": "Etc/UTC",
            "updated_at": "2026-10-02T11:28:15.101Z",
        },
        "status": {"indicator": indicator, "description": description},
    }


@asynccontextmanager
async def probing(authority: Authority | None = None) -> AsyncIterator[StatusPageProbe]:
    async with client(authority.trust_root if authority else None) as outbound:
        yield StatusPageProbe(Asking(outbound, time.time))


@pytest.mark.parametrize("indicator", ["none", "minor", "maintenance"])
def test_well(indicator: str) -> None:
    """A provider is well with small incidents and maintenance too: there always is one."""
    assert incident(said(indicator)) is None


@pytest.mark.parametrize(
    ("indicator", "description", "detail"),
    [
        ("major", "Partial System Outage", "major: Partial System Outage"),
        ("critical", "Major Service Outage", "critical: Major Service Outage"),
        ("critical", "  two\n\nlines ", "critical: two lines"),
        ("critical", "x" * 1000, "critical: " + "x" * 120),
        ("critical", "", "critical"),
        ("critical", None, "critical"),
        ("critical", ["x"], "critical"),
    ],
)
def test_down(indicator: str, description: object, detail: str) -> None:
    """Major and critical incidents are failures, in the provider's own words, if it has any."""
    failure = incident(said(indicator, description))
    assert failure is not None
    assert (failure.reason, failure.detail) == (Reason.STATUS, detail)


@pytest.mark.parametrize(
    "parsed",
    [
        None,
        [],
        "none",
        {},
        {"status": None},
        {"status": "none"},
        {"status": ["none"]},
        {"status": {}},
        said("unheard of"),
        said("None"),
        said(None),
        said(["none"]),
        said({}),
        said(0),
    ],
)
def test_another_document(parsed: object) -> None:
    """JSON of another shape, or with an indicator that nobody knows, is no status document."""
    failure = incident(parsed)
    assert failure is not None
    assert (failure.reason, failure.detail) == (
        Reason.BODY,
        "answered JSON without a known status.indicator instead of a status document",
    )


def test_document() -> None:
    """The body is parsed, in whatever encoding of JSON it is."""
    for encoding in ("utf-8", "utf-16", "utf-8-sig"):
        body = json.dumps(said("none", "Alles grün"), ensure_ascii=False).encode(encoding)
        assert document(Answer(200, {}, body)) == said("none", "Alles grün")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(503, {}, b"{}"), "answered 503"),
        (Answer(204, {}, b""), "answered 204"),
        (Answer(200, {}, b""), "answered something that is not JSON"),
        (Answer(200, {}, b"<html>"), "answered something that is not JSON"),
        (Answer(200, {}, b"\xff\xff"), "answered something that is not JSON"),
        (Answer(200, {}, b"[" * BODY_CAP), "answered something that is not JSON"),
        (Answer(200, {}, b"1" * 10_000), "answered something that is not JSON"),
        (Answer(200, {}, b"{}", truncated=True), "answered something very long"),
    ],
)
def test_no_document(answer: Answer, words: str) -> None:
    """Anything but a JSON document with status 200 is a failure of its own kind."""
    with pytest.raises(CheckFailed) as caught:
        document(answer)
    assert (caught.value.reason, caught.value.detail) == (
        Reason.BODY,
        f"{words} instead of a status document",
    )


async def test_runs() -> None:
    """A run asks for the document, as JSON, over a connection of its own, and judges it."""
    async with probing() as probe:
        for indicator, reason in [("none", None), ("minor", None), ("major", Reason.STATUS)]:
            body = json.dumps(said(indicator)).encode()
            async with serving(answers(page(body))) as server:
                headers = {"X-Api-Key": "k"}
                result = await run(probe, check("statuspage", server.url(PATH), headers=headers))
                assert (result.reason, result.status) == (reason, 200)
                assert [phase for phase in PHASES if phase != "tls"] == list(result.phases)
            (asked,) = server.requests
            assert asked.line == f"GET {PATH} HTTP/1.1"
            assert asked.headers["accept"] == "application/json"
            assert asked.headers["connection"] == "close"
            assert asked.headers["x-api-key"] == "k"


async def test_redirect() -> None:
    """Pages that have moved are found."""
    body = json.dumps(said("critical")).encode()
    async with (
        probing() as probe,
        serving(answers(page(body))) as new,
        serving(redirects(old=new.url(PATH))) as old,
    ):
        result = await run(probe, check("statuspage", old.url("/old")))
    assert result.reason is Reason.STATUS


async def test_unreachable() -> None:
    """A status page that cannot be reached says nothing of its provider, and fails for itself."""
    async with probing() as probe:
        url = f"http://{HOST}:{closed_port()}{PATH}"
        assert (await run(probe, check("statuspage", url))).reason is Reason.CONNECT


@pytest.mark.parametrize(("days", "reason"), [(15, None), (13, Reason.CERTIFICATE)])
async def test_certificate_days(days: float, reason: Reason | None) -> None:
    """Its certificate can be watched as well."""
    authority = Authority()
    body = json.dumps(said("none")).encode()
    async with (
        probing(authority) as probe,
        serving(answers(page(body)), tls=authority.issue(HOST, days=days)) as server,
    ):
        one = check("statuspage", server.url(PATH), certificate_days=14)
        assert (await run(probe, one)).reason is reason
