"""CPU per request at wait 0: wrk with keep-alive, against each server in turn."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from subprocess import TimeoutExpired

import attrs

from benchmarks import figures, floor, traffic
from benchmarks.figures import Figure, quantity, spread, spread_text
from benchmarks.processes import cpu_seconds, running
from benchmarks.servers import FLOOR, MEMORY, PEER, REDIS, SQLITE, Server, serving

VARIANTS = (PEER, REDIS, FLOOR, SQLITE, MEMORY)
_CONNECTIONS = 32
_WARM_UP_SECONDS = 1
_PER_SECOND_AT_MOST = 20_000  # what goes beyond it is seen twice, and counts as wrong


class LoadError(Exception):
    """wrk failed, or the server under it; the message says what was seen."""


@attrs.frozen
class CpuRound:
    """What one server did in one round."""

    server: str
    microseconds: float
    """CPU time of the server's processes per answered request."""
    per_second: float
    wrong: int
    """Answers other than 200, and broken connections."""


def measure(rounds: int, seconds: int, progress: Callable[[str], None]) -> Iterator[CpuRound]:
    """Every variant once per round, in turn, each time fresh and empty."""
    for number in range(1, rounds + 1):
        # Every other round backwards, so that a drift of the machine favours nobody.
        for name in variants()[:: 1 if number % 2 else -1]:
            progress(f"cpu: round {number} of {rounds}, {name}")
            yield _round(name, seconds)


def variants() -> tuple[str, ...]:
    """What can be measured here: without a C compiler there is no floor."""
    return tuple(name for name in VARIANTS if name != FLOOR or floor.compiler())


def _round(name: str, seconds: int) -> CpuRound:
    with serving(name, wait=0) as server:
        _load(server, _WARM_UP_SECONDS, first=0)
        try:
            before = cpu_seconds(server.pids)
            counted = _load(server, seconds, first=_PER_SECOND_AT_MOST * _WARM_UP_SECONDS)
            used = cpu_seconds(server.pids) - before
        except FileNotFoundError as error:
            raise LoadError(f"{name} ended while it was under load") from error
    return CpuRound(
        server=name,
        microseconds=used / max(counted["answered"], 1) * 1e6,
        per_second=counted["answered"] / counted["microseconds"] * 1e6,
        wrong=counted["not_200"] + counted["broken"],
    )


@cache
def _signatures(count: int) -> bytes:
    return traffic.signatures(count)


def _load(server: Server, seconds: int, *, first: int) -> dict[str, int]:
    """Load the server for so many seconds; return what the script of `traffic` counted."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as path:
        folder = Path(path)
        script, output = folder / "requests.lua", folder / "wrk.log"
        script.write_text(traffic.wrk_script())
        signatures = folder / "signatures"
        signatures.write_bytes(_signatures(first + seconds * _PER_SECOND_AT_MOST))
        options = ["-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", str(script)]
        target = [f"http://127.0.0.1:{server.port}", "--", str(first), str(signatures)]
        command = ["wrk", *options, *target]
        with (
            running(command, folder=folder, output=output) as process,
            suppress(TimeoutExpired),  # then it is ended, and has counted nothing
        ):
            process.wait(seconds + 15)
        lines = output.read_text().splitlines()
    counted = [line for line in lines if line.startswith('{"answered"')]
    if not counted:
        raise LoadError("wrk failed:\n" + "\n".join(lines))
    result: dict[str, int] = json.loads(counted[0])
    return result


def conclusions(rounds: Sequence[CpuRound]) -> list[Figure]:
    """The figures that have a target: ratios within each round, their medians."""
    against_peer = figures.paired_ratios(_cpu(rounds, REDIS), _cpu(rounds, PEER))
    against_memory = figures.paired_ratios(_cpu(rounds, SQLITE), _cpu(rounds, MEMORY))
    wrong = sum(each.wrong for each in rounds if each.server != FLOOR)
    return [
        Figure(
            "CPU per request, boomerang / peer, both with Redis",
            against_peer,
            figures.CPU_AGAINST_PEER,
        ),
        Figure(
            "CPU per request, sqlite: / memory:",
            against_memory,
            figures.CPU_SQLITE_AGAINST_MEMORY,
        ),
        Figure("CPU, wrong answers of all servers", [wrong], figures.NONE_FAILED),
    ]


def report(rounds: Sequence[CpuRound]) -> str:
    """All variants as a table; each cell the median of the rounds and its range."""
    peer = _cpu(rounds, PEER)
    rows = []
    for name in (name for name in VARIANTS if _cpu(rounds, name)):
        cpu = _cpu(rounds, name)
        mine = [each for each in rounds if each.server == name]
        rows.append(
            (
                name,
                spread_text(spread(cpu)),
                spread_text(spread(figures.paired_ratios(cpu, peer))),
                spread_text(spread(figures.paired_ratios(peer, cpu))),
                spread_text(spread([each.per_second for each in mine])),
                quantity(sum(each.wrong for each in mine)),
            )
        )
    headings = ("server", "CPU us/request", "x peer", "times as fast", "requests/s", "wrong")
    return figures.table(headings, rows)


def _cpu(rounds: Sequence[CpuRound], name: str) -> list[float]:
    return [each.microseconds for each in rounds if each.server == name]
