"""What goes wrong with requests: in a few words for people, in few kinds for programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)


class Trouble(Enum):
    """Why there is no answer."""

    DNS = "dns"
    """The name has no address, or none that could be found out."""

    CONNECT = "connect"
    """Refused, unreachable, or the connection was closed before a byte of the answer."""

    TLS = "tls"
    CERTIFICATE = "certificate"
    TIMEOUT = "timeout"

    BODY = "body"
    """The answer broke off."""

    PROTOCOL = "protocol"
    """What came is not HTTP."""

    REDIRECT = "redirect"
    """There are more redirects than were asked for, or one leads to no web address."""


class Unreachable(Exception):
    """A request has had no answer, or no whole one; the text says why, and has no secret in it."""

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble = trouble


_OF_THE_CLIENT = (ResponseFailed, RequestTransmissionFailed, RequestGenerationFailed)


def explained(error: Exception, where: str) -> Exception:
    """What is to be raised for an error of Twisted's web client or endpoints.

    ``where`` names the server. Having been cancelled, which Twisted has several words for, is a
    `CancelledError` again. What is not known here comes back as it is.
    """
    reasons = list(_reasons(error))
    for reason in reasons:
        if isinstance(reason, Unreachable):
            return reason
    if any(isinstance(reason, CancelledError | ConnectingCancelledError) for reason in reasons):
        return CancelledError()
    for reason in reasons:
        if isinstance(reason, SSL.Error):
            return Unreachable(Trouble.TLS, f"{where}: TLS failed{tls_words(reason)}")
    if isinstance(error, ConnectError):
        return Unreachable(Trouble.CONNECT, f"{where}: {_system_words(error)}")
    if not isinstance(error, _OF_THE_CLIENT):
        return error
    if not isinstance(reasons[0], ConnectionClosed):
        return Unreachable(Trouble.PROTOCOL, f"{where}: the answer is not HTTP")
    if isinstance(error, ResponseNeverReceived | RequestTransmissionFailed):
        return Unreachable(Trouble.CONNECT, f"{where}: closed the connection without an answer")
    return Unreachable(Trouble.BODY, f"{where}: the connection was lost amid the answer")


def _reasons(error: Exception) -> Iterator[Exception]:
    """The errors that an error of the web client is made of; the first is what came first."""
    if not isinstance(error, _OF_THE_CLIENT):
        yield error
        return
    for failure in error.reasons:
        yield from _reasons(failure.value)


def _system_words(error: ConnectError) -> str:
    """The system's own words for it, without what Twisted puts around them."""
    if isinstance(error.osError, int):
        return os.strerror(error.osError).lower()
    return "cannot connect"


def tls_words(error: SSL.Error) -> str:
    """OpenSSL's words for what went wrong, after a colon, if it has any."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    words = ", ".join(dict.fromkeys(entry[-1] for entry in entries if entry[-1]))
    return f": {words}" if words else ""
