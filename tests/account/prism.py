"""Prism, a mock that refuses what Twilio's own description of its API forbids, as a process.

``make servers`` installs it where npm is; https://github.com/stoplightio/prism.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.account.described import FILE
from tests.servers import HOST, NotReady, Process, free_port, wait_until

_BESIDE_PYTHON: Final = Path(sys.prefix) / "prism" / "node_modules" / ".bin"

PRISM: Final = shutil.which("prism", path=str(_BESIDE_PYTHON)) or shutil.which("prism")
"""Where it is; `None` if it is nowhere."""


@contextmanager
def prism(directory: Path) -> Iterator[str]:
    """Prism with the description; its address. It takes about two seconds to start."""
    assert PRISM is not None
    port = free_port()
    url = f"http://{HOST}:{port}"
    process = Process(
        [PRISM, "mock", "--host", HOST, "--port", str(port), str(FILE)],
        log=directory / "prism.log",
        cwd=directory,
    )

    def answers() -> bool:
        if not process.running:
            raise NotReady(f"prism has ended\n{process.last_words()}")
        try:
            urlopen(url, timeout=5).close()
        except HTTPError:
            return True
        except OSError:
            return False
        return True

    process.start()
    try:
        wait_until(answers, what="prism")
        yield url
    finally:
        process.stop()
