"""Two workers against one: requests per second at wait 0, and what each took of the cores."""

from collections.abc import Sequence
from functools import partial

import attrs

from benchmarks import cores, figures
from benchmarks.figures import Figure, Target, quantity, spread, spread_text
from benchmarks.processes import cpu_seconds, idle_seconds
from benchmarks.servers import REDIS, SQLITE, serving
from benchmarks.steps import Part, Section, Step
from benchmarks.wrk import load

VARIANTS = tuple((store, workers) for store in (REDIS, SQLITE) for workers in (1, 2))
_CONNECTIONS = 128  # the kernel spreads connections over the workers by chance
_PER_SECOND_AT_MOST = 40_000
_WARM_UP_SECONDS = 1
_TO_START_SECONDS = 4.0
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
    """One worker and two, with either store, in turn, each time fresh and empty."""
    took = seconds + _WARM_UP_SECONDS + _TO_START_SECONDS
    steps = [
        Step(
            f"workers: round {number} of {rounds}, {workers}, {store}",
            took,
            partial(_round, number, store, workers, seconds),
        )
        for number in range(1, rounds + 1)
        for store, workers in VARIANTS[:: 1 if number % 2 else -1]
    ]
    return Part("workers", steps, conclude)


def _round(number: int, store: str, workers: int, seconds: int) -> WorkersRound:
    with serving(store, wait=0, workers=workers) as server:
        put = partial(load, server.port, connections=_CONNECTIONS, most=_PER_SECOND_AT_MOST)
        warm = put(_WARM_UP_SECONDS)
        servers, redis = cpu_seconds(server.pids), cpu_seconds(server.redis)
        idle = idle_seconds()
        counted = put(seconds, after=warm)
        idle = idle_seconds() - idle
        servers, redis = cpu_seconds(server.pids) - servers, cpu_seconds(server.redis) - redis
    return WorkersRound(
        round=number,
        store=store,
        workers=workers,
        per_second=counted.per_second,
        microseconds=servers / max(counted.answered, 1) * 1e6,
        server_cores=servers / counted.seconds,
        redis_cores=redis / counted.seconds,
        driver_cores=counted.driver_seconds / counted.seconds,
        idle_cores=idle / counted.seconds,
        wrong=counted.wrong,
    )


def conclude(rounds: Sequence[WorkersRound]) -> Section:
    """The table and the figures."""
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
