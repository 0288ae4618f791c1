"""What may happen to the process."""

from __future__ import annotations

import resource
import signal
import time
from typing import Final

from chaos.fault import Fault
from chaos.judge import Promise
from chaos.scene import Scene
from chaos.watching import descriptors

_BLOCKED: Final = 2.0

_AGAIN: Final = Promise(cut=True, recovered=2)
"""The process is gone, and comes again."""

_FEW: Final = 260
"""A limit of open files with which 60 calls can be held."""

_ROOM: Final = 15
"""Descriptors beyond those in use; a storm would take more."""


def killed(scene: Scene) -> None:
    daemon = scene.start()
    scene.injure(daemon.kill)
    scene.mend(lambda: scene.restart(abrupt=True))


def terminated(scene: Scene, *options: str) -> None:
    daemon = scene.start(*options)

    def stop() -> None:
        daemon.process.terminate()
        assert daemon.exit_status() == 0

    scene.injure(stop)
    scene.mend(lambda: scene.restart(abrupt=False))


def out_of_descriptors(scene: Scene) -> None:
    pid = scene.start().process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)

    def limit() -> None:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(pid) + _ROOM, hard))

    scene.injure(limit)
    scene.mend(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard)))


def few_descriptors(scene: Scene) -> None:
    scene.start(prefix=("prlimit", f"--nofile={_FEW}"))
    scene.injure(lambda: scene.load.storm(_FEW))
    scene.mend()


def blocked(scene: Scene) -> None:
    daemon = scene.start()

    def block() -> None:
        daemon.signal(signal.SIGSTOP)
        time.sleep(_BLOCKED)
        daemon.signal(signal.SIGCONT)

    scene.injure(block)
    scene.mend()


FAULTS: Final = (
    Fault(
        "process killed",
        killed,
        "`kill -9` in a storm, and a new start",
        _AGAIN,
    ),
    Fault(
        "process terminated",
        terminated,
        "SIGTERM in a storm, and a new start",
        _AGAIN,
    ),
    Fault(
        "process out of descriptors",
        out_of_descriptors,
        f"the limit of open files is lowered to {_ROOM} more than are open",
        Promise(late_by=10),  # they wait in the kernel's queue; Twilio does for 15 s
    ),
    Fault(
        "process with few descriptors",
        few_descriptors,
        f"started with a limit of {_FEW} open files, as many calls fail in the same moment",
        Promise(early=True, late_by=3),
    ),
    Fault(
        "process blocked",
        blocked,
        f"the process gets no CPU for {_BLOCKED:g} s (SIGSTOP)",
        Promise(late_by=_BLOCKED + 2),
    ),
)
