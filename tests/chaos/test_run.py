"""Faults are done, together or alone, and what goes wrong is a verdict."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chaos.__main__ import SHORT, main
from chaos.fault import Fault
from chaos.faults import FAULTS
from chaos.judge import Promise
from chaos.run import run
from chaos.scene import Scene


def fails(scene: Scene) -> None:
    raise ValueError("no such thing\nand more")


class Crowd:
    """Knows how many are inside, and how many were at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = self.most = 0
        self.both = threading.Event()

    @contextmanager
    def inside(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            if self._inside == 2:
                self.both.set()
        yield
        with self._lock:
            self._inside -= 1


def test_error() -> None:
    """A fault that cannot be done breaks its promise, says why, and ends no other."""
    said: list[str] = []
    faults = [Fault(name, fails, "fails", Promise()) for name in ("one", "two")]
    results = run(faults, SHORT, lanes=1, write=said.append)
    assert [result.fault.name for result in results] == ["one", "two"]
    assert {result.broken for result in results} == {("ended by ValueError: no such thing",)}
    assert all(result.seen is None for result in results)
    assert "2/2 two: **broken**" in said[-1]


def test_needs() -> None:
    """What cannot be done here is skipped, which is no broken promise."""
    fault = Fault("one", fails, "fails", Promise(), needs=lambda: "no root")
    (result,) = run([fault], SHORT, lanes=1, write=lambda line: None)
    assert (result.skipped, result.broken) == ("no root", ())


@pytest.mark.parametrize("alone", [True, False])
def test_together(alone: bool) -> None:
    """Faults are done at the same time, but for those that would disturb others."""
    crowd = Crowd()

    def act(scene: Scene) -> None:
        with crowd.inside():
            crowd.both.wait(0.1 if alone else 10)

    faults = [Fault(name, act, "", Promise(), alone=alone) for name in ("one", "two")]
    run(faults, SHORT, lanes=2, write=lambda line: None)
    assert crowd.most == (1 if alone else 2)


def test_names() -> None:
    """Every fault has a name of its own, says what it does, and has a place in the short form
    unless it takes long."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) > 25
    assert all(fault.done for fault in FAULTS)
    assert [fault.name for fault in FAULTS if not fault.brief] == [
        "workers terminated",
        "workers, redis stopped",
        "soak",
    ]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """The faults can be listed, by the beginning of their names."""
    assert main(["--list", "--only", "redis f", "clock forward, r"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "redis fails over",
        "redis full",
        "clock forward, redis",
    ]


def test_nothing() -> None:
    """A name that no fault has is a failure, not a success of nothing."""
    assert main(["--only", "no such fault"]) == 1
