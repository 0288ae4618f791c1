"""Two workers against one: requests per second at wait 0, and what each took of the cores.

One is measured twice: alone, and beside a second server of one worker that is loaded as well, so
that both cores are as busy as with two workers. Each of the two has a core of its own, as the one
that is alone.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import chain

import attrs

from benchmarks import cores, figures, turns
from benchmarks.figures import Figure, Target, quantity, spread, spread_text
from benchmarks.processes import cpu_seconds, idle_seconds
from benchmarks.servers import REDIS, SQLITE, Server, serving
from benchmarks.steps import Part, Section
from benchmarks.wrk import CONNECTIONS, Load, load

_PER_SECOND_AT_MOST = 40_000
_WARM_UP_SECONDS = 1
_TO_START_SECONDS = 3.0
_TO_LOAD_SECONDS = 0.5
_CORES = ("server_cores", "driver_cores", "redis_cores", "idle_cores")
_IDLE_SHARE = 0.2
_CORES_TO_SEE_IT = 4  # two workers, wrk, Redis


@attrs.frozen
class Variant:
    """So many servers of so many workers each, which have nothing in common but the machine."""

    store: str
    servers: int
    workers: int

    def __str__(self) -> str:
        beside = " beside 1" * (self.servers - 1)
        return f"{self.store}, {self.workers}{beside}"


_EACH = ((1, 1), (1, 2), (2, 1))
"""Servers and workers of each; two workers stand beside either of those they are compared with:
the further apart two loads are, the more has the machine's speed changed in between."""
VARIANTS = tuple(Variant(store, *each) for store in (REDIS, SQLITE) for each in _EACH)


@attrs.frozen(kw_only=True)
class WorkersRound:
    """What a variant did in one round; `*_cores` is CPU time per second of the clock."""

    round: int
    variant: Variant
    per_second: float
    microseconds: float
    """CPU time of the servers' processes per answered request, the supervisors' included."""
    server_cores: float
    redis_cores: float
    driver_cores: float
    idle_cores: float
    """What nobody used; what is missing in the sum was used by others."""
    wrong: int


def part(rounds: int, seconds: int) -> Part:
    """All variants in turn; they are started afresh every few rounds."""
    steps = turns.steps(
        "workers",
        rounds,
        start_seconds=sum(each.servers for each in VARIANTS)
        * (_TO_START_SECONDS + _WARM_UP_SECONDS),
        round_seconds=len(VARIANTS) * (_TO_LOAD_SECONDS + seconds),
        run=partial(_rounds, seconds),
    )
    return Part("workers", steps, conclude)


def _rounds(seconds: int, numbers: Sequence[int]) -> list[WorkersRound]:
    found = []
    with ExitStack() as stack:
        servers = {
            each: [
                stack.enter_context(
                    serving(
                        each.store,
                        wait=0,
                        workers=each.workers,
                        servers=each.servers,
                        number=number,
                    )
                )
                for number in range(each.servers)
            ]
            for each in VARIANTS
        }
        loads: dict[Variant, Sequence[Load]] = {
            each: _load(servers[each], each, _WARM_UP_SECONDS, after=[None] * each.servers)
            for each in VARIANTS
        }
        for number, each in turns.turns(numbers, VARIANTS):
            measured, loads[each] = _round(number, servers[each], each, loads[each], seconds)
            found.append(measured)
    return found


def _round(
    number: int, servers: Sequence[Server], variant: Variant, before: Sequence[Load], seconds: int
) -> tuple[WorkersRound, Sequence[Load]]:
    """What came of a load, and the load itself, after which the next one comes."""
    pids = [pid for server in servers for pid in server.pids]
    redis_pids = [pid for server in servers for pid in server.redis]
    used, redis, idle = cpu_seconds(pids), cpu_seconds(redis_pids), idle_seconds()
    loads = _load(servers, variant, seconds, after=before)
    idle = idle_seconds() - idle
    used, redis = cpu_seconds(pids) - used, cpu_seconds(redis_pids) - redis
    took = max(each.seconds for each in loads)
    found = WorkersRound(
        round=number,
        variant=variant,
        per_second=sum(each.per_second for each in loads),
        microseconds=used / max(sum(each.answered for each in loads), 1) * 1e6,
        server_cores=used / took,
        redis_cores=redis / took,
        driver_cores=max(each.driver_seconds for each in loads) / took,  # who ends last sees all
        idle_cores=idle / took,
        wrong=sum(each.wrong for each in loads),
    )
    return found, loads


def _load(
    servers: Sequence[Server], variant: Variant, seconds: int, after: Sequence[Load | None]
) -> list[Load]:
    """Load the servers of a variant at once; they share the connections."""

    def one(server: Server, before: Load | None) -> Load:
        return load(
            server.port,
            seconds,
            after=before,
            connections=CONNECTIONS // variant.servers,
            most=_PER_SECOND_AT_MOST,
        )

    with (
        cores.only_on(cores.cores(variant.servers * variant.workers).drivers),
        ThreadPoolExecutor(variant.servers) as threads,
    ):
        return list(threads.map(one, servers, after))


def conclude(of_steps: Sequence[Sequence[WorkersRound]]) -> Section:
    """The table and the figures."""
    rounds = list(chain.from_iterable(of_steps))
    found = [figure for store in (REDIS, SQLITE) for figure in _figures(rounds, store)]
    wrong = figures.total([each.wrong for each in rounds])
    found.append(Figure("workers, wrong answers", wrong, figures.NONE_FAILED))
    return Section("Two workers against one, wait 0, keep-alive", report(rounds), found, rounds)


def _figures(rounds: Sequence[WorkersRound], store: str) -> list[Figure]:
    first, two, neighbour = (_of(rounds, Variant(store, *each)) for each in _EACH)
    rate = figures.paired_ratios(_rates(two), _rates(first))
    alone = figures.paired_ratios(_costs(two), _costs(first))
    beside = figures.paired_ratios(_costs(two), _costs(neighbour))
    per_second = f"{store}, 2 workers / 1, requests per second"
    return [
        Figure(per_second, rate, raw_target()),
        Figure(f"{per_second}, the driver's share counted", _given(alone), figures.TWO_WORKERS),
        Figure(f"{per_second}, driver and machine counted", _given(beside), figures.SHOWN),
        Figure(f"{store}, 2 workers / 1, CPU per request", alone, figures.CPU_OF_TWO_WORKERS),
    ]


def _given(costs: Sequence[float]) -> list[float]:
    """How many times as much two workers do in the CPU time that one has, twice over."""
    return [2 / each for each in costs if each]


def raw_target() -> Target:
    """The raw ratio has a target only where two workers do not share their cores with the load."""
    enough = len(cores.cores().servers | cores.cores().drivers) >= _CORES_TO_SEE_IT
    return figures.TWO_WORKERS if enough else figures.SHOWN


def report(rounds: Sequence[WorkersRound]) -> str:
    """All variants as a table; each cell the median of the rounds and its range."""
    rows = []
    for variant in VARIANTS:
        mine = _of(rounds, variant)
        columns = ("per_second", "microseconds", *_CORES)
        cells = [spread_text(spread(getattr(each, name) for each in mine)) for name in columns]
        wrong = quantity(sum(each.wrong for each in mine))
        rows.append((str(variant), *cells, wrong))
    headings = (
        "store, workers",
        "requests/s",
        "CPU us/request",
        "cores: servers",
        "wrk",
        "Redis",
        "idle",
    )
    return figures.table((*headings, "wrong"), rows) + "\n\n" + _limit(rounds)


def _limit(rounds: Sequence[WorkersRound]) -> str:
    """What kept two workers from more."""
    mine = [each for each in rounds if each.variant.workers == 2]
    if not mine:
        return ""
    servers, driver, redis, idle = (
        spread(getattr(each, name) for each in mine).median for name in _CORES
    )
    have = len(cores.cores().servers | cores.cores().drivers)
    others = max(0.0, have - servers - driver - redis - idle)
    said = (
        f"Of {have} cores two workers had {quantity(servers)}, wrk and Redis "
        f"{quantity(driver + redis)}, the rest of the machine {quantity(others)}; "
        f"{quantity(idle)} were idle: "
    )
    if idle > _IDLE_SHARE * have:
        return said + "the cores were not the limit."
    return said + "the cores were the limit, for the load and all else ran on them too."


def _of(rounds: Sequence[WorkersRound], variant: Variant) -> list[WorkersRound]:
    return [each for each in rounds if each.variant == variant]


def _rates(rounds: Sequence[WorkersRound]) -> dict[int, float]:
    return {each.round: each.per_second for each in rounds}


def _costs(rounds: Sequence[WorkersRound]) -> dict[int, float]:
    return {each.round: each.microseconds for each in rounds}
