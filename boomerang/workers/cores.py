"""Which core a worker of an SQLite file stays on.

The thread that writes the file and the reactor take turns with the interpreter's lock. On two cores
each turn costs a wake-up, and the reactor takes the lock back in the middle of a batch; on one core
the thread goes on to its end. Two workers that have to share two cores with their load answer 7 to
17 % more requests so (median of seven runs: 14 %). With Redis there is no such thread, and no gain.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from contextlib import suppress

from boomerang.workers.identity import Worker


def core_of(worker: Worker, available: Collection[int]) -> int | None:
    """The core that is a worker's own, where there are as many cores as workers.

    With another number of cores the system knows better who should run where: workers could meet on
    one core while others are idle, as would those of several containers, which all see every core.
    """
    if worker.of == 1 or worker.of != len(available):
        return None
    return sorted(available)[worker.number]


def stay_on_core(worker: Worker) -> None:
    """Keep this process on its core, and the threads that it is going to start."""
    if sys.platform != "linux":
        return
    core = core_of(worker, os.sched_getaffinity(0))
    if core is not None:
        with suppress(OSError):  # some sandboxes forbid it
            os.sched_setaffinity(0, {core})
