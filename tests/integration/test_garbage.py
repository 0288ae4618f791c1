"""Whatever is sent, the daemon goes on answering, and its log stays calm."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from tests.integration.daemon import Daemon, Daemons, eventually
from tests.integration.sockets import LIMIT, Connection
from tests.integration.twilio import LATE, FailedCall

SEED = 20261121

SECONDS = 3.0

WAIT = 1.0

PATHS = (b"/retry", b"/health", b"/metrics", b"/", b"/%ff", b"/retry/", b"//", b"*", b"/\xff\xfe")

ANY = 80
"""A port for the Host header, which says nothing here."""

Rubbish = Callable[[random.Random], bytes]


def genuine(chance: random.Random) -> bytes:
    """A request of Twilio's, one of a few callers'."""
    sid = f"CAff{chance.randrange(50):030x}"
    return FailedCall(sid=sid, method=chance.choice(("GET", "POST"))).request(ANY)


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(1, 5000))


def truncated(chance: random.Random) -> bytes:
    request = genuine(chance)
    return request[: chance.randrange(len(request))]


def mangled(chance: random.Random) -> bytes:
    """A genuine request with some bytes changed, taken out or put in."""
    request = bytearray(genuine(chance))
    for _ in range(chance.randrange(1, 10)):
        place = chance.randrange(len(request))
        request[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(request)


def pipelined(chance: random.Random) -> bytes:
    some = (genuine, mangled, strange, truncated)
    return b"".join(chance.choice(some)(chance) for _ in range(chance.randrange(2, 40)))


def huge(chance: random.Random) -> bytes:
    """More headers, longer ones, or a longer body than anybody needs."""
    much = b"x" * chance.randrange(10_000, 300_000)
    return chance.choice(
        (
            b"GET /" + much + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + much + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (len(much) // 6) + b"\r\n",
            b"POST /retry HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(much) + much,
            b"POST /retry HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n" + much,
            b"POST /retry HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(much) + much,
            b"POST /retry HTTP/1.1\r\n\r\n" + b"a=b&" * (len(much) // 4),
        )
    )


def strange(chance: random.Random) -> bytes:
    """Words of the protocol in an order that nobody foresaw."""
    method = chance.choice((b"GET", b"POST", b"HEAD", b"PUT", b"get", b"", b"\x00", b"PRI"))
    version = chance.choice((b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b"", b"\xff"))
    lines = chance.choices(
        (
            b"Host: a",
            b"Host: b",
            b"Content-Length: 5",
            b"Content-Length: -1",
            b"Content-Length: 5, 5",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: identity",
            b"Content-Type: application/x-www-form-urlencoded",
            b"Content-Type: multipart/form-data; boundary=x",
            b"Expect: 100-continue",
            b"Connection: upgrade",
            b"Upgrade: websocket",
            b"Authorization: Basic ====",
            b"Cookie: ;;=;",
            b"X-Forwarded-For: 127.0.0.1",
            b"no colon",
            b": no name",
            b" folded",
            b"X-Twilio-Signature: \xff\xfe",
            b"X\x00Y: z",
        ),
        k=chance.randrange(8),
    )
    query = chance.choice((b"", b"?", b"?%", b"?ErrorCode=1&ErrorUrl=%00", b"?" + b"&" * 3000))
    first = b" ".join((method, chance.choice(PATHS) + query, version))
    body = chance.choice((b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello", b"\r\n" * 50))
    return b"\r\n".join((first, *lines, b"", body))


KINDS: tuple[Rubbish, ...] = (genuine, noise, truncated, mangled, pipelined, huge, strange)


def send_rubbish(daemon: Daemon, chance: random.Random) -> Connection:
    """One connection with rubbish on it, sent at once or in pieces, and left as it may be."""
    rubbish = chance.choice(KINDS)(chance)
    connection = Connection(daemon.port)
    connection.socket.settimeout(0.02)
    try:
        if chance.random() < 0.3:
            middle = chance.randrange(len(rubbish) + 1)
            connection.socket.sendall(rubbish[:middle])
            rubbish = rubbish[middle:]
        connection.socket.sendall(rubbish)
        if chance.random() < 0.5:
            connection.socket.shutdown(socket.SHUT_WR)
        if chance.random() < 0.2:
            connection.socket.recv(100)
    except OSError:  # the other side has had enough of it
        pass
    return connection


def test_garbage(daemons: Daemons) -> None:
    """After three seconds of rubbish it answers as before, calls were held on, nothing is left."""
    daemon = daemons.start(wait=WAIT)
    descriptors = Path(f"/proc/{daemon.process.pid}/fd")
    at_rest = len(list(descriptors.iterdir()))
    chance = random.Random(SEED)
    lost, left = [], []
    deadline = time.monotonic() + SECONDS
    for number in count():
        if time.monotonic() > deadline:
            break
        if number % 100 == 0:
            left.append(Connection(daemon.port, FailedCall().request(daemon.port)))
        lost.append(send_rubbish(daemon, chance))
        if len(lost) > 50:
            gone = lost.pop(chance.randrange(len(lost)))
            chance.choice((Connection.close, Connection.reset))(gone)
    for gone in lost:
        gone.reset()

    assert number > 300, "that was no fuzzing worth the name"
    for waiting in left:
        assert waiting.reply().headers["boomerang-decision"] == "retry; attempt=1"
        waiting.close()
    failed = FailedCall()
    answer = daemon.rescue(failed)
    assert answer.redirect == ("POST", failed.error_url)
    assert WAIT - 0.01 <= answer.seconds <= WAIT + LATE
    assert daemon.status() == "ok"
    eventually(lambda: daemon.held() == 0)
    eventually(lambda: len(list(descriptors.iterdir())) <= at_rest + 1)
    assert daemon.process.poll() is None
    assert daemon.mistakes() == []
    assert len(daemon.log()) < 1000 * number, "anybody could fill the disk"


def test_client_that_never_reads(daemons: Daemons) -> None:
    """Who asks again and again, and reads no answer, cannot fill the memory."""
    daemon = daemons.start()
    asked = b"GET /metrics HTTP/1.1\r\nHost: boomerang.example.com\r\n\r\n" * 3000
    before = kilobytes(daemon)
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", daemon.port))
        greedy.settimeout(LIMIT)
        with suppress(ConnectionError):
            greedy.sendall(asked)
        for _ in range(10):  # each time the daemon also takes what the other one sent
            assert daemon.status() == "ok"

        assert kilobytes(daemon) - before < 8000


def kilobytes(daemon: Daemon) -> int:
    """The memory that the process takes."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])
