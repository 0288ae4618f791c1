"""CPU per request at wait 0: wrk with keep-alive, against each server in turn."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain

import attrs

from benchmarks import figures, floor, turns
from benchmarks.figures import Figure, quantity, spread, spread_text
from benchmarks.processes import cpu_seconds
from benchmarks.servers import FLOOR, MEMORY, PEER, REDIS, SQLITE, Server, serving
from benchmarks.steps import Part, Section
from benchmarks.wrk import Load, LoadError, load

VARIANTS = (PEER, REDIS, FLOOR, SQLITE, MEMORY)
_WARM_UP_SECONDS = 1
_TO_START_SECONDS = 1.5
_TO_LOAD_SECONDS = 0.3


@attrs.frozen
class CpuRound:
    """What one server did in one round."""

    round: int
    server: str
    microseconds: float
    """CPU time of the server's processes per answered request."""
    per_second: float
    wrong: int
    """Answers other than 200, and broken connections."""


def part(rounds: int, seconds: int) -> Part:
    """Every variant once per round, in turn; they are started afresh every few rounds."""
    names = variants()
    steps = turns.steps(
        "cpu",
        rounds,
        start_seconds=len(names) * (_TO_START_SECONDS + _WARM_UP_SECONDS),
        round_seconds=len(names) * (_TO_LOAD_SECONDS + seconds),
        run=partial(_rounds, names, seconds),
    )
    return Part("cpu", steps, conclude)


def variants() -> tuple[str, ...]:
    """What can be measured here: without a C compiler there is no floor."""
    return tuple(name for name in VARIANTS if name != FLOOR or floor.compiler())


def _rounds(names: Sequence[str], seconds: int, numbers: Sequence[int]) -> list[CpuRound]:
    found = []
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(name, wait=0)) for name in names}
        loads = {name: load(server.port, _WARM_UP_SECONDS) for name, server in servers.items()}
        for number, name in turns.turns(numbers, names):
            loads[name], used = _loaded(servers[name], loads[name], seconds)
            found.append(
                CpuRound(
                    round=number,
                    server=name,
                    microseconds=used / max(loads[name].answered, 1) * 1e6,
                    per_second=loads[name].per_second,
                    wrong=loads[name].wrong,
                )
            )
    return found


def _loaded(server: Server, before: Load, seconds: int) -> tuple[Load, float]:
    """What came of a load, and the CPU time (seconds) that the server took for it."""
    try:
        used = cpu_seconds(server.pids)
        counted = load(server.port, seconds, after=before)
        return counted, cpu_seconds(server.pids) - used
    except FileNotFoundError as error:
        raise LoadError(f"{server.name} ended while it was under load") from error


def conclude(found: Sequence[Sequence[CpuRound]]) -> Section:
    """The table and the figures."""
    rounds = list(chain.from_iterable(found))
    return Section(
        "CPU per request, wait 0, keep-alive",
        report(rounds),
        conclusions(rounds),
        rounds,
    )


def conclusions(rounds: Sequence[CpuRound]) -> list[Figure]:
    """The figures that have a target: ratios within each round, their medians."""
    redis, peer, sqlite, memory = (_cpu(rounds, name) for name in (REDIS, PEER, SQLITE, MEMORY))
    wrong = [each.wrong for each in rounds if each.server != FLOOR]
    return [
        Figure(
            "CPU per request, boomerang / peer, both with Redis",
            figures.paired_ratios(redis, peer),
            figures.CPU_AGAINST_PEER,
        ),
        Figure(
            "CPU per request, sqlite: / memory:",
            figures.paired_ratios(sqlite, memory),
            figures.CPU_SQLITE_AGAINST_MEMORY,
        ),
        Figure("CPU, wrong answers of all servers", figures.total(wrong), figures.NONE_FAILED),
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
                spread_text(spread(cpu.values())),
                spread_text(spread(figures.paired_ratios(cpu, peer))),
                spread_text(spread(figures.paired_ratios(peer, cpu))),
                spread_text(spread(each.per_second for each in mine)),
                quantity(sum(each.wrong for each in mine)),
            )
        )
    headings = ("server", "CPU us/request", "x peer", "times as fast", "requests/s", "wrong")
    return figures.table(headings, rows)


def _cpu(rounds: Sequence[CpuRound], name: str) -> dict[int, float]:
    return {each.round: each.microseconds for each in rounds if each.server == name}
