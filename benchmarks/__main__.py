"""`python -m benchmarks`: measures boomerang against its predecessor and prints the ratios."""

import argparse
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import compare, plan, report
from benchmarks.plan import FULL, OF_ALL, QUICK, SPARE_FILES, Plan
from benchmarks.processes import raise_file_limit
from benchmarks.servers import MAX_HELD, ROOT
from benchmarks.steps import Bar, carry_out

_HERE = Path(__file__).parent
_BUILD = _HERE / "build"
_WITH_HELD = ("all", "held")


def main(arguments: Sequence[str]) -> int:
    """Measure what the arguments ask for; the exit status says whether it could be measured."""
    if arguments[:1] == ["compare"]:
        return compare.main(*_two_files(arguments[1:]))
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    limit = raise_file_limit()
    problem = impossible(options, limit)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    _BUILD.mkdir(exist_ok=True)
    try:
        outcome = run(options.part, plan.fitted(plan_for(options), limit))
    except KeyboardInterrupt:
        print("\ninterrupted; everything started has ended", file=sys.stderr)
        return 130
    report.write(outcome, options.out or (_HERE if is_official(options) else _BUILD))
    if is_official(options) or options.documents:
        report.write_documents(outcome, options.documents or ROOT)
    return 1 if outcome.failed else 0


def is_official(options: argparse.Namespace) -> bool:
    """Whether the run is the one that the documents' figures come from: all of it, unshortened."""
    shortened = options.quick or options.rounds or options.held or options.out
    return options.part == "all" and not shortened


def _two_files(arguments: Sequence[str]) -> tuple[Path, Path]:
    made = argparse.ArgumentParser(prog="python -m benchmarks compare")
    made.add_argument("old", type=Path)
    made.add_argument("new", type=Path)
    files = made.parse_args(arguments)
    return files.old, files.new


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("part", nargs="?", choices=("all", *plan.parts(FULL)), default="all")
    made.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    made.add_argument("--rounds", type=positive, metavar="N", help="rounds of every part")
    made.add_argument("--held", type=positive, nargs="+", metavar="N", help="how many to hold")
    made.add_argument("--out", type=folder, metavar="DIR", help="for tables, JSON and curves")
    made.add_argument(
        "--documents", type=folder, metavar="DIR", help="write into README.md and docs there"
    )
    return made


def positive(text: str) -> int:
    """A whole number of at least 1; raises ValueError for anything else."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def folder(text: str) -> Path:
    """A folder that exists; raises ValueError for anything else."""
    if not Path(text).is_dir():
        raise ValueError(text)
    return Path(text)


def plan_for(options: argparse.Namespace) -> Plan:
    """The plan that the options ask for."""
    chosen = QUICK if options.quick else FULL
    if options.rounds is not None:
        chosen = plan.with_rounds(chosen, options.rounds)
    if options.held is not None:
        chosen = plan.with_held(chosen, options.held)
    return chosen


def impossible(options: argparse.Namespace, file_limit: int) -> str:
    """Why this machine cannot do what was asked for; empty if it can."""
    needed = () if options.part == "monitor" else ("wrk", "chrt", "redis-server")
    missing = [program for program in needed if not shutil.which(program)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    most = max(options.held or [0]) if options.part in _WITH_HELD else 0
    if most > MAX_HELD:
        return f"at most {MAX_HELD:,} requests are held at once"
    if most + SPARE_FILES > file_limit:
        return (
            f"{most:,} held requests need {most + SPARE_FILES:,} open files each in server and "
            f"driver; the hard limit is {file_limit:,} (ulimit -Hn)"
        )
    return ""


def run(name: str, chosen: Plan) -> report.Outcome:
    """Carry out the plan behind one bar, printing each table when it is complete."""
    makers = plan.parts(chosen)
    parts = [makers[each]() for each in (OF_ALL if name == "all" else (name,))]
    outcome = report.Outcome()
    bar = Bar(sum(part.seconds for part in parts))
    try:
        for part in parts:
            section, failed = carry_out(part, bar)
            outcome = outcome.having(part.name, section, failed)
            if section:
                bar.say(f"\n{section.title}\n\n{section.text}\n")
    finally:
        bar.close()
    print(report.targets(outcome), flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
