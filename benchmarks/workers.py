"""Two workers against one: requests per second at wait 0, and what each took of the cores."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain

import attrs

from benchmarks import cores, figures, turns
from benchmarks.figures import Figure, Target, quantity, spread, spread_text
from benchmarks.processes import cpu_seconds, idle_seconds
from benchmarks.servers import REDIS, SQLITE, Server, serving
from benchmarks.steps import Part, Section
from benchmarks.wrk import Load, load

VARIANTS = tuple((store, workers) for store in (REDIS, SQLITE) for workers in (1, 2))
_PER_SECOND_AT_MOST = 40_000
_WARM_UP_SECONDS = 1
_TO_START_SECONDS = 3.0
_TO_LOAD_SECONDS = 0.5
_CORES = ("server_cores", "driver_cores", "redis_cores", "idle_cores")
_IDLE_SHARE = 0.2
_CORES_TO_SEE_IT = 4  # two workers, wrk, Redis


@attrs.frozen(kw_only=True)
class WorkersRound:
    """What so many workers did in one round; `*_cores` is CPU time per second of the clock."""

    round: int
    store: str
    workers: int
    per_second: float
    microseconds: float
    """CPU time of the server's processes per answered request, the supervisor's included."""
    server_cores: float
    redis_cores: float
    driver_cores: float
    idle_cores: float
    """What nobody used; what is missing in the sum was used by others."""
    wrong: int


def part(rounds: int, seconds: int) -> Part:
    """One worker and two, with either store, in turn; they are started afresh every few rounds."""
    steps = turns.steps(
        "workers",
        rounds,
        start_seconds=len(VARIANTS) * (_TO_START_SECONDS + _WARM_UP_SECONDS),
        round_seconds=len(VARIANTS) * (_TO_LOAD_SECONDS + seconds),
        run=partial(_rounds, seconds),
    )
    return Part("workers", steps, conclude)


def _rounds(seconds: int, numbers: Sequence[int]) -> list[WorkersRound]:
    found = []
    with ExitStack() as stack:
        servers = {
            (store, workers): stack.enter_context(serving(store, wait=0, workers=workers))
            for store, workers in VARIANTS
        }
        loads = {each: _load(servers[each], each, _WARM_UP_SECONDS) for each in VARIANTS}
        for number, each in turns.turns(numbers, VARIANTS):
            measured, loads[each] = _round(number, servers[each], each, loads[each], seconds)
            found.append(measured)
    return found


def _round(
    number: int, server: Server, variant: tuple[str, int], before: Load, seconds: int
) -> tuple[WorkersRound, Load]:
    """What came of a load, and the load itself, after which the next one comes."""
    servers, redis, idle = cpu_seconds(server.pids), cpu_seconds(server.redis), idle_seconds()
    counted = _load(server, variant, seconds, after=before)
    idle = idle_seconds() - idle
    servers, redis = cpu_seconds(server.pids) - servers, cpu_seconds(server.redis) - redis
    found = WorkersRound(
        round=number,
        store=variant[0],
        workers=variant[1],
        per_second=counted.per_second,
        microseconds=servers / max(counted.answered, 1) * 1e6,
        server_cores=servers / counted.seconds,
        redis_cores=redis / counted.seconds,
        driver_cores=counted.driver_seconds / counted.seconds,
        idle_cores=idle / counted.seconds,
        wrong=counted.wrong,
    )
    return found, counted


def _load(
    server: Server, variant: tuple[str, int], seconds: int, after: Load | None = None
) -> Load:
    with cores.only_on(cores.cores(variant[1]).drivers):
        return load(
            server.port,
            seconds,
            after=after,
            most=_PER_SECOND_AT_MOST,
        )


def conclude(of_steps: Sequence[Sequence[WorkersRound]]) -> Section:
    """The table and the figures."""
    rounds = list(chain.from_iterable(of_steps))
    found = [figure for store in (REDIS, SQLITE) for figure in _figures(rounds, store)]
    wrong = figures.total([each.wrong for each in rounds])
    found.append(Figure("workers, wrong answers", wrong, figures.NONE_FAILED))
    return Section("Two workers against one, wait 0, keep-alive", report(rounds), found, rounds)


def _figures(rounds: Sequence[WorkersRound], store: str) -> list[Figure]:
    one, two = (_of(rounds, store, workers) for workers in (1, 2))
    rate = figures.paired_ratios(_rates(two), _rates(one))
    cost = figures.paired_ratios(_costs(two), _costs(one))
    given = [2 / each for each in cost if each]
    return [
        Figure(f"{store}, 2 workers / 1, requests per second", rate, raw_target()),
        Figure(
            f"{store}, 2 workers / 1, requests per second, the driver's share counted",
            given,
            figures.TWO_WORKERS,
        ),
        Figure(f"{store}, 2 workers / 1, CPU per request", cost, figures.CPU_OF_TWO_WORKERS),
    ]


def raw_target() -> Target:
    """The raw ratio has a target only where two workers do not share their cores with the load."""
    enough = len(cores.cores().servers | cores.cores().drivers) >= _CORES_TO_SEE_IT
    return figures.TWO_WORKERS if enough else figures.SHOWN


def report(rounds: Sequence[WorkersRound]) -> str:
    """All variants as a table; each cell the median of the rounds and its range."""
    rows = []
    for store, workers in VARIANTS:
        mine = _of(rounds, store, workers)
        columns = ("per_second", "microseconds", *_CORES)
        cells = [spread_text(spread(getattr(each, name) for each in mine)) for name in columns]
        wrong = quantity(sum(each.wrong for each in mine))
        rows.append((f"{store}, {workers}", *cells, wrong))
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
    mine = [each for each in rounds if each.workers == 2]
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


def _of(rounds: Sequence[WorkersRound], store: str, workers: int) -> list[WorkersRound]:
    return [each for each in rounds if (each.store, each.workers) == (store, workers)]


def _rates(rounds: Sequence[WorkersRound]) -> dict[int, float]:
    return {each.round: each.per_second for each in rounds}


def _costs(rounds: Sequence[WorkersRound]) -> dict[int, float]:
    return {each.round: each.microseconds for each in rounds}
