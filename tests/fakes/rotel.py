"""A real OpenTelemetry receiver: Rotel, whose program comes with the package of that name."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers import HOST, Process, free_port, wait_until


def _program() -> Path:
    found = find_spec("rotel")
    assert found is not None, "the package rotel is missing; setup.py has it among those for tests"
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0], "rotel-agent")


class Rotel:
    """Takes metrics at `url`, and passes them on to another receiver at ``onward``, if given."""

    def __init__(self, directory: Path, *, onward: str | None = None) -> None:
        self._port = free_port()
        self.url = f"http://{HOST}:{self._port}"
        command = [
            str(_program()),
            "start",
            f"--pid-file={directory}/rotel.pid",
            f"--otlp-http-endpoint={HOST}:{self._port}",
            f"--otlp-grpc-endpoint={HOST}:{free_port()}",
            "--batch-timeout=10ms",
        ]
        if onward is None:
            command.append("--exporter=blackhole")
        else:
            command += [
                "--exporter=otlp",
                "--otlp-exporter-protocol=http",
                f"--otlp-exporter-endpoint={onward}",
            ]
        self._process = Process(command, log=directory / "rotel.log", cwd=directory)

    def __enter__(self) -> Self:
        self._process.start()
        wait_until(self._listens, what="rotel")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()

    def _listens(self) -> bool:
        assert self._process.running, self._process.last_words()
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self._port)) == 0
