"""What one process and one Redis take per failing call: what `docs/scale.md` reckons with."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import redis

from benchmarks import cores, figures
from benchmarks.claims import WINDOW
from benchmarks.exchanges import Order
from benchmarks.figures import quantity, spread, spread_text
from benchmarks.held import run_once
from benchmarks.patterns import EVEN, WAIT
from benchmarks.processes import cpu_seconds
from benchmarks.scale_reckoning import Measured
from benchmarks.servers import REDIS, ROOT, clean_environment, redis_server
from benchmarks.steps import Part, Section, Step

CLAIMS = 100_000
_SQLITE_CLAIMS = 20_000
_GRACE = 10.0
_LONGEST = 120.0


@attrs.frozen(kw_only=True)
class ScaleRound:
    """One round; CPU in microseconds."""

    request: float
    """CPU of a worker for a request that is held, over a connection of its own, with Redis."""
    kib: float
    files: float
    failed: int
    redis_bytes: float
    """Memory of Redis for a remembered failure."""
    redis_cpu: float
    """CPU of Redis for a claim."""
    redis_commands: float
    """Commands sent for a claim."""
    redis_inner: float
    """Commands that the script of a claim calls."""
    redis_claims: float
    """Claims a second that one client had answered."""
    sqlite_claims: float
    """The same of one SQLite file."""


def part(rounds: int, held: int) -> Part:
    """Each round measures everything."""
    took = held / 1000 + WAIT + 3 + 4 + 15
    steps = [
        Step(f"scale: round {number} of {rounds}", took, partial(_round, number, held))
        for number in range(1, rounds + 1)
    ]
    return Part("scale", steps, conclude)


def _round(number: int, held: int) -> ScaleRound:
    order = Order(
        port=0, first_number=1, count=held, per_second=1000.0, wait=WAIT + held / 1000, grace=_GRACE
    )
    run = run_once(number, REDIS, EVEN, held, order, count_files=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as path:
        with redis_server(Path(path), cores.cores().drivers) as (port, pid):
            store = _redis_cost(port, pid)
        sqlite = _claims(f"sqlite:{path}/claims.db", _SQLITE_CLAIMS)
    return ScaleRound(
        request=run.microseconds,
        kib=run.kib,
        files=run.files,
        failed=run.failed,
        sqlite_claims=_SQLITE_CLAIMS / sqlite["seconds"],
        **store,
    )


def _redis_cost(port: int, pid: int) -> dict[str, float]:
    with redis.Redis(port=port) as client:
        before, used = _memory(client), cpu_seconds([pid])
        took = _claims(f"redis://127.0.0.1:{port}/0", CLAIMS)
        used = cpu_seconds([pid]) - used
        stats: dict[str, Any] = client.info("commandstats")
        calls = {
            name.removeprefix("cmdstat_"): said["calls"] / CLAIMS for name, said in stats.items()
        }
        return {
            "redis_bytes": (_memory(client) - before) / CLAIMS,
            "redis_cpu": used / CLAIMS * 1e6,
            "redis_commands": calls.get("evalsha", 0.0) + calls.get("eval", 0.0),
            "redis_inner": sum(
                calls.get(name, 0.0) for name in ("get", "set", "pttl", "time", "setex", "psetex")
            ),
            "redis_claims": CLAIMS / took["seconds"],
        }


def _memory(client: Any) -> int:
    used: int = client.info("memory")["used_memory"]
    return used


def _claims(store: str, count: int) -> dict[str, float]:
    """What so many claims took, made by a process on the servers' cores."""
    command = [sys.executable, "-m", "benchmarks.claims", store, str(count)]
    with cores.only_on(cores.cores().servers):
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=clean_environment(os.environ),
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            timeout=_LONGEST,
        )
    said: dict[str, float] = json.loads(done.stdout)
    return said


def measured(rounds: Sequence[ScaleRound]) -> Measured:
    """The medians."""

    def of(name: str) -> float:
        return spread(getattr(each, name) for each in rounds).median

    return Measured(
        request_seconds=of("request") / 1e6,
        kib=of("kib"),
        files=of("files"),
        redis_seconds=of("redis_cpu") / 1e6,
        redis_bytes=of("redis_bytes"),
        sqlite_claims=of("sqlite_claims"),
        window=WINDOW,
        wait=WAIT,
    )


def conclude(rounds: Sequence[ScaleRound]) -> Section:
    """The table; that of several hundred machines is made from it by `scale_reckoning`."""
    failed = figures.total([each.failed for each in rounds])
    wrong = figures.Figure("scale: failed", failed, figures.NONE_FAILED)
    return Section("What a failing call takes", report(rounds), [wrong], rounds)


_ROWS = {
    "request": "CPU of a worker, per request that is held, us",
    "kib": "memory of a worker per held request, KiB",
    "files": "descriptors of a worker per held request",
    "redis_commands": "commands sent to Redis per claim",
    "redis_inner": "commands that the script of a claim calls in Redis",
    "redis_cpu": "CPU of Redis per claim, us",
    "redis_bytes": "memory of Redis per remembered failure, bytes",
    "redis_claims": "claims a second, one process and one Redis, nothing else to do",
    "sqlite_claims": "claims a second, one process and one SQLite file, nothing else to do",
}


def report(rounds: Sequence[ScaleRound]) -> str:
    """What was measured, with the range of the rounds."""
    rows = [
        (text, spread_text(spread(getattr(each, name) for each in rounds)))
        for name, text in _ROWS.items()
    ]
    rate = [1e6 / each.request for each in rounds if each.request]
    rows.append(("requests a second that would fill one worker's core", spread_text(spread(rate))))
    rows.append(("rounds", quantity(len(rounds))))
    return figures.table(("measured", "median (range)"), rows)
