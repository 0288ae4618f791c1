"""A failed call comes back: the semantics of ``/retry``, as Twilio sees them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults

from boomerang.standin import Outcome, Played
from boomerang.standin.verbs import Redirect
from tests.integration.app import App
from tests.integration.daemon import COMMAND, Daemon, Daemons, ended, eventually, in_due_time
from tests.integration.playing import call, heard, message, playing, said
from tests.integration.sockets import Connection
from tests.integration.twilio import (
    LATE,
    Answer,
    Caller,
    FailedCall,
    answers,
    let_pass,
    until,
    untimely,
)
from tests.servers import RedisServer, free_port

WAIT = 1.0
"""Seconds that the module's daemon holds a call."""

METHODS = ("GET", "POST")

APOLOGY = "https://twimlets.example.com/message?Message%5B0%5D=Sorry&"


@frozen
class Unconfigured:
    """A daemon that was told its port alone, and one call that it holds."""

    daemon: Daemon
    port: int
    failed: FailedCall
    caller: Caller


@pytest.fixture(scope="module", autouse=True)
def unconfigured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unconfigured]:
    """Begins with the module, so that its 8 seconds pass while the other tests run."""
    port = free_port()
    with ended(Daemons(tmp_path_factory.mktemp("unconfigured"))) as daemons:
        daemon = daemons.launch(*COMMAND, more={"PORT": str(port)}).wait_until_ready()
        failed = FailedCall()
        caller = daemon.fail(failed)
        let_pass(0.05)
        yield Unconfigured(daemon, port, failed, caller)


def came_at_once(answer: Answer) -> bool:
    return answer.seconds < LATE


def of_each_kind(**about: Any) -> list[FailedCall]:
    """A call and a message, each told of by GET and by POST."""
    return [
        FailedCall(method=method, product=product, **about)
        for method in METHODS
        for product in ("voice", "messaging")
    ]


def test_read_late(daemon: Daemon) -> None:
    """A call counts as held from when it came, however long the process was too busy to read it."""
    daemon.signal(signal.SIGSTOP)
    caller = daemon.fail(FailedCall())
    let_pass(WAIT + 0.2)  # less would not tell it from being late
    daemon.signal(signal.SIGCONT)
    assert not untimely([caller.answer()], WAIT)


def test_first_failure(daemon: Daemon) -> None:
    """What fails once is held, then sent back to the very URL that failed."""
    url = "https://app.example.com:8443/Voice/%C3%A4/?b=%26&a=1&a=<2>#rt=5000&rc=2"

    for answer in daemon.rescue_all(of_each_kind(error_url=url)):
        assert (answer.status, answer.decision) == (200, "retry; attempt=1")
        assert answer.redirect == ("POST", url)
        assert not untimely([answer], WAIT)


def test_method_of_the_second_chance(daemon: Daemon) -> None:
    """``Method`` says how the URL is asked again."""
    failed = FailedCall(options={"Method": "GET"})

    assert daemon.rescue(failed).redirect == ("GET", failed.error_url)


def of_both_kinds(daemon: Daemon, app: App) -> list[Deferred[Played]]:
    """A call and a message, each with a fallback by GET and by POST, being played."""
    return [playing(kind(app, daemon, method)) for method in METHODS for kind in (call, message)]


async def test_second_chance(daemon: Daemon, app: App) -> None:
    """An app that is back when the call is sent back to it has saved it."""
    begun = of_both_kinds(daemon, app)
    await app.wake_after(WAIT * 0.6)

    for played in await gatherResults(begun):
        assert played.outcome is Outcome.SAVED
        assert [one.decision for one in said(played)] == ["retry; attempt=1"]
        assert heard(played) in (["Hello"], ["Thanks"])


async def test_second_failure(daemon: Daemon, app: App) -> None:
    """What fails again gets Twilio's standard message, at once."""
    begun = of_both_kinds(daemon, app)

    for played in await gatherResults(begun):
        assert played.outcome is Outcome.LOST
        held, given_up = said(played)
        assert held.decision == "retry; attempt=1"
        assert (given_up.status, given_up.decision) == (500, "give-up; attempt=2")
        assert given_up.seconds < LATE
        assert heard(played) in (["standard message"], [])


def test_second_failure_with_fallback(daemon: Daemon) -> None:
    """What fails again is sent to its ``FallbackUrl`` at once; if that fails too, to nowhere."""
    by_get = FailedCall(options={"FallbackUrl": APOLOGY})
    by_post = FailedCall(options={"FallbackUrl": APOLOGY, "FallbackMethod": "POST"})
    daemon.rescue_all([by_get, by_post])

    found = daemon.rescue_all([by_get, by_post])

    assert [answer.decision for answer in found] == ["fallback; attempt=2"] * 2
    assert [answer.redirect for answer in found] == [("GET", APOLOGY), ("POST", APOLOGY)]
    assert all(came_at_once(answer) for answer in found)
    assert daemon.rescue(attrs.evolve(by_get, error_url=APOLOGY)).status == 500


def test_each_for_itself(daemon: Daemon) -> None:
    """Another caller at the same URL, and another URL of the same call, get their own chance."""
    failed = FailedCall()
    daemon.rescue(failed)
    assert daemon.rescue(failed).status == 500
    other_caller = FailedCall(error_url=failed.error_url)
    other_url = attrs.evolve(failed, error_url="https://app.example.com/gather?step=2")

    for answer in daemon.rescue_all([other_caller, other_url]):
        assert answer.decision == "retry; attempt=1"
        assert not untimely([answer], WAIT)


def test_repeat_of_a_held_request(daemon: Daemon) -> None:
    """Twilio's own repeat of a held request is released with it, and is not another failure."""
    failed = FailedCall()
    first = daemon.fail(failed)
    until(first.sent_at + WAIT * 0.6)

    one, two = answers([first, daemon.fail(failed)])

    assert [one.decision, two.decision] == ["retry; attempt=1"] * 2
    assert abs(one.at - two.at) < WAIT * 0.4
    assert daemon.rescue(failed).decision == "give-up; attempt=2"


def test_repeat_after_hanging_up(daemon: Daemon) -> None:
    """A caller who hung up is forgotten; Twilio's repeat is released at the first one's instant."""
    failed = FailedCall()
    (first,) = daemon.hold([failed])
    first.hang_up()
    eventually(lambda: daemon.held() == 0)
    until(first.sent_at + WAIT * 0.6)

    answer = daemon.rescue(failed)

    assert answer.decision == "retry; attempt=1"
    assert answer.seconds < WAIT * 0.8
    assert daemon.rescue(failed).decision == "give-up; attempt=2"


def test_errors_that_come_again(daemon: Daemon) -> None:
    """A failure that repeating cannot mend is given up at once."""
    hopeless = FailedCall(error_code="12100")
    consoled = FailedCall(error_code="12100", options={"FallbackUrl": APOLOGY})

    answer, fallback = daemon.rescue_all([hopeless, consoled])

    assert (answer.status, fallback.redirect) == (500, ("GET", APOLOGY))
    assert came_at_once(answer)


def test_everybody_fails_in_the_same_second(daemon: Daemon) -> None:
    """When all calls of an app fail at once, each is sent back, and none comes much later."""
    failed = [FailedCall(error_url="https://asleep.example.com/voice") for _ in range(200)]

    found = daemon.rescue_all(failed)

    assert {answer.decision for answer in found} == {"retry; attempt=1"}
    assert not untimely(found, WAIT)
    assert {answer.decision for answer in daemon.rescue_all(failed)} == {"give-up; attempt=2"}


def test_connection_is_kept(daemon: Daemon) -> None:
    """Twilio may send the next failure on the connection of the last one."""
    request = FailedCall().request(daemon.port)
    connection = Connection(daemon.port, request)
    first = connection.reply()
    assert (first.status, first.headers["boomerang-decision"]) == (200, "retry; attempt=1")
    assert first.headers["content-type"] == "text/xml; charset=utf-8"
    assert first.headers["cache-control"] == "no-store"

    connection.send(request)

    second = connection.reply()
    assert (second.status, second.headers["boomerang-decision"]) == (500, "give-up; attempt=2")
    assert "<" not in second.body
    connection.close()


def test_no_configuration_at_all(unconfigured: Unconfigured) -> None:
    """With nothing but ``PORT``, in an empty directory, a call is held for 8 s, then sent back."""
    daemon = unconfigured.daemon
    failed = unconfigured.failed

    answer = unconfigured.caller.answer()

    assert daemon.port == unconfigured.port
    assert answer.redirect == ("POST", failed.error_url)
    assert not untimely([answer], 8.0)
    assert daemon.rescue(failed).status == 500
    assert (daemon.directory / "boomerang.db").is_file()


async def test_app_that_wakes(daemons: Daemons, app: App) -> None:
    """An app that wakes after 2 s has its calls within a second, whatever the wait would be."""
    daemon = daemons.start("--retry-probe", app.url("/health"), wait=12)
    begun = [playing(call(app, daemon)) for _ in range(20)]
    await app.wake_after(2)

    for played in await gatherResults(begun):
        assert played.outcome is Outcome.SAVED
    came = [at for at, path in app.asked if path == "/voice" and at >= app.awoke_at]
    assert len(came) == 20
    assert max(came) - app.awoke_at < 1 + LATE


async def test_app_that_is_known_to_be_dead(daemons: Daemons, app: App) -> None:
    """While a check of the app is down its callers hear the apology at once, and none is held."""
    file = daemons.directory / "dead.toml"
    file.write_text(
        '[retry]\ncircuit = true\nfallback = "apology"\n'
        f'[[check]]\nname = "app"\nurl = "{app.url("/health")}"\ninterval = 0.2\nfailures = 1\n'
    )
    daemon = daemons.start("--config", str(file), wait=5)
    await in_due_time(lambda: daemon.health()["circuits"])

    played = await playing(call(app, daemon))

    (answer,) = said(played)
    assert (answer.status, answer.decision) == (200, "apology; attempt=0")
    assert answer.seconds < LATE
    (words,) = heard(played)
    assert words.startswith("We are sorry")
    assert "reason=dead" in daemon.log()
    app.wake()
    await in_due_time(lambda: not daemon.health()["circuits"])
    assert daemon.held() == 0


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_another_instance(daemons: Daemons, app: App, tmp_path: Path, kind: str) -> None:
    """A call that is held in turns may come back to any instance on the same store."""
    file = daemons.directory / "turns.toml"
    file.write_text(
        f'[retry]\nprobe = "{app.url("/health")}"\nhold_limit = 60\nhold_message = "One moment."\n'
    )
    with RedisServer(tmp_path) if kind == "redis" else nullcontext() as redis:
        store = redis.url() if redis else f"sqlite:{tmp_path / 'shared.db'}"
        one, other = (daemons.start("--config", str(file), store=store) for _ in range(2))
        app.wake()

        def comes_back() -> Answer | None:
            """The answer of the other one, once they have agreed on the key of their tokens."""
            failed = FailedCall(error_url=app.url("/voice"))
            told = one.rescue(failed)
            assert told.decision == "hold; attempt=1"
            (back,) = [verb.to for verb in told.document.verbs if isinstance(verb, Redirect)]
            target = back.url.partition(str(one.port))[2]
            assert target.startswith("/retry/continue")
            answer = Caller(failed.script, failed.returning(other.port, target)).answer()
            return answer if answer.status == 200 else None

        assert eventually(comes_back).redirect == ("POST", app.url("/voice"))
