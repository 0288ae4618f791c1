"""An app on a host that puts it to sleep: the first request wakes it, and waits until it is awake.

    python examples/sleeping_app.py [PORT [SECONDS]]

Whoever asks before it is awake waits for the rest of the 10 seconds that it takes. Port 0 is any
that is free; the address is printed.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TWIML = b"<Response><Say>Good morning, this is the app.</Say></Response>"


class SleepingApp(ThreadingHTTPServer):
    """Awake so many seconds after the first request."""

    daemon_threads = True

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__(("127.0.0.1", port), Answer)
        self._seconds = seconds
        self._awake_at: float | None = None
        self._lock = threading.Lock()

    def wait_until_awake(self) -> None:
        with self._lock:
            if self._awake_at is None:
                self._awake_at = time.monotonic() + self._seconds
        time.sleep(max(0.0, self._awake_at - time.monotonic()))

    def handle_error(self, *_: Any) -> None:
        """Who has hung up meanwhile is not told."""


class Answer(BaseHTTPRequestHandler):
    """The same TwiML for everyone."""

    server: SleepingApp

    def do_POST(self) -> None:
        self.server.wait_until_awake()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(TWIML)))
        self.end_headers()
        self.wfile.write(TWIML)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        """The timeline of the call says it all."""


def main() -> None:
    port, seconds = [*map(float, sys.argv[1:]), *(0.0, 10.0)[len(sys.argv) - 1 :]]
    app = SleepingApp(int(port), seconds)
    print(f"http://127.0.0.1:{app.server_port}", flush=True)
    app.serve_forever()


if __name__ == "__main__":
    main()
