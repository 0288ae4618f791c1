"""`python -m benchmarks`: measures boomerang against its predecessor and prints the ratios."""

import argparse
import json
import math
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from benchmarks import compare, cpu, curves, floor, held, held_figures, monitor, patterns
from benchmarks.figures import Figure, figures_table, table
from benchmarks.machine import machine
from benchmarks.processes import raise_file_limit
from benchmarks.servers import SQLITE, ServerError

_SPARE_FILES = 200


@attrs.frozen(kw_only=True)
class Plan:
    """How much to measure; times in seconds."""

    cpu_rounds: int
    cpu_seconds: int
    held: Sequence[int]
    turnover_seconds: float
    grace: float
    monitor_rounds: int
    monitor_seconds: float


FULL = Plan(
    cpu_rounds=5,
    cpu_seconds=6,
    held=(1_000, 2_000, 5_000, 10_000),
    turnover_seconds=20,
    grace=30,
    monitor_rounds=5,
    monitor_seconds=20,
)
QUICK = Plan(
    cpu_rounds=3,
    cpu_seconds=2,
    held=(1_000, 2_000),
    turnover_seconds=10,
    grace=10,
    monitor_rounds=2,
    monitor_seconds=10,
)


def main(arguments: Sequence[str]) -> int:
    """Measure what the arguments ask for; the exit status says whether it could be measured."""
    if arguments[:1] == ["compare"]:
        return compare.main(*_two_files(arguments[1:]))
    command_line = parser()
    options = command_line.parse_args(arguments)
    for file in (options.json, options.markdown):
        if not file.parent.is_dir():
            command_line.error(f"no such folder: {file.parent}")
    plan = plan_for(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    problem = impossible(options.part, plan, raise_file_limit())
    if problem:
        print(problem, file=sys.stderr)
        return 2
    try:
        results = run(options.part, plan)
    except (ServerError, cpu.LoadError, held.DriverError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; everything started has ended", file=sys.stderr)
        return 130
    options.json.write_text(json.dumps(without_nan(results), indent=2) + "\n")
    options.markdown.write_text("\n\n".join(results["report"]) + "\n")
    return 0


def _two_files(arguments: Sequence[str]) -> tuple[Path, Path]:
    made = argparse.ArgumentParser(prog="python -m benchmarks compare")
    made.add_argument("old", type=Path)
    made.add_argument("new", type=Path)
    files = made.parse_args(arguments)
    return files.old, files.new


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("part", nargs="?", choices=("all", "cpu", "held", "monitor"), default="all")
    made.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    made.add_argument("--rounds", type=positive, metavar="N", help="rounds of cpu and monitor")
    made.add_argument("--held", type=positive, nargs="+", metavar="N", help="how many to hold")
    here = Path(__file__).parent
    made.add_argument("--json", type=Path, metavar="FILE", default=here / "results.json")
    made.add_argument("--markdown", type=Path, metavar="FILE", default=here / "RESULTS.md")
    return made


def positive(text: str) -> int:
    """A whole number of at least 1; raises ValueError for anything else."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def plan_for(options: argparse.Namespace) -> Plan:
    """The plan that the options ask for."""
    plan = QUICK if options.quick else FULL
    if options.rounds is not None:
        plan = attrs.evolve(plan, cpu_rounds=options.rounds, monitor_rounds=options.rounds)
    if options.held is not None:
        plan = attrs.evolve(plan, held=sorted(options.held))
    return plan


def impossible(part: str, plan: Plan, file_limit: int) -> str:
    """Why this machine cannot carry out the plan; empty if it can."""
    needed = () if part == "monitor" else ("wrk", "redis-server")
    missing = [program for program in needed if not shutil.which(program)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    most = max(plan.held) if part in ("all", "held") else 0
    if most + _SPARE_FILES > file_limit:
        return (
            f"{most:,} held requests need {most + _SPARE_FILES:,} open files each in server and "
            f"driver; the hard limit is {file_limit:,} (ulimit -Hn)"
        )
    if most > patterns.MOST_HELD:
        return f"at most {patterns.MOST_HELD:,} requests can be held together by even arrivals"
    return ""


def run(part: str, plan: Plan) -> dict[str, Any]:
    """Carry out the plan, printing each table when it is complete; return all results."""
    results: dict[str, Any] = {"machine": machine(), "report": []}

    def say(title: str, text: str) -> None:
        print(f"\n{title}\n\n{text}", flush=True)
        results["report"] += [f"## {title}", text]

    results["report"].append("# Results\n\nWritten by `make bench`; do not edit.")
    say("Machine", table(("what", "value"), list(results["machine"].items())))
    if not floor.compiler():
        say("No floor", "There is no C compiler, so the floor was not measured.")
    conclusions: list[Figure] = []
    if part in ("all", "cpu"):
        rounds = list(cpu.measure(plan.cpu_rounds, plan.cpu_seconds, progress))
        say("CPU per request, wait 0, keep-alive", cpu.report(rounds))
        conclusions += cpu.conclusions(rounds)
        results["cpu"] = [attrs.asdict(each) for each in rounds]
    if part in ("all", "held"):
        runs = list(
            held.measure(
                plan.held,
                turnover_seconds=plan.turnover_seconds,
                grace=plan.grace,
                progress=progress,
            )
        )
        say("Held requests", held_figures.report(runs))
        curves.draw(runs, Path(__file__).with_name("curves"))
        conclusions += held_figures.conclusions(runs, SQLITE)
        results["held"] = [attrs.asdict(each) for each in runs]
    if part == "monitor":
        watched = list(
            monitor.measure(
                plan.monitor_rounds,
                idle_seconds=plan.monitor_seconds,
                grace=plan.grace,
                progress=progress,
            )
        )
        say("Checks beside held requests", monitor.report(watched))
        conclusions += monitor.conclusions(watched)
        results["monitor"] = [attrs.asdict(each) for each in watched]
    say("Targets", figures_table(conclusions))
    results["figures"] = [{**attrs.asdict(figure), "holds": figure.holds} for figure in conclusions]
    return results


def progress(what: str) -> None:
    """Say on standard error what is being measured now."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def without_nan(value: Any) -> Any:
    """The same results with null for NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
