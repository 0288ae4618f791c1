"""What the process is asked for."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator

import pytest
from twisted.logger import LogLevel, capturedLogs

from boomerang.logs import message
from boomerang.process import (
    RESERVED_DESCRIPTORS,
    room_for_held,
    stop_on_signals,
)

UNLIMITED = resource.RLIM_INFINITY


class Limits:
    """The system's limits of open files, as another machine may have them."""

    def __init__(self, soft: int, hard: int, *, refusal: Exception | None = None) -> None:
        self.now = (soft, hard)
        self._refusal = refusal

    def get(self, which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_NOFILE
        return self.now

    def set(self, which: int, limits: tuple[int, int]) -> None:
        assert which == resource.RLIMIT_NOFILE
        if self._refusal is not None:
            raise self._refusal
        self.now = limits


@pytest.mark.parametrize(
    ("limits", "max_held", "room", "after"),
    [
        (Limits(1024, 1024), 20_000, 824, (1024, 1024)),
        (Limits(1024, 4096), 20_000, 3896, (4096, 4096)),
        (Limits(1024, 524_288), 20_000, 20_000, (524_288, 524_288)),
        (Limits(20_200, 20_200), 20_000, 20_000, (20_200, 20_200)),
        (Limits(20_199, 20_199), 20_000, 19_999, (20_199, 20_199)),
        (Limits(1024, UNLIMITED), 20_000, 20_000, (UNLIMITED, UNLIMITED)),
        (Limits(UNLIMITED, UNLIMITED), 20_000, 20_000, (UNLIMITED, UNLIMITED)),
        (Limits(1024, 4096, refusal=OSError()), 20_000, 824, (1024, 4096)),
        (Limits(1024, UNLIMITED, refusal=ValueError()), 20_000, 824, (1024, UNLIMITED)),
        (Limits(100, 100), 20_000, 0, (100, 100)),
        (Limits(1024, 1024), 5, 5, (1024, 1024)),
        (Limits(100, 100), 0, 0, (100, 100)),
    ],
)
def test_room(
    monkeypatch: pytest.MonkeyPatch,
    limits: Limits,
    max_held: int,
    room: int,
    after: tuple[int, int],
) -> None:
    """As many are held as was asked for, if there are descriptors for them and for the rest."""
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.set)
    with capturedLogs() as events:
        assert room_for_held(max_held) == room
    assert limits.now == after
    assert [event["log_level"] for event in events] == [LogLevel.warn] * (room < max_held)


def test_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too low a limit is told, with the limit and what to do about it."""
    monkeypatch.setattr(resource, "getrlimit", Limits(1024, 1024).get)
    with capturedLogs() as events:
        room_for_held(20_000)
    (event,) = events
    assert message(event) == (
        "only 824 requests can be held at once, not max_held=20000: the limit of open files is"
        " 1024 (LimitNOFILE=, ulimit -n)"
    )
    assert RESERVED_DESCRIPTORS == 200


@pytest.fixture
def _soft_limit() -> Iterator[None]:
    """Puts the limits of this process back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("_soft_limit")
def test_real_limit() -> None:
    """The soft limit is really raised to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    room_for_held(0)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


class Stopping:
    """As much of a reactor as a signal needs."""

    def __init__(self) -> None:
        self.stops = 0
        self.from_handler: list[Callable[[], object]] = []

    def callFromThread(self, call: Callable[..., object], *arguments: object) -> None:
        self.from_handler.append(lambda: call(*arguments))

    def stop(self) -> None:
        self.stops += 1

    def turn(self) -> None:
        """Do what signal handlers have asked for."""
        while self.from_handler:
            self.from_handler.pop(0)()


@pytest.fixture
def _usual_signals() -> Iterator[None]:
    """Puts the handlers back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


TERM, INT = signal.SIGTERM, signal.SIGINT


@pytest.mark.usefixtures("_usual_signals")
@pytest.mark.parametrize(
    ("signals", "stops", "hurries"),
    [
        ([], 0, 0),
        ([TERM], 1, 0),
        ([INT], 1, 0),
        ([TERM, TERM, TERM], 1, 0),
        ([INT, TERM], 1, 0),
        ([TERM, INT], 1, 1),
        ([INT, INT], 1, 1),
        ([INT, INT, INT], 1, 2),
    ],
)
def test_signals(signals: list[signal.Signals], stops: int, hurries: int) -> None:
    """The first signal stops the reactor; after it SIGTERM changes nothing, SIGINT makes haste."""
    reactor = Stopping()
    hurried: list[None] = []
    stop_on_signals(reactor, hurry=lambda: hurried.append(None))
    with capturedLogs() as events:
        for number in signals:
            signal.raise_signal(number)
            reactor.turn()
    assert (reactor.stops, len(hurried)) == (stops, hurries)
    told = [message(event) for event in events]
    assert told == [f"received {number.name}, stopping" for number in signals[:1]]


@pytest.mark.usefixtures("_usual_signals")
def test_handler_is_short() -> None:
    """A handler, which may interrupt anything, leaves all work to the reactor."""
    reactor = Stopping()
    stop_on_signals(reactor, hurry=lambda: None)
    with capturedLogs() as events:
        signal.raise_signal(TERM)
        assert (reactor.stops, list(events)) == (0, [])
        reactor.turn()
    assert reactor.stops == 1
