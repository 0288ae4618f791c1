"""What is sent to Redis for a claim, and what becomes of odd replies, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from hiredis import pack_command
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from boomerang.stores.interfaces import Claim, Failure, StoreUnavailable
from boomerang.stores.redis import RedisStore
from boomerang.stores.redis_commands import RedisCommands
from boomerang.stores.redis_connection import OneServer, RedisConnection, Troubles
from boomerang.stores.redis_protocol import RedisProtocol, Script

CLAIM: Final = Script.beside("claim.lua")
FIRST: Final = b"*4\r\n:1\r\n:8000\r\n:1\r\n:-1\r\n"


class Connected:
    """A store on a connection that nobody answers, but a test."""

    def __init__(self, *, prefix: str) -> None:
        self.transport = StringTransport()
        self.redis = RedisProtocol()
        self.redis.makeConnection(self.transport)
        connection = RedisConnection(self._never, clock=Clock(), troubles=Troubles())
        connection.link = OneServer(self.redis)
        self.store = RedisStore(RedisCommands(connection), prefix=prefix)
        self.told = self.sent_for(failure())
        self.redis.dataReceived(FIRST)

    async def _never(self) -> OneServer:
        raise AssertionError

    def sent_for(self, failed: Failure) -> bytes:
        """What a claim sends; its result is not looked at."""
        self.transport.clear()
        self.store.claim(failed).addErrback(lambda trouble: trouble.trap(StoreUnavailable))
        sent: bytes = self.transport.value()
        return sent


def failure(identity: str = "identity", call: str | None = "call") -> Failure:
    return Failure(identity, call, 8.0, 900.0, 600.0, 1)


@pytest.fixture
def connected() -> Iterator[Connected]:
    made = Connected(prefix="boomerang:")
    yield made
    assert made.redis.ended_by is None


NAMES: Final = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
SECONDS: Final = st.floats(min_value=0, max_value=1e9)


@given(
    prefix=NAMES,
    failed=st.builds(
        Failure,
        identity=NAMES,
        call=st.none() | NAMES,
        wait=SECONDS,
        window=SECONDS,
        call_window=SECONDS,
        attempts=st.integers(0, 1000),
        only_again=st.booleans(),
    ),
)
def test_words(prefix: str, failed: Failure) -> None:
    """The words of a claim, those of any kind of name included, stand there as hiredis has them."""
    shard = f"{prefix}{{{failed.call or failed.identity}}}"
    keys = [f"{shard}:{failed.identity}", *([] if failed.call is None else [shard])]
    numbers = [
        round(failed.wait * 1000),
        max(1, round(failed.window * 1000)),
        max(1, round(failed.call_window * 1000)),
        failed.attempts,
        int(failed.only_again),
    ]
    words = ["EVALSHA", CLAIM.digest, len(keys), *keys, *numbers]
    assert Connected(prefix=prefix).sent_for(failed) == pack_command(tuple(words))  # type: ignore[arg-type]


def test_first(connected: Connected) -> None:
    """The first claim on a connection brings the script along."""
    words = ("EVAL", CLAIM.text, 2, "boomerang:{call}:identity", "boomerang:{call}")
    expected = pack_command((*words, 8000, 900_000, 600_000, 1, 0))  # type: ignore[arg-type]
    assert connected.told == expected


def test_names_that_are_no_text(connected: Connected) -> None:
    """What cannot be written as UTF-8 is not sent, and the claim fails."""
    refused: list[object] = []
    connected.transport.clear()
    connected.store.claim(failure("\ud800")).addErrback(refused.append)
    assert connected.transport.value() == b""
    assert "surrogates" in str(refused[0])


def test_forgotten_script(connected: Connected) -> None:
    """A server that has forgotten the script is sent it at once, and answers the same claim."""
    claimed = connected.store.claim(failure())
    connected.transport.clear()
    connected.redis.dataReceived(b"-NOSCRIPT No matching script.\r\n")
    assert connected.transport.value() == connected.told
    connected.redis.dataReceived(FIRST)
    assert result_of(claimed) == [Claim(attempt=1, hold=8.0, round=1)]


@pytest.mark.parametrize("reply", [b":1\r\n", b"*1\r\n:1\r\n", b"*4\r\n:1\r\n$-1\r\n:1\r\n:1\r\n"])
def test_strange_reply(connected: Connected, reply: bytes) -> None:
    """A reply that makes no sense fails its own claim, and none of those behind it."""
    strange = result_of(connected.store.claim(failure()))
    other = result_of(connected.store.claim(failure()))
    connected.redis.dataReceived(reply + FIRST)
    assert isinstance(strange[0], TypeError | ValueError)
    assert other == [Claim(attempt=1, hold=8.0, round=1)]


def result_of(claimed: Deferred[Claim]) -> list[Claim | BaseException]:
    """What it has fired with, or will fire with."""
    results: list[Claim | BaseException] = []
    claimed.addCallbacks(results.append, lambda trouble: results.append(trouble.value))
    return results
