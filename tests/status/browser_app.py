"""An app whose calls are played as Twilio plays them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from tests.integration.daemon import Daemon, environment

_BOOMERANG: Final = str(Path(sys.executable).with_name("boomerang"))

_TWIML: Final = b"<Response><Say>Hello.</Say></Response>"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class App:
    """An app whose every page has a status, 200 until it is told of another."""

    def __init__(self) -> None:
        app = self

        class Page(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(app.status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(_TWIML)))
                self.end_headers()
                self.wfile.write(_TWIML)

            do_POST = do_GET

            def log_message(self, *_: object) -> None: ...

        self.status = 200
        self.server = _Server(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def an_app() -> Iterator[App]:
    """An app on a port of this machine, answering in threads."""
    app = App()
    thread = threading.Thread(target=app.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield app
    finally:
        app.server.shutdown()
        thread.join()
        app.server.server_close()


def play(app: App, daemon: Daemon, *options: str) -> int:
    """Play calls as Twilio does, with the daemon for a fallback; returns the exit status."""
    fallback = f"http://127.0.0.1:{daemon.port}/retry"
    return subprocess.run(
        [_BOOMERANG, "call", f"{app.url}/voice", "--fallback", fallback, *options],
        env=environment(),
        stdout=subprocess.DEVNULL,
        timeout=60,
        check=False,
    ).returncode
