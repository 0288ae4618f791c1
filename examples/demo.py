"""``make demo``: a call to an app that sleeps, rescued by boomerang; takes 12 seconds.

The app needs 10 seconds to wake up, and Twilio's patience is made 4 seconds (the fragment of the
URL does that, as it would at Twilio), since its 15 would be too long to watch.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

BIN = Path(sys.executable).parent
APP = Path(__file__).with_name("sleeping_app.py")

DAEMON = (
    *(str(BIN / "twistd"), "-n", "--pidfile=", "boomerang"),
    *("--listen", "tcp:0:interface=127.0.0.1", "--store", "sqlite:demo.db"),
)

PATIENCE = "#tt=4000"

STARTED_WITHIN = 10.0


def main() -> int:
    with TemporaryDirectory() as directory, ExitStack() as processes:

        def started(*command: str, tells: str) -> str:
            """What a process tells about where it is; it ends with the block."""
            log = Path(directory, Path(command[0]).name)
            process = subprocess.Popen(
                command, cwd=directory, env=bare(), stdout=log.open("wb"), stderr=subprocess.STDOUT
            )
            processes.callback(process.wait)
            processes.callback(process.terminate)
            return found(tells, log)

        app = started(sys.executable, str(APP), tells="(http://[^ \n]+)")
        port = started(*DAEMON, tells=r"listening on [\d.]+:(\d+)")
        retry = f"http://127.0.0.1:{port}/retry"
        print(f"An app that needs 10 seconds to wake up, at {app}\nboomerang, at {retry}\n")
        call = ("call", f"{app}/voice{PATIENCE}", "--fallback", retry)
        print(f"boomerang {' '.join(call)}", flush=True)
        return subprocess.run([BIN / "boomerang", *call], env=bare(), check=False).returncode


def bare() -> dict[str, str]:
    """The environment, without what boomerang would take for settings."""
    prefixes = ("BOOMERANG_", "TWILIO_", "LIBRATO_", "REDIS_URL", "PORT")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def found(pattern: str, log: Path) -> str:
    """What a process has written, as soon as it has."""
    deadline = time.monotonic() + STARTED_WITHIN
    while (match := re.search(pattern, log.read_text())) is None:
        if time.monotonic() > deadline:
            raise SystemExit(f"it does not start:\n{log.read_text()}")
        time.sleep(0.05)
    return match[1]


if __name__ == "__main__":
    raise SystemExit(main())
