"""The servers that are compared: how each is started, and when it is ready."""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import Popen

import attrs

from benchmarks import cores, floor, peer, traffic
from benchmarks.processes import family, running

ROOT = Path(__file__).resolve().parent.parent
MAX_HELD = 20_000
_ENDPOINTS = 40
_READY_SECONDS = 20.0
_WORKERS = "boomerang_workers "

PEER = "peer"
FLOOR = "floor (C)"
MEMORY = "boomerang memory:"
SQLITE = "boomerang sqlite:"
REDIS = "boomerang redis://"


class ServerError(Exception):
    """A server did not start; the message holds the end of its log."""


@attrs.frozen
class Server:
    """A running server; `pids` are its process and the workers of it, `redis` its Redis."""

    name: str
    port: int
    pids: Sequence[int]
    redis: Sequence[int] = ()


@attrs.frozen
class _Launch:
    """What to run, and the path whose answer (of this status) says that it is ready."""

    command: Sequence[str]
    environment: Mapping[str, str]
    ready_path: str
    ready_status: int


@contextmanager
def serving(
    name: str,
    *,
    wait: float,
    settings: str = "",
    workers: int = 1,
    servers: int = 1,
    number: int = 0,
) -> Iterator[Server]:
    """The named server, fresh and empty, holding requests for `wait` seconds.

    `settings` are further ones of boomerang's, as in its file, `workers` its processes. Of several
    `servers` that are loaded at once its `number` counts from 0. It has cores of its own where
    there are enough; Redis shares those of the drivers.
    """
    split = cores.cores(servers * workers)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        redis_url, redis_pids = "", []
        if name in (PEER, REDIS):
            redis_port, redis_pid = stack.enter_context(redis_server(folder, split.drivers))
            redis_url, redis_pids = f"redis://127.0.0.1:{redis_port}/0", [redis_pid]
        port = free_port()
        if name == FLOOR:
            launch = floor_launch(port, wait=wait, folder=folder)
        elif name == PEER:
            launch = peer_launch(port, wait=wait, redis_url=redis_url)
        else:
            store = {MEMORY: "memory:", SQLITE: f"sqlite:{folder}/claims.db", REDIS: redis_url}
            config = folder / "settings.toml"
            config.write_text(everything_on() + settings)
            launch = boomerang_launch(
                port, wait=wait, store=store[name], config=config, workers=workers
            )
        log = folder / "server.log"
        environment = {**clean_environment(os.environ), **launch.environment}
        with cores.only_on(cores.share(split.servers, number, of=servers)):
            process = stack.enter_context(
                running(launch.command, folder=folder, output=log, environment=environment)
            )
        wait_until(lambda: _answers(port, launch), process, name=name, log=log)
        if workers > 1:
            wait_until(lambda: _serving_workers(port) == workers, process, name=name, log=log)
        pids = family(process.pid)
        with cores.only_on(split.drivers):
            yield Server(name=name, port=port, pids=pids, redis=redis_pids)


def everything_on() -> str:
    """Settings as a call centre has them: signatures are required, forty endpoints are known,
    and one more that is warmed up with.

    Metrics and the decision log, which goes to a file here, are always on.
    """
    others = [f"calls/:id/step-{number}" for number in range(_ENDPOINTS - 1)]
    middle = len(others) // 2
    paths = [*others[:middle], traffic.VOICE, *others[middle:]]
    tables = (
        f'[[endpoint]]\nname = "endpoint-{number}"\nmatch = "/{path}"\nhost = "*.example.com"\n'
        for number, path in enumerate(paths)
    )
    warm_up = f'[[endpoint]]\nname = "warm-up"\nmatch = "/{traffic.WARM_UP}"\nwait = 0\n'
    head = f'public_url = "{traffic.PUBLIC_URL}"\n[twilio]\nauth_token = "{traffic.AUTH_TOKEN}"\n'
    return head + "".join(tables) + warm_up


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would configure boomerang, and with this checkout's modules."""
    ours = ("BOOMERANG_", "TWILIO_", "LIBRATO_", "PORT", "REDIS_URL")
    kept = {name: value for name, value in environment.items() if not name.startswith(ours)}
    paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def peer_launch(port: int, *, wait: float, redis_url: str) -> _Launch:
    """How the peer is started: one gunicorn worker, without an access log, as its own Procfile."""
    gunicorn = [sys.executable, "-m", "gunicorn", "benchmarks.peer:application"]
    worker = ["--worker-class", "aiohttp.GunicornWebWorker", "--workers", "1"]
    return _Launch(
        command=[*gunicorn, *worker, "--bind", f"127.0.0.1:{port}", "--no-control-socket"],
        environment={peer.WAIT_VARIABLE: f"{wait:g}", peer.REDIS_VARIABLE: redis_url},
        ready_path="/retry",
        ready_status=400,
    )


def floor_launch(port: int, *, wait: float, folder: Path) -> _Launch:
    """How the floor is started; it is compiled first."""
    answer = folder / "answer"
    answer.write_bytes(floor.answer())
    return _Launch(
        command=[str(floor.compiled()), str(port), str(round(wait * 1000)), str(answer)],
        environment={},
        ready_path="/",
        ready_status=200,
    )


def boomerang_launch(
    port: int, *, wait: float, store: str, config: Path, workers: int = 1
) -> _Launch:
    """How boomerang is started: one process or several, with their log of decisions."""
    twistd = str(Path(sys.executable).parent / "twistd")
    listen = f"tcp:{port}:interface=127.0.0.1"
    options = {
        "--config": str(config),
        "--listen": listen,
        "--store": store,
        "--retry-wait": f"{wait:g}",
        "--retry-max-held": str(MAX_HELD),
        "--workers": str(workers),
    }
    arguments = [word for option in options.items() for word in option]
    return _Launch(
        command=[twistd, "-n", "--pidfile=", "boomerang", *arguments],
        environment={},
        ready_path="/health",
        ready_status=200,
    )


@contextmanager
def redis_server(folder: Path, on: Collection[int]) -> Iterator[tuple[int, int]]:
    """Port and process id of an empty Redis on these cores, which keeps nothing on disk."""
    port = free_port()
    keep_nothing = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", *keep_nothing]
    log = folder / "redis.log"
    with ExitStack() as stack:
        with cores.only_on(on):
            process = stack.enter_context(running(command, folder=folder, output=log))
        wait_until(lambda: _pongs(port), process, name="redis-server", log=log)
        yield port, process.pid


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _pongs(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"+PONG")


def _answers(port: int, launch: _Launch) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", launch.ready_path)
        return connection.getresponse().status == launch.ready_status
    finally:
        connection.close()


def _serving_workers(port: int) -> int:
    """How many workers serve, as the metrics say."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    return round(sum(float(line.split()[1]) for line in lines if line.startswith(_WORKERS)))


def wait_until(ready: Callable[[], bool], process: Popen[bytes], *, name: str, log: Path) -> None:
    """Return once a process is ready that writes to `log`. Raises `ServerError` if it is not."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if ready():
                return
        except (OSError, HTTPException):
            pass  # not listening yet
        time.sleep(0.05)
    raise ServerError(f"{name} did not start; its log ends:\n{_tail(log)}")


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
