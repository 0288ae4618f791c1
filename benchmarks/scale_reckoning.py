"""From what one process takes to what a fleet needs; pure, and extrapolated."""

import math
from collections.abc import Sequence

import attrs

from benchmarks.figures import quantity, table

RATES = (1_000, 10_000, 100_000)
"""Failing calls per second."""

BUSY = 0.6
"""How busy a core may be: what is left is for pauses, checks, and a worker that has died."""

CORES = 8
FILES = 65_536
"""Of the machines that are reckoned with: cores, and the limit of open files of a process."""

BACKLOG = 4_096
_SPARE_FILES = 500
_FAILURES = 2  # each call fails twice: the worst case


@attrs.frozen(kw_only=True)
class Measured:
    """What was measured on one machine; times in seconds."""

    request_seconds: float
    kib: float
    files: float
    redis_seconds: float
    redis_bytes: float
    sqlite_claims: float
    window: float
    wait: float


@attrs.frozen(kw_only=True)
class Fleet:
    """What so many failing calls per second need."""

    rate: float
    requests: float
    held: float
    workers_by_cpu: int
    workers_by_files: int
    machines: int
    held_gib: float
    redis_masters: int
    redis_gib: float
    queue_seconds: float
    """For how long a worker may stop before its accept queue is full."""
    sqlite: bool
    """Whether one file would do, on one machine."""

    @property
    def workers(self) -> int:
        """As many as CPU and descriptors ask for."""
        return max(self.workers_by_cpu, self.workers_by_files)


def fleet(rate: float, seen: Measured) -> Fleet:
    """The reckoning; `formulas` says it in words."""
    requests, held = _FAILURES * rate, rate * seen.wait
    by_cpu = math.ceil(requests * seen.request_seconds / BUSY)
    by_files = math.ceil(held * seen.files / (FILES - _SPARE_FILES))
    workers = max(by_cpu, by_files)
    machines = math.ceil(workers / CORES)
    return Fleet(
        rate=rate,
        requests=requests,
        held=held,
        workers_by_cpu=by_cpu,
        workers_by_files=by_files,
        machines=machines,
        held_gib=held * seen.kib / 2**20,
        redis_masters=math.ceil(requests * seen.redis_seconds / BUSY),
        redis_gib=rate * seen.window * seen.redis_bytes / 2**30,
        queue_seconds=BACKLOG * workers / requests,
        sqlite=machines == 1 and requests <= BUSY * seen.sqlite_claims,
    )


def extrapolated(seen: Measured, rates: Sequence[float] = RATES) -> str:
    """One column for each rate."""
    fleets = [fleet(rate, seen) for rate in rates]
    rows = [
        ("requests a second (2 R)", [quantity(each.requests) for each in fleets]),
        ("held at once (W R)", [quantity(each.held) for each in fleets]),
        ("workers, by CPU", [quantity(each.workers_by_cpu) for each in fleets]),
        ("workers, by descriptors", [quantity(each.workers_by_files) for each in fleets]),
        (f"machines of {CORES} cores", [quantity(each.machines) for each in fleets]),
        ("memory of all held calls", [quantity(each.held_gib, "GiB") for each in fleets]),
        ("Redis masters, by CPU", [quantity(each.redis_masters) for each in fleets]),
        ("memory of all masters", [quantity(each.redis_gib, "GiB") for each in fleets]),
        ("accept queues full after", [quantity(each.queue_seconds, "s") for each in fleets]),
        ("one SQLite file would do", ["yes" if each.sqlite else "no" for each in fleets]),
    ]
    headings = ("failing calls per second (R)", *map(quantity, rates))
    return table(headings, [(name, *cells) for name, cells in rows])


def formulas(seen: Measured) -> str:
    """The reckoning with its figures put in."""
    cpu = f"{quantity(seen.request_seconds * 1e6)} us"
    lines = (
        f"W = {quantity(seen.wait)} s is the wait, {BUSY:.0%} how busy a core may be; each call "
        "fails twice, so 2 R requests and 2 R claims a second.",
        f"workers by CPU = 2 R x {cpu} / {BUSY}",
        f"workers by descriptors = W R x {quantity(seen.files)} / ({FILES:,} - {_SPARE_FILES})",
        f"machines = workers / {CORES}",
        f"memory of held calls = W R x {quantity(seen.kib)} KiB",
        f"Redis masters = 2 R x {quantity(seen.redis_seconds * 1e6)} us / {BUSY}",
        f"memory of Redis = R x {quantity(seen.window)} s x {quantity(seen.redis_bytes)} bytes",
        f"accept queues are full after {BACKLOG:,} x workers / 2 R, if no worker accepts",
        f"one SQLite file: one machine, and 2 R at most {BUSY:.0%} of "
        f"{quantity(seen.sqlite_claims)} claims a second",
    )
    return "\n".join(f"- {line}" for line in lines)
