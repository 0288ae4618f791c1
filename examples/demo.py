"""``make demo``: a call to an app that sleeps, rescued by boomerang; takes 12 seconds.

    python examples/demo.py [SECONDS]

The app needs 10 seconds to wake up, boomerang holds the call for 8, and Twilio's patience is made 4
(the fragment of the URL does that, as it would at Twilio), since its 15 would be too long to watch.
With another number of seconds all is in proportion.
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

STARTED_WITHIN = 10.0


def main(seconds: float) -> int:
    with TemporaryDirectory() as directory, ExitStack() as processes:

        def started(*command: str, tells: str) -> str:
            """What a process tells about where it is; it ends with the block."""
            log = Path(directory, Path(command[0]).name)
            out = processes.enter_context(log.open("wb"))
            process = subprocess.Popen(
                command, cwd=directory, env=bare(), stdout=out, stderr=subprocess.STDOUT
            )
            processes.callback(process.wait)
            processes.callback(process.terminate)
            return found(tells, log)

        app = started(sys.executable, str(APP), "0", str(seconds), tells="(http://[^ \n]+)")
        port = started(
            *DAEMON, "--retry-wait", str(0.8 * seconds), tells=r"listening on [\d.]+:(\d+)"
        )
        retry = f"http://127.0.0.1:{port}/retry"
        print(
            f"An app that needs {seconds:g} seconds to wake up, at {app}\nboomerang, at {retry}\n"
        )
        call = ("call", f"{app}/voice#tt={400 * seconds:.0f}", "--fallback", retry)
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
    raise SystemExit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10))
