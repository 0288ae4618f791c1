"""What is made of Twisted's errors."""

from __future__ import annotations

import errno

import pytest
from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NoRouteError,
    TCPTimedOutError,
)
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)

from boomerang.outbound.troubles import Trouble, Unreachable, explained

WRONG_VERSION = SSL.Error([("SSL routines", "", "wrong version number")])


def never(*errors: Exception) -> Exception:
    return ResponseNeverReceived([Failure(error) for error in errors])


def broken(*errors: Exception) -> Exception:
    return ResponseFailed([Failure(error) for error in errors])


@pytest.mark.parametrize(
    ("error", "trouble", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connect", "connection refused"),
        (NoRouteError(errno.ENETUNREACH, "x"), "connect", "network is unreachable"),
        (ConnectError(errno.EHOSTUNREACH, "x"), "connect", "no route to host"),
        (TCPTimedOutError(errno.ETIMEDOUT, "x"), "connect", "connection timed out"),
        (ConnectBindError(errno.EMFILE, "x"), "connect", "too many open files"),
        (ConnectError(string="x"), "connect", "cannot connect"),
        (never(ConnectionDone()), "connect", "closed the connection without an answer"),
        (never(ConnectionLost()), "connect", "closed the connection without an answer"),
        (
            RequestTransmissionFailed([Failure(ConnectionLost())]),
            "connect",
            "closed the connection without an answer",
        ),
        (broken(ConnectionDone()), "body", "the connection was lost amid the answer"),
        (
            broken(ConnectionAborted(), ValueError()),
            "body",
            "the connection was lost amid the answer",
        ),
        (broken(ValueError("s3cret")), "protocol", "the answer is not HTTP"),
        (broken(never(KeyError("s3cret"))), "protocol", "the answer is not HTTP"),
        (never(WRONG_VERSION), "tls", "TLS failed: wrong version number"),
        (SSL.Error([]), "tls", "TLS failed"),
        (SSL.Error(), "tls", "TLS failed"),
        (SSL.SysCallError(104, "ECONNRESET"), "tls", "TLS failed"),
    ],
)
def test_explained(error: Exception, trouble: str, words: str) -> None:
    """Each error becomes a trouble and a few words, after the server's name."""
    told = explained(error, "app.example")
    assert isinstance(told, Unreachable)
    assert (told.trouble, str(told)) == (Trouble(trouble), f"app.example: {words}")


@pytest.mark.parametrize(
    "error",
    [
        CancelledError(),
        ConnectingCancelledError(None),
        never(CancelledError()),
        RequestGenerationFailed([Failure(CancelledError())]),
        broken(ConnectionLost(), CancelledError()),
    ],
)
def test_cancelled(error: Exception) -> None:
    """Whatever Twisted calls it, who was cancelled was cancelled."""
    assert isinstance(explained(error, "app.example"), CancelledError)


def test_own() -> None:
    """A trouble that is known already is told as it is, even from within others."""
    own = Unreachable(Trouble.DNS, "x")
    assert explained(own, "app.example") is own
    assert explained(broken(own, ConnectionAborted()), "app.example") is own


def test_unknown() -> None:
    """A mistake of our own stays what it is."""
    mistake = RuntimeError("x")
    assert explained(mistake, "app.example") is mistake
