"""Whatever is sent, the daemon goes on answering, and its log stays calm."""

from __future__ import annotations

import random
import socket
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from tests.integration.daemon import Daemon, Daemons, eventually
from tests.integration.rubbish import send_rubbish
from tests.integration.sockets import LIMIT, Connection
from tests.integration.twilio import FailedCall, untimely

SEED = 20261121

SECONDS = 3.0

WAIT = 1.0


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
        lost.append(send_rubbish(daemon.port, chance))
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
    assert not untimely([answer], WAIT)
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
