"""The end of the process: whoever waits is answered, and nothing else delays it."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.integration.daemon import Daemons, eventually
from tests.integration.sockets import Connection
from tests.integration.twilio import EARLY, LATE, FailedCall, answers, unanswered, until, untimely

TERM, INT = signal.SIGTERM, signal.SIGINT

WAIT = 1.5

PROMPT = 2.0
"""Seconds in which a process that waits for nobody has ended."""

HEALTH = b"GET /health HTTP/1.1\r\nHost: boomerang.example.com\r\n\r\n"


@pytest.mark.parametrize("number", [TERM, INT])
def test_held_calls_are_answered(daemons: Daemons, number: signal.Signals) -> None:
    """Told to stop, it refuses new connections at once, and holds those it has to their end."""
    daemon = daemons.start(wait=WAIT)
    failed = [FailedCall() for _ in range(50)]
    callers = daemon.hold(failed)

    daemon.signal(number)
    eventually(daemon.is_refusing, within=LATE)
    assert unanswered(callers) == len(callers)
    found = answers(callers)

    assert [answer.redirect for answer in found] == [("POST", one.error_url) for one in failed]
    assert {answer.decision for answer in found} == {"retry; attempt=1"}
    assert not untimely(found, WAIT)
    assert daemon.exit_status(within=PROMPT) == 0


def test_nobody_at_the_door_is_turned_away(daemons: Daemons) -> None:
    """Who has called before it was told to stop is answered, even if nobody has listened yet."""
    daemon = daemons.start(wait=WAIT)
    port = daemon.port
    idle = Connection(port, HEALTH)
    assert idle.reply().status == 200

    daemon.signal(signal.SIGSTOP)
    waiting = [Connection(port, FailedCall().request(port)) for _ in range(50)]
    late = [Connection(port) for _ in range(5)]
    daemon.signal(TERM)
    daemon.signal(signal.SIGCONT)
    until(time.monotonic() + 0.1)
    for connection in late:
        connection.send(FailedCall().request(port))

    replies = [connection.reply() for connection in (*waiting, *late)]
    assert {reply.headers["boomerang-decision"] for reply in replies} == {"retry; attempt=1"}
    assert daemon.exit_status(within=PROMPT) == 0
    assert idle.is_closed()


def test_grace(daemons: Daemons) -> None:
    """Nobody is held beyond ``shutdown_grace``: the call is sent back before its time."""
    daemon = daemons.start("--shutdown-grace", "0.5", wait=14)
    failed = FailedCall()
    (caller,) = daemon.hold([failed])

    daemon.signal(TERM)
    answer = caller.answer()

    assert answer.redirect == ("POST", failed.error_url)
    assert 0.5 - EARLY <= answer.seconds < 0.5 + 2 * LATE
    assert daemon.exit_status(within=PROMPT) == 0


def test_told_more_than_once(daemons: Daemons) -> None:
    """Platforms send SIGTERM several times: that changes nothing, and alarms nobody."""
    daemon = daemons.start(wait=WAIT)
    callers = daemon.hold([FailedCall() for _ in range(10)])

    for _ in range(3):
        daemon.signal(TERM)
        eventually(daemon.is_refusing)

    assert not untimely(answers(callers), WAIT)
    assert daemon.exit_status(within=PROMPT) == 0
    assert daemon.log().count("received SIGTERM") == 1
    assert "Can't stop reactor" not in daemon.log()


@pytest.mark.parametrize("first", [TERM, INT])
def test_second_interrupt(daemons: Daemons, first: signal.Signals) -> None:
    """A person who presses Ctrl-C at a stopping process need not wait: held calls go at once."""
    daemon = daemons.start("--shutdown-grace", "14", wait=14)
    failed = FailedCall()
    (caller,) = daemon.hold([failed])
    daemon.signal(first)
    eventually(daemon.is_refusing)
    assert unanswered([caller]) == 1

    daemon.signal(INT)

    answer = caller.answer()
    assert answer.redirect == ("POST", failed.error_url)
    assert answer.seconds < 14 / 2
    assert daemon.exit_status(within=PROMPT) == 0


def test_nobody_waits(daemons: Daemons) -> None:
    """Connections that rest, or whose request is never finished, do not delay the end."""
    daemon = daemons.start()
    resting = Connection(daemon.port, HEALTH)
    assert resting.reply().status == 200
    silent = Connection(daemon.port, b"")
    half_a_head = Connection(daemon.port, b"POST /retry HTTP/1.1\r\nHo")
    half_a_body = Connection(daemon.port, FailedCall().request(daemon.port)[:-20])

    daemon.signal(TERM)

    assert daemon.exit_status(within=PROMPT) == 0
    for connection in (resting, silent, half_a_head, half_a_body):
        assert connection.is_closed()
        connection.close()


def test_request_that_is_still_coming(daemons: Daemons) -> None:
    """A request whose rest arrives while others are being answered is answered too."""
    daemon = daemons.start(wait=1)
    (held,) = daemon.hold([FailedCall()])
    failed = FailedCall()
    late = Connection(daemon.port, failed.request(daemon.port)[:-20])
    assert daemon.status() == "ok"

    daemon.signal(TERM)
    eventually(daemon.is_refusing)
    late.send(failed.request(daemon.port)[-20:])

    assert held.answer().decision == "retry; attempt=1"
    assert late.reply().headers["boomerang-decision"] == "retry; attempt=1"
    assert daemon.exit_status(within=PROMPT) == 0


def test_client_that_does_not_read(daemons: Daemons) -> None:
    """A client that asks for much and reads nothing does not keep the process from its end."""
    daemon = daemons.start()
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.connect(("127.0.0.1", daemon.port))
    slow.sendall(HEALTH.replace(b"/health", b"/metrics") * 1000)
    assert daemon.status() == "ok"

    daemon.signal(TERM)

    assert daemon.exit_status(within=PROMPT) == 0
    slow.close()


def test_health_while_stopping(daemons: Daemons) -> None:
    """Whoever is still connected learns that this process is about to end."""
    daemon = daemons.start(wait=1)
    (held,) = daemon.hold([FailedCall()])
    asking = Connection(daemon.port, HEALTH[:-2])
    assert daemon.status() == "ok"

    daemon.signal(TERM)
    eventually(daemon.is_refusing)
    asking.send(HEALTH[-2:])
    answer = asking.reply()

    assert (answer.status, '"stopping"' in answer.body) == (503, True)
    assert answer.headers["connection"] == "close"
    assert held.answer().status == 200
    assert daemon.exit_status(within=PROMPT) == 0
