"""Rubbish of all kinds to send to a daemon, from Twilio's own requests to pure noise."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from pathlib import Path

from tests.integration.sockets import Connection
from tests.integration.twilio import FailedCall

PATHS = (b"/retry", b"/health", b"/metrics", b"/", b"/%ff", b"/retry/", b"//", b"*", b"/\xff\xfe")

CORPUS = tuple(
    path.read_bytes() for path in sorted(Path(__file__).with_name("corpus").glob("*.http"))
)
"""Requests that have confused servers: smuggled, of other protocols, with nonsense in them."""

ANY_PORT = 80
"""A port for the Host header, which says nothing here."""

Rubbish = Callable[[random.Random], bytes]


def genuine(chance: random.Random) -> bytes:
    """A request of Twilio's, one of a few callers'."""
    sid = f"CAff{chance.randrange(50):030x}"
    return FailedCall(sid=sid, method=chance.choice(("GET", "POST"))).request(ANY_PORT)


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


def known(chance: random.Random) -> bytes:
    """Something of the corpus, that somebody somewhere has sent to a server; or a part of it."""
    request = chance.choice(CORPUS)
    return request if chance.random() < 0.5 else request[: chance.randrange(len(request))]


KINDS: tuple[Rubbish, ...] = (
    genuine,
    noise,
    truncated,
    mangled,
    pipelined,
    huge,
    strange,
    known,
)


def send_rubbish(port: int, chance: random.Random) -> Connection:
    """One connection with rubbish on it, sent at once or in pieces, and left as it may be."""
    rubbish = chance.choice(KINDS)(chance)
    connection = Connection(port)
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
