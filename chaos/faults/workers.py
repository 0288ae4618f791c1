"""What may happen to a host of several workers, and to one of them."""

from __future__ import annotations

import os
import signal
import time
from typing import Final

from attrs import evolve

from chaos.fault import Fault
from chaos.faults import process, redis
from chaos.judge import WORKERS, Promise
from chaos.scene import Scene
from tests.integration.daemon import children, eventually

_TWO: Final = "--workers=2"

_FORGOTTEN: Final = 5
"""Second failures that may be taken for first ones, which costs a call one more try: while a worker
opens the store at its start, it knows what it has seen itself. Had each worker a store of its own,
it would be one call in ten."""

_WITHOUT_STORE: Final = 60
"""As long as there is none, it is half of those that fail twice."""


def one_killed(scene: Scene) -> None:
    supervisor = scene.start(_TWO).process.pid
    victim = min(children(supervisor))  # worker 0, which brings the callbacks of both

    def kill() -> None:
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: victim not in children(supervisor))
        scene.cut(until=time.monotonic())

    scene.injure(kill)
    scene.mend()


FAULTS: Final = (
    Fault(
        "worker killed",
        one_killed,
        "`kill -9` of one worker of two in a storm",
        # Callers who come then are answered by the other one, and callbacks brought by the next.
        Promise(cut=True, forgotten=_FORGOTTEN, degraded=frozenset({WORKERS}), recovered=15),
    ),
    Fault(
        "workers terminated",
        lambda scene: process.terminated(scene, _TWO),
        "SIGTERM to the supervisor of two workers in a storm, and a new start",
        # The supervisor takes callers in before the workers are there: they wait for their start.
        Promise(cut=True, late_by=8, forgotten=_FORGOTTEN, recovered=5),
        brief=False,
    ),
    Fault(
        "workers, redis stopped",
        lambda scene: redis.stopped(scene, _TWO),
        "Redis is killed under two workers, and started again later",
        evolve(redis.AWAY, forgotten=_WITHOUT_STORE),
        brief=False,
    ),
)
