"""The process that makes calls (`chaos.load`), as the scene of a fault sees it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from chaos.told import Told, read
from tests.integration.daemon import ROOT, environment, eventually


class Driver:
    """Calls and callbacks without end; leave the context to end them."""

    def __init__(self, port: int, *, calls: float, callbacks: float, log: Path) -> None:
        command = [sys.executable, "-m", "chaos.load", str(port)]
        command += ["--calls", str(calls), "--callbacks", str(callbacks)]
        self._lines: list[str] = []
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(self._process.stdout)

    def storm(self, calls: int) -> None:
        """So many calls at once."""
        self._say(f"storm {calls}")

    def end(self, *, within: float) -> None:
        """Begin no more; returns once all that was under way is over."""
        self._say("end")
        eventually(lambda: any('"over"' in line for line in self._lines[-50:]), within=within)

    def ended_calls(self) -> int:
        """How many calls have ended so far."""
        return sum('"kind": "call"' in line for line in self._lines)

    def told(self) -> Told:
        """What it has told so far. Fails if it made a mistake of its own."""
        mistakes = [line for line in self._lines if '"mistake"' in line]
        assert not mistakes, f"{mistakes[0]}{self._log.read_text()}"
        return read([line for line in self._lines if '"over"' not in line])

    def _say(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
