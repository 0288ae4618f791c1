"""Requests over kept connections, against real servers that behave in every way."""

from __future__ import annotations

import gzip
import socket
from base64 import b64encode
from collections.abc import Callable

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater

from boomerang import __version__
from boomerang.outbound import Answer, Outbound, Trouble, Unreachable
from boomerang.outbound.race import HEAD_START
from boomerang.urls import BadUrl
from tests.outbound.clients import Names, client
from tests.servers import HOST
from tests.web_servers import (
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
    resets,
    serving,
)

SECRET = "s3cret"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


async def ask(
    outbound: Outbound,
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    timeout: float = 5,
    body_cap: int = 1000,
) -> Answer:
    return await outbound.request(method, url, body=body, timeout=timeout, body_cap=body_cap)


async def trouble(outbound: Outbound, url: str, *, timeout: float = 5) -> tuple[Trouble, str]:
    """What goes wrong with a request for a URL, which must not be told as it is."""
    with pytest.raises(Unreachable) as caught:
        await ask(outbound, url, timeout=timeout)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.trouble, str(caught.value)


# Answers


async def test_answer() -> None:
    """An answer has its status, its headers by names in lower case, and its body."""
    headers = ["X-Limit: 5", "Set-Cookie: a=1", "Set-Cookie: b=2"]
    async with client() as outbound, serving(answers(page(status=404, headers=headers))) as server:
        answer = await ask(outbound, server.url())
    assert answer == Answer(404, {"x-limit": "5", "set-cookie": "a=1, b=2"}, b"fine")


async def test_compressed() -> None:
    """A compressed answer is unpacked; the cap is for what comes out, so that no bomb goes off."""
    bomb = gzip.compress(b"0" * 1_000_000)
    packed = page(bomb, headers=["Content-Encoding: gzip", "Content-Type: text/plain"])
    async with client() as outbound, serving(answers(packed)) as server:
        answer = await outbound.request("GET", server.url(), timeout=5, body_cap=1000)
    assert answer == Answer(200, {"content-type": "text/plain"}, b"0" * 1000, truncated=True)


async def test_what_is_sent() -> None:
    """Method, path, query, headers and body arrive, with a User-Agent that names boomerang."""
    async with client() as outbound, serving(answers(page())) as server:
        await outbound.request(
            "PUT",
            server.url("/a%20b?c=d%2Fe&f"),
            headers={"Content-Type": "application/json", "X-Token": "t"},
            body=b"{}",
            timeout=5,
            body_cap=100,
        )
    (asked,) = server.requests
    assert asked.line == "PUT /a%20b?c=d%2Fe&f HTTP/1.1"
    assert asked.body == b"{}"
    assert asked.headers == {
        "host": f"{HOST}:{server.port}",
        "user-agent": f"boomerang/{__version__}",
        "accept-encoding": "gzip",
        "content-type": "application/json",
        "content-length": "2",
        "x-token": "t",
    }


async def test_large_body(authority: Authority) -> None:
    """A body that does not fit into any buffer arrives whole, over TLS too."""
    body = bytes(range(256)) * 20_000
    for tls in (None, authority.issue(HOST)):
        async with (
            client(authority.trust_root) as outbound,
            serving(answers(page()), tls=tls) as server,
        ):
            await ask(outbound, server.url(), method="POST", body=body)
        assert server.requests[0].body == body


@pytest.mark.parametrize(
    "answer",
    [
        page(b""),
        page(b"", status=204),
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + page(b""),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_no_body(answer: bytes) -> None:
    """Answers without a body, some a little odd, are whole."""
    async with client() as outbound, serving(answers(answer)) as server:
        assert (await ask(outbound, server.url())).body == b""


async def test_head() -> None:
    """The answer to HEAD has no body, whatever its length would be."""
    async with client() as outbound, serving(answers(page(b"", length=1000))) as server:
        answer = await ask(outbound, server.url(), method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


async def test_body_to_the_end_of_the_connection() -> None:
    """A body without a length ends with the connection."""
    async with (
        client() as outbound,
        serving(answers_and_closes(b"HTTP/1.0 200 OK\r\n\r\nto the end")) as server,
    ):
        assert (await ask(outbound, server.url())).body == b"to the end"


@pytest.mark.parametrize(
    ("size", "truncated"), [(99, False), (100, False), (101, True), (500_000, True)]
)
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
async def test_body_cap(size: int, truncated: bool, framing: str) -> None:
    """Of a body that is longer than the cap, the beginning is kept, and it is said so."""
    body = b"0123456789" * (size // 10) + b"0" * (size % 10)
    match framing:
        case "length":
            behave: Behaviour = answers(page(body))
        case "chunks":
            chunks = b"32\r\n%s\r\n%x\r\n%s\r\n1\r\n%s\r\n0\r\n\r\n"
            chunks %= (body[:50], size - 51, body[50:-1], body[-1:])
            behave = answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        case _:
            behave = answers_and_closes(b"HTTP/1.1 200 OK\r\n\r\n" + body)
    async with client() as outbound, serving(behave) as server:
        answer = await ask(outbound, server.url(), body_cap=100)
        assert (answer.body, answer.truncated) == (body[:100], truncated)
        if truncated:
            await server.all_gone()


async def test_endless_body() -> None:
    """A body without end costs no more than the cap, and the connection is closed."""

    def pour(caller: Caller, _: Asked) -> None:
        caller.send(b"HTTP/1.1 200 OK\r\n\r\n")
        caller.transport.registerProducer(Tap(caller), streaming=False)

    class Tap:
        def __init__(self, caller: Caller) -> None:
            self.caller = caller

        def resumeProducing(self) -> None:
            self.caller.send(b"water" * 1000)

        def stopProducing(self) -> None: ...

    async with client() as outbound, serving(pour) as server:
        answer = await ask(outbound, server.url(), body_cap=20_000)
        assert answer.truncated
        await server.all_gone()


# Connections


async def test_kept_connection(authority: Authority) -> None:
    """Requests to the same server, one after the other, share a connection; also over TLS."""
    for tls in (None, authority.issue(HOST)):
        async with (
            client(authority.trust_root) as outbound,
            serving(answers(page()), tls=tls) as server,
        ):
            for _ in range(5):
                await ask(outbound, server.url(), method="POST", body=b"x")
            assert (server.visits, len(server.requests)) == (1, 5)


async def test_connection_lost_between_requests() -> None:
    """A kept connection that the server has closed is replaced, and nothing is noticed."""
    async with client() as outbound, serving(answers(page())) as server:
        await ask(outbound, server.url())
        server.callers[0].close()
        await server.all_gone()
        await deferLater(reactor, 0.01)
        assert (await ask(outbound, server.url(), method="POST", body=b"x")).status == 200
        assert server.visits == 2


async def test_connection_lost_at_the_next_request() -> None:
    """A request without a body is repeated when the kept connection is closed just then."""

    def once(caller: Caller, _: Asked) -> None:
        if len(caller.heads) == 1:
            caller.send(page())
        else:
            caller.close()

    async with client() as outbound, serving(once) as server:
        assert [(await ask(outbound, server.url())).status for _ in range(4)] == [200] * 4
        assert server.visits == 4
        with pytest.raises(Unreachable):
            await ask(outbound, server.url(), method="POST", body=b"x")


async def test_many_at_once() -> None:
    """Requests at the same time have connections of their own, of which some are kept."""
    held: list[Caller] = []

    def hold(caller: Caller, _: Asked) -> None:
        held.append(caller)
        if len(held) == 20:
            for each in held:
                each.send(page())

    async with client() as outbound, serving(hold) as server:
        requests = [Deferred.fromCoroutine(ask(outbound, server.url())) for _ in range(20)]
        assert {answer.status for answer in await gatherResults(requests)} == {200}
        assert server.visits == 20


async def test_ipv6() -> None:
    """A server can be named by its IPv6 address."""
    async with client() as outbound, serving(answers(page()), host="::1") as server:
        assert (await ask(outbound, server.url())).body == b"fine"
        assert server.requests[0].headers["host"].startswith("[::1]:")


async def test_name_beyond_ascii() -> None:
    """A host name of other letters is looked up and named in its ASCII form."""
    names = Names({"xn--bcher-kva.example": [HOST]})
    async with client(resolver=names) as outbound, serving(answers(page())) as server:
        await ask(outbound, server.url("/é?ü=%C3%BC d", host="Bücher.example"))
    assert server.requests[0].line == "GET /%C3%A9?%C3%BC=%C3%BC%20d HTTP/1.1"
    assert server.requests[0].headers["host"].startswith("xn--bcher-kva.example:")


async def test_next_address() -> None:
    """Of a name with several addresses, one that refuses costs nothing."""
    names = Names({"app.example": ["127.0.0.2", "::1", HOST]})
    async with client(resolver=names) as outbound, serving(answers(page())) as server:
        began = reactor.seconds()
        await ask(outbound, server.url(host="app.example"))
        assert reactor.seconds() - began < HEAD_START


# Credentials


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ("ops:s3cret@", b"ops:s3cret"),
        ("ops%40example.com:p%3A%2F%C3%A9@", "ops@example.com:p:/é".encode()),
        ("token@", b"token:"),
        (":s3cret@", b":s3cret"),
    ],
)
async def test_login(login: str, sent: bytes) -> None:
    """Name and password in a URL become Basic authentication, and are nowhere else."""
    async with client() as outbound, serving(answers(page())) as server:
        await ask(outbound, server.url("/path", login=login))
    (asked,) = server.requests
    assert asked.headers["authorization"] == f"Basic {b64encode(sent).decode()}"
    assert asked.line == "GET /path HTTP/1.1"
    assert "@" not in asked.headers["host"]


async def test_given_authorization() -> None:
    """A header of the caller's own goes before the URL's login, whatever its letters' case."""
    async with client() as outbound, serving(answers(page())) as server:
        await outbound.request(
            "GET",
            server.url(login="ops:s3cret@"),
            headers={"authorization": "Bearer x", "user-agent": "other"},
            timeout=5,
            body_cap=10,
        )
    (asked,) = server.requests
    assert asked.headers["authorization"] == "Bearer x"
    assert asked.headers["user-agent"] == "other"
    assert "s3cret" not in asked.head


# Troubles


async def test_no_web_address() -> None:
    """What is no web address is the caller's mistake, and is not repeated in the message."""
    async with client() as outbound:
        for url in ("ftp://ops:s3cret@host/", "http://ops:s3cret@ho st/", "s3cret"):
            with pytest.raises(BadUrl) as caught:
                await ask(outbound, url)
            assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["gone.example", "a" * 64 + ".example"])
async def test_no_such_name(name: str) -> None:
    """A name without an address is told as such; so is one that cannot be a name."""
    async with client(resolver=Names()) as outbound:
        found = await trouble(outbound, f"http://ops:{SECRET}@{name}/?{SECRET}")
    assert found == (Trouble.DNS, f"{name}: no address found for this name")


async def test_system_resolver() -> None:
    """The system's own look-up is asked if no other is given."""
    async with client() as outbound, serving(answers(page())) as server:
        assert (await ask(outbound, server.url(host="localhost"))).status == 200
        assert (await trouble(outbound, "http://gone.invalid/"))[0] is Trouble.DNS


async def test_refused() -> None:
    """A refused connection is told in the system's words, with the server's name."""
    port = closed_port()
    async with client() as outbound:
        found = await trouble(outbound, f"http://ops:{SECRET}@{HOST}:{port}/{SECRET}")
    assert found == (Trouble.CONNECT, f"{HOST}:{port}: connection refused")


@pytest.mark.parametrize(
    ("behave", "expected", "words"),
    [
        (resets, Trouble.CONNECT, "closed the connection without an answer"),
        (answers_and_closes(b""), Trouble.CONNECT, "closed the connection without an answer"),
        (
            answers_and_closes(page(length=9)),
            Trouble.BODY,
            "the connection was lost amid the answer",
        ),
        (
            answers_and_closes(b"HTTP/1.1 200 OK\r\nX: y"),
            Trouble.BODY,
            "the connection was lost amid the answer",
        ),
        (
            answers_and_closes(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
            ),
            Trouble.BODY,
            "the connection was lost amid the answer",
        ),
        (
            answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
            Trouble.PROTOCOL,
            "the answer is not HTTP",
        ),
        (
            answers(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"),
            Trouble.PROTOCOL,
            "the answer is not HTTP",
        ),
        (
            answers(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
            Trouble.PROTOCOL,
            "the answer is not HTTP",
        ),
        (
            answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: rot13\r\n\r\n"),
            Trouble.PROTOCOL,
            "the answer is not HTTP",
        ),
        (answers(b"HTTP/1.1 wrong\r\n\r\n"), Trouble.PROTOCOL, "the answer is not HTTP"),
        (answers(b"SSH-2.0-OpenSSH\r\n"), Trouble.PROTOCOL, "does not answer in HTTP"),
        (answers(b"\x00"), Trouble.PROTOCOL, "does not answer in HTTP"),
        (answers(b"HT\x00"), Trouble.PROTOCOL, "does not answer in HTTP"),
        (
            answers(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000),
            Trouble.PROTOCOL,
            "answers with headers without end",
        ),
    ],
)
async def test_broken_answers(behave: Behaviour, expected: Trouble, words: str) -> None:
    """Whatever an answer lacks or is instead of one, the request fails, and lets go."""
    async with client() as outbound, serving(behave) as server:
        url = server.url(f"/{SECRET}", login=f"ops:{SECRET}@")
        found = await trouble(outbound, url)
        await server.all_gone()
    where = url.rpartition("@")[2].partition("/")[0]
    assert found == (expected, f"{where}: {words}")


@pytest.mark.parametrize(
    "behave",
    [lambda caller: caller.send(b"HTTP/1.1 400 Bad\r\n\r\n"), Caller.close, Caller.reset],
)
async def test_no_tls(behave: Callable[[Caller], object], authority: Authority) -> None:
    """A server that has no TLS, or hangs up when it should begin, fails there."""
    async with client(authority.trust_root) as outbound, serving(hangs()) as server:
        url = server.url().replace("http:", "https:")
        asking = Deferred.fromCoroutine(trouble(outbound, url))
        caller = await server.next_caller()
        await deferLater(reactor, 0)
        behave(caller)
        found, words = await asking
        assert found is Trouble.TLS
        assert "handshake" in words


# Time limits


async def test_timeout_of_look_up() -> None:
    """The time limit holds while a name is looked up; the late answer goes unnoticed."""
    names = Names(hanging=["slow.example"])
    async with client(resolver=names) as outbound:
        found = await trouble(outbound, "http://slow.example/", timeout=0.05)
        assert found == (Trouble.TIMEOUT, "slow.example: no answer within 0.05 s")
        names.answer(names.waiting[0], HOST)


async def test_timeout_of_connection() -> None:
    """The time limit holds while a connection is made."""
    with full_port() as port:
        async with client() as outbound:
            found, _ = await trouble(outbound, f"http://{HOST}:{port}/", timeout=0.1)
    assert found is Trouble.TIMEOUT


async def test_timeout_of_tls(authority: Authority) -> None:
    """The time limit holds in the TLS handshake, and the connection is dropped."""
    async with client(authority.trust_root) as outbound, serving(hangs()) as server:
        url = server.url().replace("http:", "https:")
        assert (await trouble(outbound, url, timeout=0.1))[0] is Trouble.TIMEOUT
        await server.all_gone()
        assert server.visits == 1


@pytest.mark.parametrize(
    "beginning",
    [b"", b"HTTP/1.1 200 OK\r\nX: ", page(length=5), b"HTTP/1.1 200 OK\r\n\r\nendless"],
)
@pytest.mark.parametrize("encrypted", [False, True])
async def test_timeout_of_answer(beginning: bytes, encrypted: bool, authority: Authority) -> None:
    """The time limit holds for headers and body, and the connection is dropped."""
    tls = authority.issue(HOST) if encrypted else None
    async with (
        client(authority.trust_root) as outbound,
        serving(hangs(beginning), tls=tls) as server,
    ):
        assert (await trouble(outbound, server.url(), timeout=0.2))[0] is Trouble.TIMEOUT
        await server.all_gone()
        assert server.visits == 1


async def test_timeout_of_trickle() -> None:
    """A body that comes in drops does not put the time limit off."""

    def trickle(caller: Caller, _: Asked) -> None:
        caller.send(b"HTTP/1.1 200 OK\r\n\r\n")
        drip(caller)

    def drip(caller: Caller) -> None:
        if caller in server.callers:
            caller.send(b".")
            reactor.callLater(0.02, drip, caller)

    async with client() as outbound, serving(trickle) as server:
        assert (await trouble(outbound, server.url(), timeout=0.2))[0] is Trouble.TIMEOUT
        await server.all_gone()
        await deferLater(reactor, 0.03)  # for the last drop


async def test_timeout_of_a_server_that_does_not_read() -> None:
    """The time limit holds while the request itself cannot be sent."""
    with socket.socket() as deaf:
        deaf.bind((HOST, 0))
        deaf.listen()
        async with client() as outbound:
            with pytest.raises(Unreachable) as caught:
                await ask(
                    outbound,
                    f"http://{HOST}:{deaf.getsockname()[1]}/",
                    method="POST",
                    body=b"x" * 20_000_000,
                    timeout=0.2,
                )
    assert caught.value.trouble is Trouble.TIMEOUT


# Ends


async def test_cancelled() -> None:
    """A request that is cancelled ends as cancelled, and drops its connection."""
    async with client() as outbound, serving(hangs()) as server:
        asking = Deferred.fromCoroutine(ask(outbound, server.url()))
        await server.next_caller()
        asking.cancel()
        with pytest.raises(CancelledError):
            await asking
        await server.all_gone()


async def test_close() -> None:
    """Closing ends what is under way and what is kept; nothing is asked any more."""
    async with client() as outbound, serving(answers(page())) as well, serving(hangs()) as slow:
        await ask(outbound, well.url())
        asking = Deferred.fromCoroutine(trouble(outbound, slow.url()))
        await slow.next_caller()
        await outbound.close()
        words = "given up, boomerang is stopping"
        assert await asking == (Trouble.CONNECT, f"{HOST}:{slow.port}: {words}")
        assert await trouble(outbound, well.url()) == (
            Trouble.CONNECT,
            f"{HOST}:{well.port}: {words}",
        )
        await gatherResults([well.all_gone(), slow.all_gone()])


async def test_close_of_a_silent_server(authority: Authority) -> None:
    """Closing does not wait for a server that does not say goodbye, as TLS would have it."""
    silent: list[Caller] = []

    def answer_and_stop_reading(caller: Caller, _: Asked) -> None:
        silent.append(caller)
        caller.send(page())
        reactor.callLater(0, caller.transport.pauseProducing)

    async with (
        client(authority.trust_root) as outbound,
        serving(answer_and_stop_reading, tls=authority.issue(HOST)) as server,
    ):
        await ask(outbound, server.url())
        await outbound.close().addTimeout(0.5, reactor)
        silent[0].reset()
