"""The daemon as a process of its own, started from the checkout and always ended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.integration.sockets import LIMIT, get
from tests.integration.twilio import Answer, Caller, FailedCall, answers, let_pass

T = TypeVar("T")

_NOW: Final[Any] = reactor

ROOT: Final = Path(__file__).resolve().parents[2]

TWISTD: Final = str(Path(sys.executable).with_name("twistd"))

ANY_PORT: Final = "tcp:0:interface=127.0.0.1"

COMMAND: Final = (TWISTD, "-n", "--pidfile=", "boomerang")

_DYING_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""What a test run leaves behind that was killed itself is ended by the kernel."""

_INHERITED: Final = ("PATH", "HOME", "TMPDIR", "LANG")

_SIGNS_OF_A_MISTAKE: Final = ("Traceback", "#critical", "Unhandled", '"level": "critical"')

LISTENING: Final = re.compile(r"listening on [\d.]+:(\d+)")


def eventually(condition: Callable[[], T | None], *, within: float = LIMIT) -> T:
    """Ask until the answer is true, and return it; fails after some seconds."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s, last seen: {found!r}"
        time.sleep(0.02)
    return found


async def in_due_time(condition: Callable[[], T | None], *, within: float = LIMIT) -> T:
    """The same, while what plays in this process goes on."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s, last seen: {found!r}"
        await deferLater(_NOW, 0.02)
    return found


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a program needs to run, and nothing else that boomerang might read."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith("COVERAGE_")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **(more or {})}


def run(
    command: Sequence[str], *, directory: Path, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself, with nothing but its output to look at."""
    return subprocess.run(
        command,
        cwd=directory,
        env=environment(more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
        check=False,
    )


def children(pid: int) -> frozenset[int]:
    """The processes that a process has started, and that have not ended."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return frozenset()
    return frozenset(map(int, found.split()))


def _have_ended(pids: Iterable[int]) -> bool:
    """Whether all these processes have ended, be it that nobody has asked yet how."""
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state not in ("Z", "X"):
                return False
    return True


class Daemon:
    """A running daemon; ``port`` is where it listens."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        log: Path,
        environment: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._log = log
        self.directory = directory
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*_DYING_WITH_US, *command],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
            )
        self.port = 0

    def wait_until_ready(self, *, within: float = LIMIT) -> Daemon:
        """Return once the daemon answers, whatever it says of its health."""
        self.port = int(eventually(self._listening, within=within)[1])
        self.health()
        return self

    def _listening(self) -> re.Match[str] | None:
        assert self.process.poll() is None, f"the daemon has ended:\n{self.log()}"
        return LISTENING.search(self.log())

    def log(self) -> str:
        """What it has written so far, to standard output and standard error."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def mistakes(self) -> list[str]:
        """The lines of the log that speak of a bug."""
        return [
            line for line in self.log().splitlines() if any(s in line for s in _SIGNS_OF_A_MISTAKE)
        ]

    def health(self) -> dict[str, Any]:
        """What it says of itself; it serves, so it answers with 200."""
        answer = get(self.port, "/health")
        assert answer.status == 200
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def status(self) -> str:
        return str(self.health()["status"])

    def held(self) -> int:
        return int(self.health()["held"])

    def is_refusing(self) -> bool:
        """Whether a new connection is refused."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT).close()
        except ConnectionError:  # refused, or reset while the socket was being closed
            return True
        return False

    def fail(self, failed: FailedCall) -> Caller:
        """Begin one of Twilio's fallback requests, whose answer may take its time."""
        return Caller(failed.script, failed.fallback(self.port))

    def rescue(self, failed: FailedCall) -> Answer:
        """The answer to one of Twilio's fallback requests."""
        return self.rescue_all([failed])[0]

    def rescue_all(self, failed: Sequence[FailedCall]) -> list[Answer]:
        """The answers to fallback requests that come at the same moment."""
        return answers([self.fail(one) for one in failed])

    def hold(self, failed: Sequence[FailedCall]) -> list[Caller]:
        """Make fallback requests; returns when as many are being held."""
        callers = [self.fail(one) for one in failed]

        def are_held() -> bool:
            let_pass(0.01)
            return self.held() == len(callers)

        eventually(are_held)
        return callers

    def uses_its_store(self) -> bool:
        """Whether a failure is counted in the store now, and not in the process's memory alone.

        It takes one that is not held: repeating cannot mend it.
        """
        failed = FailedCall(error_code="12100")
        self.rescue(failed)
        (line,) = [line for line in self.log().splitlines() if failed.sid in line]
        return line.endswith("degraded=no")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_status(self, *, within: float = LIMIT) -> int:
        """Wait for the end; negative if it died of a signal."""
        return self.process.wait(within)

    def kill(self) -> None:
        """End it as the kernel would, without a chance to do anything (SIGKILL)."""
        self.process.kill()
        self.process.wait()


class Daemons:
    """Starts daemons in directories of their own, and ends them all."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[Daemon] = []

    def start(
        self,
        *options: str,
        store: str = "memory:",
        wait: float = 0.3,
        more: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> Daemon:
        """A daemon that is ready, on any free port of this machine alone."""
        settings = ("--listen", ANY_PORT, "--store", store, "--retry-wait", str(wait))
        command = (*prefix, *COMMAND, *settings, *options)
        return self.launch(*command, more=more).wait_until_ready()

    def launch(
        self,
        *command: str,
        more: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Daemon:
        """A daemon that may not be ready yet, in a new and empty directory."""
        number = len(self._started)
        directory = self.directory / f"daemon-{number}"
        directory.mkdir()
        daemon = Daemon(
            command,
            directory=directory,
            log=self.directory / f"daemon-{number}.log",
            environment=environment(more),
            pass_fds=pass_fds,
        )
        self._started.append(daemon)
        return daemon

    def kill_all(self) -> None:
        """End them, and their workers, and return when nobody writes to a file any more."""
        for daemon in self._started:
            workers = children(daemon.process.pid)
            daemon.kill()
            for worker in workers:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            eventually(partial(_have_ended, workers))

    def mistakes(self) -> list[str]:
        """What any of the logs says of a bug."""
        return [line for daemon in self._started for line in daemon.mistakes()]


@contextmanager
def ended(daemons: Daemons) -> Iterator[Daemons]:
    """Ends the daemons in any case, and fails if one of their logs speaks of a bug."""
    try:
        yield daemons
    finally:
        daemons.kill_all()
    assert daemons.mistakes() == []
