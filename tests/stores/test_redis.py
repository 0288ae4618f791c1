"""Claims in Redis, against real servers: how they are reached, and every way they can fail."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from twisted.internet import reactor
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    TimeoutError,
    gatherResults,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent

from boomerang.stores.address import RedisAddress, parse_store
from boomerang.stores.failsafe import PATIENCE, FailsafeStore
from boomerang.stores.interfaces import Claim, ClaimStore, Failure, StoreUnavailable
from boomerang.stores.opening import make_connection, make_stores
from boomerang.stores.redis_connection import Troubles
from boomerang.stores.redis_protocol import RedisProtocol
from tests.servers import (
    HOST,
    Certificates,
    RedisServer,
    eventually,
    free_port,
    make_certificates,
)

LONG: Final = 600.0
PASSWORD: Final = "s3cret:/@ %?#"


def failure(identity: str = "identity", call: str | None = "call", *, wait: float = 0) -> Failure:
    return Failure(
        identity=identity, call=call, wait=wait, window=LONG, call_window=LONG, attempts=1
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as started:
        yield started


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[RedisServer]:
    """A server with a password."""
    with RedisServer(tmp_path, password=PASSWORD) as started:
        yield started


@asynccontextmanager
async def using(url: str) -> AsyncIterator[ClaimStore]:
    """The store at an address; closed in the end, which must not take long."""
    store = make_stores(parse_store(url), reactor).claims
    try:
        yield store
    finally:
        await store.close().addTimeout(1, reactor)


async def refused(answer: Deferred[Any]) -> str:
    """Why the store does not do it; it must say so within a few seconds."""
    with pytest.raises(StoreUnavailable) as caught:
        await answer.addTimeout(5, reactor)
    return str(caught.value)


async def back(store: ClaimStore, *, within: float = 8.0) -> None:
    """Wait until the store takes claims."""
    deadline = reactor.seconds() + within
    while True:
        try:
            await store.open().addTimeout(within, reactor)
            await store.probe().addTimeout(PATIENCE, reactor)
        except (StoreUnavailable, TimeoutError):
            assert reactor.seconds() < deadline, "the store is not back in time"
            await deferLater(reactor, 0.01)
        else:
            return


def lines(events: Sequence[LogEvent]) -> list[str | None]:
    """What an operator would find in the log."""
    return [formatEvent(event) for event in events if event["log_level"] >= LogLevel.info]


def connections(server: RedisServer) -> int:
    """How many connections the server has had, this question's own included."""
    stats = dict(
        line.split(":") for line in server.command("INFO", "stats").splitlines() if ":" in line
    )
    return int(stats["total_connections_received"])


def clients(server: RedisServer) -> int:
    """How many connections the server has now, this question's own included."""
    return len(server.command("CLIENT", "LIST", "TYPE", "normal").splitlines())


# Reaching it


async def test_database(server: RedisServer) -> None:
    """The database of the address is the one that is used."""
    async with using(server.url(path="/3")) as store:
        await store.open()
        await store.claim(failure())
    with server.talk() as redis:
        assert redis.ask("DBSIZE") == 0
        redis.ask("SELECT", 3)
        assert redis.ask("DBSIZE") == 2


async def test_no_such_database(server: RedisServer) -> None:
    """A database that does not exist is named as the reason."""
    async with using(server.url(path="/999")) as store:
        assert "DB index" in await refused(store.open())


async def test_keys(server: RedisServer) -> None:
    """All keys carry the prefix and the call's hash tag, and expire with their window."""
    async with using(server.url(path="?prefix=app:")) as store:
        await store.open()
        for one in (failure("i", "c"), failure("i", "c"), failure("j", None), failure("k", "d")):
            await store.claim(one)
        await store.probe()
    with server.talk() as redis:
        lives = {key: redis.ask("PTTL", key) for key in redis.ask("KEYS", "*")}
    assert lives.keys() == {
        "app:{c}",
        "app:{c}:i",
        "app:{j}:j",
        "app:{d}",
        "app:{d}:k",
        "app:probe",
    }
    assert 0 < lives.pop("app:probe") <= 1000
    for key, life in lives.items():
        assert LONG * 1000 - 5000 < life <= LONG * 1000, key


async def test_two_prefixes(server: RedisServer) -> None:
    """Stores with different prefixes share a server without seeing each other's marks."""
    async with (
        using(server.url(path="?prefix=a:")) as one,
        using(server.url(path="?prefix=b:")) as other,
    ):
        await one.open()
        await other.open()
        assert await one.claim(failure()) == await other.claim(failure()) == Claim(1, 0.0, 1)


async def test_names_of_digits(server: RedisServer) -> None:
    """Names that look like numbers stay what they are."""
    async with using(server.url()) as store:
        await store.open()
        assert (await store.claim(failure("007", "1e3"))).attempt == 1
        assert (await store.claim(failure("7", "1000"))).attempt == 1


# Passwords


async def test_password(locked: RedisServer) -> None:
    """A password of the address is used, whatever characters it has."""
    async with using(locked.url()) as store:
        await store.open()
        assert (await store.claim(failure())).attempt == 1


async def test_acl_user(tmp_path: Path) -> None:
    """A user who may do no more than claims need is enough, with a database too."""
    rights = "+eval +evalsha +get +set +pttl +time +ping +select ~boomerang:*"
    with RedisServer(tmp_path, config=[f"user app on >pass-word -@all {rights}"]) as server:
        async with using(server.url(user="app", password="pass-word", path="/2")) as store:
            await store.open()
            await store.probe()
            assert [(await store.claim(failure())).attempt for _ in range(3)] == [1, 2, 3]


async def test_acl_user_without_rights(tmp_path: Path) -> None:
    """Keys that the user may not write make the store unavailable, and the reason is told."""
    with RedisServer(tmp_path, config=["user app on >pass-word +@all ~other:*"]) as server:
        async with using(server.url(user="app", password="pass-word")) as store:
            await store.open()
            assert "NOPERM" in await refused(store.claim(failure()))
            assert "NOPERM" in await refused(store.probe())


async def test_no_password_given(locked: RedisServer) -> None:
    """A server that wants a password, and was given none, is told as the reason."""
    async with using(f"redis://{HOST}:{locked.port}") as store:
        assert "NOAUTH" in await refused(store.open())
        assert "NOAUTH" in await refused(store.claim(failure()))


async def test_wrong_password(locked: RedisServer) -> None:
    """A wrong password is tried again with pauses, logged once, and never repeated anywhere."""
    async with using(locked.url(password="wr0ng-one")) as store:
        with capturedLogs() as events:
            reason = await refused(store.open())
            before = connections(locked)
            await deferLater(reactor, 1.2)
            tried = connections(locked) - before - 1
        again = await refused(store.open())
        await eventually(lambda: clients(locked) == 1, what="refused connections are dropped")
        assert "WRONGPASS" in reason
        assert "WRONGPASS" in again
        assert 2 <= tried <= 6
        (line,) = lines(events)
        assert line is not None
        assert "WRONGPASS" in line
        assert not any("wr0ng-one" in f"{text}" for text in (reason, again, *events))


async def test_wrong_password_corrected(locked: RedisServer) -> None:
    """Once the server knows the password, the store works by itself."""
    async with using(locked.url(password="soon right")) as store:
        assert "WRONGPASS" in await refused(store.open())
        with locked.talk() as redis:
            redis.ask("CONFIG", "SET", "requirepass", "soon right")
        await back(store)
        assert (await store.claim(failure())).attempt == 1


async def test_password_changed_while_connected(locked: RedisServer) -> None:
    """A second spell of wrong passwords is logged again."""
    async with using(locked.url()) as store:
        await store.open()
        with capturedLogs() as events, locked.talk() as redis:
            for wrong, right in (("other", PASSWORD), ("another", PASSWORD)):
                redis.ask("CONFIG", "SET", "requirepass", wrong)
                redis.ask("CLIENT", "KILL", "TYPE", "normal")
                await eventually(lambda: not connected(store), what="refused")
                assert "WRONGPASS" in await refused(store.open())
                redis.ask("CONFIG", "SET", "requirepass", right)
                await back(store)
        assert [line is not None and "WRONGPASS" in line for line in lines(events)] == [True, True]


def connected(store: ClaimStore) -> bool:
    """Whether the store sends a command now; the answer is not waited for."""
    probe = store.probe()
    probe.addErrback(lambda trouble: trouble.trap(StoreUnavailable))
    return not probe.called


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def encrypted(tmp_path: Path, certificates: Certificates) -> Iterator[RedisServer]:
    with RedisServer(
        tmp_path,
        certificates=certificates,
        password="tls-password",
        config=["loglevel verbose"],  # refused handshakes are logged, but not counted
    ) as started:
        yield started


async def test_tls(encrypted: RedisServer, certificates: Certificates) -> None:
    """A certificate of our own authority is verified, and the store works over it."""
    url = encrypted.url(path=f"/1?ssl_ca_certs={certificates.authority}")
    async with using(url) as store:
        await store.open()
        assert [(await store.claim(failure())).attempt for _ in range(2)] == [1, 2]


async def test_tls_with_a_bundle(
    encrypted: RedisServer, certificates: Certificates, tmp_path: Path
) -> None:
    """Of a file with several authorities each one counts."""
    other = make_certificates(tmp_path / "other")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(other.authority.read_bytes() + certificates.authority.read_bytes())
    async with using(encrypted.url(path=f"?ssl_ca_certs={bundle}")) as store:
        await store.open()
        assert (await store.claim(failure())).attempt == 1


async def test_tls_unverified(encrypted: RedisServer) -> None:
    """With ssl_cert_reqs=none any certificate will do."""
    async with using(encrypted.url(path="?ssl_cert_reqs=none")) as store:
        await store.open()
        assert (await store.claim(failure())).attempt == 1


async def test_tls_of_a_stranger(encrypted: RedisServer) -> None:
    """A certificate that nobody vouches for is refused, without a storm; the reason is told."""
    async with using(encrypted.url()) as store:
        with capturedLogs() as events:
            reason = await refused(store.open())
            await deferLater(reactor, 1.2)
        assert "certificate verify failed" in reason
        assert "certificate verify failed" in await refused(store.claim(failure()))
        assert 2 <= encrypted.process.last_words().count("unknown ca") <= 6
        assert len(lines(events)) == 1


async def test_tls_of_another_name(tmp_path: Path) -> None:
    """A certificate for another name is refused, though its authority is trusted."""
    certificates = make_certificates(tmp_path / "other", names=("redis.example.com",))
    with RedisServer(tmp_path, certificates=certificates) as server:
        url = server.url(path=f"?ssl_ca_certs={certificates.authority}")
        async with using(url) as store:
            assert "localhost" in await refused(store.open())


async def test_tls_by_address(encrypted: RedisServer, certificates: Certificates) -> None:
    """A server that is named by its address is verified by that."""
    url = f"rediss://:tls-password@{HOST}:{encrypted.port}?ssl_ca_certs={certificates.authority}"
    async with using(url) as store:
        await store.open()
        assert (await store.claim(failure())).attempt == 1


async def test_tls_hanging(encrypted: RedisServer, certificates: Certificates) -> None:
    """A server that hangs over TLS is left quickly, and found again."""
    async with using(encrypted.url(path=f"?ssl_ca_certs={certificates.authority}")) as store:
        await store.open()
        encrypted.pause()
        late = store.claim(failure())
        late.cancel()
        with pytest.raises(CancelledError):
            await late
        encrypted.resume()
        await back(store)
        encrypted.pause()


NONSENSE: Final = b"-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("content", [None, b"no certificate", NONSENSE])
def test_unreadable_authority(tmp_path: Path, content: bytes | None) -> None:
    """A PEM file that is missing or has no certificate stops the start, and is named."""
    pem = tmp_path / "ca.pem"
    if content is not None:
        pem.write_bytes(content)
    with pytest.raises(OSError, match=r"ca\.pem"):
        make_stores(parse_store(f"rediss://localhost?ssl_ca_certs={pem}"), reactor)


# Servers that are not there


async def test_down_at_the_start(tmp_path: Path) -> None:
    """A server that is down is told as the reason; once it is up, the store works by itself."""
    server = RedisServer(tmp_path)
    async with using(server.url()) as store:
        began = reactor.seconds()
        assert "refused" in await refused(store.open())
        assert reactor.seconds() - began < PATIENCE, "in time for the failsafe to tell it"
        assert "refused" in await refused(store.claim(failure()))
        with server:
            await back(store)
            assert (await store.claim(failure())).attempt == 1


async def test_nothing_is_counted_later(tmp_path: Path) -> None:
    """Claims that failed while the server was down are not made when it is up."""
    server = RedisServer(tmp_path)
    async with using(server.url()) as store:
        await refused(store.open())
        for _ in range(5):
            await refused(store.claim(failure()))
        with server:
            await back(store)
            assert (await store.claim(failure())).attempt == 1


async def test_no_such_host() -> None:
    """A name that leads nowhere is told as the reason."""
    async with using("redis://nowhere.invalid") as store:
        assert "nowhere.invalid" in await refused(store.open())


async def test_restart(server: RedisServer) -> None:
    """After a crash the store is unavailable, and back soon after the server is."""
    async with using(server.url()) as store:
        await store.open()
        await store.claim(failure())
        server.kill()
        await refused(store.claim(failure()))
        server.start()
        await back(store, within=3)
        assert (await store.claim(failure())).attempt == 1


async def test_killed_under_load(server: RedisServer) -> None:
    """Claims under way when the server dies are answered or fail, all of them."""
    async with using(server.url()) as store:
        await store.open()
        claims = [store.claim(failure(f"i{n}", f"c{n}")) for n in range(500)]
        server.kill()
        outcomes: list[tuple[bool, Any]] = await DeferredList(
            claims, consumeErrors=True
        ).addTimeout(2, reactor)
        for made, outcome in outcomes:
            assert isinstance(outcome, Claim) if made else outcome.check(StoreUnavailable)


async def test_hang(server: RedisServer) -> None:
    """Giving up one claim drops a hanging connection: all others fail, and a new one is made."""
    async with using(server.url()) as store:
        await store.open()
        server.pause()
        late, *others = [store.claim(failure(f"i{n}")) for n in range(100)]
        await deferLater(reactor, 0.02)
        late.cancel()
        with pytest.raises(CancelledError):
            await late
        outcomes: list[tuple[bool, Any]] = await DeferredList(
            others, consumeErrors=True
        ).addTimeout(0.1, reactor)
        assert all(outcome.check(StoreUnavailable) for _, outcome in outcomes)
        await refused(store.claim(failure()))
        server.resume()
        await back(store)


async def test_hanging_from_the_start(locked: RedisServer) -> None:
    """A server that accepts and says nothing is given up, tried again, and used when it answers."""
    locked.pause()
    async with using(locked.url()) as store:
        await refused(store.open())
        await refused(store.open())
        locked.resume()
        await back(store)


async def test_too_many_clients(server: RedisServer) -> None:
    """A server without room for one more client is told as the reason, and tried again."""
    async with using(server.url()) as store:
        with server.talk() as redis:
            redis.ask("CONFIG", "SET", "maxclients", 1)
            assert "max number of clients" in await refused(store.open())
        await back(store)


async def test_replica(server: RedisServer) -> None:
    """A server that turns read-only is left for a new connection, and used when it may be again."""
    async with using(server.url()) as store:
        await store.open()
        await store.claim(failure())
        server.command("REPLICAOF", HOST, free_port())
        before = connections(server)
        assert "READONLY" in await refused(store.claim(failure()))
        await eventually(lambda: not connected(store), what="the connection is dropped")
        await store.open()
        assert connections(server) == before + 2
        server.command("REPLICAOF", "NO", "ONE")
        await back(store)


async def test_script_flush(server: RedisServer) -> None:
    """Claims get through when the server forgets the script, while they are under way too."""
    async with using(server.url()) as store:
        await store.open()
        await store.claim(failure())
        server.command("SCRIPT", "FLUSH")
        claims = await gatherResults([store.claim(failure()) for _ in range(100)])
        assert [claim.attempt for claim in claims] == list(range(2, 102))


async def test_foreign_key(server: RedisServer) -> None:
    """A key that somebody else made of another kind costs no more than that one claim."""
    async with using(server.url()) as store:
        await store.open()
        server.command("RPUSH", "boomerang:{call}:identity", "x")
        assert "WRONGTYPE" in await refused(store.claim(failure()))
        assert (await store.claim(failure("other"))).attempt == 1


class Speaker(Protocol):
    """Answers anything with the same bytes, and hangs up after it if it should."""

    said: int = 0

    def __init__(self, answer: bytes, factory: Speakers) -> None:
        self._answer = answer
        self._speakers = factory

    def connectionMade(self) -> None:
        self._speakers.met += 1

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(self._answer)
        if not self._answer:
            self.transport.loseConnection()


class Speakers(Factory):
    """Counts its visitors."""

    noisy = False

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.met = 0

    def buildProtocol(self, address: object) -> Speaker:
        return Speaker(self._answer, self)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
        (b"-MASTERDOWN Link with MASTER is down\r\n", "MASTERDOWN"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error"),
        (b"\x15\x03\x03\x00\x02\x02\x16", "Protocol error"),
        (b"", "closed"),
    ],
)
async def test_not_a_redis(answer: bytes, reason: str) -> None:
    """Whatever else listens there is told as the reason, once, and is not beleaguered."""
    speakers = Speakers(answer)
    port: Any = reactor.listenTCP(0, speakers, interface=HOST)  # type: ignore[arg-type]
    try:
        async with using(f"redis://{HOST}:{port.getHost().port}") as store:
            with capturedLogs() as events:
                assert reason in await refused(store.open())
                await deferLater(reactor, 0.8)
            assert speakers.met <= 5
            assert len(lines(events)) == 1
    finally:
        await port.stopListening()


# Opening and closing


async def test_claim_before_open(server: RedisServer) -> None:
    """A claim before the store was opened fails at once."""
    async with using(server.url()) as store:
        assert "not connected" in await refused(store.claim(failure()))
        assert "not connected" in await refused(store.probe())


def test_reconnect_before_open() -> None:
    """Without a connection there is none to drop."""
    address = parse_store(f"redis://{HOST}")
    assert isinstance(address, RedisAddress)
    make_connection(address, reactor, Troubles()).reconnect()


async def test_open_many_times(tmp_path: Path) -> None:
    """Opening again and again while the server is down leaves nothing behind, and works at last."""
    server = RedisServer(tmp_path)
    async with using(server.url()) as store:
        await refused(store.open())
        before = deferreds()
        for _ in range(500):
            cancelled = store.open()
            cancelled.addErrback(lambda trouble: None)
            cancelled.cancel()
        del cancelled
        assert deferreds() < before + 50
        with server:
            await back(store)
            await gatherResults([store.open() for _ in range(10)])


async def test_reconnecting_leaves_nothing_behind(server: RedisServer) -> None:
    """Lost connections are not kept in memory."""
    async with using(server.url()) as store:
        await back(store)
        before = protocols()
        for _ in range(10):
            server.command("CLIENT", "KILL", "TYPE", "normal")
            await eventually(lambda: not connected(store), what="connection lost")
            await back(store)
        assert protocols() <= before + 1


def deferreds() -> int:
    gc.collect()
    return sum(isinstance(thing, Deferred) for thing in gc.get_objects())


def protocols() -> int:
    gc.collect()
    return sum(isinstance(thing, RedisProtocol) for thing in gc.get_objects())


async def test_closed(server: RedisServer) -> None:
    """A closed store has no connection, makes none, and fails all it is asked."""
    async with using(server.url()) as store:
        await store.open()
        await store.close()
        for answer in (store.claim(failure()), store.probe(), store.open()):
            await refused(answer)
        await eventually(lambda: clients(server) == 1, what="the connection is closed")


async def test_close_under_load(server: RedisServer) -> None:
    """Claims under way when the store is closed are answered or fail, all of them."""
    async with using(server.url()) as store:
        await store.open()
        claims = [store.claim(failure(f"i{n}", f"c{n}")) for n in range(500)]
        await store.close()
        outcomes: list[tuple[bool, Any]] = await DeferredList(claims, consumeErrors=True)
        for made, outcome in outcomes:
            assert isinstance(outcome, Claim) if made else outcome.check(StoreUnavailable)


async def test_close_while_down(tmp_path: Path) -> None:
    """Closing ends the attempts, and whoever waits for them is told."""
    server = RedisServer(tmp_path)
    async with using(server.url()) as store:
        await refused(store.open())
        waiting = store.open()
        await store.close()
        assert "closed" in await refused(waiting)
        with server:
            await deferLater(reactor, 0.3)
            assert connections(server) <= 2


async def test_close_while_connecting(locked: RedisServer) -> None:
    """Closing in the middle of a handshake ends it."""
    locked.pause()
    async with using(locked.url()) as store:
        waiting = store.open()
        await deferLater(reactor, 0.05)
        await store.close()
        assert "closed" in await refused(waiting)


# With the failsafe before it


class Watcher:
    """Notes what happens to the store."""

    def __init__(self) -> None:
        self.degraded: list[bool] = []

    def store_answered(self, seconds: float) -> None: ...

    def store_failed(self, reason: str) -> None: ...

    def store_degraded(self, degraded: bool) -> None:
        self.degraded.append(degraded)


@pytest.mark.parametrize(
    ("break_", "mend"),
    [
        (RedisServer.pause, RedisServer.resume),
        (RedisServer.kill, RedisServer.start),
    ],
)
async def test_failsafe(
    server: RedisServer,
    break_: Callable[[RedisServer], None],
    mend: Callable[[RedisServer], None],
) -> None:
    """Through hang and crash every claim is answered in time, and the store is found again."""
    inner = make_stores(parse_store(server.url()), reactor).claims
    watcher = Watcher()
    store = FailsafeStore(
        inner, name="redis", clock=reactor, wall_clock=lambda: 0.0, watcher=watcher
    )
    await store.open()
    assert not (await store.claim(failure(wait=60))).degraded
    break_(server)
    began = reactor.seconds()
    claims = await gatherResults([store.claim(failure(wait=60)) for _ in range(200)])
    assert reactor.seconds() - began < PATIENCE + 0.1
    assert {(made.claim.attempt, made.claim.round, made.degraded) for made in claims} == {
        (1, 1, True)
    }
    mend(server)
    await eventually(lambda: store.degraded is None, what="the store is used again")
    made = await store.claim(failure(wait=60))
    assert (made.claim.attempt, made.claim.round, made.degraded) == (1, 1, False)
    assert watcher.degraded == [True, False]
    await store.close()
