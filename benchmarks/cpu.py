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
from benchmarks.wrk import CONNECTIONS, Load, LoadError, load

FEW = 32
"""Connections, beside the usual number: the fewer they are, the fewer requests share what a turn of
the reactor costs."""

VARIANTS = (
    *((name, CONNECTIONS) for name in (PEER, REDIS, FLOOR, SQLITE, MEMORY)),
    *((name, FEW) for name in (PEER, REDIS, SQLITE, MEMORY)),
)
_WARM_UP_SECONDS = 1
_TO_START_SECONDS = 1.5
_TO_LOAD_SECONDS = 0.3

Variant = tuple[str, int]
"""A server and the number of connections to it."""


@attrs.frozen
class CpuRound:
    """What one server did in one round."""

    round: int
    server: str
    connections: int
    microseconds: float
    """CPU time of the server's processes per answered request."""
    per_second: float
    wrong: int
    """Answers other than 200, and broken connections."""


def part(rounds: int, seconds: int) -> Part:
    """Every variant once per round, in turn; they are started afresh every few rounds."""
    measured = variants()
    steps = turns.steps(
        "cpu",
        rounds,
        start_seconds=len(_names(measured)) * (_TO_START_SECONDS + _WARM_UP_SECONDS),
        round_seconds=len(measured) * (_TO_LOAD_SECONDS + seconds),
        run=partial(_rounds, measured, seconds),
    )
    return Part("cpu", steps, conclude)


def variants() -> tuple[Variant, ...]:
    """What can be measured here: without a C compiler there is no floor."""
    return tuple(each for each in VARIANTS if each[0] != FLOOR or floor.compiler())


def _names(measured: Sequence[Variant]) -> list[str]:
    return [*dict.fromkeys(name for name, _ in measured)]


def _rounds(measured: Sequence[Variant], seconds: int, numbers: Sequence[int]) -> list[CpuRound]:
    found = []
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(name, wait=0)) for name in _names(measured)}
        loads = {name: load(server.port, _WARM_UP_SECONDS) for name, server in servers.items()}
        for number, (name, connections) in turns.turns(numbers, measured):
            loads[name], used = _loaded(servers[name], loads[name], seconds, connections)
            found.append(
                CpuRound(
                    round=number,
                    server=name,
                    connections=connections,
                    microseconds=used / max(loads[name].answered, 1) * 1e6,
                    per_second=loads[name].per_second,
                    wrong=loads[name].wrong,
                )
            )
    return found


def _loaded(server: Server, before: Load, seconds: int, connections: int) -> tuple[Load, float]:
    """What came of a load, and the CPU time (seconds) that the server took for it."""
    try:
        used = cpu_seconds(server.pids)
        counted = load(server.port, seconds, after=before, connections=connections)
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
    few = {name: _cpu(rounds, name, FEW) for name in (REDIS, PEER, SQLITE, MEMORY)}
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
        Figure(
            f"CPU per request, boomerang / peer, {FEW} connections",
            figures.paired_ratios(few[REDIS], few[PEER]),
            figures.SHOWN,
        ),
        Figure(
            f"CPU per request, sqlite: / memory:, {FEW} connections",
            figures.paired_ratios(few[SQLITE], few[MEMORY]),
            figures.SHOWN,
        ),
        Figure("CPU, wrong answers of all servers", figures.total(wrong), figures.NONE_FAILED),
    ]


def report(rounds: Sequence[CpuRound]) -> str:
    """All variants as a table; each cell the median of the rounds and its range."""
    rows = []
    for name, connections in (each for each in VARIANTS if _cpu(rounds, *each)):
        cpu, peer = _cpu(rounds, name, connections), _cpu(rounds, PEER, connections)
        mine = _of(rounds, name, connections)
        rows.append(
            (
                f"{name}, {connections}",
                spread_text(spread(cpu.values())),
                spread_text(spread(figures.paired_ratios(cpu, peer))),
                spread_text(spread(figures.paired_ratios(peer, cpu))),
                spread_text(spread(each.per_second for each in mine)),
                quantity(sum(each.wrong for each in mine)),
            )
        )
    headings = ("CPU us/request", "x peer", "times as fast", "requests/s", "wrong")
    return figures.table(("server, connections", *headings), rows)


def _of(rounds: Sequence[CpuRound], name: str, connections: int) -> list[CpuRound]:
    return [each for each in rounds if (each.server, each.connections) == (name, connections)]


def _cpu(rounds: Sequence[CpuRound], name: str, connections: int = CONNECTIONS) -> dict[int, float]:
    return {each.round: each.microseconds for each in _of(rounds, name, connections)}
