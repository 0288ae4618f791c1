"""Starting and ending processes, and reading their CPU time and memory from /proc."""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SECONDS_TO_END = 3.0


@contextmanager
def running(
    command: Sequence[str],
    *,
    folder: Path,
    output: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, whose whole group has ended when the block is left.

    Standard output and error go to `output`. A group of its own keeps Ctrl-C from it, so that
    nothing but the end of the block ends it. Without an environment it inherits this process's.
    """
    with output.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_END)
    finally:  # also when a second Ctrl-C cuts the waiting short
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def raise_file_limit() -> int:
    """Let this process and its children open as many files as the hard limit says; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def family(pid: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                parent = int(_stat(int(entry.name))[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for member in found:  # grows while it is walked
        found.extend(children.get(member, []))
    return found


def open_files(pids: Sequence[int]) -> int:
    """Open descriptors of the processes; 0 for one that has ended."""
    count = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            count += len(os.listdir(f"/proc/{pid}/fd"))
    return count


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time that the processes have used, in user mode and in the kernel."""
    return sum(int(ticks) for pid in pids for ticks in _stat(pid)[11:13]) / _TICKS_PER_SECOND


def idle_seconds() -> float:
    """For how long the machine's cores have been idle, all together."""
    fields = Path("/proc/stat").read_text().split(maxsplit=6)
    return (int(fields[4]) + int(fields[5])) / _TICKS_PER_SECOND


def resident_kib(pids: Sequence[int]) -> int:
    """Resident memory (VmRSS) of the processes, in KiB; 0 for one that has ended."""
    return sum(_resident_kib(pid) for pid in pids)


def _resident_kib(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (state) on; proc(5) has their list."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
