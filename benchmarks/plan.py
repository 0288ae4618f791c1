"""How much a run measures, full or quick, and as this machine permits."""

from collections.abc import Callable, Mapping, Sequence

import attrs

from benchmarks import cpu, held, monitor, rate, scale, workers
from benchmarks.held import HeldPlan
from benchmarks.servers import MAX_HELD
from benchmarks.steps import Part

SPARE_FILES = 500


@attrs.frozen(kw_only=True)
class Plan:
    """How much to measure; times in seconds. ``rates`` are requests a second."""

    cpu_rounds: int
    cpu_seconds: int
    workers_rounds: int
    workers_seconds: int
    rate_rounds: int
    rate_seconds: float
    rates: Sequence[float]
    held: HeldPlan
    scale_rounds: int
    scale_held: int
    monitor_rounds: int
    monitor_seconds: float


FULL = Plan(
    cpu_rounds=15,
    cpu_seconds=1,
    workers_rounds=64,
    workers_seconds=1,
    rate_rounds=1,
    rate_seconds=2.5,
    rates=(100, 300, 1_000, 2_000),
    held=HeldPlan(
        rounds=3,
        counts=(1_000, 3_000, 10_000),
        most=MAX_HELD,
        turnover_seconds=14,
        grace=10,
    ),
    scale_rounds=3,
    scale_held=4_000,
    monitor_rounds=5,
    monitor_seconds=20,
)
QUICK = Plan(
    cpu_rounds=3,
    cpu_seconds=1,
    workers_rounds=2,
    workers_seconds=1,
    rate_rounds=1,
    rate_seconds=1,
    rates=(100, 1_000),
    held=HeldPlan(rounds=1, counts=(1_000, 2_000), most=None, turnover_seconds=10, grace=10),
    scale_rounds=1,
    scale_held=2_000,
    monitor_rounds=2,
    monitor_seconds=10,
)


def parts(plan: Plan) -> Mapping[str, Callable[[], Part]]:
    """Every part by its name."""
    return {
        "cpu": lambda: cpu.part(plan.cpu_rounds, plan.cpu_seconds),
        "workers": lambda: workers.part(plan.workers_rounds, plan.workers_seconds),
        "rate": lambda: rate.part(plan.rate_rounds, plan.rates, plan.rate_seconds),
        "held": lambda: held.part(plan.held),
        "scale": lambda: scale.part(plan.scale_rounds, plan.scale_held),
        "monitor": lambda: monitor.part(
            plan.monitor_rounds, idle_seconds=plan.monitor_seconds, grace=plan.held.grace
        ),
    }


OF_ALL = ("cpu", "workers", "rate", "held", "scale")


def with_rounds(plan: Plan, rounds: int) -> Plan:
    """The same plan with so many rounds of every part."""
    return attrs.evolve(
        plan,
        cpu_rounds=rounds,
        workers_rounds=rounds,
        rate_rounds=rounds,
        scale_rounds=rounds,
        monitor_rounds=rounds,
        held=attrs.evolve(plan.held, rounds=rounds),
    )


def with_held(plan: Plan, counts: Sequence[int]) -> Plan:
    """The same plan with just these counts of held requests."""
    return attrs.evolve(plan, held=attrs.evolve(plan.held, counts=tuple(sorted(counts)), most=None))


def fitted(plan: Plan, file_limit: int) -> Plan:
    """What of the plan can be held where a process may open so many files."""
    room = min(file_limit - SPARE_FILES, MAX_HELD)
    counts = tuple(count for count in plan.held.counts if count <= room) or (max(room, 1),)
    most = min(plan.held.most, room) if plan.held.most else None
    return attrs.evolve(plan, held=attrs.evolve(plan.held, counts=counts, most=most))
