"""`python -m chaos`: hurts a running boomerang in every way there is, and says what it cost."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import evolve

from benchmarks.machine import said_by
from chaos.faults import FAULTS
from chaos.report import markdown
from chaos.run import run
from chaos.scene import Extent

REPORT: Final = Path(__file__).parents[1] / "docs/faults.md"

FULL: Final = Extent(calls=15, callbacks=15, storm=60, calm=2, lasting=6, idle=20_000, soak=30)
SHORT: Final = Extent(calls=8, callbacks=8, storm=30, calm=0.7, lasting=2, idle=2_000, soak=0)


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; 1 if a promise was broken."""
    options = parser().parse_args(arguments)
    chosen = [
        fault
        for fault in FAULTS
        if (fault.brief or not options.short) and fault.name.startswith(tuple(options.only or [""]))
    ]
    if options.list:
        print("\n".join(fault.name for fault in chosen))
        return 0
    extent = SHORT if options.short else FULL
    if options.soak is not None:
        extent = evolve(extent, soak=options.soak)
    chosen = [fault for fault in chosen if fault.name != "soak" or extent.soak]
    results = run(
        chosen,
        extent,
        lanes=options.lanes or (6 if options.short else 3),
        write=lambda line: print(line, file=sys.stderr, flush=True),
    )
    page = markdown(results, about(extent))
    print(page)
    if options.report:
        options.report.parent.mkdir(exist_ok=True)
        options.report.write_text(page)
    return 1 if not results or any(result.broken for result in results) else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    made.add_argument("--short", action="store_true", help="what CI does, in a minute and a half")
    made.add_argument("--only", nargs="+", metavar="NAME", help="faults whose names begin so")
    made.add_argument("--soak", type=float, metavar="MINUTES", help="30 unless said; 0: none")
    made.add_argument("--lanes", type=int, metavar="N", help="how many faults at the same time")
    made.add_argument("--list", action="store_true", help="name the faults, and do nothing")
    made.add_argument(
        "--report", type=Path, metavar="FILE", nargs="?", const=REPORT, help="write the table there"
    )
    return made


def about(extent: Extent) -> Mapping[str, str]:
    """What it was seen on."""
    redis = said_by(["redis-server", "--version"])
    return {
        "boomerang": said_by(["git", "describe", "--always", "--dirty"]),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "Redis": redis.partition("v=")[2].partition(" ")[0],
        "kernel": platform.release(),
        "cores": str(os.cpu_count()),
        "load": f"{extent.calls:g} calls and {extent.callbacks:g} callbacks a second, storms of"
        f" {extent.storm} calls, each fault for {extent.lasting:g} s",
        "on": time.strftime("%Y-%m-%d"),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
