"""The protocol of Redis, without a server: bytes out, replies in order."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from boomerang.stores.interfaces import StoreUnavailable
from boomerang.stores.redis_protocol import NotRedis, RedisProtocol, Refused, Script

SCRIPT = Script(b"return 1")
_NO_KEYS = b"*3\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n0\r\n" % SCRIPT.digest


class Unheard:
    """Waits for a reply that does not come."""

    called = False

    def answered(self, reply: Any) -> None:
        raise AssertionError

    refused = answered


class Speaking(SynchronousTestCase):
    """One connection."""

    def setUp(self) -> None:
        self.transport = StringTransport()
        self.redis = RedisProtocol()
        self.redis.makeConnection(self.transport)

    def sent(self) -> bytes:
        sent: bytes = self.transport.value()
        self.transport.clear()
        return sent

    def test_words(self) -> None:
        """Words are sent as they are: texts as UTF-8, numbers in digits, bytes of any kind."""
        self.redis.ask("SET", "é", b"\xff\r\n", 12)
        assert self.sent() == b"*4\r\n$3\r\nSET\r\n$2\r\n\xc3\xa9\r\n$3\r\n\xff\r\n\r\n$2\r\n12\r\n"

    def test_surrogate(self) -> None:
        """What is no text is not sent, and waits for nothing."""
        with pytest.raises(UnicodeEncodeError):
            self.redis.ask("GET", "\ud800")
        assert self.sent() == b""

    def test_replies(self) -> None:
        """Replies belong to the questions in their order, however they are cut into pieces."""
        asked = [self.redis.ask("X") for _ in range(5)]
        for byte in b"+OK\r\n:7\r\n$-1\r\n*2\r\n$2\r\n\r\n\r\n*-1\r\n$0\r\n\r\n":
            self.redis.dataReceived(bytes([byte]))
        assert [self.successResultOf(each) for each in asked] == [
            b"OK", 7, None, [b"\r\n", None], b"",
        ]  # fmt: skip

    def test_refused(self) -> None:
        """An error is that of its own command; what it quotes of the command is left out."""
        asked = [self.redis.ask("X") for _ in range(2)]
        self.redis.dataReceived(
            b"-ERR unknown command 'X', with args beginning with: 'pw'\r\n:1\r\n"
        )
        assert str(self.failureResultOf(asked[0], Refused).value) == "ERR unknown command 'X'"
        assert self.successResultOf(asked[1]) == 1

    def test_script(self) -> None:
        """A script is sent once, then named; again when the server is said to have forgotten it."""
        self.run_script()
        assert self.sent() == b"*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n"
        self.run_script()
        assert self.sent() == _NO_KEYS
        self.redis.forget(SCRIPT)
        self.run_script()
        assert b"EVAL\r\n" in self.sent()

    def run_script(self) -> None:
        self.redis.send(_NO_KEYS, Unheard(), SCRIPT)

    def test_given_up(self) -> None:
        """Who gives up a reply ends the connection; the others are told, each once."""
        late, other = self.redis.ask("X"), self.redis.ask("Y")
        late.cancel()
        self.failureResultOf(late, CancelledError)
        self.assertNoResult(other)
        assert self.transport.disconnected
        self.end()
        self.failureResultOf(other, StoreUnavailable)

    def test_lost(self) -> None:
        """When the connection is lost all questions fail, and so do those that come after it."""
        asked = self.redis.ask("X")
        again: list[Deferred[Any]] = []
        asked.addErrback(lambda _: again.append(self.redis.ask("X")))
        self.end()
        self.successResultOf(self.redis.lost)
        self.failureResultOf(again[0], StoreUnavailable)
        assert isinstance(self.redis.ended_by, ConnectionDone)

    def test_nonsense(self) -> None:
        """What is not the protocol ends the connection, and is known as the reason."""
        asked = self.redis.ask("X")
        self.redis.dataReceived(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert self.transport.disconnected
        self.end()
        self.failureResultOf(asked, StoreUnavailable)
        assert isinstance(self.redis.ended_by, NotRedis)

    def test_farewell(self) -> None:
        """An error that answers no question is why the server hangs up."""
        self.redis.dataReceived(b"-ERR max number of clients reached\r\n")
        assert self.transport.disconnected
        assert str(self.redis.ended_by) == "ERR max number of clients reached"
        self.end()

    def test_extra_reply(self) -> None:
        """A reply to no question means that replies no longer match: the connection ends."""
        self.redis.dataReceived(b":1\r\n")
        assert self.transport.disconnected
        self.end()

    def end(self) -> None:
        self.redis.connectionLost(Failure(ConnectionDone()))
