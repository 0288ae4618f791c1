"""Load by wrk: keep-alive, each request signed and a call of its own."""

import json
import resource
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from subprocess import TimeoutExpired

import attrs

from benchmarks import traffic
from benchmarks.processes import running

CONNECTIONS = 128
"""In a storm many requests come in one turn of the reactor; and the kernel spreads connections over
workers by chance, which takes many to be even."""

_YIELDING = ("chrt", "--batch", "0")
"""wrk waits until who has its core is done (sched(7), SCHED_BATCH), as if it had another machine.
Otherwise each answer wakes it, and it takes the core of a worker that is in the middle of a turn:
two workers on Redis lost theirs 0.6 times a request instead of 0.07, and took 4 to 15 % more CPU
(four runs, two of them with SQLite)."""

_PER_SECOND_AT_MOST = 20_000  # what goes beyond it is seen twice, and counts as wrong


class LoadError(Exception):
    """wrk failed, or the server under it; the message says what was seen."""


@attrs.frozen(kw_only=True)
class Load:
    """What wrk counted."""

    answered: int
    wrong: int
    """Answers other than 200, and broken connections."""
    seconds: float
    driver_seconds: float
    """CPU time of wrk itself."""
    last: int
    """The highest number of a request that may have been sent."""

    @property
    def per_second(self) -> float:
        """Requests answered per second."""
        return self.answered / self.seconds


@cache
def _signatures(count: int) -> bytes:
    return traffic.signatures(count)


def load(
    port: int,
    seconds: int,
    *,
    after: Load | None = None,
    connections: int = CONNECTIONS,
    most: int = _PER_SECOND_AT_MOST,
) -> Load:
    """Load the server at a port for so many seconds, with other requests than a load before.

    `most` is how many a second are prepared. Raises `LoadError`.
    """
    first = after.last if after else 0
    last = first + seconds * most
    with tempfile.TemporaryDirectory(prefix="benchmark-") as path:
        folder = Path(path)
        script, output = folder / "requests.lua", folder / "wrk.log"
        script.write_text(traffic.wrk_script())
        signatures = folder / "signatures"
        signatures.write_bytes(_signatures(last))
        options = ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
        target = [f"http://127.0.0.1:{port}", "--", str(first), str(signatures)]
        before = _children_seconds()
        with (
            running(
                [*_YIELDING, "wrk", *options, *target], folder=folder, output=output
            ) as process,
            suppress(TimeoutExpired),  # then it is ended, and has counted nothing
        ):
            process.wait(seconds + 15)
        used = _children_seconds() - before
        lines = output.read_text().splitlines()
    counted = [line for line in lines if line.startswith('{"answered"')]
    if not counted:
        raise LoadError("wrk failed:\n" + "\n".join(lines))
    said: dict[str, int] = json.loads(counted[0])
    return Load(
        answered=said["answered"],
        wrong=said["not_200"] + said["broken"],
        seconds=said["microseconds"] / 1e6,
        driver_seconds=used,
        last=last,
    )


def _children_seconds() -> float:
    """CPU time of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
