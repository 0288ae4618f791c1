"""Plain connections to a daemon, for whoever is not Twilio, or does what Twilio never would."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Final

from attrs import frozen

LIMIT: Final = 15.0
"""Seconds in which anything must have happened; what is not late takes a fraction of it."""


@frozen
class Reply:
    """An HTTP answer; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


class Connection:
    """A connection on which so many bytes were sent."""

    def __init__(self, port: int, data: bytes = b"", *, within: float = LIMIT) -> None:
        self._within = within
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=within)
        self.send(data)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> Reply:
        """Wait for an answer, and take it. Raises `TimeoutError` if there is none."""
        answered = select.poll()  # select() knows no descriptor beyond 1,023
        answered.register(self.socket, select.POLLIN)
        if not answered.poll(self._within * 1000):
            raise TimeoutError("unanswered")
        response = HTTPResponse(self.socket)
        response.begin()
        return Reply(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read().decode(),
        )

    def is_closed(self) -> bool:
        """Wait for the other side's next word; true if it says no more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Leave without a good-bye: the other side gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def asked(port: int, request: bytes, *, within: float = LIMIT) -> Reply:
    """The answer to a request on a connection of its own."""
    connection = Connection(port, request, within=within)
    try:
        return connection.reply()
    finally:
        connection.close()


def get(port: int, path: str) -> Reply:
    """The answer to a plain GET."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    return asked(port, head.encode())
