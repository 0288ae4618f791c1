"""Visits: a connection of their own, each step told, redirects followed, nothing left behind."""

from __future__ import annotations

import gc
import time

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs

from boomerang.outbound import Trouble, Unreachable
from boomerang.urls import BadUrl
from tests.outbound.clients import Diary, Names, client, trouble, visit
from tests.servers import HOST
from tests.web_servers import (
    DAY,
    Authority,
    answers,
    closed_port,
    full_port,
    hangs,
    page,
    redirects,
    serving,
)

PLAIN = ["resolve", "connect", "first_byte", "transfer"]
ENCRYPTED = ["resolve", "connect", "tls", "first_byte", "transfer"]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(days=50)


def days_left(diary: Diary) -> float:
    assert diary.certificate_expires is not None
    return round((diary.certificate_expires - time.time()) / DAY, 3)


# Steps


async def test_steps() -> None:
    """Each step is told as it begins, and the status."""
    diary = Diary()
    async with client() as outbound, serving(answers(page(status=503))) as server:
        await visit(outbound, server.url(), diary)
    assert diary == Diary(PLAIN, 503, None)


async def test_steps_with_tls(authority: Authority) -> None:
    """With TLS its handshake is a step, and the certificate's end is told."""
    diary = Diary()
    async with (
        client(authority.trust_root) as outbound,
        serving(answers(page()), tls=authority.issue(HOST, days=20)) as server,
    ):
        await visit(outbound, server.url(), diary)
    assert (diary.begun, days_left(diary)) == (ENCRYPTED, 20)


async def test_end_of_the_chain(authority: Authority) -> None:
    """What counts of a chain is the certificate that expires first."""
    intermediate = Authority(days=10, parent=authority)
    diary = Diary()
    async with (
        client(authority.trust_root) as outbound,
        serving(answers(page()), tls=intermediate.issue(HOST, days=20)) as server,
    ):
        await visit(outbound, server.url(), diary)
    assert days_left(diary) == 10


async def test_status_before_the_body() -> None:
    """The status is told as soon as it is known, even if the body never comes."""
    diary = Diary()
    async with client() as outbound, serving(hangs(page(length=9))) as server:
        visiting = Deferred.fromCoroutine(visit(outbound, server.url(), diary))
        await server.next_caller()
        while diary.status is None:
            await deferLater(reactor, 0.001)
        visiting.cancel()
        with pytest.raises(CancelledError):
            await visiting
    assert diary == Diary(PLAIN, 200, None)


async def test_fresh_connections(authority: Authority) -> None:
    """Each visit has a connection of its own, says that it closes it, and does."""
    for tls in (None, authority.issue(HOST)):
        async with (
            client(authority.trust_root) as outbound,
            serving(answers(page()), tls=tls) as server,
        ):
            for _ in range(3):
                await visit(outbound, server.url())
                await server.all_gone()
            assert server.visits == 3
            assert {asked.headers["connection"] for asked in server.requests} == {"close"}


# Redirects


async def test_redirect_not_followed() -> None:
    """Without redirects asked for, one is an answer like others."""
    async with client() as outbound, serving(redirects(a="/end")) as server:
        answer = await visit(outbound, server.url("/a"))
        assert (answer.status, answer.body) == (302, b"moved")
        assert len(server.requests) == 1


async def test_redirects() -> None:
    """A chain of redirects is followed to its end; the steps begin anew with each."""
    diary = Diary()
    async with client() as outbound, serving(redirects(a="/b", b="c", c="?d")) as server:
        answer = await visit(outbound, server.url("/a"), diary, redirects=3)
        await server.all_gone()
        assert (answer.status, answer.body) == (200, b"end")
        assert [asked.path for asked in server.requests] == ["/a", "/b", "/c", "/c?d"]
    assert diary == Diary(PLAIN * 4, 200, None)


async def test_too_many_redirects() -> None:
    """One redirect more than asked for is an error; nothing is asked after it."""
    async with client() as outbound, serving(redirects(a="/b", b="/c", c="/a")) as server:
        found = await trouble(outbound, server.url("/a"), redirects=2)
        assert found == (Trouble.REDIRECT, f"{HOST}:{server.port}: more than 2 redirects")
        assert [asked.path for asked in server.requests] == ["/a", "/b", "/c"]
        await server.all_gone()


@pytest.mark.parametrize(
    "location", ["app://other", "http://:80/", "//[::1", "http://a b/", "http://a\\@b/"]
)
async def test_redirect_to_nowhere(location: str) -> None:
    """A redirect to what is no web address is an error that does not repeat it."""
    async with client() as outbound, serving(redirects(a=location)) as server:
        found = await trouble(outbound, server.url("/a"), redirects=2)
        words = "redirects to what is no web address"
        assert found == (Trouble.REDIRECT, f"{HOST}:{server.port}: {words}")
        await server.all_gone()


async def test_redirect_without_its_body() -> None:
    """A redirect's body is not waited for."""
    moved = page(status=301, headers=["Location: /end"], length=1000)

    async with (
        client() as outbound,
        serving(
            lambda caller, asked: caller.send(moved if asked.path == "/" else page())
        ) as server,
    ):
        assert (await visit(outbound, server.url(), redirects=1)).body == b"fine"
        await server.all_gone()


async def test_secrets_stay_with_their_server(authority: Authority) -> None:
    """A redirect within a server keeps headers and login; to another server, or from https to
    http, it carries neither, nor does it get them back later."""
    headers = {"Cookie": "c", "X-Api-Key": "k", "Accept": "text/html"}
    async with (
        client(authority.trust_root) as outbound,
        serving(answers(page())) as last,
        serving(redirects(x=last.url("/end"))) as second,
        serving(redirects(a="/b", b=second.url("/x")), tls=authority.issue(HOST)) as first,
    ):
        url = first.url("/a", login="ops:s3cret@")
        await visit(outbound, url, headers=headers, redirects=3)
    for asked in first.requests:
        assert asked.headers["authorization"] == "Basic b3BzOnMzY3JldA=="
        assert asked.headers["cookie"] == "c"
        assert asked.headers["x-api-key"] == "k"
    assert len(first.requests) == 2
    for asked in (*second.requests, *last.requests):
        assert {"authorization", "cookie", "x-api-key"}.isdisjoint(asked.headers)
        assert asked.headers["accept"] == "text/html"


async def test_certificate_of_the_last_tls_connection(authority: Authority) -> None:
    """With redirects the certificate seen last counts, and stays known after plain http."""
    diary = Diary()
    async with (
        client(authority.trust_root) as outbound,
        serving(answers(page())) as plain,
        serving(redirects(b=plain.url("/")), tls=authority.issue(HOST, days=20)) as second,
        serving(redirects(a=second.url("/b")), tls=authority.issue(HOST, days=30)) as first,
    ):
        await visit(outbound, first.url("/a"), diary, redirects=2)
    assert days_left(diary) == 20
    assert diary.begun == ENCRYPTED * 2 + PLAIN


# Troubles


async def test_troubles_are_told_by_their_step(authority: Authority) -> None:
    """The step at which a visit fails is the last that was told."""
    names = Names({"app.example": [HOST]})
    refusing = f"https://app.example:{closed_port()}/"
    async with client(authority.trust_root, names) as outbound:
        for url, steps in [("http://gone.example/", 1), (refusing, 2)]:
            diary = Diary()
            with pytest.raises(Unreachable):
                await visit(outbound, url, diary)
            assert diary.begun == ENCRYPTED[:steps]


async def test_no_web_address() -> None:
    """What is no web address is refused as such."""
    async with client() as outbound:
        with pytest.raises(BadUrl):
            await visit(outbound, "http://")


# Ends


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize(
    "beginning", [None, b"", b"HTTP/1.1 200 OK\r\nX: ", page(length=9), b"HTTP/1.1 200 OK\r\n\r\nx"]
)
async def test_cancelled(beginning: bytes | None, encrypted: bool, authority: Authority) -> None:
    """A visit that is cancelled at any time closes its connection at once."""
    tls = authority.issue(HOST) if encrypted and beginning is not None else None
    async with (
        client(authority.trust_root) as outbound,
        serving(hangs(beginning or b""), tls=tls) as server,
    ):
        url = server.url().replace("http:", "https:") if encrypted else server.url()
        visiting = Deferred.fromCoroutine(visit(outbound, url))
        caller = await server.next_caller()
        if beginning is not None:
            while not server.requests:
                await deferLater(reactor, 0.001)
            await deferLater(reactor, 0.005)
        visiting.cancel()
        with pytest.raises(CancelledError):
            await visiting
        await caller.gone.addTimeout(0.5, reactor)
        assert server.visits == 1


async def test_cancelled_while_connecting() -> None:
    """A visit that is cancelled while it connects ends as cancelled."""
    with full_port() as port:
        async with client() as outbound:
            diary = Diary()
            visiting = Deferred.fromCoroutine(visit(outbound, f"http://{HOST}:{port}/", diary))
            await deferLater(reactor, 0.01)
            assert diary.begun == ["resolve", "connect"]
            visiting.cancel()
            with pytest.raises(CancelledError):
                await visiting


@pytest.mark.parametrize("addresses", [[], [HOST]])
async def test_cancelled_while_looking_up(addresses: list[str]) -> None:
    """A visit that is cancelled while a name is looked up connects to nobody later, and no line is
    logged then."""
    names = Names(hanging=["slow.example"])
    async with client(resolver=names) as outbound, serving(answers(page())) as server:
        with capturedLogs() as events:
            url = server.url(host="slow.example")
            visiting = Deferred.fromCoroutine(visit(outbound, url))
            assert len(names.waiting) == 1
            visiting.cancel()
            with pytest.raises(CancelledError):
                await visiting
            names.answer(names.waiting[0], *addresses)
            await deferLater(reactor, 0.01)
            assert server.visits == 0
            gc.collect()
    assert events == []


async def test_nothing_is_logged(authority: Authority) -> None:
    """Visits log nothing, however they end; their results are told elsewhere."""
    async with (
        client(authority.trust_root) as outbound,
        serving(answers(page()), tls=authority.issue(HOST)) as well,
        serving(answers(page()), tls=authority.issue("other.example")) as stranger,
        serving(answers(b"garbage")) as ill,
    ):
        with capturedLogs() as events:
            await visit(outbound, well.url())
            for url in (stranger.url(), ill.url(), f"http://{HOST}:{closed_port()}/"):
                await trouble(outbound, url)
            gc.collect()
    assert events == []
