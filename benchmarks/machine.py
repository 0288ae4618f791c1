"""What the figures were measured on, and with."""

import os
import platform
import resource
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import floor
from benchmarks.servers import ROOT

_LIBRARIES = ("Twisted", "klein", "redis", "aiohttp", "gunicorn")


def machine() -> dict[str, str]:
    """The machine, the versions and the date; a load well above 0 means company, and noise."""
    facts = {
        "date": time.strftime("%Y-%m-%d %H:%M %Z"),
        "boomerang": said_by(["git", "describe", "--always", "--dirty"]),
        "cpu": _after_colon(Path("/proc/cpuinfo"), "model name"),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": _after_colon(Path("/proc/meminfo"), "MemTotal"),
        "kernel": platform.release(),
        "open files": str(resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        "load": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        **{library: version(library) for library in _LIBRARIES},
        "redis-server": said_by(["redis-server", "--version"]),
        "wrk": said_by(["wrk", "--version"]),
        "compiler": said_by([floor.compiler() or "cc", "--version"]),
    }
    return {name: value or "-" for name, value in facts.items()}


def said_by(command: Sequence[str]) -> str:
    """The first line that a command prints; empty if there is no such command."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, check=False, text=True, stdout=-1, stderr=subprocess.STDOUT
        )
    except OSError:
        return ""
    return next(iter(done.stdout.splitlines()), "").partition(" Copyright")[0].strip()


def _after_colon(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""
