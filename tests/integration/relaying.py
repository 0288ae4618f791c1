"""Both ends of the relay: Twilio, that sends callbacks without end, and an app that often fails."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import Counter
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from attrs import define, field, frozen
from twilio.request_validator import RequestValidator

from boomerang.standin.request import Envelope, Request, address, written
from boomerang.standin.script import Webhook
from tests.integration.sockets import asked
from tests.relay.callbacks import status_fields

PUBLIC: Final = "https://boomerang.example.com"

TOKENS: Final = {f"AC{1:032x}": "first-token", f"AC{2:032x}": "second-token"}
"""Each account signs with its own."""

Event = tuple[str, int]
"""A call, and the number of one of its callbacks."""


@define
class Ledger:
    """What was acknowledged, and what came to the app."""

    acknowledged: list[Event] = field(factory=list)
    refused: Counter[int] = field(factory=Counter)
    unanswered: int = 0
    arrived: list[Event] = field(factory=list)
    forged: list[str] = field(factory=list)

    def missing(self) -> set[Event]:
        return set(self.acknowledged) - set(self.arrived)

    def duplicates(self) -> int:
        return len(self.arrived) - len(set(self.arrived))

    def out_of_order(self) -> list[tuple[Event, Event]]:
        """Callbacks of one call that came for the first time after a later one had come."""
        calls: dict[str, list[Event]] = {}
        for event in dict.fromkeys(self.arrived):
            calls.setdefault(event[0], []).append(event)
        return [
            (one, other)
            for events in calls.values()
            for one, other in pairwise(events)
            if one[1] > other[1]
        ]


class App:
    """An app on a port of its own that verifies signatures, and fails in all ways there are.

    ``trouble`` is the part of requests that do not get a good answer.
    """

    def __init__(self, ledger: Ledger, *, trouble: float = 0.2, seed: int = 1) -> None:
        self.trouble = trouble
        self._ledger = ledger
        self._random = random.Random(seed)
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        server = _Server(("127.0.0.1", self._port), _Handler)
        server.app = self
        self._port, self._server = server.server_port, server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def restart(self, *, after: float) -> None:
        self.stop()
        time.sleep(after)
        self.start()

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a request, or do what apps do instead."""
        size = int(handler.headers.get("Content-Length", "0"))
        body = handler.rfile.read(size).decode()
        fields = parse_qsl(body, keep_blank_values=True)
        given = dict(fields)
        if not self._is_genuine(handler, given):
            self._ledger.forged.append(handler.path)
            self._say(handler, 403)
            return
        if self._random.random() < self.trouble:
            self._fail(handler)
            return
        self._ledger.arrived.append((given["CallSid"], int(given["SequenceNumber"])))
        self._say(handler, 204)

    def _is_genuine(self, handler: BaseHTTPRequestHandler, given: dict[str, str]) -> bool:
        validator = RequestValidator(TOKENS.get(given.get("AccountSid", ""), "nobody's"))
        url = f"http://{handler.headers['Host']}{handler.path}"
        signature = handler.headers.get("X-Twilio-Signature", "")
        return bool(validator.validate(url, given, signature))

    def _fail(self, handler: BaseHTTPRequestHandler) -> None:
        kind = self._random.choice((500, 500, 404, 503, "hang", "reset", "half"))
        if isinstance(kind, int):
            self._say(handler, kind)
            return
        if kind == "hang":
            time.sleep(1.5)
        elif kind == "half":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        else:
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True

    def _say(self, handler: BaseHTTPRequestHandler, status: int) -> None:
        handler.send_response(status)
        if status == 503:
            handler.send_header("Retry-After", "1")
        if status != 204:
            handler.send_header("Content-Length", "0")
        handler.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    app: App

    def handle_error(self, *_: Any) -> None:
        """Connections are lost all the time here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    server: _Server

    def do_POST(self) -> None:
        self.server.app.take(self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@frozen
class Port:
    """Where boomerang listens; several, if there are several of them."""

    numbers: tuple[int, ...]


class Twilio:
    """Sends the callbacks of call after call, each once, and notes which were acknowledged.

    What it sends is written and signed by `boomerang.standin`; it is sent from threads, since the
    tests block the reactor while daemons die and start.
    """

    def __init__(self, ledger: Ledger, app: App, ports: Port, *, lines: int = 8) -> None:
        self._ledger = ledger
        self._app = app
        self._ports = ports
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._line, args=(number,), daemon=True)
            for number in range(lines)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _line(self, line: int) -> None:
        """Calls of five callbacks each, four calls at a time."""
        chance = random.Random(line)
        numbers = iter(range(10**9))
        while not self._stopping.is_set():
            calls = [f"CA{line * 10**9 + next(numbers):032x}" for _ in range(4)]
            for sequence in range(5):
                for call in calls:
                    if self._stopping.is_set():
                        return
                    self._tell(call, sequence, chance)
                    time.sleep(0.01)

    def _tell(self, call: str, sequence: int, chance: random.Random) -> None:
        account, token = list(TOKENS.items())[int(call[2:], 16) % len(TOKENS)]
        form = status_fields(call, number=sequence, status="in-progress", account=account)
        target = quote(f"{self._app.url}/calls/{call}/ended?s={sequence}", safe="")
        url = f"{PUBLIC}/relay?Url={target}"
        envelope = Envelope("voice", token=token, delivery=f"{call}-{sequence}")
        request = written(Request(Webhook(url), tuple(form.items())), address(url), envelope)
        try:
            status = asked(chance.choice(self._ports.numbers), request, within=5).status
        except (OSError, HTTPException):
            self._ledger.unanswered += 1
            time.sleep(0.05)
        else:
            if status == 204:
                self._ledger.acknowledged.append((call, sequence))
            else:
                self._ledger.refused[status] += 1
