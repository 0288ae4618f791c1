"""Checks of kind redis, against real servers and against what is none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.logger import capturedLogs

from boomerang.monitor.probes.redis import RedisProbe
from boomerang.monitor.result import Reason, Result
from tests.monitor.probes.driving import (
    Listener,
    Names,
    check,
    listening,
    nothing_left,
    run,
    start,
)
from tests.servers import (
    HOST,
    Certificates,
    RedisServer,
    eventually,
    free_port,
    make_certificates,
)

PASSWORD = "s3cret:/@ %?#"
PROBE = RedisProbe(reactor)
PONG = b"+PONG\r\n"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("redis")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[RedisServer]:
    with RedisServer(directory) as started:
        yield started


@pytest.fixture(scope="module")
def locked(directory: Path) -> Iterator[RedisServer]:
    """A server with a password."""
    with RedisServer(directory, password=PASSWORD) as started:
        yield started


@pytest.fixture(scope="module")
def certificates(directory: Path) -> Certificates:
    return make_certificates(directory / "localhost")


@pytest.fixture(scope="module")
def secure(directory: Path, certificates: Certificates) -> Iterator[RedisServer]:
    """A server that speaks TLS."""
    with RedisServer(directory, certificates=certificates) as started:
        yield started


async def ping(url: str, **keys: float) -> Result:
    return await run(PROBE, check("redis", url, **keys))


def clients(server: RedisServer) -> int:
    """How many connections the server has now, this question's own included."""
    return len(server.command("CLIENT", "LIST", "TYPE", "normal").splitlines())


# Well


@pytest.mark.parametrize("path", ["", "/3", "?db=3"])
async def test_well(server: RedisServer, path: str) -> None:
    """A server that answers PING is well, and has one client less afterwards."""
    result = await ping(server.url(path=path))
    assert result.well, result.detail
    assert result.phases.keys() == {"resolve", "connect", "first_byte"}
    assert result.certificate_expires is None
    await eventually(lambda: clients(server) == 1, what="connection closed")


async def test_password(locked: RedisServer) -> None:
    """The password of the URL is given."""
    result = await ping(locked.url())
    assert result.well, result.detail


async def test_tls(secure: RedisServer, certificates: Certificates) -> None:
    """Over TLS, the instant is told at which the certificate expires."""
    result = await ping(secure.url(path=f"?ssl_ca_certs={certificates.authority}"))
    assert result.well, result.detail
    assert result.certificate_expires is not None
    assert 0 < result.certificate_expires - time.time() < 2 * 3600


async def test_unverified(secure: RedisServer) -> None:
    """The certificate is not looked at where the URL says so."""
    result = await ping(secure.url(path="?ssl_cert_reqs=none"))
    assert result.well, result.detail


async def test_replica(directory: Path, server: RedisServer) -> None:
    """A replica, which may not be written to, is well."""
    with RedisServer(directory, config=[f"replicaof {HOST} {server.port}"]) as replica:
        result = await ping(replica.url())
    assert result.well, result.detail


async def test_sentinel(directory: Path, locked: RedisServer) -> None:
    """The master that the Sentinels name is asked, with its password."""
    watch = [f"sentinel monitor calls {HOST} {locked.port} 1"]
    with RedisServer(directory, config=watch, sentinel=True) as sentinel:
        login = locked.url().split("@", maxsplit=1)[0].removeprefix("redis")
        nobody = free_port()
        url = f"redis+sentinel{login}@{HOST}:{nobody},{HOST}:{sentinel.port}"
        result = await ping(f"{url}/calls")
        assert result.well, result.detail
        result = await ping(f"{url}/others")
        assert result.reason is Reason.CONNECT
        assert "knows no service others" in result.detail


# Not reached


async def test_unknown_name() -> None:
    """A name without address is a failure of class dns."""
    probe = RedisProbe(Names({}))
    result = await run(probe, check("redis", "redis://cache.example.com"))
    assert (result.reason, result.detail) == (
        Reason.DNS,
        "cache.example.com:6379: no address found for this name",
    )


async def test_refused() -> None:
    """Where nobody listens, the reason is connect."""
    port = free_port()
    result = await ping(f"redis://{HOST}:{port}")
    assert (result.reason, result.detail) == (Reason.CONNECT, f"{HOST}:{port}: connection refused")


async def test_hanging_up() -> None:
    """A server that hangs up without a word is a failure of class connect."""
    async with listening(Listener()) as listener:
        result = await ping(f"redis://{HOST}:{listener.port}")
    assert (result.reason, result.detail) == (
        Reason.CONNECT,
        "closed the connection without an answer",
    )


async def test_untrusted(secure: RedisServer) -> None:
    """A certificate of an unknown authority is a failure of class certificate."""
    result = await ping(secure.url())
    assert (result.reason, result.detail) == (Reason.CERTIFICATE, "certificate verify failed")


async def test_certificate_of_another(directory: Path) -> None:
    """A certificate for another host is a failure of class certificate."""
    others = make_certificates(directory / "others", names=["others.example.com"])
    with RedisServer(directory, certificates=others) as server:
        result = await ping(server.url(path=f"?ssl_ca_certs={others.authority}"))
    assert (result.reason, result.detail) == (
        Reason.CERTIFICATE,
        "the certificate is for another host",
    )


async def test_no_tls() -> None:
    """A server that does not speak TLS where it should is a failure of class tls."""
    async with listening(Listener([b"-ERR Protocol error\r\n"])) as listener:
        result = await ping(f"rediss://localhost:{listener.port}")
    assert result.reason is Reason.TLS
    assert "wrong version number" in result.detail


async def test_unreadable_authority(tmp_path: Path) -> None:
    """A PEM file that is not there is told, and is no mistake of our own."""
    result = await ping(f"rediss://localhost/?ssl_ca_certs={tmp_path}/none.pem")
    assert result.reason is Reason.ERROR
    assert "No such file" in result.detail


# What it says


async def test_wrong_password(locked: RedisServer) -> None:
    """A wrong password is a failure of class status, in the server's words and without it."""
    result = await ping(locked.url(password="s3cret"))
    assert result.reason is Reason.STATUS
    assert "WRONGPASS" in result.detail
    assert "s3cret" not in result.detail


async def test_no_password(locked: RedisServer) -> None:
    """So is a password that is not given."""
    result = await ping(locked.url(password="", path="").replace(":@", ""))
    assert result.reason is Reason.STATUS
    assert "NOAUTH" in result.detail


async def test_no_such_database(server: RedisServer) -> None:
    """So is a database that does not exist."""
    result = await ping(server.url(path="/999"))
    assert (result.reason, result.detail) == (Reason.STATUS, "ERR DB index is out of range")


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (
            b"-LOADING Redis is loading the dataset in memory",
            "LOADING Redis is loading the dataset in memory",
        ),
        (
            b"-ERR unknown command 'AUTH', with args beginning with: 's3cret' ",
            "ERR unknown command 'AUTH'",
        ),
        (b"-ERR I do not like s3cret", "ERR I do not like ***"),
        (b"-ERR \x1b[31m", "ERR  [31m"),
    ],
)
async def test_errors(said: bytes, detail: str) -> None:
    """A server's error is told in its words, without the password and control characters."""
    async with listening(Listener([said + b"\r\n"])) as listener:
        result = await ping(f"redis://:s3cret@{HOST}:{listener.port}")
    assert (result.reason, result.detail) == (Reason.STATUS, detail)


async def test_no_sense() -> None:
    """What does not speak Redis is a failure of class error, told without a traceback."""
    async with listening(Listener([b"HTTP/1.1 400 Bad Request\r\n\r\n"])) as listener:
        with capturedLogs() as events:
            result = await ping(f"redis://{HOST}:{listener.port}")
    assert result.reason is Reason.ERROR
    assert "does not speak Redis" in result.detail
    assert not [event for event in events if "log_failure" in event]


# Deadlines


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_silent_server(scheme: str) -> None:
    """A server that accepts and says nothing is told as a timeout, at the check's own deadline."""
    async with listening(Listener(hangs=True)) as listener:
        result = await ping(f"{scheme}://{HOST}:{listener.port}", timeout=0.1)
    assert (result.reason, result.detail) == (
        Reason.TIMEOUT,
        "no answer within 0.1 s (first byte)",
    )


async def test_slow_server() -> None:
    """A check may be more patient than the store, which gives a server a second."""
    async with listening(Listener(hangs=True)) as listener:
        running = start(PROBE, check("redis", f"redis://{HOST}:{listener.port}", timeout=3))
        await eventually(lambda: b"PING" in listener.heard, what="asked")
        timers = [call.getTime() - reactor.seconds() for call in reactor.getDelayedCalls()]
        assert not [seconds for seconds in timers if 0.5 < seconds < 2]
        running.cancel()
        with pytest.raises(CancelledError):
            await running


async def test_slow_look_up() -> None:
    """A look-up that takes too long is told as a timeout while resolving."""
    probe = RedisProbe(Names({}, hanging=["cache.example.com"]))
    result = await run(probe, check("redis", "redis://cache.example.com", timeout=0.05))
    assert (result.reason, result.detail) == (
        Reason.TIMEOUT,
        "no answer within 0.05 s (resolve)",
    )


async def test_deadline_before_the_attempts_end(deaf: int) -> None:
    """So is it with Sentinels, and it may be later than the end of the store's own attempts."""
    url = f"redis+sentinel://{HOST}:{deaf},{HOST}:{deaf}/calls"
    result = await ping(url, timeout=0.1)
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "no answer within 0.1 s (connect)")
    result = await ping(f"redis://{HOST}:{deaf}", timeout=1.3)
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "no answer within 1.3 s (connect)")


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_deadline_while_connecting(deaf: int, scheme: str) -> None:
    """The deadline of a check may be earlier than the end of an attempt to connect."""
    result = await ping(f"{scheme}://{HOST}:{deaf}", timeout=0.1)
    assert (result.reason, result.detail) == (Reason.TIMEOUT, "no answer within 0.1 s (connect)")


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+sentinel"])
async def test_cancelled(scheme: str) -> None:
    """A run that is cancelled ends at once as such, and lets go of everything."""
    path = "/calls" if scheme == "redis+sentinel" else ""
    async with listening(Listener(hangs=True)) as listener, nothing_left():
        running = start(PROBE, check("redis", f"{scheme}://{HOST}:{listener.port}{path}"))
        await eventually(lambda: bool(listener.heard), what="asked")
        running.cancel()
        with pytest.raises(CancelledError):
            await running
