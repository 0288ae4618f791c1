"""CPU per request at wait 0: wrk with keep-alive, against each server in turn."""

from collections.abc import Sequence
from functools import partial

import attrs

from benchmarks import figures, floor
from benchmarks.figures import Figure, quantity, spread, spread_text
from benchmarks.processes import cpu_seconds
from benchmarks.servers import FLOOR, MEMORY, PEER, REDIS, SQLITE, serving
from benchmarks.steps import Part, Section, Step
from benchmarks.wrk import LoadError, load

VARIANTS = (PEER, REDIS, FLOOR, SQLITE, MEMORY)
_WARM_UP_SECONDS = 1
_TO_START_SECONDS = 2.5


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
    """Every variant once per round, in turn, each time fresh and empty."""
    took = seconds + _WARM_UP_SECONDS + _TO_START_SECONDS
    steps = [
        Step(
            f"cpu: round {number} of {rounds}, {name}", took, partial(_round, number, name, seconds)
        )
        for number in range(1, rounds + 1)
        # Every other round backwards, so that a drift of the machine favours nobody.
        for name in variants()[:: 1 if number % 2 else -1]
    ]
    return Part("cpu", steps, conclude)


def variants() -> tuple[str, ...]:
    """What can be measured here: without a C compiler there is no floor."""
    return tuple(name for name in VARIANTS if name != FLOOR or floor.compiler())


def _round(number: int, name: str, seconds: int) -> CpuRound:
    with serving(name, wait=0) as server:
        warm = load(server.port, _WARM_UP_SECONDS)
        try:
            before = cpu_seconds(server.pids)
            counted = load(server.port, seconds, after=warm)
            used = cpu_seconds(server.pids) - before
        except FileNotFoundError as error:
            raise LoadError(f"{name} ended while it was under load") from error
    return CpuRound(
        round=number,
        server=name,
        microseconds=used / max(counted.answered, 1) * 1e6,
        per_second=counted.per_second,
        wrong=counted.wrong,
    )


def conclude(rounds: Sequence[CpuRound]) -> Section:
    """The table and the figures."""
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
