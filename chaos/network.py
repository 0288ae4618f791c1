"""A network between two machines, of which one exists only for Redis (ip-netns(8); needs root)."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.servers import Process, free_port, wait_until

_DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@frozen
class FarRedis:
    """A Redis on the other side of a network that can be cut."""

    host: str
    port: int
    _namespace: str

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}"

    def cut(self) -> None:
        """From now on nothing gets through, and nobody says so."""
        self._set("down")

    def mend(self) -> None:
        self._set("up")

    def _set(self, state: str) -> None:
        _ip("-n", self._namespace, "link", "set", "there", state)


@contextmanager
def far_redis(directory: Path) -> Iterator[FarRedis]:
    """A Redis in a network namespace of its own, behind a cable that is drawn on leaving."""
    number = random.randrange(1, 2**14)
    subnet = f"10.{200 + number // 256 % 50}.{number % 256}"
    namespace, here = f"boomerang-{number}", f"boom{number}"
    port = free_port()
    command = ["redis-server", "--bind", f"{subnet}.2", "--port", str(port), *_DURABLE]
    command = ["ip", "netns", "exec", namespace, *command, "--protected-mode", "no", "--save", ""]
    server = Process(command, log=directory / "redis.log", cwd=directory)
    _ip("netns", "add", namespace)
    try:
        _ip("link", "add", here, "type", "veth", "peer", "name", "there", "netns", namespace)
        _ip("addr", "add", f"{subnet}.1/24", "dev", here)
        _ip("link", "set", here, "up")
        _ip("-n", namespace, "addr", "add", f"{subnet}.2/24", "dev", "there")
        _ip("-n", namespace, "link", "set", "there", "up")
        server.start()
        wait_until(lambda: "Ready to accept" in server.last_words(), what="Redis far away")
        yield FarRedis(f"{subnet}.2", port, namespace)
    finally:
        server.kill()
        subprocess.run(["ip", "link", "del", here], check=False, capture_output=True)
        _ip("netns", "del", namespace)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
