"""What failed once is remembered: after a crash, and by every instance on the same store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.daemon import (
    ANY_PORT,
    COMMAND,
    Daemon,
    Daemons,
    ended,
    eventually,
)
from tests.integration.twilio import LATE, FailedCall, answers, let_pass, until
from tests.servers import RedisServer

WAIT = 1.0


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a store that instances can share."""
    directory = tmp_path_factory.mktemp("store")
    if request.param == "sqlite":
        yield f"sqlite:{directory / 'shared.db'}"
    else:
        with RedisServer(directory) as server:
            yield server.url()


@pytest.fixture(scope="module")
def instances(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Daemon]]:
    """Two daemons on the store, both connected with it."""
    settings = ("--listen", ANY_PORT, "--store", store, "--retry-wait", str(WAIT))
    with ended(Daemons(tmp_path_factory.mktemp("instances"))) as daemons:
        both = [daemons.launch(*COMMAND, *settings) for _ in range(2)]
        for daemon in both:
            eventually(daemon.wait_until_ready().uses_its_store)
        yield both


def test_crash(daemons: Daemons, store: str) -> None:
    """Killed in the midst of its work, it recognises every failure again that it has answered."""
    daemon = daemons.start(store=store)
    eventually(daemon.uses_its_store)
    failed = [FailedCall() for _ in range(50)]
    assert {answer.decision for answer in daemon.rescue_all(failed)} == {"retry; attempt=1"}
    others = [daemon.fail(FailedCall()) for _ in range(200)]
    let_pass(0.05)
    daemon.kill()

    again = daemons.start(store=store)
    eventually(again.uses_its_store)

    assert {answer.decision for answer in again.rescue_all(failed)} == {"give-up; attempt=2"}
    assert again.rescue(FailedCall()).decision == "retry; attempt=1"
    assert again.status() == "ok"
    for caller in others:
        caller.hang_up()


def test_crash_while_a_call_is_held(daemons: Daemons, store: str) -> None:
    """When Twilio repeats a request whose host has crashed, it is released at the first instant."""
    wait = 3.0
    daemon = daemons.start(store=store, wait=wait)
    eventually(daemon.uses_its_store)
    failed = FailedCall()
    (lost,) = daemon.hold([failed])
    daemon.kill()
    assert lost.is_closed()

    again = daemons.start(store=store, wait=wait)
    eventually(again.uses_its_store)
    answer = again.rescue(failed)

    assert answer.decision == "retry; attempt=1"
    assert wait - 0.05 <= answer.at - lost.sent_at <= wait + LATE
    assert answer.seconds < wait - 0.3


def test_second_failure_at_another_instance(instances: list[Daemon]) -> None:
    """A second failure is recognised by whichever instance Twilio reaches."""
    one, other = instances
    failed = [FailedCall() for _ in range(20)]

    assert {answer.decision for answer in one.rescue_all(failed)} == {"retry; attempt=1"}
    assert {answer.decision for answer in other.rescue_all(failed)} == {"give-up; attempt=2"}
    assert {answer.decision for answer in one.rescue_all(failed)} == {"give-up; attempt=3"}


def test_repeat_at_another_instance(instances: list[Daemon]) -> None:
    """Twilio's repeat at another instance is released at the first one's instant."""
    one, other = instances
    failed = FailedCall()
    first = one.fail(failed)
    until(first.sent_at + WAIT * 0.6)

    released, joined = answers([first, other.fail(failed)])

    assert [released.decision, joined.decision] == ["retry; attempt=1"] * 2
    assert abs(released.at - joined.at) < WAIT * 0.4
    assert other.rescue(failed).decision == "give-up; attempt=2"


def test_same_moment(instances: list[Daemon]) -> None:
    """Requests that reach two instances in the same moment count as one failure each."""
    one, other = instances
    failed = [FailedCall() for _ in range(100)]

    found = answers([daemon.fail(call) for call in failed for daemon in instances])

    assert {answer.decision for answer in found} == {"retry; attempt=1"}
    assert {answer.decision for answer in one.rescue_all(failed)} == {"give-up; attempt=2"}
    assert {answer.decision for answer in other.rescue_all(failed)} == {"give-up; attempt=3"}
    assert (one.status(), other.status()) == ("ok", "ok")
